"""How long fits of the goals model take, in processor time: a process of its own, with the threads that it is told to use.

`python -m fairbook.fit_times --rounds 15 FILE…` prints JSON: seconds of each fit, and of one whole posterior.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct

from adapters.football_data import FootballDataError
from application.football.forecaster import GoalsSettings
from domain.prediction.goals_fit import GoalsFit, fit_goals
from domain.prediction.goals_sampler import sample_goals
from domain.prediction.goals_table import FINISHED_AFTER, GoalsTable, PlayedMatch, newcomers_of
from fairbook.football_files import read_matches

CHAINS: Final = 4
DRAWS: Final = 1000
SEED: Final = 20


class FitTimes(Struct, frozen=True):
    """Processor seconds of maximum-a-posteriori fits, and of the whole posterior (4 × 1,000 draws); None when it was not asked for."""

    matches: int
    fits: tuple[float, ...]
    posterior: float | None


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m fairbook.fit_times", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="of one league")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--posterior", action="store_true", help="draw from the posterior, too")
    arguments = parser.parse_args()
    print(
        msgspec.json.encode(
            measure(arguments.files, arguments.rounds, posterior=arguments.posterior)
        ).decode()
    )
    return 0


def measure(files: list[Path], rounds: int, *, posterior: bool) -> FitTimes:
    """Fit all matches of one league anew each round, from the list of results on."""
    leagues = read_matches(files)
    if len(leagues) != 1:
        raise FootballDataError("fits are timed on one league")
    played = [match.played for matches in leagues.values() for match in matches]
    seconds = [_timed(played)[0] for _ in range(rounds)]
    if not posterior:
        return FitTimes(len(played), tuple(seconds), None)
    _, table, fit = _timed(played)
    began = time.process_time()
    sample_goals(table, fit, np.random.default_rng(SEED), draws=DRAWS, chains=CHAINS)
    return FitTimes(len(played), tuple(seconds), time.process_time() - began)


def _timed(played: Sequence[PlayedMatch]) -> tuple[float, GoalsTable, GoalsFit]:
    settings = GoalsSettings()
    as_of = played[-1].played_at + FINISHED_AFTER
    began = time.process_time()
    table = GoalsTable.of(
        played,
        as_of,
        half_life_days=settings.half_life_days,
        newcomers=newcomers_of(played, as_of),
    )
    fit = fit_goals(table, settings.prior)
    return time.process_time() - began, table, fit


if __name__ == "__main__":
    sys.exit(main())
