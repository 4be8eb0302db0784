"""How good racing models are, season after season, each forecast from the past alone, beside the market of final odds.

Members forecast each season from all before it; the stack of a season learns from the forecasts of those before it. The
last two seasons are held out: no setting was chosen on them. The market's chances are those of FINAL odds: they are
known at the off and not before, so nobody could have bet on what stands in these figures.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from msgspec import Struct

from application.racing.members import Learner
from application.racing.training import OnProgress, forecast_seasons
from domain.prediction.checks import Bools, Floats, Ints
from domain.prediction.conditional_logit import Contests, pseudo_r2
from domain.prediction.losses import Interval
from domain.prediction.racing.orders import HARVILLE, fit_powers, place_chances
from domain.prediction.racing.race_stack import RaceStack, fit_race_stack, priced
from domain.prediction.racing.race_table import RaceTable, race_table, seasons_of
from domain.prediction.racing.races import Race
from domain.refusals import NoMatches

HELD_OUT: Final = 2
RESAMPLES: Final = 2000
COVERED: Final = 0.6
"""The share of earlier seasons' races whose top chance is above the threshold of the covered part."""
_SEED: Final = 20
_LEAST: Final = 1e-12
_BINS: Final = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0)

R2_AIM: Final = 0.005
TOP_AIM: Final = 0.35


class RacingRow(Struct, frozen=True):
    """One target: a figure beside its reference on the same races, and the 95% interval of their difference."""

    name: str
    reference: str
    reference_figure: float
    figure: float
    difference: Interval
    races: int
    aim: str
    reached: bool


class SeasonRow(Struct, frozen=True):
    """One season: pseudo-R² and the rate at which the first choice won, of one forecaster."""

    season: str
    forecaster: str
    races: int
    pseudo_r2: float
    top: float


class AblationRow(Struct, frozen=True):
    """What a stack of `members` reaches, and its gain over the stack named `than`, with the gain's 95% interval."""

    members: str
    pseudo_r2: float
    than: str
    gain: Interval


class ReliabilityRow(Struct, frozen=True):
    """Runners whose chance was between `low` and `high`: what was said of them, and how often it came."""

    low: float
    high: float
    runners: int
    said: float
    happened: float


class PlaceRow(Struct, frozen=True):
    """Mean log loss of being among the first `places`, a runner, by Harville and with fitted powers."""

    places: int
    harville: float
    powers: float
    difference: Interval


class RacingEvaluation(Struct, frozen=True):
    """Everything that is told of racing; `rows` and `reliability` are of the held-out seasons, `ablation` of those before.

    `threshold` is the top chance from which a race belongs to the covered part, fixed on seasons before the held-out.
    """

    rows: tuple[RacingRow, ...]
    seasons: tuple[SeasonRow, ...]
    ablation: tuple[AblationRow, ...]
    ablation_held_out: tuple[AblationRow, ...]
    reliability: tuple[ReliabilityRow, ...]
    places: tuple[PlaceRow, ...]
    powers: tuple[float, float]
    threshold: float
    coverage: float
    held_out: tuple[str, ...]
    weights: dict[str, float]
    note: str


NOTE: Final = (
    "Market: chances that FINAL odds imply, scaled to 1. They are known at the off and not before: a bettor sees other "
    "odds. Features of a day's races use earlier days alone; final odds of earlier days' races are among them."
)


def evaluate_races(
    races: Iterable[Race],
    learners: Sequence[Learner],
    default: Sequence[str],
    on_progress: OnProgress | None = None,
    seed: int = _SEED,
) -> RacingEvaluation:
    """Forecast all seasons walk-forward and judge them; `default` names the members of the model that is judged.

    `learners` are all whose worth the ablation shows. Raises NoMatches with fewer than six seasons of races with odds.
    """
    tell = on_progress or (lambda _what, _share: None)
    tell("reading races", 0.0)
    table, _ = race_table(races)
    said, forecast = forecast_seasons(
        table, learners, lambda what, share: tell(what, 0.1 + 0.8 * share), seed
    )
    tell("judging", 0.92)
    known = forecast & priced(table)
    judged = _Judged.of(
        table.part(known), {name: logs[known] for name, logs in said.items()}, learners
    )
    return judged.evaluation(tuple(default), np.random.default_rng(seed))


