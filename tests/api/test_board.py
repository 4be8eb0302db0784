"""How a market's odds board is put together from kept and live prices."""

from datetime import datetime, timedelta
from decimal import Decimal

from api.board import odds_board
from domain.events.bet import Side
from domain.events.odds import Quote
from domain.freshness import MaxAges
from read_models.prices import PriceRow
from tests.builders import NOW

AGES = MaxAges(60, {"betfair": 10})


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def kept(
    odds: str,
    bookmaker: str = "b365",
    seconds: float = 5,
    *,
    side: Side = "back",
    withdrawn: bool = False,
) -> PriceRow:
    row = (bookmaker, "home", side, Decimal(odds), None, False, withdrawn, ago(seconds))
    return PriceRow(*row, position=7)


def live(
    odds: str, bookmaker: str = "b365", seconds: float = 1, *, withdrawn: bool = False
) -> Quote:
    return Quote(bookmaker, "home", Decimal(odds), ago(seconds), withdrawn=withdrawn)


def shown(rows: list[PriceRow], quotes: list[Quote]) -> list[tuple[str, str, int | None]]:
    items = odds_board(rows, quotes, AGES, NOW).items
    return [(price.bookmaker, str(price.odds), price.position) for price in items]


def test_a_live_price_that_is_newer_is_shown_and_has_no_position_yet() -> None:
    assert shown([kept("2.1"), kept("2.2", "c")], [live("2.3")]) == [
        ("b365", "2.3", None),
        ("c", "2.2", 7),
    ]


def test_a_live_price_that_is_as_old_or_older_is_not() -> None:
    assert shown([kept("2.1", seconds=5)], [live("2.3", seconds=5)]) == [("b365", "2.1", 7)]
    assert shown([kept("2.1", seconds=5)], [live("2.3", seconds=6)]) == [("b365", "2.1", 7)]


def test_withdrawn_prices_are_not_shown() -> None:
    assert shown([kept("2.1", withdrawn=True)], []) == []
    assert shown([kept("2.1")], [live("2.1", withdrawn=True)]) == []
    assert shown([kept("2.1", withdrawn=True, seconds=5)], [live("2.1", seconds=6)]) == []
    assert shown([kept("2.1", withdrawn=True)], [live("2.2")]) == [("b365", "2.2", None)]


def test_the_best_price_is_the_highest_to_back_and_the_lowest_to_lay() -> None:
    rows = [
        kept("2.1"),
        kept("2.3", "c"),
        kept("2.2", "d"),
        kept("2.5", "c", side="lay"),
        kept("2.4", "d", side="lay"),
    ]
    best = odds_board(rows, [], AGES, NOW).best
    assert [(b.side, b.bookmaker, str(b.odds)) for b in best] == [
        ("back", "c", "2.3"),
        ("lay", "d", "2.4"),
    ]


def test_a_price_is_stale_by_its_bookmakers_age_and_then_never_the_best() -> None:
    board = odds_board([kept("3", "Betfair", 11), kept("2", "b365", 11)], [], AGES, NOW)
    assert [(p.bookmaker, p.age_seconds, p.stale) for p in board.items] == [
        ("Betfair", 11.0, True),
        ("b365", 11.0, False),
    ]
    assert [b.bookmaker for b in board.best] == ["b365"]
    (ahead,) = odds_board([kept("3", seconds=-5)], [], AGES, NOW).items
    assert (ahead.age_seconds, ahead.stale) == (0.0, False)
