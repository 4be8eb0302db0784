"""Closing prices and the closing-line value of bets, against a plain reading of the log."""

import random
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import median
from uuid import UUID

import pytest

from adapters.postgres.build import Build
from adapters.postgres.reader import Reader
from adapters.postgres.schema import connect, digest
from adapters.postgres.snapshot_projection import PROJECTIONS
from domain.commands.account import OpenAccount
from domain.commands.market import CloseMarket
from domain.commands.odds import QuoteBody, RecordOdds
from domain.events.bet import Side
from domain.events.market import MarketClosed, MarketOpened, ResultDeclared
from domain.events.odds import OddsSnapshotTaken, Quote
from domain.refusals import Refusal
from read_models import bets, closing
from tests.application.desk import Desk, Log, read_log
from tests.builders import FIXTURE, OPERATOR, SELECTIONS
from tests.read_models.business import digests, follow, head

pytestmark = pytest.mark.anyio

START = FIXTURE.starts_at


# ---- a plain reading of the log


def last_quotes(log: Log, market_id: UUID) -> list[Quote]:
    """What each bookmaker offered last, as a person would find it."""
    events = log.events
    (opened,) = (r.event for r in events if r.stream_id == market_id and r.version == 1)
    assert isinstance(opened, MarketOpened)
    ends = [
        r
        for r in events
        if r.stream_id == market_id and isinstance(r.event, MarketClosed | ResultDeclared)
    ]
    if not ends:
        return []
    upto = min(opened.fixture.starts_at, ends[0].at)
    seen: dict[tuple[str, str, str], list[tuple[bool, datetime, int, int, Quote]]] = {}
    for recorded in events:
        event = recorded.event
        if isinstance(event, OddsSnapshotTaken) and event.market_id == market_id:
            for line, quote in enumerate(event.quotes):
                if quote.closing or quote.at <= upto:
                    key = (quote.selection_id, quote.side, quote.bookmaker)
                    rank = (quote.closing, quote.at, recorded.position, line)
                    seen.setdefault(key, []).append((*rank, quote))
    last = [max(each, key=lambda ranked: ranked[:4])[4] for _, each in sorted(seen.items())]
    return [quote for quote in last if not quote.withdrawn]


def lines(quotes: list[Quote]) -> list[tuple[str, Decimal, int, Decimal | None]]:
    backs = {
        s.selection_id: [
            q.odds for q in quotes if (q.selection_id, q.side) == (s.selection_id, "back")
        ]
        for s in SELECTIONS
    }
    consensus = {name: median(odds) for name, odds in sorted(backs.items()) if odds}
    book = sum((1 / Fraction(odds) for odds in consensus.values()), Fraction())
    whole = len(consensus) == len(SELECTIONS)
    return [
        (name, odds, len(backs[name]), _rounded(Fraction(odds) * book) if whole else None)
        for name, odds in consensus.items()
    ]


def _rounded(odds: Fraction) -> Decimal:
    return Decimal(round(odds * 10**6)) / 10**6


async def trade(desk: Desk, seed: int) -> None:
    """Quotes of five bookmakers for six markets, some of which close or end meanwhile."""
    rng = random.Random(seed)
    markets = [await desk.market() for _ in range(6)]
    for _ in range(120):
        market_id = rng.choice(markets)
        try:
            match rng.random():
                case chance if chance < 0.03:
                    await desk.ask(CloseMarket(), OPERATOR, target=market_id)
                case chance if chance < 0.06:
                    await desk.score(market_id, 1, 0)
                case _:
                    quotes = [_random_quote(rng, market_id) for _ in range(rng.randint(1, 8))]
                    await desk.ask(RecordOdds(quotes=quotes), OPERATOR)
        except Refusal:
            continue
    await desk.ask(CloseMarket(), OPERATOR, target=await desk.market())


def _random_quote(rng: random.Random, market_id: UUID) -> QuoteBody:
    return quoted(
        market_id,
        str(Decimal(rng.randint(1_001, 9_999)) / 1000),
        rng.randint(-20, 4),
        rng.choice(SELECTIONS).selection_id,
        bookmaker=rng.choice("abcde"),
        side=rng.choice(("back", "back", "lay")),
        closing=rng.random() < 0.1,
        withdrawn=rng.random() < 0.1,
    )


