"""Members and market put together: a conditional logit on the logs of their chances (Benter's second step).

It learns from forecasts of races that the members had not seen. Its prior trusts the market: power 1, members 0; where
members begin with the market themselves it trusts their mean, and without a market the mean of all.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from domain.prediction.checks import Floats
from domain.prediction.conditional_logit import Contests, LogitFit, fit_logit
from domain.prediction.racing.race_table import RaceTable
from domain.refusals import InvalidInput, NoMatches

LEAST: Final = 1e-6
RIDGE: Final = 60.0


class RaceStack(Struct, frozen=True, eq=False):
    """How members are weighed: `fit` has a coefficient for the market, where `market`, then one for each of `members`."""

    members: tuple[str, ...]
    market: bool
    fit: LogitFit

    def chances(self, table: RaceTable, utilities: Mapping[str, Floats]) -> Floats:
        """Give each runner's chance (races, runners), 0 where nobody is present."""
        return self.fit.probabilities(
            Contests(
                stack_features(table, utilities, self.members, market=self.market), table.present
            )
        )


def fit_race_stack(
    table: RaceTable,
    utilities: Mapping[str, Floats],
    members: Sequence[str],
    *,
    market: bool,
    on_market: Collection[str] = (),
    ridge: float = RIDGE,
) -> RaceStack:
    """Learn the weights from what members said, before they were run, of races that were.

    `on_market` names the members that begin with odds. Raises NoMatches, InvalidInput.
    """
    if not len(table.races):
        raise NoMatches("there are no races that members forecast before they were run")
    features = stack_features(table, utilities, members, market=market)
    trusted = np.array([*[False] * market, *[name in on_market for name in members]], np.bool_)
    if not trusted.any():
        trusted[: 1 if market else len(members)] = True
    centre = trusted / trusted.sum()
    return RaceStack(
        tuple(members),
        market,
        fit_logit(Contests.of(features, table.present, table.won), centre=centre, ridge=ridge),
    )


def stack_features(
    table: RaceTable, utilities: Mapping[str, Floats], members: Sequence[str], *, market: bool
) -> Floats:
    """Give the logs of the chances by column (races, runners, market and members). Raises InvalidInput."""
    columns = [log_chances(utilities[name], table) for name in members]
    if market:
        if not priced(table).all():
            raise InvalidInput("every runner has odds, or the race is left out", field="odds")
        columns.insert(0, market_logs(table))
    if not columns:
        raise InvalidInput("a stack has members or the market", field="members")
    return np.stack(columns, axis=-1)


def priced(table: RaceTable) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which races have odds of all runners (races,)."""
    return np.asarray(table.market.sum(1) > 0)


def market_logs(table: RaceTable) -> Floats:
    """Give the logs of the market's chances (races, runners), 0 where nobody is present or no odds are known."""
    known = table.present & (table.market > 0)
    return np.log(np.where(known, np.maximum(table.market, LEAST), 1.0))


def log_chances(utilities: Floats, table: RaceTable) -> Floats:
    """Give log chances (…, races, runners) that sum to 1 a race, 0 where nobody is present."""
    here = np.where(table.present, utilities, -np.inf)
    here = here - here.max(-1, keepdims=True)
    whole = np.log(np.exp(here).sum(-1, keepdims=True))
    return np.where(table.present, np.maximum(here - whole, np.log(LEAST)), 0.0)
