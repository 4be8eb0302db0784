"""What a price is worth by a model's chances: from which odds on it is a value, what it earns, how much to stake on it.

Whether a price is a value is decided exactly, in integer thousandths of odds; floats only size stakes. A back at odds o
after commission returns refund + win·o on average. A lay is a bet on the complement (`domain.outcomes`): its refund is the
same, and it wins with 1 − refund − win.
"""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Final, Literal
from uuid import UUID

import numpy as np
from msgspec import Struct

from domain.board import MarketDescription
from domain.events.bet import Side
from domain.events.market import MarketType
from domain.events.prediction import Chance
from domain.money import MAX_ODDS
from domain.outcomes import Proposition, back_odds, lay_odds, payoff_by_score
from domain.prediction.checks import Floats
from domain.prediction.goals_model import ENDINGS, returns_at, worth
from domain.prediction.kelly import StakeRule, kelly_share, kelly_share_of_returns, kelly_shares
from domain.prediction.score_chances import ScoreChances
from domain.refusals import InvalidInput

Bound = Literal["mean", "low"]

LEVEL: Final = 0.95
NEVER: Final = 2**62
"""A trigger that no odds pass."""
STEP: Final = Decimal("0.000001")
ODDS_STEP: Final = Decimal("0.001")
EXCLUSIVE: Final[frozenset[MarketType]] = frozenset({"1X2", "OU", "BTTS", "CS", "AH"})
"""Types of which one selection wins, where none is refunded: bets on several of them are sized together."""
_THOUSAND: Final = 1000
_MOST: Final = int(MAX_ODDS * _THOUSAND)
_ONE: Final = Fraction(1)


class ValueRules(Struct, frozen=True):
    """Which prices are told, and how they are sized.

    A price is a value when it earns `min_value` a unit or more on average; with the bound `low` also where the model's
    probability is at the unfavourable end of its interval. A signal is told again when its expected value or its stake's
    share moved by more than `tolerance`.
    """

    min_value: Decimal = Decimal("0.03")
    bound: Bound = "mean"
    fraction: float = 0.25
    cap: float = 0.02
    market_cap: float = 0.05
    tolerance: Decimal = Decimal("0.001")

    def check(self) -> None:
        """Refuse shares that nobody can mean."""
        if not 0 < self.min_value <= 1:
            raise InvalidInput("a price is worth more than nothing", field="min_value")
        if not self.fraction > 0:
            raise InvalidInput("a stake is a share of Kelly's", field="fraction")
        self.stakes.check()

    @property
    def stakes(self) -> StakeRule:
        """The rule of stakes."""
        return StakeRule(self.fraction, self.cap, self.market_cap)


class PricedMarket(Struct, frozen=True, eq=False):
    """A market as a model prices it: a chance for every selection, in the market's order.

    `endings` has the chances of `domain.prediction.goals_model.ENDINGS` for selections that may be refunded, in whole or in
    part, None for those that win or lose.
    """

    market: MarketDescription
    model_id: UUID
    chances: tuple[Chance, ...]
    endings: tuple[tuple[float, ...] | None, ...]

    @property
    def is_exclusive(self) -> bool:
        """Whether one selection wins and the others lose."""
        return self.market.type in EXCLUSIVE and not any(each.refund for each in self.chances)


def price_market(
    chances: ScoreChances, market: MarketDescription, model_id: UUID, at: int = 0
) -> PricedMarket:
    """Price every selection of a market on match `at` of these chances. Raises a Refusal for what scores do not decide."""
    proposition = Proposition(market.type, market.line, market.selections)
    priced: list[Chance] = []
    endings: list[tuple[float, ...] | None] = []
    scores: Floats | None = None
    for selection_id in market.selections:
        found = worth(chances, proposition, selection_id)
        says = found.probability(LEVEL)[at]
        refund = _places(float(found.refund[:, at].mean()), least=Decimal(0))
        priced.append(
            Chance(
                selection_id,
                _places(says.value),
                _places(min(says.low, says.value)),
                _places(max(says.high, says.value)),
                refund,
            )
        )
        if refund and scores is None:
            scores = chances.matrix()[at]
        endings.append(_endings(scores, proposition, selection_id) if refund else None)
    return PricedMarket(market, model_id, tuple(priced), tuple(endings))


def _endings(
    scores: Floats | None, market: Proposition, selection_id: str
) -> tuple[float, ...] | None:
    """Give the chances of ENDINGS from those of scores, averaged over the draws."""
    if scores is None:
        return None
    payoff = payoff_by_score(market, selection_id, len(scores) - 1)
    found = [
        float(scores[(payoff.c0 == c0) & (payoff.c1 == c1)].sum()) for c0, c1 in ENDINGS.values()
    ]
    return tuple(each / sum(found) for each in found)


def _places(value: float, least: Decimal = STEP) -> Decimal:
    """Give a chance with 6 decimals; nothing is quite impossible, and nothing quite certain."""
    return min(max(Decimal(value).quantize(STEP), least), 1 - STEP)


