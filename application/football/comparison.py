"""Football forecasters beside each other on identical matches: losses by league and season, ranks, differences, reliability."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from application.football.evaluation import difference_of, scores_of
from application.football.matches import (
    PINNACLE,
    TRUST,
    PricedMatch,
    consensus,
    season_name,
    sharp_line,
)
from domain.prediction.checks import Bools, Floats, Ints
from domain.prediction.losses import Interval, log_losses, rank_probability_scores
from domain.prediction.stacking import Stack, fit_stack
from domain.refusals import NoMatches

OPENING: Final = "opening odds"
CLOSING: Final = "closing odds"
PINNACLE_OPENING: Final = "Pinnacle's opening odds"
GOALS: Final = "goals model"
ELO: Final = "Elo and Poisson"
PEER: Final = "penaltyblog Dixon–Coles"
STACK: Final = "stack"

LOSSES: Final = {"RPS": rank_probability_scores, "log loss": log_losses}
RESAMPLES: Final = 2000
_Z: Final = 1.96


class Forecast(Struct, frozen=True, eq=False):
    """What everybody said of the same matches: chances (matches, 3) by forecaster, outcomes (matches,).

    `sharp` (matches, 3) is the opening line that a stack starts from.
    """

    matches: tuple[PricedMatch, ...]
    outcomes: Ints
    by_forecaster: dict[str, Floats]
    sharp: Floats

    @property
    def seasons(self) -> Ints:
        """The years in which the matches' seasons began (matches,)."""
        return np.array([match.season for match in self.matches], np.int64)

    @property
    def leagues(self) -> np.ndarray:
        """The leagues (matches,)."""
        return np.array([match.league for match in self.matches])

    def only(self, chosen: Bools) -> "Forecast":
        """Give the part on some matches."""
        return Forecast(
            tuple(match for match, here in zip(self.matches, chosen, strict=True) if here),
            self.outcomes[chosen],
            {name: chances[chosen] for name, chances in self.by_forecaster.items()},
            self.sharp[chosen],
        )

    @classmethod
    def joined(cls, parts: Sequence["Forecast"]) -> "Forecast":
        """Put leagues together; forecasters that do not speak of all of them are left out. Raises NoMatches."""
        if not parts:
            raise NoMatches("no league has matches to compare forecasts on")
        names = [
            name for name in parts[0].by_forecaster if all(name in p.by_forecaster for p in parts)
        ]
        return cls(
            tuple(match for part in parts for match in part.matches),
            np.concatenate([part.outcomes for part in parts]),
            {name: np.concatenate([p.by_forecaster[name] for p in parts]) for name in names},
            np.concatenate([part.sharp for part in parts]),
        )


class Line(Struct, frozen=True):
    """Mean losses of one forecaster on a league's season (or all of them), and its rank by RPS, 1 the best."""

    league: str
    season: str
    forecaster: str
    matches: int
    rps: float
    log_loss: float
    brier: float
    rank: int


class Gap(Struct, frozen=True):
    """How much more one forecaster loses than another on the same matches; below 0 the first is better."""

    where: str
    loss: str
    one: str
    other: str
    matches: int
    difference: Interval


class Bin(Struct, frozen=True):
    """Forecasts of about the same probability: their mean, how often it happened, with its 95% interval (Wilson)."""

    said: float
    happened: float
    low: float
    high: float
    count: int


class Comparison(Struct, frozen=True):
    """All figures of one comparison."""

    lines: tuple[Line, ...]
    gaps: tuple[Gap, ...]
    reliability: dict[str, tuple[Bin, ...]]


class StackedSeason(Struct, frozen=True):
    """What a season's stack had learned: weights of market and model, from so many earlier matches."""

    season: str
    learned_from: int
    market: float
    model: float


def forecast_of(
    matches: Sequence[PricedMatch], outcomes: Ints, said: Mapping[str, Floats]
) -> Forecast:
    """Put forecasts (matches, 3) beside the market's, on matches that all of them speak of (no NaN).

    Opening and closing odds are the mean of the bookmakers' probabilities without margin, multiplicative.
    """
    market = [_market(match) for match in matches]
    known = np.array([all(each is not None for each in row) for row in market], np.bool_)
    for chances in said.values():
        known &= np.isfinite(chances).all(1)
    if not known.any():
        raise NoMatches("no match has forecasts and both opening and closing odds")
    lines = np.array([row for row, here in zip(market, known, strict=True) if here])
    names = (OPENING, PINNACLE_OPENING, CLOSING)
    return Forecast(
        tuple(match for match, here in zip(matches, known, strict=True) if here),
        outcomes[known],
        {name: chances[known] for name, chances in said.items()}
        | {name: lines[:, at] for at, name in enumerate(names)},
        lines[:, len(names)],
    )


