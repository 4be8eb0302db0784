"""`fairbook evaluate`: how good the models are, walk-forward, beside the market's odds, their peers and what was aimed at."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from adapters.football_data import FootballDataError
from application.football.comparison import (
    CLOSING,
    ELO,
    GOALS,
    OPENING,
    PEER,
    PINNACLE_OPENING,
    STACK,
    Comparison,
    Forecast,
    StackedSeason,
    compare,
    forecast_of,
    with_stack,
)
from application.football.evaluation import walk_forward
from application.football.matches import PricedMatch, season_name
from domain.refusals import Refusal
from fairbook.backtest import (
    SEED,
    WIDTH_IN_FILES,
    day_of,
    second_season,
    share_done,
    steps_bar,
)
from fairbook.evaluation_times import fit_times, handler_speed
from fairbook.football_files import data_folder, league_of, read_matches, season_files
from fairbook.peer import PeerMissing, ask, chances_of, question
from fairbook.plots import PlotsMissing
from fairbook.racing_part import RacingPart, racing_part
from fairbook.targets import (
    FootballTimes,
    Target,
    football_targets,
    handler_targets,
    met_in_words,
    speed_targets,
)

LEAGUES: Final = ("E0", "SP1", "D1")
PAIRS: Final = (
    (GOALS, OPENING),
    (GOALS, PEER),
    (GOALS, ELO),
    (CLOSING, OPENING),
)
STACK_PAIRS: Final = ((STACK, OPENING), (STACK, PINNACLE_OPENING), (STACK, CLOSING))
DONE, FAILED = 0, 2


class Evaluation(Struct, frozen=True, kw_only=True):
    """Everything that was found, as its JSON has it; `notes` say what is missing and why."""

    targets: tuple[Target, ...]
    results_only: Comparison
    held_out: str
    stack: Comparison | None
    stacked: tuple[StackedSeason, ...]
    stack_held_out: Comparison | None
    times: FootballTimes | None
    racing: RacingPart | None
    notes: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="football-data.co.uk season files (default: those of FAIRBOOK_DATA/football)",
    )
    parser.add_argument("--league", nargs="+", default=list(LEAGUES), metavar="E0")
    parser.add_argument(
        "--until",
        type=day_of,
        metavar="DAY",
        help="do not even read matches from this day on: to choose settings on early seasons",
    )
    parser.add_argument("--no-peer", action="store_true", help="leave penaltyblog out")
    parser.add_argument("--no-racing", action="store_true", help="leave racing out")
    parser.add_argument(
        "--no-times", action="store_true", help="do not time fits (a busy machine says nothing)"
    )
    parser.add_argument(
        "--all", action="store_true", help="measure the value handler's speed as well"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of all draws (default: 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report with plots")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print: 0 when done, whatever the targets say, 2 when it could not be done."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_IN_FILES)
    try:
        with steps_bar(Console(stderr=True)) as progress:
            found = evaluate(arguments, progress)
        show(console, found)
        if arguments.json:
            content = msgspec.json.encode(found, enc_hook=_plain)
            arguments.json.write_bytes(msgspec.json.format(content) + b"\n")
        if arguments.html:
            from fairbook.report import evaluation_page

            arguments.html.write_text(evaluation_page(found), encoding="utf-8")
    except (FootballDataError, OSError, PlotsMissing, Refusal) as error:
        print(f"fairbook evaluate: {error}", file=sys.stderr)
        return FAILED
    return DONE


def evaluate(arguments: argparse.Namespace, progress: Callable[[str, float], None]) -> Evaluation:
    """Do everything that was asked for; what cannot be done is a note. Raises FootballDataError, Refusal, OSError."""
    files = season_files(arguments.files, arguments.league)
    every = read_matches(files)
    until: datetime | None = arguments.until
    leagues = {
        league: [m for m in matches if until is None or m.played.played_at < until]
        for league, matches in every.items()
    }
    # In the order asked for: the first league's fits are the ones that are timed.
    leagues = {league: leagues[league] for league in arguments.league if leagues.get(league)}
    notes: list[str] = []
    forecast = football_forecasts(leagues, arguments, progress, notes)
    rng = np.random.default_rng(arguments.seed)
    results_only = compare(forecast, PAIRS, rng)
    stack: Comparison | None = None
    stack_held_out: Comparison | None = None
    stacked: tuple[StackedSeason, ...] = ()
    last = int(forecast.seasons.max())
    try:
        joined, stacked = with_stack(forecast)
    except Refusal as refusal:
        notes.append(str(refusal))
    else:
        stack = compare(joined, STACK_PAIRS, rng)
        stack_held_out = compare(joined.only(joined.seasons == last), STACK_PAIRS, rng)
    times = None
    if not arguments.no_times and until is None:
        timed = [file for file in files if league_of(file) == next(iter(leagues))]
        times = fit_times(timed, leagues, notes, progress, with_peer=not arguments.no_peer)
    racing = None if arguments.no_racing else racing_part(data_folder(), notes, progress)
    targets = football_targets(results_only, stack, stack_held_out, season_name(last))
    targets += racing.targets if racing else ()
    targets += speed_targets(times)
    targets += handler_targets(handler_speed(notes) if arguments.all else ())
    return Evaluation(
        targets=targets,
        results_only=results_only,
        held_out=season_name(last),
        stack=stack,
        stacked=stacked,
        stack_held_out=stack_held_out,
        times=times,
        racing=racing,
        notes=tuple(notes),
    )


def football_forecasts(
    leagues: Mapping[str, Sequence[PricedMatch]],
    arguments: argparse.Namespace,
    progress: Callable[[str, float], None],
    notes: list[str],
) -> Forecast:
    """Forecast every league from its second season on; the peer works beside, in its own process."""
    since = {league: second_season(matches) for league, matches in leagues.items()}
    answers: list[Any] = []

    def hear() -> None:
        try:
            answers.append(ask(question(leagues, since), progress))
        except (PeerMissing, OSError, msgspec.MsgspecError) as error:
            answers.append(error)

    peer = Thread(target=hear, name="penaltyblog")
    if not arguments.no_peer:
        peer.start()
    own = {}
    for league, matches in leagues.items():
        by_played = {match.played: match for match in matches}
        rng = np.random.default_rng(arguments.seed)
        said = walk_forward(
            [match.played for match in matches],
            since[league],
            rng,
            on_day=share_done(matches, league, progress),
        )
        own[league] = [by_played[match] for match in said.matches], said
    if not arguments.no_peer:
        peer.join()
    parts = []
    for league, (in_order, said) in own.items():
        chances = {GOALS: said.by_model["goals"], ELO: said.by_model["elo"]}
        if answers and not isinstance(answers[0], Exception):
            chances[PEER] = chances_of(answers[0], league)
        parts.append(forecast_of(in_order, said.outcomes, chances))
    if answers and isinstance(answers[0], Exception):
        notes.append(f"without penaltyblog: {answers[0]}")
    elif answers:
        silent = sum(row is None for rows in answers[0].chances.values() for row in rows)
        notes.append(
            f"penaltyblog {answers[0].version}, decay 0.0018 a day (its own default); {silent} matches left out: "
            "sides that it does not know, or has no probabilities for"
        )
    return Forecast.joined(parts)


def _plain(value: object) -> object:
    """Give numpy's numbers and truths as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} has no JSON")