# ---- what a price is worth


def expected_value(
    side: Side, probability: Decimal, refund: Decimal, odds: Decimal, commission: Decimal
) -> Fraction:
    """Give what a unit at risk earns on average, exactly; `odds` are quoted, commission is the bookmaker's."""
    chance, kept = Fraction(probability), 1 - Fraction(refund)
    if side == "lay":
        chance, price = 1 - chance, lay_odds(Fraction(odds), Fraction(commission))
    else:
        price = back_odds(Fraction(odds), Fraction(commission))
    return Fraction(refund) + kept * chance * price - 1


def trigger(chance: Chance, side: Side, commission: Decimal, rules: ValueRules) -> int:
    """Give the quoted odds in thousandths at which a value begins: at least so high to back, at most so low to lay.

    They are negative for a lay, so that a quote is a value when its odds, negative for a lay, reach them; NEVER when no odds
    do.
    """
    probability = chance.probability
    if rules.bound == "low":
        probability = chance.low if side == "back" else chance.high
    kept = 1 - Fraction(chance.refund)
    wins = kept * (Fraction(probability) if side == "back" else 1 - Fraction(probability))
    # refund + wins·price ≥ 1 + min_value, of the price after commission.
    gain = (1 + Fraction(rules.min_value) - Fraction(chance.refund)) / wins - 1
    left = 1 - Fraction(commission)
    if side == "back":
        least = max(ceil((1 + gain / left) * _THOUSAND), _THOUSAND + 1)
        return least if least <= _MOST else NEVER
    if gain <= 0:
        return -_MOST
    most = min(floor((1 + left / gain) * _THOUSAND), _MOST)
    return -most if most > _THOUSAND else NEVER


class Size(Struct, frozen=True):
    """What is told of a price beside the model's words; shares are of a bankroll, and of a lay what is at risk."""

    fair_odds: Decimal
    edge: Decimal
    expected_value: Decimal
    kelly: Decimal
    stake_share: Decimal


def size(
    priced: PricedMarket,
    selection: int,
    side: Side,
    odds: Decimal,
    commission: Decimal,
    others: Mapping[int, float],
    rules: ValueRules,
) -> Size:
    """Size one bet; `others` are the best odds after commission of other selections of the market that are values to back.

    Backs of outcomes that exclude each other share a bankroll (`kelly_shares`). Lays, and bets that may be refunded, are
    sized by themselves.
    """
    chance = priced.chances[selection]
    probability, quoted = Fraction(chance.probability), 1 / Fraction(odds)
    kelly, share = _shares(priced, selection, side, odds, commission, others, rules.stakes)
    return Size(
        fair_odds=(1 / chance.probability).quantize(ODDS_STEP),
        edge=_exact(probability - quoted if side == "back" else quoted - probability),
        expected_value=_exact(
            expected_value(side, chance.probability, chance.refund, odds, commission)
        ),
        kelly=_down(kelly),
        stake_share=_down(share),
    )


def shares_bankroll(priced: PricedMarket, side: Side) -> bool:
    """Tell whether a bet is sized together with values to back on the market's other selections."""
    return side == "back" and priced.is_exclusive


def _shares(
    priced: PricedMarket,
    selection: int,
    side: Side,
    odds: Decimal,
    commission: Decimal,
    others: Mapping[int, float],
    rule: StakeRule,
) -> tuple[float, float]:
    """Give Kelly's share, and what the rule leaves of it."""
    price = effective_odds(side, odds, commission)
    most = min(rule.cap, rule.total_cap)
    ends = priced.endings[selection]
    if ends is not None:
        # A lay ends the other way round: what is won for the back is lost for it.
        alone = kelly_share_of_returns(ends if side == "back" else ends[::-1], returns_at(price))
        return alone, min(rule.fraction * alone, most)
    probability = float(priced.chances[selection].probability)
    if not others or not shares_bankroll(priced, side):
        alone = kelly_share(probability if side == "back" else 1 - probability, price)
        return alone, min(rule.fraction * alone, most)
    prices = {**others, selection: price}
    taken = sorted(prices)
    wins_of = np.array([float(priced.chances[each].probability) for each in taken])
    offered, at = np.array([prices[each] for each in taken]), taken.index(selection)
    wins_of /= max(1.0, wins_of.sum())
    return float(kelly_shares(wins_of, offered)[at]), float(
        kelly_shares(wins_of, offered, rule)[at]
    )


def effective_odds(side: Side, odds: Decimal, commission: Decimal) -> float:
    """Give odds after commission, per unit at risk."""
    after = lay_odds if side == "lay" else back_odds
    return float(after(Fraction(odds), Fraction(commission)))


def _exact(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(STEP)


def _down(share: float) -> Decimal:
    return Decimal(share).quantize(STEP, ROUND_DOWN)
