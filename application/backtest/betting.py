"""Backtests: what a bankroll would have become, had a model's bets been placed at prices when they were known.

Money is exact: integer minor units, stakes rounded down. A bet is settled by the rules that the ledger settles by
(`domain.scores`, `domain.settlement`, `domain.settling`), once its match is over.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, get_args
from uuid import UUID

import numpy as np
from msgspec import Struct

from application.football.matches import PricedMatch
from domain.events.market import MarketType, Result
from domain.events.odds import Quote
from domain.money import MAX_AMOUNT_MINOR, has_at_most_places
from domain.outcomes import back_odds
from domain.prediction.checks import Bools, Floats, check_number
from domain.prediction.goals_table import FINISHED_AFTER
from domain.prediction.kelly import StakeRule, kelly_shares
from domain.refusals import InvalidInput
from domain.scores import results_from_score
from domain.settlement import settle_single
from domain.settling import commission_minor

Price = Literal["open", "best", "close"]
Staking = Literal["flat", "kelly"]
PRICES: Final[tuple[Price, ...]] = get_args(Price)
STAKINGS: Final[tuple[Staking, ...]] = get_args(Staking)

_PLACES: Final = Decimal("0.000001")
_COMMISSION_PLACES: Final = 4


class BettingRules(Struct, frozen=True, kw_only=True):
    """What is bet, and how much: amounts in minor units, `commission` a share of a market's net profit.

    A selection is bet on when its edge, probability − 1/odds with the odds after commission, is above 0 and at least
    `edge_min`. `flat` stakes `flat_stake_minor` on each; `kelly` stakes by `stake_rule`, at once on the selections of a
    market that exclude each other, of the bankroll (what is staked on open bets counts as it was paid).
    """

    bankroll_minor: int
    staking: Staking = "kelly"
    flat_stake_minor: int = 0
    stake_rule: StakeRule = StakeRule(fraction=0.25, cap=0.02, total_cap=0.04)
    edge_min: float = 0.02
    commission: Decimal = Decimal(0)
    bet_max_minor: int | None = None
    bet_min_minor: int = 1

    def check(self) -> None:
        """Refuse rules that make no sense, naming the field."""
        for field in ("bankroll_minor", "bet_min_minor", "bet_max_minor"):
            amount: int | None = getattr(self, field)
            if amount is not None and not 0 < amount <= MAX_AMOUNT_MINOR:
                raise InvalidInput("an amount lies above 0, up to 10^15 minor units", field=field)
        if self.staking not in STAKINGS:
            raise InvalidInput(f"staking is one of {', '.join(STAKINGS)}", field="staking")
        if self.staking == "flat" and not 0 < self.flat_stake_minor <= self.bankroll_minor:
            raise InvalidInput(
                "a flat stake lies above 0, up to the bankroll", field="flat_stake_minor"
            )
        if self.bet_max_minor is not None and self.bet_max_minor < self.bet_min_minor:
            raise InvalidInput("the least bet is above the largest one", field="bet_max_minor")
        self.stake_rule.check()
        check_number(self.edge_min, "edge_min", 0, 1)
        if not has_at_most_places(self.commission, _COMMISSION_PLACES) or not (
            0 <= self.commission < 1
        ):
            raise InvalidInput(
                "a commission is from 0 up to, and not including, 1, with 4 decimals at most",
                field="commission",
            )


class Offer(Struct, frozen=True):
    """A market that may be bet on: prices (one a selection), what a model says of them, and how they closed.

    `known_at` is when the last of the prices and all that the model has learned from was known. `closing` and `fair` are
    the closing odds of the same bookmakers and the market's closing line without its margin, where there are any.
    """

    match: PricedMatch
    market_id: UUID
    type: MarketType
    line: Decimal | None
    known_at: datetime
    quotes: tuple[Quote, ...]
    probabilities: tuple[float, ...]
    closing: tuple[Decimal | None, ...]
    fair: tuple[float, ...] | None


class BacktestBet(Struct, frozen=True):
    """A bet as it was placed and as it ended; numbers that are no money have 6 decimals.

    `clv` is odds / closing odds of the same bookmaker − 1, `clv_fair` odds · the closing line's probability − 1.
    """

    selection_id: str
    bookmaker: str
    odds: Decimal
    priced_at: datetime
    probability: Decimal
    edge: Decimal
    stake_minor: int
    result: Result
    return_minor: int
    clv: Decimal | None
    clv_fair: Decimal | None


class BacktestMarket(Struct, frozen=True):
    """The bets on one market; commission is charged on their net profit. `bankroll_minor` is what it was before them."""

    league: str
    season: int
    market_id: UUID
    fixture: str
    type: MarketType
    line: Decimal | None
    decided_at: datetime
    starts_at: datetime
    settled_at: datetime
    bankroll_minor: int
    bets: tuple[BacktestBet, ...]
    commission_minor: int

    @property
    def stake_minor(self) -> int:
        """What was staked on it."""
        return sum(bet.stake_minor for bet in self.bets)

    @property
    def profit_minor(self) -> int:
        """What it brought, after commission."""
        returned = sum(bet.return_minor for bet in self.bets)
        return returned - self.stake_minor - self.commission_minor


class Point(Struct, frozen=True):
    """The bankroll once everything that ended at this time is settled."""

    at: datetime
    bankroll_minor: int


class Betting(Struct, frozen=True):
    """What a bankroll became: markets in the order in which they were bet on, and the bankroll over time."""

    markets: tuple[BacktestMarket, ...]
    curve: tuple[Point, ...]


def bet_on(
    offers: Iterable[Offer],
    rules: BettingRules,
    on_time: Callable[[datetime], None] | None = None,
) -> Betting:
    """Bet on offers when they are known, and settle each once its match is over. Raises InvalidInput.

    An offer known after its match began is refused: nobody could have taken it. A closing price is known at the kick-off.
    """
    rules.check()
    bankroll = _Bankroll(rules.bankroll_minor)
    markets: list[BacktestMarket] = []
    in_order = sorted(offers, key=lambda offer: (offer.known_at, *_identity(offer)))
    for offer in in_order:
        if offer.known_at > offer.match.played.played_at:
            raise InvalidInput(
                f"the price of {offer.match.fixture.name} was known only after it had begun",
                field="offers",
            )
        bankroll.settle_until(offer.known_at)
        stakes = stakes_on(offer, rules, bankroll.worth_minor, bankroll.cash_minor)
        if any(stakes):
            market = _placed(offer, stakes, rules.commission, bankroll.worth_minor)
            bankroll.place(market)
            markets.append(market)
        if on_time is not None:
            on_time(offer.known_at)
    bankroll.settle_until(None)
    return Betting(tuple(markets), tuple(bankroll.curve))


def stakes_on(
    offer: Offer, rules: BettingRules, bankroll_minor: int, cash_minor: int
) -> tuple[int, ...]:
    """Give the stake on each selection in minor units, rounded down, never more than the cash in all."""
    odds = np.array(
        [
            float(back_odds(Fraction(quote.odds), Fraction(rules.commission)))
            for quote in offer.quotes
        ]
    )
    chances = np.array(offer.probabilities)
    edges = chances - 1 / odds
    wanted = (edges > 0) & (edges >= rules.edge_min)
    stakes = [0] * len(odds)
    if not wanted.any():
        return tuple(stakes)
    shares = _shares(chances, odds, wanted, rules)
    for at in np.argsort(-edges, kind="stable").tolist():
        if not wanted[at]:
            continue
        if rules.staking == "flat":
            stake = rules.flat_stake_minor
        else:
            stake = math.floor(Fraction(shares[at]) * bankroll_minor)
        if rules.bet_max_minor is not None:
            stake = min(stake, rules.bet_max_minor)
        stake = min(stake, cash_minor - sum(stakes))
        if stake >= rules.bet_min_minor:
            stakes[at] = stake
    return tuple(stakes)


def _shares(chances: Floats, odds: Floats, wanted: Bools, rules: BettingRules) -> list[float]:
    """Give Kelly's shares of the selections that are wanted, as if the others were not on offer."""
    shares = np.zeros(len(odds))
    if rules.staking == "kelly" and rules.stake_rule.fraction:
        possible = wanted & (odds > 1)
        shares[possible] = kelly_shares(chances[possible], odds[possible], rules.stake_rule)
    found: list[float] = shares.tolist()
    return found


