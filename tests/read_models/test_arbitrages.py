"""What is shown of arbitrages, against what the price handler recorded."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from adapters.postgres.build import Build
from adapters.postgres.reader import Reader
from adapters.postgres.schema import connect, digest
from adapters.postgres.snapshot_projection import PROJECTIONS
from domain.actors import PRICE_HANDLER
from domain.commands.arbitrage import ArbitrageChange, RecordArbitrages
from domain.events.arbitrage import Opportunity
from domain.ids import derived_id
from domain.opportunity import Arbitrage
from read_models import arbitrages
from read_models.arbitrages import ArbitrageRow
from tests.application.desk import Desk, read_log
from tests.builders import an_id, opportunity
from tests.read_models.business import digests, follow, head

pytestmark = pytest.mark.anyio


def name(number: int) -> UUID:
    return derived_id(f"arbitrage:{number}")


def seen(number: int, shape: Opportunity) -> ArbitrageChange:
    return ArbitrageChange(name(number), shape.sequence, opportunity=shape)


def gone(number: int, sequence: int) -> ArbitrageChange:
    return ArbitrageChange(name(number), sequence, ended="price_moved")


async def record(desk: Desk, *changes: ArbitrageChange) -> int:
    done = await desk.ask(RecordArbitrages(changes=changes), PRICE_HANDLER)
    return int(done["position"])


async def a_life(desk: Desk, seed: int) -> None:
    """Twenty opportunities that open, change and close at random, several at a time."""
    rng = random.Random(seed)
    for sequence in range(1, 60):
        number = rng.randint(1, 20)
        margin = str(Decimal(rng.randint(0, 999)) / 10_000)
        change = gone(number, sequence)
        if rng.random() < 0.7:
            change = seen(number, opportunity(sequence, margin))
        again = seen(number, opportunity(sequence, margin))
        await record(desk, *rng.choice(([change], [change, again])))


async def test_every_opportunity_is_shown_as_the_log_has_it(
    desk: Desk, db: Reader, database_url: str
) -> None:
    await a_life(desk, 1)
    follow(database_url)
    log = read_log(database_url)
    states = {id_: state for id_, state in log.states.items() if isinstance(state, Arbitrage)}
    rows = {row.opportunity_id: row for row in (await arbitrages.page(db)).items}
    assert rows.keys() == states.keys()
    assert {row.status for row in rows.values()} == {"open", "closed"}
    for id_, state in states.items():
        row = rows[id_]
        assert row == replaced(await arbitrages.get(db, id_), row)
        assert (row.margin, row.best_margin) == (state.latest.margin, state.best.margin)
        assert (row.status == "open") == state.is_open == (row.closed_at is None)
        of_it = [r for r in log.events if r.stream_id == id_]
        assert (row.opened_at, row.changed_at) == (of_it[0].at, of_it[-1].at)
        assert (row.opened_position, row.position) == (of_it[0].position, of_it[-1].position)
        assert row.end_reason == (None if state.is_open else "price_moved")
    assert dict(await arbitrages.open_opportunities(db)) == {
        id_: state.latest for id_, state in states.items() if state.is_open
    }
    assert await arbitrages.last_sequence(db) == max(state.sequence for state in states.values())


def replaced(row: ArbitrageRow | None, other: ArbitrageRow) -> ArbitrageRow | None:
    """A row read a moment later: what is open has grown older."""
    if row is None or row.status == "closed":
        return row
    assert row.duration_seconds >= other.duration_seconds
    return other


async def test_it_does_not_matter_how_the_log_is_cut(desk: Desk, database_url: str) -> None:
    await a_life(desk, 2)
    follow(database_url)
    end, model = head(database_url), PROJECTIONS["arbitrages"]
    live = digests(database_url, ["arbitrages"])["arbitrages"]
    for step in (1, 3, end):
        with Build(database_url, [model], "split") as build:
            for position in range(step, end + step, step):
                build.advance({"arbitrages": min(position, end)}, lambda *_: None)
            with connect(database_url) as connection:
                assert digest(connection, model, build.schema_of(model)) == live


async def test_arbitrages_are_found_by_all_that_names_them(
    desk: Desk, db: Reader, database_url: str
) -> None:
    elsewhere = an_id("another fixture")
    await record(
        desk,
        seen(1, opportunity(1, "0.01")),
        seen(2, opportunity(2, "0.05", kind="middle")),
        seen(3, opportunity(3, "0.001", fixture_id=elsewhere)),
        seen(4, opportunity(4, "0.06")),
        seen(4, opportunity(5, "0.002")),
        seen(5, opportunity(6, "0.07")),
        seen(5, opportunity(7, "0.003")),
        gone(5, 8),
    )
    follow(database_url)

    async def found(**filters: object) -> list[UUID]:
        page = await arbitrages.page(db, **filters)  # type: ignore[arg-type]
        return [row.opportunity_id for row in page.items]

    assert await found() == [name(n) for n in (5, 4, 3, 2, 1)]
    assert await found(active=True) == [name(n) for n in (4, 3, 2, 1)]
    assert await found(active=False) == [name(5)]
    assert await found(kind="middle") == [name(2)]
    assert await found(fixture_id=elsewhere) == [name(3)]
    # What is open counts as it is now, what is closed as it was at its best.
    assert await found(min_margin=Decimal("0.01")) == [name(5), name(2), name(1)]
    assert await found(min_margin=Decimal("0.01"), active=True) == [name(2), name(1)]
    first = await arbitrages.page(db, limit=2)
    second = await arbitrages.page(db, limit=3, cursor=first.next_cursor)
    assert [r.opportunity_id for r in (*first.items, *second.items)] == await found()
    assert second.next_cursor is None
    assert await arbitrages.get(db, UUID(int=0)) is None


async def test_every_leg_has_the_age_of_its_quote(
    desk: Desk, db: Reader, database_url: str
) -> None:
    at = datetime.now(UTC) - timedelta(seconds=60)
    await record(desk, seen(1, opportunity(1, at=at)), gone(1, 2))
    await record(desk, seen(2, opportunity(3, at=at + timedelta(hours=1))))
    follow(database_url)
    ahead, closed = (await arbitrages.page(db)).items
    assert closed.closed_at is not None
    age = (closed.closed_at - at).total_seconds()
    assert [leg.age_seconds for leg in closed.legs] == [pytest.approx(age, abs=0.001)] * 2
    assert [leg.age_seconds for leg in ahead.legs] == [0, 0]
    assert [leg.bookmaker for leg in ahead.legs] == ["pinnacle", "betfair"]


async def test_statistics_of_their_lives(desk: Desk, db: Reader, database_url: str) -> None:
    await record(
        desk,
        seen(1, opportunity(1, "0.01")),
        seen(2, opportunity(2, "0.04")),
        seen(3, opportunity(3, "0.02", kind="middle")),
        gone(1, 4),
    )
    follow(database_url)
    middle, two_way = (await arbitrages.statistics(db)).items
    today = datetime.now(UTC).date()
    assert (middle.day, middle.kind, middle.opportunities) == (today, "middle", 1)
    assert (middle.closed, middle.median_seconds, middle.mean_seconds) == (0, None, None)
    assert (two_way.kind, two_way.opportunities, two_way.closed) == ("two_way", 2, 1)
    assert (two_way.mean_best_margin, two_way.best_margin) == (Decimal("0.025"), Decimal("0.04"))
    assert two_way.median_seconds is not None
    assert two_way.median_seconds == two_way.mean_seconds
    assert two_way.median_seconds >= 0
    first = await arbitrages.statistics(db, limit=1)
    second = await arbitrages.statistics(db, limit=1, cursor=first.next_cursor)
    assert [*first.items, *second.items] == [middle, two_way]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert (await arbitrages.statistics(db, start=tomorrow)).items == []
    assert (await arbitrages.statistics(db, end=tomorrow)).items == [middle, two_way]
