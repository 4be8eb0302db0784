"""What a decision needs in memory and the book does not have yet."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final
from uuid import UUID

from application.book import Book
from application.decisions.streams import further_streams_of, new_streams_of, streams_of
from application.log import Log
from application.order import Order
from domain.commands.command import Command
from domain.streams import State

STREAMS_AT_A_TIME: Final = 100
"""What is read at a time beside the writer's work: decoding it holds everybody else up for a millisecond or two."""


def missing_streams(order: Order, book: Book, *, careful: bool = False) -> set[UUID]:
    """Give the streams that have to be loaded before an order can be decided; once they are, there may be more.

    `careful`: with those that it starts under ids that its sender chose.
    """
    knows, command, target = book.knows, order.command, order.target
    missing = {each for each in streams_of(command, target) if not knows(each)}
    if careful:
        missing.update(each for each in new_streams_of(command) if not knows(each))
    if not missing:
        further = further_streams_of(command, target, book)
        missing = {each for each in further if not knows(each)}
    return missing


async def look_ahead(command: Command, target: UUID | None, book: Book, log: Log) -> None:
    """Read what a large command looks at before it is put, so that nobody has to wait for it behind that command.

    Raises LogUnavailable. What is not read here is loaded as for any other command.
    """
    asked: set[UUID] = set()
    while missing := _not_known(command, target, book, asked) - asked:
        asked |= missing
        lookup, states = book.begin_lookup(), dict[UUID, State]()
        try:
            for some in _slices(missing, STREAMS_AT_A_TIME):
                states.update(await log.look(some))
        finally:
            book.end_lookup(lookup, states)


def _not_known(
    command: Command, target: UUID | None, book: Book, asked: Collection[UUID]
) -> set[UUID]:
    knows = book.knows
    missing = {each for each in streams_of(command, target) if not knows(each)}
    if missing - set(asked):
        return missing
    try:
        further = set(further_streams_of(command, target, book))
    except LookupError:  # of a stream that does not exist, or has changed meanwhile
        return set()
    return {each for each in further if not knows(each)}


def _slices(ids: Iterable[UUID], size: int) -> Iterator[list[UUID]]:
    rest = iter(ids)
    while some := list(islice(rest, size)):
        yield some
