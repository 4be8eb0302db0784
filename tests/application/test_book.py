"""The book against a plain model: a log that can be cut off."""

from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from application.book import Book, Lookup
from domain.events.event import Event
from domain.streams import State, evolve
from tests.builders import account_opened, an_id, deposited

STREAMS = [an_id(f"stream {n}") for n in range(8)]
streams = st.sampled_from(STREAMS)


def fold(log: list[tuple[UUID, Event]], stream_id: UUID) -> State | None:
    state: State | None = None
    for each, event in log:
        if each == stream_id:
            state = evolve(state, stream_id, event)
    return state


class BookMachine(RuleBasedStateMachine):
    """`durable` is what the log holds, `sealed` what is on its way there, `batch` what is being decided."""

    capacity = 4

    def __init__(self) -> None:
        super().__init__()
        self.book = Book(self.capacity)
        self.durable: list[tuple[UUID, Event]] = []
        self.sealed: list[tuple[UUID, Event]] | None = None
        self.batch: list[tuple[UUID, Event]] = []
        self.marks: list[tuple[tuple[int, int], int]] = []
        self.lookups: list[tuple[Lookup, dict[UUID, State]]] = []

    def tentative(self) -> list[tuple[UUID, Event]]:
        return [*self.durable, *(self.sealed or []), *self.batch]

    def load(self, stream_id: UUID) -> None:
        """As the writer does: what the book does not know comes from the log."""
        if not self.book.knows(stream_id):
            state = fold(self.durable, stream_id)
            self.book.put_loaded({stream_id}, {stream_id: state} if state else {})

    @rule(stream_ids=st.sets(streams, min_size=1))
    def read_beside(self, stream_ids: set[UUID]) -> None:
        """What is read here arrives some steps later, when much may have happened."""
        found = {each: state for each in stream_ids if (state := fold(self.durable, each))}
        self.lookups.append((self.book.begin_lookup(), found))

    @precondition(lambda self: self.lookups)
    @rule(data=st.data())
    def take_what_was_read_beside(self, data: st.DataObject) -> None:
        which = data.draw(st.integers(0, len(self.lookups) - 1))
        self.book.end_lookup(*self.lookups.pop(which))

    @rule(stream_ids=st.sets(streams, min_size=1))
    def release(self, stream_ids: set[UUID]) -> None:
        self.book.release(stream_ids)

    @rule(stream_id=streams, amount=st.integers(1, 99))
    def decide(self, stream_id: UUID, amount: int) -> None:
        self.load(stream_id)
        event: Event = deposited(amount) if self.book.get(stream_id) else account_opened()
        after = self.book.record(stream_id, event)
        self.batch.append((stream_id, event))
        assert after == fold(self.tentative(), stream_id)
        assert self.book.rows[-1] == (stream_id, after.version, event)
        assert self.book.is_taken(stream_id)

    @rule(number=st.integers(0, 10**9))
    def begin_a_stream_unseen(self, number: int) -> None:
        stream_id = an_id(f"new {number}")
        if fold(self.tentative(), stream_id) is None:
            self.book.record_first(stream_id, account_opened())
            self.batch.append((stream_id, account_opened()))
            assert self.book.is_taken(stream_id)

    @rule()
    def mark(self) -> None:
        self.marks.append((self.book.mark(), len(self.batch)))

    @precondition(lambda self: self.marks)
    @rule()
    def rewind(self) -> None:
        mark, length = self.marks.pop()
        dropped = {stream_id for stream_id, _ in self.batch[length:]}
        self.book.rewind(mark)
        del self.batch[length:]
        for stream_id in dropped:
            if fold(self.tentative(), stream_id) is None:
                assert not self.book.is_taken(stream_id)

    @precondition(lambda self: self.sealed is None)
    @rule()
    def seal(self) -> None:
        self.book.seal()
        self.sealed, self.batch = self.batch, []
        self.marks.clear()
        assert self.book.rows == []

    @precondition(lambda self: self.sealed is not None)
    @rule()
    def accept(self) -> None:
        self.book.accept()
        self.durable += self.sealed or []
        self.sealed = None

    @rule()
    def rewind_all(self) -> None:
        self.book.rewind_all()
        self.batch, self.sealed = [], None
        self.marks.clear()

    @precondition(lambda self: not self.batch and self.sealed is None)
    @rule(stream_id=streams, amount=st.integers(1, 99))
    def another_process_appends(self, stream_id: UUID, amount: int) -> None:
        state = fold(self.durable, stream_id)
        event: Event = deposited(amount) if state else account_opened()
        self.durable.append((stream_id, event))
        version = state.version + 1 if state else 1
        self.book.follow(stream_id, version, event)
        self.book.follow(stream_id, version, event)
        self.book.base += 1

    @precondition(lambda self: not self.batch and self.sealed is None)
    @rule()
    def forget(self) -> None:
        self.book.forget(len(self.durable))
        assert len(self.book) == 0
        self.marks.clear()

    @invariant()
    def what_the_book_knows_is_right(self) -> None:
        log = self.tentative()
        assert self.book.position == len(log)
        for stream_id in STREAMS:
            if self.book.knows(stream_id):
                assert self.book.get(stream_id) == fold(log, stream_id)

    @invariant()
    def it_stays_small(self) -> None:
        undurable = len(self.batch) + len(self.sealed or [])
        assert len(self.book) <= 2 * (self.capacity + len(STREAMS)) + undurable


@pytest.mark.parametrize("capacity", [1, 4, 100])
def test_the_book_agrees_with_a_log_that_can_be_cut_off(capacity: int) -> None:
    class Machine(BookMachine):
        pass

    Machine.capacity = capacity
    run_state_machine_as_test(Machine, settings=settings(max_examples=40, stateful_step_count=30))


def test_what_was_not_loaded_is_not_guessed() -> None:
    with pytest.raises(LookupError, match="was not loaded"):
        Book(10).get(STREAMS[0])


def test_one_batch_flies_at_a_time() -> None:
    book = Book(10)
    book.seal()
    with pytest.raises(RuntimeError, match="in flight"):
        book.seal()


def test_what_is_asked_for_stays_and_the_rest_is_forgotten() -> None:
    book, log = Book(4), {each: fold([(each, account_opened())], each) for each in STREAMS}
    kept = STREAMS[0]
    for stream_id in STREAMS[1:]:
        for each in (kept, stream_id):
            if not book.knows(each):
                state = log[each]
                assert state is not None
                book.put_loaded({each}, {each: state})
            book.get(each)
        book.seal()
        book.accept()
        assert book.knows(kept)
    assert not book.knows(STREAMS[1])
    assert len(book) <= 6


def test_an_event_that_the_state_has_is_not_applied_twice() -> None:
    book = Book(10)
    state = fold([(STREAMS[0], account_opened()), (STREAMS[0], deposited(5))], STREAMS[0])
    assert state is not None
    book.put_loaded({STREAMS[0]}, {STREAMS[0]: state})
    book.follow(STREAMS[0], 2, deposited(5))
    assert book.get(STREAMS[0]) == state
    book.follow(STREAMS[0], 3, deposited(1))
    after = book.get(STREAMS[0])
    assert after == evolve(state, STREAMS[0], deposited(1))


def test_an_absent_stream_that_another_process_begins_is_looked_up_again() -> None:
    book = Book(10)
    book.put_loaded({STREAMS[0]}, {})
    assert book.get(STREAMS[0]) is None
    book.follow(STREAMS[0], 1, account_opened())
    assert not book.knows(STREAMS[0])
