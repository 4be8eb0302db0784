"""The `fairbook demo` command: where the season and the service come from, and what is said at the end."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from adapters.embedded import EmbeddedError
from adapters.football_data import FootballDataError, Match, read_season
from fairbook.client import LedgerClient, Refused, ServiceError, service_url
from fairbook.demo.checks import Findings, check, check_replay
from fairbook.demo.report import show
from fairbook.demo.run import Play, Played
from fairbook.demo.service import Service, own_service
from fairbook.demo.simulation import simulate_season
from fairbook.progress import events_bar

BETS: Final = 32_000
SEED: Final = 1
WIDTH_IN_FILES: Final = 150
AGREED, DISAGREED, FAILED = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="play these football-data.co.uk season files instead of a simulated season",
    )
    parser.add_argument(
        "--url",
        type=service_url,
        help="play on this running service (default: one of the demo's own, gone afterwards)",
    )
    parser.add_argument(
        "--token",
        default=os.environ.get("FAIRBOOK_TOKEN"),
        help="an admin's token for --url (default: the environment's FAIRBOOK_TOKEN)",
    )
    parser.add_argument(
        "--bets", type=_count, default=BETS, metavar="N", help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=SEED, help="of the simulation and of all lots (default: 1)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Play: 0 when everything agrees at the end, 1 when something does not, 2 when it could not be played."""
    # In a file the tables may be as wide as they are; a terminal says how wide it is.
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_IN_FILES)
    if arguments.url and not arguments.token:
        console.print(
            "fairbook demo: --url needs --token, or FAIRBOOK_TOKEN; `fairbook token` makes one"
        )
        return FAILED
    try:
        season = _season(console, arguments)
        with _service(console, arguments) as service:
            played, findings = asyncio.run(_play(console, service, season, arguments))
            if service.database_url is not None:
                with events_bar(console, "replay") as progress:
                    replay = check_replay(service.database_url, findings.head, progress)
                findings.checks.append(replay)
            show(console, played, findings)
    except (EmbeddedError, FootballDataError, OSError, Refused, ServiceError) as error:
        console.print(f"fairbook demo: {error}", markup=False, highlight=False, soft_wrap=True)
        return FAILED
    return AGREED if all(each.agrees for each in findings.checks) else DISAGREED


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bets")
    return int(text)


def _season(console: Console, arguments: argparse.Namespace) -> list[Match]:
    if not arguments.data:
        return simulate_season(arguments.seed)
    matches: list[Match] = []
    for path in arguments.data:
        season = read_season(path)
        matches += season.matches
        if left_out := len(season.rejected_rows):
            console.print(f"{path}: {left_out} rows left out; `fairbook import` names them")
    if not any(match.score is not None for match in matches):
        raise FootballDataError("no match with a score in the data: there is nothing to play")
    return matches


@contextmanager
def _service(console: Console, arguments: argparse.Namespace) -> Iterator[Service]:
    if arguments.url:
        yield Service(arguments.url, arguments.token, None)
        return

    def report(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    with own_service(report) as service:
        yield service


async def _play(
    console: Console, service: Service, season: list[Match], arguments: argparse.Namespace
) -> tuple[Played, Findings]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    async with LedgerClient(service.url, service.token) as client:
        with bar:
            matches = bar.add_task("matches", total=None)
            bets = bar.add_task("bets", total=arguments.bets)

            def advance(more_matches: int, more_bets: int) -> None:
                bar.advance(matches, more_matches)
                bar.advance(bets, more_bets)

            play = Play(
                client,
                season,
                bets=arguments.bets,
                seed=arguments.seed,
                run_id=uuid4(),
                advance=advance,
            )
            bar.update(matches, total=play.matches)
            played = await play.run()
        console.print("comparing the ledger with the demo's own arithmetic…")
        return played, await check(client, played, alone=service.database_url is not None)
