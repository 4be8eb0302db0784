"""`fairbook import`: post fixtures, markets, prices and results from files to a running service."""

import argparse
import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from adapters.football_data import (
    NAMESPACE,
    FootballDataError,
    Match,
    PricedMarket,
    SeasonFile,
    read_season,
)
from domain.commands.command import Command
from domain.commands.market import DeclareResult, FixtureBody, OpenMarket, ScoreBody, SelectionBody
from domain.commands.odds import QuoteBody, RecordOdds
from domain.events.market import Fixture
from fairbook.client import (
    DEFAULT_URL,
    LedgerClient,
    Receipt,
    Refused,
    ServiceError,
    in_flight,
    service_url,
)

MATCHES_IN_FLIGHT: Final = 16
ALL_IMPORTED, SOME_REJECTED, FAILED = 0, 1, 2


class Tally(Struct):
    """What an import did; `refused` are matches that the service refused, by file line."""

    matches: int = 0
    markets: int = 0
    quotes: int = 0
    results: int = 0
    refused: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument("format", choices=["football-data"], help="whose file format it is")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a season's CSV file")
    parser.add_argument(
        "--url", type=service_url, default=DEFAULT_URL, help="the service (default: %(default)s)"
    )
    parser.add_argument(
        "--token",
        default=os.environ.get("FAIRBOOK_TOKEN"),
        help="an operator's token (default: the environment's FAIRBOOK_TOKEN)",
    )
    parser.add_argument(
        "--results", action="store_true", help="declare results too, which settles the markets"
    )


def run(arguments: argparse.Namespace) -> int:
    """Import the files: 0 when every row is in, 1 when some were rejected, 2 when the import failed."""
    console = Console()
    if not arguments.token:
        console.print(
            "fairbook import: give --token, or set FAIRBOOK_TOKEN; `fairbook token` makes one"
        )
        return FAILED
    rejected = False
    try:
        seasons = [(path, read_season(path)) for path in arguments.files]
        for path, season in seasons:
            _report_rejected(console, path, season)
            rejected |= bool(season.rejected_rows)
            tally = asyncio.run(_import(console, path, season, arguments))
            rejected |= bool(tally.refused)
    except (FootballDataError, OSError, ServiceError) as error:
        console.print(f"fairbook import: {error}", markup=False, highlight=False, soft_wrap=True)
        return FAILED
    return SOME_REJECTED if rejected else ALL_IMPORTED


def _report_rejected(console: Console, path: Path, season: SeasonFile) -> None:
    for kind, rejections in (("row", season.rejected_rows), ("price", season.rejected_quotes)):
        for rejected in rejections:
            where = f"{path}:{rejected.line_number}"
            what = f" {rejected.column}" if rejected.column else ""
            _say(console, f"{where}: {kind} left out:{what} {rejected.reason}")


async def _import(
    console: Console, path: Path, season: SeasonFile, arguments: argparse.Namespace
) -> Tally:
    tally = Tally()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    async with LedgerClient(arguments.url, arguments.token, MATCHES_IN_FLIGHT) as client:
        with bar:
            task = bar.add_task(path.name, total=len(season.matches))

            def done(match: Match, refused: Refused | None) -> None:
                bar.advance(task)
                if refused is not None:
                    _say(
                        console,
                        f"{path}:{match.line_number}: row refused by the service: {refused}",
                    )

            await import_matches(client, season.matches, tally, done, results=arguments.results)
        _say(
            console,
            f"{path.name}: {tally.matches} fixtures, {tally.markets} markets, {tally.quotes} prices, "
            f"{tally.results} results; {client.replays} commands had been carried out before; "
            f"rows left out: {len(season.rejected_rows)}, refused: {tally.refused}; "
            f"prices left out: {len(season.rejected_quotes)}",
        )
    return tally


async def import_matches(
    client: LedgerClient,
    matches: tuple[Match, ...],
    tally: Tally,
    done: Callable[[Match, Refused | None], None],
    *,
    results: bool,
) -> None:
    """Post each match's markets, prices and, if wanted, results; `done` hears of each, and of a refusal.

    Keys follow from what is sent: the same file, or a longer version of it, adds nothing twice.
    """

    async def import_one(match: Match) -> None:
        try:
            await _import_match(client, match, tally, results=results)
        except Refused as refused:
            tally.refused += 1
            done(match, refused)
        else:
            done(match, None)

    await in_flight(matches, import_one, MATCHES_IN_FLIGHT)


async def _import_match(client: LedgerClient, match: Match, tally: Tally, *, results: bool) -> None:
    for market in match.markets:
        await _send(client, "/v1/markets", open_market(match.fixture, market))
        tally.markets += 1
    # Closing prices appear in a file days after the opening ones: apart, the first are not sent anew.
    for closing in (False, True):
        snapshot = record_odds(match.markets, closing=closing)
        if snapshot.quotes:
            await _send(client, "/v1/odds", snapshot)
            tally.quotes += len(snapshot.quotes)
    if results and match.score is not None:
        score = DeclareResult(score=ScoreBody(home=match.score.home, away=match.score.away))
        for market in match.markets:
            await _send(client, f"/v1/markets/{market.market_id}/result", score)
            tally.results += 1
    tally.matches += 1


async def _send(client: LedgerClient, path: str, command: Command) -> None:
    await client.command(path, command, _key(path, command), Receipt)


def _key(path: str, command: Command) -> UUID:
    content = msgspec.json.encode(command, order="deterministic")
    return uuid5(NAMESPACE, f"{path} {hashlib.sha256(content).hexdigest()}")


def open_market(fixture: Fixture, market: PricedMarket) -> OpenMarket:
    """Give the command that offers a fixture's market, its bets recorded at prices taken elsewhere."""
    return OpenMarket(
        market_id=market.market_id,
        fixture=FixtureBody(
            fixture_id=fixture.fixture_id,
            sport=fixture.sport,
            competition=fixture.competition,
            name=fixture.name,
            starts_at=fixture.starts_at,
            home=fixture.home,
            away=fixture.away,
        ),
        type=market.type,
        line=market.line,
        selections=[
            SelectionBody(selection_id=selection_id, name=name)
            for selection_id, name in _selections(fixture, market)
        ],
        pricing="external",
    )


def _selections(fixture: Fixture, market: PricedMarket) -> list[tuple[str, str]]:
    if market.type == "OU":
        return [("over", f"Over {market.line}"), ("under", f"Under {market.line}")]
    return [("home", fixture.home or "Home"), ("draw", "Draw"), ("away", fixture.away or "Away")]


def record_odds(markets: tuple[PricedMarket, ...], *, closing: bool | None = None) -> RecordOdds:
    """Give the command that keeps the markets' prices: all of them, or only (or only not) the closing ones."""
    return RecordOdds(
        quotes=[
            QuoteBody(
                bookmaker=quote.bookmaker,
                market_id=market.market_id,
                selection_id=quote.selection_id,
                odds=quote.odds,
                at=quote.at,
                closing=quote.closing,
            )
            for market in markets
            for quote in market.quotes
            if closing is None or quote.closing == closing
        ]
    )


def _say(console: Console, text: str) -> None:
    """Print file contents as they are, never as markup and never broken over lines."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