@pytest.mark.parametrize("seed", [1, 2])
async def test_closing_prices_are_what_a_plain_reading_of_the_log_finds(
    desk: Desk, db: Reader, database_url: str, seed: int
) -> None:
    await trade(desk, seed)
    follow(database_url)
    log = read_log(database_url)
    found = fair = 0
    for opened in log.of(MarketOpened):
        market_id = opened.stream_id
        expected = last_quotes(log, market_id)
        shown = await closing.prices_of(db, market_id)
        assert [(p.selection_id, p.side, p.bookmaker, p.odds, p.closing, p.at) for p in shown] == [
            (q.selection_id, q.side, q.bookmaker, q.odds, q.closing, q.at) for q in expected
        ]
        consensus = await closing.lines_of(db, market_id)
        assert [(c.selection_id, c.odds, c.bookmakers, c.fair_odds) for c in consensus] == lines(
            expected
        )
        found += len(shown)
        fair += sum(line.fair_odds is not None for line in consensus)
    assert found > 20
    assert fair >= 3


async def test_it_does_not_matter_in_which_batch_a_market_closes(
    desk: Desk, database_url: str
) -> None:
    await trade(desk, 3)
    follow(database_url)
    end, prices = head(database_url), PROJECTIONS["prices"]
    live = digests(database_url, ["prices"])["prices"]
    assert all(each.rows for each in live)
    for step in (1, 2, 7, end):
        with Build(database_url, [prices], "split") as build:
            for position in range(step, end + step, step):
                build.advance({"prices": min(position, end)}, lambda *_: None)
            with connect(database_url) as connection:
                assert digest(connection, prices, build.schema_of(prices)) == live


# ---- what counts


def quoted(
    market_id: UUID,
    odds: str,
    seconds: int = -60,
    selection_id: str = "home",
    *,
    bookmaker: str = "betfair",
    side: Side = "back",
    closing: bool = False,
    withdrawn: bool = False,
) -> QuoteBody:
    """A quote of so many seconds after the start (before, when below 0)."""
    return QuoteBody(
        bookmaker=bookmaker,
        market_id=market_id,
        selection_id=selection_id,
        odds=Decimal(odds),
        at=START + timedelta(seconds=seconds),
        side=side,
        closing=closing,
        withdrawn=withdrawn,
    )


async def closed(desk: Desk, db: Reader, database_url: str, *quotes: QuoteBody) -> list[str]:
    """Record quotes, close their market, and give the closing prices."""
    await desk.ask(RecordOdds(quotes=list(quotes)), OPERATOR)
    await desk.ask(CloseMarket(), OPERATOR, target=quotes[0].market_id)
    follow(database_url)
    return [str(p.odds) for p in await closing.prices_of(db, quotes[0].market_id)]


async def test_the_last_price_before_the_start_is_the_closing_one(
    desk: Desk, db: Reader, database_url: str
) -> None:
    m = await desk.market()
    assert await closed(
        desk, db, database_url, quoted(m, "2.2", -30), quoted(m, "2.1", -60), quoted(m, "9", 1)
    ) == ["2.2"]


async def test_what_the_bookmaker_calls_its_closing_price_comes_first(
    desk: Desk, db: Reader, database_url: str
) -> None:
    m = await desk.market()
    assert await closed(
        desk, db, database_url, quoted(m, "2.3", -60, closing=True), quoted(m, "2.2", -30)
    ) == ["2.3"]


async def test_a_price_that_was_withdrawn_last_is_no_closing_price(
    desk: Desk, db: Reader, database_url: str
) -> None:
    m = await desk.market()
    gone = quoted(m, "2.2", -30, withdrawn=True)
    assert await closed(desk, db, database_url, quoted(m, "2.2", -60), gone) == []


async def test_a_price_of_after_the_start_changes_nothing_whenever_it_is_told(
    desk: Desk, db: Reader, database_url: str
) -> None:
    m = await desk.market()
    await desk.ask(RecordOdds(quotes=[quoted(m, "2.2")]), OPERATOR)
    follow(database_url)
    assert await closing.prices_of(db, m) == []
    await desk.ask(CloseMarket(), OPERATOR, target=m)
    in_play = [quoted(m, "3", 1), quoted(m, "4", 1, bookmaker="late")]
    await desk.ask(RecordOdds(quotes=in_play), OPERATOR)
    await desk.score(m, 1, 0)
    follow(database_url)
    assert [p.odds for p in await closing.prices_of(db, m)] == [Decimal("2.2")]