def _market(match: PricedMatch) -> tuple[Floats | None, ...]:
    market = match.market("1X2")
    if market is None:
        return (None,) * 4
    opening, closing = market.books(closing=False), market.books(closing=True)
    pinnacle = [opening[PINNACLE]] if PINNACLE in opening else [*opening.values()]
    return (
        consensus([*opening.values()], "multiplicative", "plain"),
        consensus(pinnacle, "multiplicative"),
        consensus([*closing.values()], "multiplicative", "plain"),
        sharp_line(opening),
    )


def with_stack(forecast: Forecast) -> tuple[Forecast, tuple[StackedSeason, ...]]:
    """Add the stack of the opening line and the goals model, learned on all leagues' earlier seasons.

    The first season has no earlier one and is left out. Raises NoMatches when there is no other.
    """
    seasons, goals = forecast.seasons, forecast.by_forecaster[GOALS]
    stacked = np.full(goals.shape, np.nan)
    learned = []
    for season in np.unique(seasons)[1:].tolist():
        past, now = seasons < season, seasons == season
        stack: Stack = fit_stack(
            forecast.sharp[past], goals[past], forecast.outcomes[past], trust=TRUST
        )
        stacked[now] = stack.probabilities(forecast.sharp[now], goals[now])
        market, model = stack.fit.coefficients[:2].tolist()
        learned.append(StackedSeason(season_name(season), int(past.sum()), market, model))
    if not learned:
        raise NoMatches("a stack needs two seasons of forecasts: one to learn from, one to judge")
    here = np.isfinite(stacked).all(1)
    part = forecast.only(here)
    return (
        Forecast(
            part.matches,
            part.outcomes,
            {STACK: stacked[here], **part.by_forecaster},
            part.sharp,
        ),
        tuple(learned),
    )


def compare(
    forecast: Forecast, pairs: Sequence[tuple[str, str]], rng: np.random.Generator
) -> Comparison:
    """Compare by league and season, and `pairs` of forecasters with the bootstrap interval of their difference."""
    leagues, seasons = forecast.leagues, forecast.seasons
    lines: list[Line] = []
    gaps: list[Gap] = []
    for league in [*dict.fromkeys(leagues.tolist()), None]:
        of_league = np.ones(len(leagues), np.bool_) if league is None else leagues == league
        label = "all" if league is None else league
        for season in [*np.unique(seasons[of_league]).tolist(), None]:
            here = of_league if season is None else of_league & (seasons == season)
            name = "all" if season is None else season_name(season)
            lines += _ranked(label, name, forecast.only(here))
            if league is None or season is None:
                where = label if season is None else f"{label} {name}"
                gaps += _gaps(where, forecast.only(here), pairs, rng)
    reliability = {
        name: reliability_of(chances, forecast.outcomes)
        for name, chances in forecast.by_forecaster.items()
    }
    return Comparison(tuple(lines), tuple(gaps), reliability)


def _ranked(league: str, season: str, forecast: Forecast) -> list[Line]:
    scores = [
        scores_of(name, chances, forecast.outcomes)
        for name, chances in forecast.by_forecaster.items()
    ]
    return [
        Line(
            league, season, each.model, each.matches, each.rps, each.log_loss, each.brier, rank + 1
        )
        for rank, each in enumerate(sorted(scores, key=lambda each: each.rps))
    ]


def _gaps(
    where: str,
    forecast: Forecast,
    pairs: Sequence[tuple[str, str]],
    rng: np.random.Generator,
) -> list[Gap]:
    found = []
    for one, other in pairs:
        if one not in forecast.by_forecaster or other not in forecast.by_forecaster:
            continue
        for loss, losses in LOSSES.items():
            difference = difference_of(
                losses,
                forecast.by_forecaster[one],
                forecast.by_forecaster[other],
                forecast.outcomes,
                rng,
                RESAMPLES,
            )
            found.append(Gap(where, loss, one, other, len(forecast.matches), difference))
    return found


def reliability_of(chances: Floats, outcomes: Ints, bins: int = 10) -> tuple[Bin, ...]:
    """Sort all probabilities, of every outcome, into bins of equal width, and tell how often they came true."""
    happened = (np.arange(chances.shape[1]) == outcomes[:, None]).astype(np.float64).ravel()
    said = chances.ravel()
    places = np.minimum((said * bins).astype(np.int64), bins - 1)
    found = []
    for place in np.unique(places).tolist():
        here = places == place
        count, share = int(here.sum()), float(happened[here].mean())
        found.append(Bin(float(said[here].mean()), share, *share_interval(share, count), count))
    return tuple(found)


def share_interval(share: float, count: int) -> tuple[float, float]:
    """Give the 95% interval of a share of `count` trials. Source: Wilson 1927."""
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return middle - half / (1 + _Z**2 / count), middle + half / (1 + _Z**2 / count)
