"""What a query asks of the database, pages, and the opaque cursors between them."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct

from domain.refusals import InvalidInput

Row = TypeVar("Row")


class Db(Protocol):
    """Reads of the read models: one statement, one moment; times come in UTC, sums as exact numbers."""

    async def rows(
        self, sql: str, parameters: Mapping[str, Any], make: Callable[..., Row]
    ) -> list[Row]:
        """Run a query and give `make(*columns)` for each row; `%(name)s` in `sql` are bound parameters.

        Raises LogUnavailable when the database is away.
        """

    async def position(self, model: str) -> int:
        """Give the position of the last event that a model shows."""


class Page(Struct, Generic[Row]):
    """Some rows of a list; `next_cursor` asks for those that follow and is None at the end."""

    items: Sequence[Row]
    next_cursor: str | None


def query(select: str, where: Sequence[str], rest: str) -> str:
    """Put a statement together from constant parts; every value in it is a bound parameter."""
    return "\n".join([select, "WHERE " + " AND ".join(where), rest])


def page_of(rows: list[Row], limit: int, key: Callable[[Row], tuple[Any, ...]]) -> Page[Row]:
    """Make a page of at most `limit` rows; whoever asks has queried one row more to see whether there are any."""
    items = rows[:limit]
    return Page(items, encode_cursor(key(items[-1])) if len(rows) > limit and items else None)


def encode_cursor(key: tuple[Any, ...]) -> str:
    """Hide the sort key of the last row in a word that fits in a URL."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(key)).rstrip(b"=").decode()


Key = TypeVar("Key")


def decode_cursor(cursor: str | None, shape: type[Key]) -> Key | None:
    """Give the sort key in a cursor; raises InvalidInput for what this list has not given out."""
    if cursor is None:
        return None
    try:
        data = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        return msgspec.msgpack.decode(data, type=shape)
    except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
        raise InvalidInput("this is not a cursor of this list", field="cursor") from error
