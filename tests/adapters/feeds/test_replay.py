import bz2
import gzip
import lzma
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feeds.recorded_csv import RecordedCsvFeed
from adapters.feeds.recordings import RecordingError, open_recording
from adapters.feeds.replay import KICK_OFF_STEP, ReplayedFeed
from domain.matching import MOVED
from domain.quotes import QuoteBatch
from tests.adapters.feeds.betfair_lines import change, line, race
from tests.adapters.feeds.clock import BEGINNING, HandClock

pytestmark = pytest.mark.anyio
HEADER = "ts_utc,match,kickoff_utc,bookmaker,market,outcome,point,price\n"
NOW = BEGINNING + timedelta(days=100, minutes=3)


def recording() -> bytes:
    rows = (
        f"2026-06-12 12:{minute:02},Reds v Blues,2026-06-12T19:00:00Z,b,btts,Yes,,{1.5 + minute / 100}\n"
        for minute in (0, 10, 30)
    )
    return (HEADER + "".join(rows)).encode()


async def played(clock: HandClock, speed: float, *, keep_times: bool = False) -> list[QuoteBatch]:
    feed = ReplayedFeed(RecordedCsvFeed(recording(), clock), clock, speed, keep_times=keep_times)
    return [batch async for batches in feed.batches() for batch in batches]


@pytest.mark.parametrize(
    ("speed", "sleeps"), [(1, [600, 1200]), (10, [60, 120]), (0.5, [1200, 2400]), (0, [])]
)
async def test_a_recording_plays_at_its_speed(speed: float, sleeps: list[float]) -> None:
    clock = HandClock(NOW)
    assert len(await played(clock, speed)) == 3
    assert clock.sleeps == sleeps


async def test_quotes_have_the_time_at_which_they_are_played() -> None:
    batches = await played(HandClock(NOW), 10)
    assert [batch.at - NOW for batch in batches] == [
        timedelta(seconds=each) for each in (0, 60, 180)
    ]


async def test_kick_offs_move_by_whole_fortnights_so_that_a_second_replay_meets_the_same_fixtures() -> (
    None
):
    recorded = datetime(2026, 6, 12, 19, tzinfo=UTC)
    starts = {
        days: (await played(HandClock(BEGINNING + timedelta(days=days)), 0))[0].event.starts_at
        for days in (0.1, 1, 13, 15)
    }
    assert starts[0.1] == starts[1] == starts[13] == recorded + KICK_OFF_STEP
    assert starts[15] == recorded + 2 * KICK_OFF_STEP
    # Less would look like a match that was postponed.
    assert KICK_OFF_STEP > MOVED


async def test_what_lay_ahead_when_it_was_recorded_lies_ahead_when_it_is_played() -> None:
    for days in range(0, 60, 7):
        now = BEGINNING + timedelta(days=days)
        batches = await played(HandClock(now), 0)
        assert now < batches[0].event.starts_at <= now + KICK_OFF_STEP + timedelta(hours=7)


async def test_kept_times_stay_as_recorded_at_any_speed() -> None:
    clock = HandClock(NOW)
    batches = await played(clock, 60, keep_times=True)
    assert [batch.at.minute for batch in batches] == [0, 10, 30]
    assert batches[0].event.starts_at == datetime(2026, 6, 12, 19, tzinfo=UTC)
    assert clock.sleeps == [10, 20]


class Irregular:
    """A feed whose times go back and forth."""

    def __init__(self, minutes: list[int]) -> None:
        self._minutes = minutes
        self.name = "irregular"
        self.health = RecordedCsvFeed(recording(), HandClock(NOW)).health

    async def batches(self) -> AsyncIterator[Sequence[QuoteBatch]]:
        from msgspec.structs import replace

        [first, *_] = [
            batch
            async for batches in RecordedCsvFeed(recording(), HandClock(NOW)).batches()
            for batch in batches
        ]
        for minutes in self._minutes:
            yield [replace(first, at=first.at + timedelta(minutes=minutes))]


@given(
    st.lists(st.integers(-500, 500), min_size=1, max_size=20),
    st.sampled_from([0, 0.1, 1, 10, 1000]),
)
async def test_no_quote_is_ever_played_with_a_time_in_the_future(
    minutes: list[int], speed: float
) -> None:
    clock = HandClock(NOW)
    async for batches in ReplayedFeed(Irregular(minutes), clock, speed).batches():
        assert all(batch.at <= clock.now() for batch in batches)


def test_a_negative_speed_is_refused() -> None:
    with pytest.raises(ValueError, match="speed"):
        ReplayedFeed(Irregular([]), HandClock(), -1)


# ---- which format


BETFAIR = line(change(img=True, marketDefinition=race()))
SEASON = b"\xef\xbb\xbfDiv,Date,HomeTeam,AwayTeam,B365H\r\nE0,12/08/2023,A,B,2\r\n"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (BETFAIR, "betfair"),
        (b'[{"id": "1", "sport_key": "soccer_epl", "bookmakers": []}]', "the-odds-api"),
        (b'{"at": "2026-06-12T12:00:00Z", "endpoint": "odds", "body": {}}', "pinnacle"),
        (recording(), "recorded"),
        (SEASON, "football-data"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, bz2.compress, gzip.compress, lzma.compress])
def test_the_format_of_a_file_is_told_by_its_beginning_packed_or_not(
    content: bytes, name: str, pack: "type[bytes]", tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(content))
    assert open_recording([path], HandClock(NOW)).name == name


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no format that is known"),
        (b"hello", "no format that is known"),
        (b"\x1f\x8b\x08broken", "cannot be unpacked|no format"),
        (bz2.compress(b"ts_utc" * 9_999)[:60], "cannot be unpacked|no format"),
    ],
)
def test_another_file_is_refused_with_what_can_be_played(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=reason):
        open_recording([path], HandClock())


def test_a_file_that_is_not_in_the_format_it_is_said_to_be_in_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"hello")
    for wanted in ("quotes-csv", "football-data"):
        with pytest.raises(RecordingError, match="header"):
            open_recording([path], HandClock(), wanted)


def test_only_season_files_are_played_together(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(SEASON)
    two.write_bytes(SEASON.replace(b"12/08", b"13/08"))
    assert open_recording([one, two], HandClock()).name == "football-data"
    one.write_bytes(BETFAIR)
    with pytest.raises(RecordingError, match="together"):
        open_recording([one, two], HandClock())
