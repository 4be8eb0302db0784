"""What was aimed at, beside its reference and what was measured."""

from typing import Final

from msgspec import Struct

from application.football.comparison import GOALS, OPENING, PEER, STACK, Comparison, Gap
from domain.prediction.losses import Interval

WITHIN: Final = 0.002
POSTERIOR_SECONDS_MAX: Final = 60
PUBLISHED: Final = {
    "E0": "2015–24: Elo–Poisson .198, opening .195, closing .193",
    "SP1": "2015–24: Elo–Poisson .197, opening .193, closing .191",
    "D1": "2015–24: Elo–Poisson .206, opening .202, closing .199",
}
"""What others measured on more seasons; figures of other matches are no yardstick for these."""


class Target(Struct, frozen=True):
    """A row of the table; `met` is None where nothing was measured."""

    what: str
    reference: str
    aim: str
    measured: str
    met: bool | None


class FootballTimes(Struct, frozen=True):
    """Processor seconds of fits of one league's matches on one core: medians, ours and the peer's in the same run (None without it)."""

    matches: int
    median: float
    posterior: float
    peer_median: float | None


class Speed(Struct, frozen=True):
    """A finding of a benchmark, in words."""

    what: str
    aim: str
    measured: str
    met: bool | None


def football_targets(
    results_only: Comparison,
    stack: Comparison | None,
    held_out: Comparison | None,
    last_season: str,
) -> tuple[Target, ...]:
    """Give the rows of football's forecasts: each league's goals model, and the stack with opening prices."""
    found: list[Target] = []
    for league in dict.fromkeys(line.league for line in results_only.lines):
        if league != "all":
            found += _results_only(results_only, league, "all", league)
    found += _results_only(
        results_only, "all", last_season, f"all leagues, {last_season} (held out)"
    )
    for name, comparison in (("seasons after the first", stack), (last_season, held_out)):
        gap = _gap(comparison, "all", "log loss", OPENING, STACK) if comparison else None
        found.append(
            Target(
                f"stacked with opening prices, all leagues, {name}",
                "opening odds' own log loss (mean of the bookmakers)",
                "lower",
                f"{interval(gap.difference)} of {gap.matches:,} matches" if gap else "–",
                gap.difference.value < 0 if gap else None,
            )
        )
    return tuple(found)


def _results_only(
    comparison: Comparison, league: str, season: str, name: str
) -> tuple[Target, ...]:
    """Give the rows of the goals model beside opening odds and beside the peer."""
    where = league if season == "all" else f"{league} {season}"
    means = {
        line.forecaster: line.rps
        for line in comparison.lines
        if (line.league, line.season) == (league, season)
    }
    opening, peer = (_gap(comparison, where, "RPS", other) for other in (OPENING, PEER))
    if opening is None:
        return ()
    published = f"{PUBLISHED[league]}; here " if league in PUBLISHED else ""
    return (
        Target(
            f"{name}: RPS from results only",
            f"{published}opening {means[OPENING]:.4f}",
            f"within {WITHIN} of opening odds",
            f"{means[GOALS]:.4f}: {interval(opening.difference)} of {opening.matches:,} matches",
            opening.difference.value <= WITHIN,
        ),
        Target(
            f"{name}: the same",
            f"{PEER} {means[PEER]:.4f}" if peer else f"{PEER}: not measured",
            "better",
            f"{means[GOALS]:.4f}: {interval(peer.difference)}" if peer else "–",
            peer.difference.value < 0 if peer else None,
        ),
    )


def speed_targets(times: FootballTimes | None) -> tuple[Target, ...]:
    """Give the rows of fit times."""
    if times is None:
        return (Target("football fit", PEER, "at least as fast; posterior < 60 s", "–", None),)
    peer = times.peer_median
    return (
        Target(
            f"fit of {times.matches:,} matches, one core",
            f"{PEER}, same run: {peer * 1000:.0f} ms" if peer else f"{PEER}: not measured",
            "at least as fast",
            f"{times.median * 1000:.0f} ms (medians of processor time)",
            times.median <= peer if peer else None,
        ),
        Target(
            "whole posterior, one core",
            "4 × 1,000 draws",
            f"< {POSTERIOR_SECONDS_MAX} s",
            f"{times.posterior:.1f} s",
            times.posterior < POSTERIOR_SECONDS_MAX,
        ),
    )


def handler_targets(speed: tuple[Speed, ...]) -> tuple[Target, ...]:
    """Give the rows of the value handler's speed."""
    if not speed:
        how = "measured by `fairbook evaluate --all` or `python -m benchmarks.value`"
        return (Target("value handler", "", "50,000 quotes/s; p99 < 50 ms", how, None),)
    return tuple(
        Target(f"value handler: {each.what}", "", each.aim, each.measured, each.met)
        for each in speed
    )


def met_in_words(target: Target) -> str:
    """Say whether a target is met; a dash where nothing was measured."""
    return {True: "yes", False: "NO", None: "–"}[target.met]


def interval(value: Interval) -> str:
    """Write a difference with its interval."""
    return f"{value.value:+.4f} [{value.low:+.4f}, {value.high:+.4f}]"


def _gap(comparison: Comparison, where: str, loss: str, other: str, one: str = GOALS) -> Gap | None:
    for gap in comparison.gaps:
        if (gap.where, gap.loss, gap.one, gap.other) == (where, loss, one, other):
            return gap
    return None
