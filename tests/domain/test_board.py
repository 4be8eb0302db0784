from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.board import Board, BoardQuote, MarketDescription, to_microseconds
from domain.events.bet import Side
from domain.freshness import MaxAges
from domain.quotes import QuoteLine, QuoteMessage
from domain.refusals import InvalidInput, MarketNotFound, SelectionNotInMarket

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIXTURE = UUID(int=7)
X2 = MarketDescription(UUID(int=1), FIXTURE, "1X2", None, ("home", "draw", "away"))
OU = MarketDescription(UUID(int=2), FIXTURE, "OU", Decimal("2.5"), ("over", "under"))


def a_board(*markets: MarketDescription, max_ages: MaxAges | None = None) -> Board:
    board = Board(max_ages)
    for each in markets or (X2, OU):
        board.describe(each)
    return board


def quote(
    bookmaker: str,
    odds: Mapping[str, str | None],
    *,
    of: MarketDescription = X2,
    at: datetime = NOW,
    side: Side = "back",
    size: str | None = None,
) -> QuoteMessage:
    amount = None if size is None else Decimal(size)
    lines = tuple(
        QuoteLine(selection, None if price is None else Decimal(price), side, amount)
        for selection, price in odds.items()
    )
    return QuoteMessage(bookmaker, of.fixture_id, of.market_id, at, lines)


def shown(board: Board, market: MarketDescription = X2) -> dict[tuple[str, str, str], str]:
    return {
        (each.selection_id, each.side, each.bookmaker): str(each.odds)
        for each in board.quotes(market.market_id)
    }


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_the_board_shows_the_latest_price_of_each_bookmaker() -> None:
    board = a_board()
    applied = board.apply(quote("a", {"home": "2.1", "draw": "3"}), NOW)
    assert applied.changed.tolist() == [True, True]
    board.apply(quote("b", {"home": "2.125"}, side="lay", size="12.3456"), NOW)
    assert shown(board) == {
        ("home", "back", "a"): "2.1",
        ("draw", "back", "a"): "3",
        ("home", "lay", "b"): "2.125",
    }
    [lay] = [each for each in board.quotes(X2.market_id) if each.side == "lay"]
    assert lay == BoardQuote(
        X2.market_id, "home", "lay", "b", Decimal("2.125"), NOW, Decimal("12.345")
    )
    assert board.quotes(UUID(int=9)) == []


def test_a_repeated_price_only_refreshes_its_time_and_an_older_one_is_late() -> None:
    board = a_board()
    board.apply(quote("a", {"home": "2.1"}), NOW)
    again = board.apply(quote("a", {"home": "2.1"}, at=NOW + seconds(5)), NOW)
    assert (len(again.heard), again.changed.tolist()) == (1, [False])
    late = board.apply(quote("a", {"home": "3"}, at=NOW + seconds(4)), NOW)
    assert (len(late.heard), late.late) == (0, 1)
    assert shown(board) == {("home", "back", "a"): "2.1"}


def test_a_withdrawn_price_is_gone_and_an_older_one_does_not_bring_it_back() -> None:
    board = a_board()
    board.apply(quote("a", {"home": "2.1"}), NOW)
    board.apply(quote("a", {"home": None}, at=NOW + seconds(2)), NOW)
    board.apply(quote("a", {"home": "2.1"}, at=NOW + seconds(1)), NOW)
    assert shown(board) == {}


def test_the_best_price_is_the_highest_to_back_and_the_lowest_to_lay() -> None:
    board = a_board()
    for bookmaker, odds in (("a", "2.1"), ("b", "2.3"), ("c", "2.3")):
        board.apply(quote(bookmaker, {"home": odds}), NOW)
        board.apply(quote(bookmaker, {"home": odds}, side="lay"), NOW)
    best = [(each.side, each.bookmaker) for each in board.best(X2.market_id)]
    assert best == [("back", "b"), ("lay", "a")]
    assert board.best(OU.market_id) == board.best(UUID(int=9)) == []


def test_quotes_expire_by_the_age_of_their_bookmaker() -> None:
    board = a_board(max_ages=MaxAges(300, {"fast": 10}))
    assert board.next_expiry() is None
    board.apply(quote("fast", {"home": "2.1", "draw": "3"}), NOW)
    board.apply(quote("slow", {"home": "2.1"}), NOW)
    assert board.next_expiry() == NOW + seconds(10)
    assert len(board.expire(NOW + seconds(10))) == 0
    board.apply(quote("fast", {"draw": "3"}, at=NOW + seconds(8)), NOW)
    gone = board.expire(NOW + seconds(11))
    assert [board.selection(int(row))[1] for row in gone.rows] == ["home"]
    assert board.next_expiry() == NOW + seconds(18)
    assert len(board.expire(NOW + seconds(301))) == 2
    assert shown(board) == {}
    assert board.next_expiry() is None