def _placed(
    offer: Offer, stakes: Sequence[int], commission: Decimal, bankroll_minor: int
) -> BacktestMarket:
    """Place and, looking ahead, settle: the bankroll learns of it only when the match is over."""
    selections = {quote.selection_id: quote.selection_id for quote in offer.quotes}
    match = offer.match
    results = {
        result.selection_id: result
        for result in results_from_score(
            offer.type, offer.line, selections, match.fixture, match.score
        )
    }
    bets = []
    for at, (quote, stake) in enumerate(zip(offer.quotes, stakes, strict=True)):
        if not stake:
            continue
        result = results[quote.selection_id]
        probability, closing = offer.probabilities[at], offer.closing[at]
        odds = back_odds(Fraction(quote.odds), Fraction(commission))
        fair = offer.fair[at] if offer.fair else None
        bets.append(
            BacktestBet(
                selection_id=quote.selection_id,
                bookmaker=quote.bookmaker,
                odds=quote.odds,
                priced_at=quote.at,
                probability=_number(probability),
                edge=_number(probability - float(1 / odds)),
                stake_minor=stake,
                result=result.result,
                return_minor=settle_single(quote.odds, result, stake).return_minor,
                clv=None if closing is None else _number(float(quote.odds / closing) - 1),
                clv_fair=None if fair is None else _number(float(quote.odds) * fair - 1),
            )
        )
    profit = sum(bet.return_minor - bet.stake_minor for bet in bets)
    return BacktestMarket(
        league=match.league,
        season=match.season,
        market_id=offer.market_id,
        fixture=match.fixture.name,
        type=offer.type,
        line=offer.line,
        decided_at=offer.known_at,
        starts_at=match.played.played_at,
        settled_at=match.played.played_at + FINISHED_AFTER,
        bankroll_minor=bankroll_minor,
        bets=tuple(bets),
        commission_minor=commission_minor(profit, commission),
    )


