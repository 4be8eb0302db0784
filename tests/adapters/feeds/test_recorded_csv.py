import gzip
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feeds.recorded_csv import RecordedCsvError, RecordedCsvFeed
from application.feeds import FeedHealth
from domain.quotes import QuoteBatch
from tests.adapters.feeds.clock import BEGINNING, HandClock

DATA = Path(os.environ.get("FAIRBOOK_DATA", Path(__file__).parents[3] / "../shared/data"))
WORLD_CUP = DATA / "odds" / "world_cup_2026_20_books.csv.gz"
HEADER = "ts_utc,match,kickoff_utc,bookmaker,market,outcome,point,price\n"
START = "2026-06-12 10:00,Reds v Blues,2026-06-12T19:00:00Z,"
NOW = BEGINNING + timedelta(days=30)

pytestmark = pytest.mark.anyio


async def played(
    text: str | bytes, header: str = HEADER
) -> tuple[list[list[QuoteBatch]], FeedHealth]:
    content = text if isinstance(text, bytes) else (header + text).encode()
    feed = RecordedCsvFeed(content, HandClock(NOW), competition="Cup")
    return [list(batches) async for batches in feed.batches()], feed.health


async def one(text: str) -> QuoteBatch:
    [[batch]], health = await played(text)
    assert health.rejections.total == 0
    return batch


async def test_the_prices_of_a_bookmaker_for_a_market_at_a_moment_are_one_batch() -> None:
    batch = await one(
        START
        + "Some Book,h2h,Blues,,3.65\n"
        + START
        + "Some Book,h2h,Reds,,2.04\n"
        + START
        + "Some Book,h2h,Draw,,2.85\n"
        + START
        + "Some Book,h2h_lay,Draw,,2.9\n"
    )
    assert (batch.bookmaker, batch.type, batch.line, batch.complete) == (
        "some_book",
        "1X2",
        None,
        True,
    )
    assert batch.at == datetime(2026, 6, 12, 10, tzinfo=UTC)
    assert (batch.event.name, batch.event.home, batch.event.away) == (
        "Reds v Blues",
        "Reds",
        "Blues",
    )
    assert (batch.event.sport, batch.event.competition) == ("football", "Cup")
    assert [(each.selection_id, str(each.odds), each.side) for each in batch.quotes] == [
        ("away", "3.65", "back"),
        ("home", "2.04", "back"),
        ("draw", "2.85", "back"),
        ("draw", "2.9", "lay"),
    ]


async def test_totals_have_a_market_for_each_line() -> None:
    [batches], _ = await played(
        START + "b,totals,Over,2.5,1.9\n" + START + "b,totals,Under,3.5,1.5\n"
    )
    assert [(batch.line, batch.quotes[0].selection_id) for batch in batches] == [
        (Decimal("2.5"), "over"),
        (Decimal("3.5"), "under"),
    ]


async def test_both_sides_of_a_handicap_are_one_market_of_the_home_sides_line() -> None:
    batch = await one(START + "b,spreads,Reds,-0.5,1.9\n" + START + "b,spreads,Blues,0.5,2.0\n")
    assert (batch.type, batch.line) == ("AH", Decimal("-0.5"))
    assert [each.selection_id for each in batch.quotes] == ["home", "away"]


async def test_an_exact_repetition_is_noted_and_of_two_prices_the_last_stands() -> None:
    row = START + "b,btts,Yes,,1.8\n"
    [[batch]], health = await played(row + row + row.replace("1.8", "1.9"))
    assert [str(each.odds) for each in batch.quotes] == ["1.9"]
    assert health.notes == {"repeats a row": 1, "two prices at once: the last stands": 1}


async def test_snapshots_come_by_time_whatever_their_order_in_the_file() -> None:
    late = START.replace("10:00", "12:00") + "b,btts,Yes,,1.8\n"
    early = START + "b,btts,Yes,,1.7\n"
    snapshots, _ = await played(late + early)
    assert [str(batches[0].quotes[0].odds) for batches in snapshots] == ["1.7", "1.8"]


async def test_a_line_that_a_bookmaker_quotes_no_longer_is_withdrawn_a_kind_that_was_not_asked_is_not() -> (
    None
):
    later = START.replace("10:00", "11:00")
    first = START + "b,totals,Over,2.5,1.9\n" + START + "b,btts,Yes,,1.8\n"
    _, second = (await played(first + later + "b,totals,Over,3.5,2.9\n"))[0]
    assert [(batch.type, str(batch.line), batch.suspended) for batch in second] == [
        ("OU", "3.5", False),
        ("OU", "2.5", True),
    ]
    assert second[1].at == datetime(2026, 6, 12, 11, tzinfo=UTC)


async def test_a_price_that_is_none_leaves_its_market_in_the_snapshot_without_it() -> None:
    [[batch]], health = await played(START + "b,h2h,Reds,,1.0\n" + START + "b,h2h,Draw,,3.4\n")
    assert [each.selection_id for each in batch.quotes] == ["draw"]
    assert batch.complete
    assert health.rejections.total == 1


