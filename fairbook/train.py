"""`fairbook train`: a model learns, is held against the active one, and is registered."""

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
from rich.console import Console
from rich.table import Table

from adapters.football_data import FootballDataError
from adapters.football_data_columns import COMPETITIONS
from application.football.training import Learned, Lesson, learn
from application.ledger import utc_now
from application.log import LogUnavailable
from domain.events.model import ModelTrained, TrainingData
from domain.prediction.goals_table import PlayedMatch
from domain.refusals import NoMatches, Refusal
from fairbook.football_files import read_matches
from fairbook.model_desk import CODE_VERSION, ModelDesk, model_desk
from fairbook.progress import share_bar
from fairbook.settings import Settings
from read_models import results

if TYPE_CHECKING:
    from domain.prediction.racing.races import Race

DONE, NOT_ACTIVATED, FAILED = 0, 1, 2
RACING_SCOPE: Final = "HK"
SOURCE_MAX: Final = 200
WIDTH_IN_FILES: Final = 160


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    football = kinds.add_parser("football", help="a goals model of one competition")
    football.add_argument(
        "--scope",
        required=True,
        metavar="E0",
        help="the competition as fixtures carry it, or its football-data code: E0 is the Premier League",
    )
    football.add_argument(
        "--data",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="football-data.co.uk season files (default: the ledger's own results)",
    )
    football.add_argument(
        "--newcomers",
        nargs="+",
        default=[],
        metavar="SIDE",
        help="sides that come up and have not played in these data: fixtures of others that are unknown are refused",
    )
    football.add_argument("--half-life", type=float, default=400.0, metavar="DAYS")
    football.add_argument(
        "--as-of",
        type=_moment,
        metavar="TIME",
        help="learn from what was over by then, such as 2024-05-01 (default: the end of the last match)",
    )
    racing = kinds.add_parser("racing", help="a model of races")
    racing.add_argument(
        "--data",
        required=True,
        type=Path,
        metavar="FILE",
        help="results of races, CSV, also gzipped",
    )
    for each in (football, racing):
        each.add_argument(
            "--activate", action="store_true", help="activate the model unless it is worse"
        )


def run(arguments: argparse.Namespace) -> int:
    """Train: 0 when done, 1 when the model was not activated, 2 when it could not be trained."""
    settings = Settings.from_environment()
    settings.require_database_url()
    work = _football if arguments.kind == "football" else _racing
    try:
        return asyncio.run(work(arguments, settings))
    except (Refusal, FootballDataError, LogUnavailable, OSError) as error:
        print(f"fairbook train: {error}", file=sys.stderr)
        return FAILED


def competition_of(scope: str) -> str:
    """Give a competition's name as fixtures carry it; a football-data code stands for one."""
    return COMPETITIONS.get(scope, scope)


async def _football(arguments: argparse.Namespace, settings: Settings) -> int:
    scope = competition_of(arguments.scope)
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_IN_FILES)
    async with model_desk(settings) as desk:
        if arguments.data:
            matches = matches_of_files(arguments.data, arguments.scope)
            source = " ".join(file.name for file in arguments.data)[:SOURCE_MAX]
        else:
            matches, source = await results.played(desk.reader, scope, utc_now()), "ledger"
            if not matches:
                raise NoMatches(
                    f"the ledger holds no football match of {scope!r} with a declared score on a 1X2 market: "
                    "name season files with --data, or import results first"
                )
        lesson = Lesson(
            scope=scope,
            source=source,
            matches=tuple(matches),
            code_version=CODE_VERSION,
            as_of=arguments.as_of,
            coming=() if arguments.data else await _coming(desk, scope, matches),
            named=tuple(arguments.newcomers),
            half_life_days=arguments.half_life,
            active=await desk.active_artefact("football.goals", scope),
        )
        with share_bar(Console(stderr=True), f"{scope}, {len(matches):,} results") as show:
            learned = await asyncio.to_thread(learn, lesson, lambda share: show("", share))
        model_id = await desk.keep_learned(learned)
        _show(console, model_id, learned)
        return await _activated(desk, model_id, console) if arguments.activate else DONE