# ---- tables


def show(console: Console, found: Evaluation) -> None:
    """Print the tables, the target table last."""
    console.print(_lines_table("from results only, beside the odds", found.results_only))
    console.print(_gaps_table(found.results_only))
    if found.stack is not None:
        console.print(_lines_table("stacked with opening prices", found.stack))
        console.print(_gaps_table(found.stack))
        for each in found.stacked:
            console.print(
                f"stack of {each.season}: market^{each.market:.3f} · model^{each.model:+.3f}, "
                f"learned from {each.learned_from:,} matches",
                highlight=False,
            )
    if found.racing is not None:
        for line in found.racing.lines:
            console.print(line, highlight=False, markup=False)
    for note in found.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    console.print(target_table(found.targets))


def target_table(targets: Sequence[Target]) -> Table:
    """Make the table of what was aimed at."""
    table = Table(title="targets", title_justify="left", show_lines=True)
    for column in ("what", "reference", "aim", "measured", "met"):
        table.add_column(column)
    for each in targets:
        table.add_row(each.what, each.reference, each.aim, each.measured, met_in_words(each))
    return table


def _lines_table(title: str, comparison: Comparison) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("league", "season", "matches", "rank", "forecaster"):
        table.add_column(column)
    for column in ("RPS", "log loss", "Brier"):
        table.add_column(column, justify="right")
    before = None
    for line in comparison.lines:
        here = line.league, line.season
        if before not in (None, here):
            table.add_section()
        head = (line.league, line.season, f"{line.matches:,}") if here != before else ("", "", "")
        figures = (f"{line.rps:.4f}", f"{line.log_loss:.4f}", f"{line.brier:.4f}")
        table.add_row(*head, str(line.rank), line.forecaster, *figures)
        before = here
    return table


def _gaps_table(comparison: Comparison) -> Table:
    table = Table(title="differences (below 0: the first is better)", title_justify="left")
    for column in ("where", "matches", "loss", "first", "second", "difference [95%]"):
        table.add_column(column)
    for gap in comparison.gaps:
        each = gap.difference
        table.add_row(
            gap.where,
            f"{gap.matches:,}",
            gap.loss,
            gap.one,
            gap.other,
            f"{each.value:+.4f} [{each.low:+.4f}, {each.high:+.4f}]",
        )
    return table
