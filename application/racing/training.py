"""Learning the racing model: members forecast season after season, the stack learns from that, then all learn from all."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from application.racing.members import Learner, Member
from application.racing.model import RacingModel
from domain.prediction.checks import Bools, Floats
from domain.prediction.racing.orders import fit_powers
from domain.prediction.racing.race_stack import fit_race_stack, priced
from domain.prediction.racing.race_table import RaceTable, race_table, seasons_of
from domain.prediction.racing.races import Race
from domain.refusals import InvalidInput, NoMatches

SEASONS_MIN: Final = 3
"""One to fill the memory, one to learn from, one to be forecast."""
_SEED: Final = 20

OnProgress = Callable[[str, float], None]
"""Hears what is being done and which share of the whole is done, 0 to 1."""


def train_racing(
    races: Iterable[Race],
    learners: Sequence[Learner],
    on_progress: OnProgress | None = None,
    seed: int = _SEED,
) -> RacingModel:
    """Learn from all races. Raises NoMatches when they span fewer than three seasons, FitFailed.

    The same races, learners and seed give the same bytes.
    """
    tell = on_progress or _quiet
    kinds = {learner.name: learner for learner in learners}
    if not kinds or len(kinds) < len(learners):
        raise InvalidInput("a model has members, each kind once", field="learners")
    tell("reading races", 0.0)
    table, past = race_table(races)
    said, known = forecast_seasons(
        table, learners, lambda what, share: tell(what, 0.1 + 0.7 * share), seed
    )
    tell("stack", 0.85)
    both = known & priced(table)
    alone = tuple(learner.name for learner in learners if not learner.needs_market)
    on_market = tuple(learner.name for learner in learners if learner.needs_market)
    with_market = without_market = None
    if both.any():
        with_market = fit_race_stack(
            table.part(both), _part(said, both), tuple(kinds), market=True, on_market=on_market
        )
    if alone:
        without_market = fit_race_stack(table.part(known), _part(said, known), alone, market=False)
    best, counted = (with_market, both) if with_market else (without_market, known)
    if best is None:
        raise NoMatches("members that need odds have no race with odds to learn from")
    judged = table.part(counted)
    powers = fit_powers(best.chances(judged, _part(said, counted)), judged.present, judged.places)
    members: dict[str, Member] = {}
    for at, learner in enumerate(learners):
        tell(f"{learner.name}, all races", 0.88 + 0.12 * at / len(learners))
        members[learner.name] = learner.fit(
            _learnable(table, learner), np.random.default_rng([seed, at])
        )
    tell("done", 1.0)
    return RacingModel(
        past=past,
        members=members,
        with_market=with_market,
        without_market=without_market,
        powers=powers,
    )


def forecast_seasons(
    table: RaceTable,
    learners: Sequence[Learner],
    on_progress: OnProgress | None = None,
    seed: int = _SEED,
) -> tuple[dict[str, Floats], Bools]:
    """Let each learner forecast each season from all before it, but the first, which only fills the memory.

    Gives log chances by learner (races, runners), and which races were forecast (races,). Raises NoMatches.
    """
    tell = on_progress or _quiet
    seasons = seasons_of(table)
    names = np.unique(seasons)
    if len(names) < SEASONS_MIN:
        raise NoMatches(f"to learn, give races of {SEASONS_MIN} seasons or more")
    said = {learner.name: np.zeros(table.present.shape) for learner in learners}
    ahead = names[2:]
    for step, season in enumerate(ahead):
        learned = (seasons < season) & (seasons > names[0])
        now = seasons == season
        for at, learner in enumerate(learners):
            tell(
                f"{learner.name}, season {season}/{(season + 1) % 100:02}",
                (step + at / len(learners)) / len(ahead),
            )
            member = learner.fit(
                _learnable(table.part(learned), learner), np.random.default_rng([seed, step, at])
            )
            said[learner.name][now] = member.utilities(table.part(now))
    return said, seasons >= ahead[0]


def _learnable(table: RaceTable, learner: Learner) -> RaceTable:
    return table.part(priced(table)) if learner.needs_market else table


def _part(said: Mapping[str, Floats], chosen: Bools) -> dict[str, Floats]:
    return {name: logs[chosen] for name, logs in said.items()}


def _quiet(_what: str, _share: float) -> None:
    """Say nothing."""
