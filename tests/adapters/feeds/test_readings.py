import contextlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feeds.readings import (
    NOT_JSON,
    Unusable,
    decode_json,
    read_key,
    read_line,
    read_name,
    read_odds,
    read_past,
    read_size,
    read_time,
)
from adapters.feeds.selections import selections_of
from domain.events.market import MarketType
from domain.money import check_odds
from domain.odds import MAX_SIZE

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(),
    st.floats(),
    st.text(max_size=20),
    st.from_regex(r"-?\d{1,20}(\.\d{1,20})?", fullmatch=True),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


@given(ANYTHING, st.sampled_from(["back", "lay"]))
def test_whatever_is_read_as_odds_is_odds_to_the_ledger_and_never_better_than_offered(
    value: Any, side: Any
) -> None:
    try:
        odds = read_odds(value, side)
    except Unusable:
        return
    check_odds(odds)
    offered = Decimal(value)
    assert odds <= offered if side == "back" else odds >= offered
    assert abs(odds - offered) < Decimal("0.001")


@given(ANYTHING)
def test_nothing_but_a_reason_comes_of_what_cannot_be_read(value: Any) -> None:
    for read in (
        read_line,
        read_size,
        lambda each: read_name(each, "name"),
        lambda each: read_key(each, "key"),
        lambda each: read_time(each, "time"),
    ):
        with contextlib.suppress(Unusable):
            read(value)


@pytest.mark.parametrize(
    "absurd",
    [
        0.5,
        Decimal("0.5"),
        1,
        "1.0",
        Decimal("1e9"),
        Decimal("1e999999"),
        "NaN",
        Decimal("NaN"),
        Decimal("inf"),
        "",
        None,
        True,
        "evens",
        -2,
    ],
)
def test_absurd_odds_are_refused(absurd: Any) -> None:
    with pytest.raises(Unusable):
        read_odds(absurd)


@pytest.mark.parametrize(
    ("offered", "side", "read"),
    [
        ("1.90909", "back", "1.909"),
        ("1.90909", "lay", "1.91"),
        ("10", "back", "10"),
        ("2.50", "back", "2.5"),
        ("100000", "back", "100000"),
        ("1.0001", "lay", "1.001"),
    ],
)
def test_odds_are_cut_to_three_places_against_whom_takes_them(
    offered: str, side: Any, read: str
) -> None:
    assert str(read_odds(offered, side)) == read


def test_sizes_are_from_nothing_to_what_the_ledger_keeps() -> None:
    assert read_size(None) is None
    assert str(read_size("1000000")) == "1000000"
    assert str(read_size(Decimal("0.123456789"))) == "0.12345678"
    for absurd in (-1, MAX_SIZE + 1, "x"):
        with pytest.raises(Unusable):
            read_size(absurd)


@pytest.mark.parametrize(
    ("text", "line"), [("2.5", "2.5"), ("-0.0", "0"), ("-0.25", "-0.25"), ("10", "10")]
)
def test_lines_are_quarters(text: str, line: str) -> None:
    assert str(read_line(text)) == line


@pytest.mark.parametrize("text", ["2.3", "10001", "", "pk"])
def test_other_lines_are_refused(text: str) -> None:
    with pytest.raises(Unusable):
        read_line(text)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("William Hill", "william_hill"),
        ("1xBet", "1xbet"),
        ("MyBookie.ag", "mybookie_ag"),
        ("Betclic (FR)", "betclic_fr"),
        ("Fortuna Sázky", "fortuna_sazky"),
    ],
)
def test_a_bookmakers_name_becomes_a_key_that_a_subject_may_hold(name: str, key: str) -> None:
    assert read_key(name, "bookmaker") == key


@pytest.mark.parametrize("name", ["", "  ", "***", "x" * 51, 7])
def test_what_leaves_no_key_is_refused(name: Any) -> None:
    with pytest.raises(Unusable):
        read_key(name, "bookmaker")


@pytest.mark.parametrize("name", ["Curaçao", "  Bosnia  &\tHerzegovina "])
def test_names_are_composed_and_on_one_line(name: str) -> None:
    assert read_name(name, "name") in {"Curaçao", "Bosnia & Herzegovina"}


@pytest.mark.parametrize("name", ["\x00", "a\x1bb", "x" * 201, None, 3])
def test_names_that_nobody_can_print_are_refused(name: Any) -> None:
    with pytest.raises(Unusable):
        read_name(name, "name")


@pytest.mark.parametrize(
    "text", ["2026-06-12T20:14:00Z", "2026-06-12 20:14", "2026-06-12T22:14:00+02:00"]
)
def test_times_come_in_utc(text: str) -> None:
    assert read_time(text, "time") == datetime(2026, 6, 12, 20, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", None]
)
def test_other_times_are_refused(text: Any) -> None:
    with pytest.raises(Unusable):
        read_time(text, "time")


def test_what_was_seen_was_not_seen_in_the_future() -> None:
    now = datetime(2026, 6, 12, tzinfo=UTC)
    soon = now + timedelta(seconds=60)
    assert read_past(soon.isoformat(), "time", now) == soon
    with pytest.raises(Unusable, match="future"):
        read_past((now + timedelta(seconds=61)).isoformat(), "time", now)


def test_json_is_read_exactly() -> None:
    assert decode_json(b"[1.10, 0.1e1]") == [Decimal("1.10"), Decimal(1)]


@given(st.binary(max_size=200))
def test_no_bytes_get_anything_but_json_or_one_of_its_faults(content: bytes) -> None:
    try:
        decode_json(content)
    except NOT_JSON:
        return


def test_json_that_is_too_deep_is_a_fault_of_the_json() -> None:
    with pytest.raises(NOT_JSON):
        decode_json(b"[" * 100_000)


@pytest.mark.parametrize(
    ("market_type", "line", "expected"),
    [
        ("1X2", None, {"home": "Reds", "draw": "Draw", "away": "Blues"}),
        (
            "DC",
            None,
            {
                "home_draw": "Reds or draw",
                "home_away": "Reds or Blues",
                "draw_away": "Draw or Blues",
            },
        ),
        ("OU", "2.5", {"over": "Over 2.5", "under": "Under 2.5"}),
        ("AH", "-0.25", {"home": "Reds -0.25", "away": "Blues +0.25"}),
        ("AH", "0", {"home": "Reds 0", "away": "Blues 0"}),
        ("BTTS", None, {"yes": "Yes", "no": "No"}),
    ],
)
def test_selections_have_the_ids_of_the_domains_words(
    market_type: MarketType, line: str | None, expected: dict[str, str]
) -> None:
    exact = None if line is None else Decimal(line)
    assert dict(selections_of(market_type, exact, "Reds", "Blues")) == expected
