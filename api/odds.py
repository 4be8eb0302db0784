"""Prices: the way in for who has no NATS, and what was seen."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from api.auth import only
from api.board import OddsBoard, odds_board
from api.desk import After, Asked, Cursor, Desk, Key, Limit
from api.problems import responses, responses_to_body
from api.times import From, To, instant
from application.answers import SnapshotsTaken
from domain.commands.command import Command, Instant, Slug
from domain.commands.odds import MAX_QUOTES, QuoteBody, RecordOdds
from domain.events.bet import Side
from domain.events.market import MarketType
from domain.refusals import InvalidInput, MarketNotFound
from read_models import closing, markets, prices
from read_models.closing import ClosingLine, ClosingPrice
from read_models.db import Page
from read_models.prices import Candle, QuoteFilter, QuoteRow

INTERVAL_MAX_SECONDS: Final = 86_400


class QuoteIn(Command, frozen=True, kw_only=True):
    """A bookmaker's price; the market is named by its id, or by fixture, type and line.

    `side` is what a client may do at it: back, or lay as on an exchange. A `withdrawn` quote says that the price, the last one
    known, is no longer offered.
    """

    bookmaker: Slug
    market_id: UUID | None = None
    fixture_id: UUID | None = None
    type: MarketType | None = None
    line: Decimal | None = None
    selection_id: Slug
    odds: Decimal
    at: Instant
    size: Decimal | None = None
    closing: bool = False
    side: Side = "back"
    withdrawn: bool = False


class OddsIn(Command, frozen=True, kw_only=True):
    """A batch of quotes."""

    quotes: Annotated[list[QuoteIn], Meta(min_length=1, max_length=MAX_QUOTES)]


class ClosingOdds(Struct, frozen=True):
    """A market's closing prices by bookmaker, and by selection their median; empty until it has closed."""

    items: list[ClosingPrice]
    lines: list[ClosingLine]


Name = Annotated[str | None, QueryParameter(min_length=1, max_length=100)]
Interval = Annotated[
    int,
    QueryParameter(
        name="interval", ge=1, le=INTERVAL_MAX_SECONDS, description="Seconds of one interval"
    ),
]


@post("/odds", opt=only("operator"), responses=responses_to_body(404, 409, 422))
async def record_odds(
    request: Asked, data: JSONBody[OddsIn], desk: NamedDependency[Desk], key: Key = None
) -> Response[SnapshotsTaken]:
    """Keep a batch of quotes: one snapshot for each market in it."""
    command = RecordOdds(quotes=await _with_markets(data.quotes, desk))
    return await desk.command(request, command, key, SnapshotsTaken)


async def _with_markets(quotes: list[QuoteIn], desk: Desk) -> list[QuoteBody]:
    """Find the markets of the quotes that name them by fixture, each once."""
    found: dict[tuple[UUID, MarketType, Decimal | None], UUID] = {}
    bodies = []
    for quote in quotes:
        market_id = quote.market_id
        if market_id is None:
            if quote.fixture_id is None or quote.type is None:
                raise InvalidInput(
                    "give market_id, or fixture_id and type", field="quotes.market_id"
                )
            name = (quote.fixture_id, quote.type, quote.line)
            if name not in found:
                market = await markets.find(desk.db, *name)
                if market is None:  # it may have been opened a moment ago
                    await desk.fresh("markets", await desk.db.head())
                    market = await markets.find(desk.db, *name)
                if market is None:
                    raise MarketNotFound(f"fixture {name[0]} has no {name[1]} market of that line")
                found[name] = market
            market_id = found[name]
        bodies.append(
            QuoteBody(
                bookmaker=quote.bookmaker,
                market_id=market_id,
                selection_id=quote.selection_id,
                odds=quote.odds,
                at=quote.at,
                size=quote.size,
                closing=quote.closing,
                side=quote.side,
                withdrawn=quote.withdrawn,
            )
        )
    return bodies


@get("/markets/{market_id:uuid}/odds", responses=responses(404, 422))
async def read_odds(
    market_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> OddsBoard:
    """Read the latest price of each selection by bookmaker, and the best of those that are not stale.

    Prices that have not reached the log yet are shown too, unless `after` asks for the log's.
    """
    await desk.fresh("prices", after)
    kept = await prices.latest(desk.db, market_id)
    live = await desk.board.quotes(market_id) if desk.board and after is None else []
    if not kept:
        await _check_exists(market_id, desk, after)
    return odds_board(kept, live, desk.max_ages, datetime.now(UTC))


@get("/markets/{market_id:uuid}/odds/history", responses=responses(404, 422))
async def read_odds_history(
    market_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    start: From = None,
    end: To = None,
    bookmaker: Name = None,
    selection_id: Name = None,
    side: FromQuery[Side | None] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[QuoteRow]:
    """Read every quote that was kept for a market, oldest first."""
    await desk.fresh("prices", after)
    asked = QuoteFilter(
        market_id, instant(start, "from"), instant(end, "to"), bookmaker, selection_id, side
    )
    page = await prices.history(desk.db, asked, limit, cursor)
    if not page.items:
        await _check_exists(market_id, desk, after)
    return page


@get("/markets/{market_id:uuid}/odds/series", responses=responses(404, 422))
async def read_odds_series(
    market_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    interval_seconds: Interval = 60,
    start: From = None,
    end: To = None,
    bookmaker: Name = None,
    selection_id: Name = None,
    side: FromQuery[Side | None] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[Candle]:
    """Read open, high, low and close of each bookmaker's price by interval, oldest first."""
    await desk.fresh("prices", after)
    asked = QuoteFilter(
        market_id, instant(start, "from"), instant(end, "to"), bookmaker, selection_id, side
    )
    page = await prices.series(desk.db, asked, interval_seconds, limit, cursor)
    if not page.items:
        await _check_exists(market_id, desk, after)
    return page


@get("/markets/{market_id:uuid}/odds/closing", responses=responses(404, 422))
async def read_closing_odds(
    market_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> ClosingOdds:
    """Read how a market closed: each bookmaker's last price, the consensus, and the same without the margin."""
    await desk.fresh("prices", after)
    closed = await closing.prices_of(desk.db, market_id)
    if not closed:
        await _check_exists(market_id, desk, after)
    return ClosingOdds(closed, await closing.lines_of(desk.db, market_id))


async def _check_exists(market_id: UUID, desk: Desk, after: int | None) -> None:
    await desk.fresh("markets", after)
    if await markets.get(desk.db, market_id) is None:
        raise MarketNotFound


ROUTES = [record_odds, read_odds, read_odds_history, read_odds_series, read_closing_odds]