def matches_of_files(files: Sequence[Path], scope: str) -> list[PlayedMatch]:
    """Read the played matches of season files of one league; raises FootballDataError, OSError."""
    leagues = read_matches(files)
    if scope in leagues:
        chosen = leagues[scope]
    elif len(leagues) == 1:
        (chosen,) = leagues.values()
    else:
        raise FootballDataError(
            f"these files are of {', '.join(sorted(leagues))}, by what their names begin with: name one with --scope"
        )
    return [match.played for match in chosen]


async def _coming(desk: ModelDesk, scope: str, matches: Sequence[PlayedMatch]) -> tuple[str, ...]:
    last = max(match.played_at for match in matches)
    return tuple(await results.coming_sides(desk.reader, scope, last))


async def _racing(arguments: argparse.Namespace, settings: Settings) -> int:
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_IN_FILES)
    with share_bar(Console(stderr=True), "races") as show:
        content, trained = await asyncio.to_thread(learn_races, arguments.data, show)
    async with model_desk(settings) as desk:
        model_id = await desk.keep(content, trained, ())
        console.print(
            f"model {model_id}: {trained.data.rows:,} races up to {trained.data.until:%Y-%m-%d}"
        )
        return await _activated(desk, model_id, console) if arguments.activate else DONE


def learn_races(file: Path, show: Callable[[str, float], None]) -> tuple[bytes, ModelTrained]:
    """Train the racing model on a file of results; raises Refusal, OSError."""
    # Late: nothing else needs the libraries of the extra `predict`.
    from adapters.hkjc import HkjcError, read_results
    from adapters.learners.lightgbm_library import LearnerMissingError
    from adapters.learners.racing import racing_learners
    from application.racing.model import racing_to_bytes
    from application.racing.training import train_racing

    try:
        races = read_results(file).races
        learners = racing_learners()
        content = racing_to_bytes(train_racing(races, learners, show))
    except (HkjcError, LearnerMissingError) as error:
        raise OSError(str(error)) from error
    return content, described(content, file.name, races, [each.name for each in learners])


def described(
    content: bytes, source: str, races: Sequence["Race"], members: Sequence[str]
) -> ModelTrained:
    """Say what a racing model has learned from."""
    days = [race.day for race in races]
    digest = hashlib.sha256(b"".join(msgspec.msgpack.encode(race) for race in races)).hexdigest()
    return ModelTrained(
        kind="racing.logit",
        scope=RACING_SCOPE,
        artefact=hashlib.sha256(content).hexdigest(),
        artefact_bytes=len(content),
        code_version=CODE_VERSION,
        data=TrainingData(
            source[:SOURCE_MAX],
            len(races),
            datetime.combine(min(days), datetime.min.time(), UTC),
            # The last day's races are over when the next day begins.
            datetime.combine(max(days) + timedelta(days=1), datetime.min.time(), UTC),
            digest,
        ),
        parameters={"members": " ".join(members)[:SOURCE_MAX]},
        metrics={},
    )


async def _activated(desk: ModelDesk, model_id: UUID, console: Console) -> int:
    try:
        used = await desk.activate(model_id)
    except Refusal as refusal:
        console.print(f"not activated: {refusal.detail}")
        return NOT_ACTIVATED
    console.print(
        "it speaks for its slot" + ("" if used.before is None else f", before {used.before}")
    )
    return DONE


def _show(console: Console, model_id: UUID, learned: Learned) -> None:
    trained = learned.trained
    console.print(
        f"model {model_id}: {trained.kind} of {trained.scope}, {trained.data.rows:,} matches up to "
        f"{trained.data.until:%Y-%m-%d %H:%M} UTC"
    )
    table = Table(
        "forecast walk-forward", "matches", "log loss", "RPS", "log loss − the active model's"
    )
    for each in learned.evaluations:
        gap = each.difference
        table.add_row(
            f"{each.since:%Y-%m-%d} to {each.until:%Y-%m-%d}",
            f"{each.matches:,}",
            f"{each.metrics['log_loss']:.4f}",
            f"{each.metrics['rps']:.4f}",
            "" if gap is None else f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]",
        )
    console.print(table)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2024-05-01") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