class _Judged(Struct, frozen=True, eq=False):
    """Races with forecasts and odds; the first of their seasons only teaches stacks."""

    table: RaceTable
    said: dict[str, Floats]
    seasons: Ints
    alone: tuple[str, ...]

    @classmethod
    def of(
        cls, table: RaceTable, said: dict[str, Floats], learners: Sequence[Learner]
    ) -> "_Judged":
        seasons = seasons_of(table)
        if len(np.unique(seasons)) < HELD_OUT + 2:
            raise NoMatches("to judge, give six seasons of races with odds")
        alone = tuple(learner.name for learner in learners if not learner.needs_market)
        return cls(table, said, seasons, alone)

    def evaluation(self, default: tuple[str, ...], rng: np.random.Generator) -> RacingEvaluation:
        names = np.unique(self.seasons)
        held = self.seasons >= names[-HELD_OUT]
        early = ~held & (self.seasons > names[0])
        fundamental = tuple(name for name in default if name in self.alone)
        stack = self.stacked(default, market=True)
        form = self.stacked(fundamental, market=False)
        threshold = float(np.quantile(stack.max(1)[early], 1 - COVERED))
        covered = held & (stack.max(1) >= threshold)
        taught = ~held
        powers = fit_powers(stack[early], self.table.present[early], self.table.places[early])
        final = self._fit(taught, default, market=True)
        return RacingEvaluation(
            rows=self._rows(stack, held, covered, rng),
            seasons=self._seasons(
                {"market": self.table.market, "form": form, "stack": stack}, held
            ),
            ablation=self._ablation(early, rng),
            ablation_held_out=self._ablation(held, rng),
            reliability=self._reliability(stack, held),
            places=tuple(self._places(stack, held, places, powers, rng) for places in (2, 3)),
            powers=powers,
            threshold=threshold,
            coverage=float(covered.sum() / held.sum()),
            held_out=tuple(_season_name(season) for season in names[-HELD_OUT:]),
            weights=dict(zip(("market", *default), final.fit.coefficients.tolist(), strict=True)),
            note=NOTE,
        )

    def stacked(self, members: tuple[str, ...], *, market: bool) -> Floats:
        """Give a stack's chances (races, runners), each season's weights learned on those before it; 0 in the first."""
        chances = np.zeros(self.table.present.shape)
        for season in np.unique(self.seasons)[1:]:
            past, now = self.seasons < season, self.seasons == season
            stack = self._fit(past, members, market=market)
            chances[now] = stack.chances(self.table.part(now), self._part(now))
        return chances

    def _fit(self, chosen: Bools, members: tuple[str, ...], *, market: bool) -> RaceStack:
        on_market = set(self.said) - set(self.alone)
        return fit_race_stack(
            self.table.part(chosen),
            self._part(chosen),
            members,
            market=market,
            on_market=on_market,
        )

    def _part(self, chosen: Bools) -> dict[str, Floats]:
        return {name: logs[chosen] for name, logs in self.said.items()}

    def _rows(
        self, stack: Floats, held: Bools, covered: Bools, rng: np.random.Generator
    ) -> tuple[RacingRow, ...]:
        market = self.table.market
        gain = self._gain(stack, market, held, rng)
        first, favourite = top_shares(stack, self.table), top_shares(market, self.table)

        def top_row(
            name: str, chosen: Bools, aim: str, enough: Callable[[float, float], bool]
        ) -> RacingRow:
            own, other = float(first[chosen].mean()), float(favourite[chosen].mean())
            apart = _bootstrap((first - favourite)[chosen], np.ones(int(chosen.sum())), rng)
            return RacingRow(
                name, "favourite", other, own, apart, int(chosen.sum()), aim, enough(own, other)
            )

        return (
            RacingRow(
                "pseudo-R² of the stack",
                "market",
                self._r2(market, held),
                self._r2(stack, held),
                gain,
                int(held.sum()),
                f"market + {R2_AIM}",
                gain.value >= R2_AIM,
            ),
            top_row(
                "top-1, all races", held, "above the favourite's", lambda own, other: own > other
            ),
            top_row(
                f"top-1, covered part ({covered.sum() / held.sum():.0%} of races)",
                covered,
                f"at least {TOP_AIM:.0%}, coverage at least 50%",
                lambda own, _: own >= TOP_AIM and covered.sum() >= held.sum() / 2,
            ),
        )

    def _r2(self, chances: Floats, chosen: Bools) -> float:
        part = self.table.part(chosen)
        return pseudo_r2(chances[chosen], Contests(part.features, part.present, part.won))

    def _gain(
        self, chances: Floats, than: Floats, chosen: Bools, rng: np.random.Generator
    ) -> Interval:
        """Give how much pseudo-R² the one has above the other."""
        won = self.table.won
        logs = [np.log(np.maximum(said, _LEAST)) for said in (chances, than)]
        better = (won * (logs[0] - logs[1])).sum(1)
        even = np.log(self.table.present.sum(1))
        return _bootstrap(better[chosen], even[chosen], rng)

    def _seasons(self, forecasts: Mapping[str, Floats], held: Bools) -> tuple[SeasonRow, ...]:
        rows = []
        names = np.unique(self.seasons)[1:]
        parts = [(_season_name(season), self.seasons == season) for season in names]
        for label, chosen in (*parts, ("held out", held)):
            rows += [
                SeasonRow(
                    label,
                    name,
                    int(chosen.sum()),
                    self._r2(chances, chosen),
                    float(top_shares(chances, self.table)[chosen].mean()),
                )
                for name, chances in forecasts.items()
            ]
        return tuple(rows)

    def _ablation(self, chosen: Bools, rng: np.random.Generator) -> tuple[AblationRow, ...]:
        """Give what each member brings to the market's own stack, to that of all members, and to those without odds."""
        base = self.stacked((), market=True)
        rows = [self._ablated("market", base, "final odds", self.table.market, chosen, rng)]
        for market, members, label in (
            (True, tuple(self.said), "market + "),
            (False, self.alone, ""),
        ):
            every = f"{label}all {len(members)}"
            full = self.stacked(members, market=market)
            than, other = ("market", base) if market else (every, full)
            for member in members:
                one = self.stacked((member,), market=market)
                if market or len(members) > 1:
                    rows.append(self._ablated(f"{label}{member}", one, than, other, chosen, rng))
            if market and len(members) > 1:
                rows.append(self._ablated(every, full, than, other, chosen, rng))
            for member in members if len(members) > 1 else ():
                rest = tuple(name for name in members if name != member)
                less = self.stacked(rest, market=market)
                rows.append(self._ablated(f"{every} but {member}", less, every, full, chosen, rng))
        return tuple(rows)

    def _ablated(
        self,
        members: str,
        chances: Floats,
        than: str,
        other: Floats,
        chosen: Bools,
        rng: np.random.Generator,
    ) -> AblationRow:
        return AblationRow(
            members, self._r2(chances, chosen), than, self._gain(chances, other, chosen, rng)
        )

    def _reliability(self, chances: Floats, chosen: Bools) -> tuple[ReliabilityRow, ...]:
        part = self.table.part(chosen)
        said, won = chances[chosen][part.present], part.won[part.present]
        rows = []
        for low, high in pairwise(_BINS):
            here = (said >= low) & (said < high)
            if here.any():
                rows.append(
                    ReliabilityRow(
                        low,
                        high,
                        int(here.sum()),
                        float(said[here].mean()),
                        float(won[here].mean()),
                    )
                )
        return tuple(rows)

    def _places(
        self,
        chances: Floats,
        chosen: Bools,
        places: int,
        powers: tuple[float, float],
        rng: np.random.Generator,
    ) -> PlaceRow:
        part = self.table.part(chosen)
        losses = {}
        for kind in (HARVILLE, powers):
            by_race = []
            for win, here, ended in zip(chances[chosen], part.present, part.places, strict=True):
                said = np.clip(place_chances(win[here], places, kind), _LEAST, 1 - _LEAST)
                placed = (ended[here] > 0) & (ended[here] <= places)
                by_race.append(-np.log(np.where(placed, said, 1 - said)).mean())
            losses[kind] = np.array(by_race)
        apart = losses[powers] - losses[HARVILLE]
        return PlaceRow(
            places,
            float(losses[HARVILLE].mean()),
            float(losses[powers].mean()),
            _bootstrap(apart, np.ones(len(apart)), rng),
        )


def top_shares(chances: Floats, table: RaceTable) -> Floats:
    """Give the share of the win of those with the greatest chance (races,), the mean of several that are level."""
    top = table.present & (chances >= chances.max(1, keepdims=True))
    shares: Floats = (table.won * top).sum(1) / top.sum(1)
    return shares


def _bootstrap(values: Floats, wholes: Floats, rng: np.random.Generator) -> Interval:
    """Give Σvalues / Σwholes and its 95% percentile interval over races drawn with replacement."""
    drawn = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), RESAMPLES)
    ratios = (drawn @ values) / (drawn @ wholes)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Interval(float(values.sum() / wholes.sum()), float(low), float(high), 0.95)


def _season_name(season: int) -> str:
    return f"{season}/{(season + 1) % 100:02}"