async def test_a_price_of_before_the_start_that_is_told_late_counts(
    desk: Desk, db: Reader, database_url: str
) -> None:
    m = await desk.market()
    assert await closed(desk, db, database_url, quoted(m, "2.2")) == ["2.2"]
    late = [quoted(m, "2.1", -90), quoted(m, "2.3", -30), quoted(m, "3", -30, "draw")]
    await desk.ask(RecordOdds(quotes=late), OPERATOR)
    follow(database_url)
    assert [p.odds for p in await closing.prices_of(db, m)] == [Decimal(3), Decimal("2.3")]
    flagged = [quoted(m, "2.4", 60, closing=True)]
    await desk.ask(RecordOdds(quotes=flagged), OPERATOR)
    follow(database_url)
    assert [line.odds for line in await closing.lines_of(db, m)] == [Decimal(3), Decimal("2.4")]


async def test_a_market_that_was_never_closed_closes_with_its_result(
    desk: Desk, db: Reader, database_url: str
) -> None:
    m = await desk.market()
    await desk.ask(RecordOdds(quotes=[quoted(m, "2.2")]), OPERATOR)
    await desk.score(m, 1, 0)
    follow(database_url)
    assert [p.odds for p in await closing.prices_of(db, m)] == [Decimal("2.2")]


# ---- the closing-line value of bets


async def test_a_bet_shows_its_value_once_its_market_closes(
    desk: Desk, db: Reader, database_url: str
) -> None:
    opened = await desk.ask(OpenAccount(currency="EUR", name="x", held_at="Bet Fair"))
    held, free = UUID(opened["account_id"]), await desk.account(1_000)
    await desk.deposit(held, 1_000)
    m, other = await desk.market(), await desk.market()
    placed = [
        UUID((await desk.bet(account_id, m, 100, odds="2.5"))["bet_id"])
        for account_id in (held, free)
    ]
    open_bet = UUID((await desk.bet(free, other, 100, odds="2.5"))["bet_id"])
    follow(database_url)
    before = await bets.get(db, placed[0])
    assert before is not None
    assert (before.legs[0].clv, before.legs[0].closing_odds) == (None, None)
    await closed(
        desk,
        db,
        database_url,
        quoted(m, "2.4", bookmaker="bet_fair"),
        quoted(m, "2.45", bookmaker="bet_fair", side="lay"),
        quoted(m, "2.2", bookmaker="pinnacle"),
        quoted(m, "2", bookmaker="b365"),
        quoted(m, "3.3", selection_id="draw"),
        quoted(m, "3.5", selection_id="away"),
    )
    shown = {bet.bet_id: bet.legs[0] for bet in (await bets.page(db)).items}
    (own, market, still_open) = (shown[bet_id] for bet_id in (*placed, open_bet))
    # 1/2.2 + 1/3.3 + 1/3.5 = 1.043290…: 2.2 at a margin of 4.3% is fair at 2.295238.
    fair = (Decimal("2.295238"), Decimal("0.089212"))
    assert (own.closing_bookmaker, own.closing_odds) == ("bet_fair", Decimal("2.4"))
    assert (own.clv, own.fair_odds, own.clv_fair) == (Decimal("0.041667"), *fair)
    assert (market.closing_bookmaker, market.closing_odds) == (None, Decimal("2.2"))
    assert (market.clv, market.fair_odds, market.clv_fair) == (Decimal("0.136364"), *fair)
    assert still_open.clv is None
    single = await bets.get(db, placed[0])
    assert single is not None
    assert single.legs == [own]


async def test_without_a_price_for_every_selection_there_is_no_fair_one(
    desk: Desk, db: Reader, database_url: str
) -> None:
    account_id, m = await desk.account(1_000), await desk.market()
    await desk.bet(account_id, m, 100, odds="2.5")
    await closed(desk, db, database_url, quoted(m, "2"), quoted(m, "3", selection_id="away"))
    ((leg,),) = (bet.legs for bet in (await bets.page(db)).items)
    assert (leg.clv, leg.fair_odds, leg.clv_fair) == (Decimal("0.25"), None, None)


def test_the_value_of_a_lay_is_what_it_beat_the_closing_price_by() -> None:
    taken = closing.LegTaken(UUID(int=1), UUID(int=2), "home", "lay", Decimal(2))
    assert closing._value(taken, Decimal("2.5")) == Decimal("0.25")