class _Bankroll:
    """Cash, and what is staked on matches that are not over."""

    def __init__(self, cash_minor: int) -> None:
        self.cash_minor = cash_minor
        self.worth_minor = cash_minor
        self.curve: list[Point] = []
        self._open: list[tuple[datetime, int, BacktestMarket]] = []
        self._placed = 0

    def place(self, market: BacktestMarket) -> None:
        if not self.curve:
            self.curve.append(Point(market.decided_at, self.worth_minor))
        self.cash_minor -= market.stake_minor
        self._placed += 1  # ties are settled in the order in which they were placed
        heapq.heappush(self._open, (market.settled_at, self._placed, market))

    def settle_until(self, at: datetime | None) -> None:
        """Settle what is over at this time, or everything."""
        while self._open and (at is None or self._open[0][0] <= at):
            settled_at, _, market = heapq.heappop(self._open)
            self.cash_minor += market.stake_minor + market.profit_minor
            self.worth_minor += market.profit_minor
            if self.curve[-1].at == settled_at:
                self.curve.pop()
            self.curve.append(Point(settled_at, self.worth_minor))


def _identity(offer: Offer) -> tuple[datetime, str, str, str]:
    return offer.match.played.played_at, offer.match.league, offer.match.fixture.name, offer.type


def _number(value: float) -> Decimal:
    return Decimal(value).quantize(_PLACES)