async def test_a_corrected_kick_off_names_the_same_match() -> None:
    text = START + "b,btts,Yes,,1.8\n" + START.replace("19:00", "19:04") + "c,btts,Yes,,1.8\n"
    [[first, second]], _ = await played(text)
    assert first.event is second.event


async def test_optional_columns_are_read() -> None:
    header = HEADER.strip() + ",size,sport,competition,closing\n"
    [[batch]], _ = await played(START + "b,h2h,Reds,,2.5,120.5,rugby_union,Six Nations,1\n", header)
    assert batch.closing
    assert batch.quotes[0].size == Decimal("120.5")
    assert (batch.event.sport, batch.event.competition) == ("rugby_union", "Six Nations")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2026-06-12 10:00,Reds v Blues\n", "a row of another length than the header"),
        (START + "b,h2h,Reds,,2,3,4,5\n", "a row of another length than the header"),
        (START + "b,h2h,Greens,,2.5\n", "outcome is none of the market's"),
        (START + "b,totals,Draw,2.5,2.5\n", "outcome is none of the market's"),
        (START + "b,corners,Over,2.5,2.5\n", "market is of an unknown kind"),
        (START + "b,totals,Over,,2.5\n", "line is not a number"),
        (START + "b,totals,Over,2.3,2.5\n", "line is not a multiple of 0.25"),
        (START + ",h2h,Reds,,2.5\n", "bookmaker is missing"),
        (
            START.replace("Reds v Blues", "Reds") + "b,h2h,Reds,,2.5\n",
            "match does not name two sides as “home v away”",
        ),
        (
            START.replace("Reds v Blues", "A v A") + "b,h2h,A,,2.5\n",
            "match does not name two sides as “home v away”",
        ),
        (
            START.replace("2026-06-12T19:00:00Z", "later") + "b,h2h,Reds,,2.5\n",
            "kickoff_utc is not a time",
        ),
        (
            START.replace("2026-06-12 10:00", "2036-06-12 10:00") + "b,h2h,Reds,,2.5\n",
            "ts_utc lies in the future",
        ),
        (START + "b,h2h,Reds,,NaN\n", "odds is not a number"),
        (START + "b,h2h,Reds,,0.5\n", "odds are not above 1 and at most 100000"),
        (START + "b,h2h,Reds,,1000000000\n", "odds are not above 1 and at most 100000"),
    ],
)
async def test_an_unusable_row_is_counted_with_its_reason_and_harms_no_other(
    row: str, reason: str
) -> None:
    good = START + "good,btts,Yes,,1.8\n"
    snapshots, health = await played(row + good)
    assert health.rejections.counts == {reason: 1}
    assert "good" in {batch.bookmaker for batches in snapshots for batch in batches}


async def test_text_that_is_not_utf_8_is_rejected_by_row() -> None:
    content = (
        (HEADER + START).encode()
        + b"b\xff,h2h,Reds,,2.5\n"
        + (START + "c,h2h,Reds,,2.5\n").encode()
    )
    [[batch]], health = await played(content)
    assert batch.bookmaker == "c"
    assert health.rejections.counts == {"text is not UTF-8": 1}


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x00\x01", b"ts_utc,match\n"])
async def test_another_kind_of_file_is_refused_as_a_whole(content: bytes) -> None:
    with pytest.raises(RecordedCsvError, match="header"):
        RecordedCsvFeed(content, HandClock())


@given(tail=st.binary(max_size=300))
async def test_no_bytes_break_the_feed(tail: bytes) -> None:
    content = (HEADER + START + "b,h2h,Reds,,2.5\n" + START + "b,h2h,").encode() + tail
    feed = RecordedCsvFeed(content, HandClock(NOW))
    quotes = [
        each async for batches in feed.batches() for batch in batches for each in batch.quotes
    ]
    assert all(each.odds is not None and each.odds > 1 for each in quotes)


@pytest.mark.skipif(not WORLD_CUP.exists(), reason=f"no recorded quotes in {DATA}")
async def test_a_week_of_twenty_bookmakers_is_read_to_the_row() -> None:
    snapshots, health = await played(gzip.decompress(WORLD_CUP.read_bytes()))
    batches = [batch for each in snapshots for batch in each]
    prices = sum(len(batch.quotes) for batch in batches)
    assert len(snapshots) == 32
    assert [each[0].at for each in snapshots] == sorted(each[0].at for each in snapshots)
    assert len({batch.bookmaker for batch in batches}) == 20
    assert len({batch.event.event_id for batch in batches}) == 38
    assert health.rejections.counts == {"odds are not above 1 and at most 100000": 16}
    assert health.notes == {"repeats a row": 883, "two prices at once: the last stands": 35}
    assert prices + 16 + 883 + 35 == 31_319
    assert {batch.type for batch in batches} == {"1X2", "OU", "BTTS"}
