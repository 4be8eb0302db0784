import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.feeds.football_csv import FootballDataFeed
from domain.quotes import QuoteBatch
from tests.adapters.feeds.clock import HandClock

DATA = Path(os.environ.get("FAIRBOOK_DATA", Path(__file__).parents[3] / "../shared/data"))
HEADER = "Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR,B365H,B365D,B365A,PSH,B365>2.5,B365CH\n"

pytestmark = pytest.mark.anyio


async def played(feed: FootballDataFeed) -> list[list[QuoteBatch]]:
    return [list(batches) async for batches in feed.batches()]


async def test_the_prices_of_the_day_of_collection_come_first_and_the_closing_ones_last(
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "E0.csv", tmp_path / "E1.csv"
    first.write_text(HEADER + "E0,12/08/2023,15:00,Reds,Blues,1,0,H,2,3.4,4,2.1,1.9,1.8\n")
    second.write_text(HEADER + "E1,12/08/2023,12:30,Greens,Whites,1,0,H,2,3.4,4,,,1.7\n")
    moments = await played(FootballDataFeed([first, second], HandClock()))
    assert [
        [(batch.event.home, batch.bookmaker, batch.type, batch.closing) for batch in batches]
        for batches in moments
    ] == [
        [
            ("Reds", "bet365", "1X2", False),
            ("Reds", "pinnacle", "1X2", False),
            ("Reds", "bet365", "OU", False),
            ("Greens", "bet365", "1X2", False),
        ],
        [("Greens", "bet365", "1X2", True)],
        [("Reds", "bet365", "1X2", True)],
    ]
    assert moments[0][0].at == datetime(2023, 8, 11, 14, tzinfo=UTC)
    assert moments[2][0].at == moments[2][0].event.starts_at
    assert moments[0][2].selections == (("over", "Over 2.5"), ("under", "Under 2.5"))


async def test_what_a_file_has_that_is_no_row_or_price_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "E0.csv"
    path.write_text(
        HEADER + "E0,99/99/2023,15:00,Reds,Blues,1,0,H,2\nE0,12/08/2023,15:00,A,B,,,,nan\n"
    )
    feed = FootballDataFeed([path], HandClock())
    assert feed.health.rejections.counts == {"row is unusable": 1, "price is unusable": 1}
    assert feed.health.rejections.examples["price is unusable"][0].startswith("E0.csv:3 B365H")


@pytest.mark.skipif(not (DATA / "football").is_dir(), reason=f"no football data in {DATA}")
async def test_a_real_season_plays_in_order_with_all_its_prices() -> None:
    feed = FootballDataFeed([DATA / "football" / "E0_2324.csv"], HandClock())
    moments = await played(feed)
    times = [batches[0].at for batches in moments]
    assert times == sorted(times)
    assert len({batch.event.event_id for each in moments for batch in each}) == 380
    assert sum(len(batch.quotes) for each in moments for batch in each) == 15_556