def test_a_message_is_taken_whole_or_not_at_all() -> None:
    board = a_board()
    for odds, refusal in (
        ({"home": "2", "draw": "0.5"}, InvalidInput),
        ({"home": "2", "other": "2"}, SelectionNotInMarket),
    ):
        with pytest.raises(refusal):
            board.apply(quote("a", odds), NOW)
    with pytest.raises(InvalidInput, match="future"):
        board.apply(quote("a", {"home": "2"}, at=NOW + seconds(61)), NOW)
    with pytest.raises(InvalidInput, match="another fixture"):
        board.apply(
            QuoteMessage("a", UUID(int=8), X2.market_id, NOW, (QuoteLine("home", Decimal(2)),)), NOW
        )
    with pytest.raises(MarketNotFound):
        a_board(OU).apply(quote("a", {"home": "2"}), NOW)
    assert shown(board) == {}


def test_a_batch_refuses_odds_that_nobody_can_mean_and_rows_that_do_not_exist() -> None:
    board = a_board()
    column = board.column("a")
    odds = np.array([500, 1000, -1, 10**9, 2000, 0])
    rows, columns = np.zeros(6, np.int64), np.full(6, column)
    applied = board.apply_many(rows, columns, odds, np.full(6, to_microseconds(NOW)))
    assert applied.refused.tolist() == [True, True, True, True, False, False]
    assert applied.late == 1
    assert shown(board) == {}
    for bad_row, bad_column in ((99, column), (-1, column), (0, 5)):
        one = np.array([0])
        with pytest.raises(IndexError):
            board.apply_many(np.array([bad_row]), np.array([bad_column]), one + 2000, one)


def test_the_board_grows_with_markets_and_bookmakers_and_keeps_what_it_has() -> None:
    board = a_board(OU)
    board.apply(quote("a", {"over": "1.9"}, of=OU), NOW)
    for number in range(100):
        selections = tuple(f"runner{n}" for n in range(number % 7 + 1))
        race = MarketDescription(UUID(int=100 + number), FIXTURE, "WIN", None, selections)
        board.describe(race)
        assert board.describe(race) == number + 1
        board.apply(quote(f"book{number}", {"runner0": "5"}, of=race), NOW)
        assert shown(board, race) == {("runner0", "back", f"book{number}"): "5"}
    assert shown(board, OU) == {("over", "back", "a"): "1.9"}


def test_a_board_that_is_loaded_shows_what_the_other_showed() -> None:
    board, other = a_board(), a_board()
    board.apply(quote("a", {"home": "2.1", "away": "4"}, size="5"), NOW)
    board.apply(quote("b", {"home": "2.2"}, side="lay"), NOW)
    rows = board.quotes(X2.market_id)
    unknown = BoardQuote(UUID(int=9), "home", "back", "a", Decimal(2), NOW)
    other.load([unknown, *reversed(rows)])
    assert other.quotes(X2.market_id) == [
        *sorted(rows, key=lambda each: (each.side, rows.index(each)))
    ]
    assert other.next_expiry() == board.next_expiry()


moves = st.lists(
    st.tuples(
        st.integers(0, 9),  # row
        st.integers(0, 2),  # column
        st.sampled_from([0, 0, 1500, 2000, 2500, 900, 10**9]),
        st.integers(0, 5),  # seconds
    ),
    max_size=40,
)


@given(moves, st.integers(1, 12))
def test_a_batch_leaves_the_board_as_its_quotes_one_by_one_do(
    quotes: list[tuple[int, int, int, int]], size: int
) -> None:
    one, many = a_board(), a_board()
    for board in (one, many):
        for bookmaker in "abc":
            board.column(bookmaker)
    for row, column, odds, at in quotes:
        market, selection, side = one.selection(row)
        message = QuoteMessage(
            "abc"[column],
            FIXTURE,
            market.market_id,
            NOW + seconds(at),
            (QuoteLine(selection, Decimal(odds) / 1000 if odds else None, side),),
        )
        try:
            one.apply(message, NOW)
        except InvalidInput:
            assert odds in (900, 10**9)
    for begin in range(0, len(quotes), size):
        batch = np.array(quotes[begin : begin + size], np.int64)
        times = to_microseconds(NOW) + batch[:, 3] * 1_000_000
        before = many.odds.copy()
        applied = many.apply_many(batch[:, 0], batch[:, 1], batch[:, 2], times)
        cells = applied.heard
        assert len({*zip(cells.rows.tolist(), cells.columns.tolist(), strict=True)}) == len(cells)
        assert applied.changed.sum() == (many.odds != before).sum()
        assert applied.late + applied.refused.sum() + len(cells) == len(batch)
    assert (one.odds == many.odds).all()
    assert (one.at == many.at).all()
