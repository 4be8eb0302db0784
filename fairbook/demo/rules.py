"""What a bet of any kind returns, worked out by the demo itself: fractions, line by line, from DOMAIN.md's rules.

Nothing here comes from the ledger's own rules: it is what their outcome is compared with.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from math import floor, prod
from uuid import UUID

from msgspec import Struct, field

from domain.events.bet import BetKind, Leg, Side
from domain.events.market import MarketType, Score

ZERO, HALF, ONE = Fraction(0), Fraction(1, 2), Fraction(1)

SHORTEST_LINE: Mapping[str, int] = {
    "trixie": 2, "yankee": 2, "canadian": 2, "heinz": 2, "super_heinz": 2, "goliath": 2,
    "patent": 1, "lucky15": 1, "lucky31": 1, "lucky63": 1,
}  # fmt: skip
"""Legs in the shortest lines of each full cover; its longest has all of them."""

RULE_4 = (
    "1/9 90, 2/11 85, 1/4 80, 3/10 75, 2/5 70, 8/15 65, 8/13 60, 4/5 55, 20/21 50, 6/5 45, 6/4 40, 7/4 35, 9/4 30, "
    "3/1 25, 4/1 20, 11/2 15, 9/1 10, 14/1 5"
)
"""The longest price of each band and its pence in the pound, as DOMAIN.md prints the traditional table."""


SCORES_UP_TO = 3
"""The demo's correct-score markets list each score up to 3-3, and `other`."""


class Share(Struct, frozen=True):
    """How a selection ended: what is given back of a stake, and what is paid of it to win and for a place."""

    refunded: Fraction = ZERO
    win: Fraction = ZERO
    place: Fraction = ZERO


VOID = Share(refunded=ONE)


class Facts(Struct):
    """How a market ended; `deducted` is Rule 4's share of the winnings of bets from before the withdrawal."""

    shares: dict[str, Share] = field(default_factory=dict)
    starting: dict[str, Fraction] = field(default_factory=dict)
    deducted: Fraction = ZERO
    divisor: int = 1


class Wager(Struct, frozen=True):
    """A bet of any kind as it was sent; `late` after the withdrawals of its markets."""

    bet_id: UUID
    account_id: UUID
    kind: BetKind
    legs: tuple[Leg, ...]
    stake_minor: int
    side: Side = "back"
    each_way: bool = False
    best_odds: bool = False
    late: bool = False
    free: bool = False

    @property
    def is_each_way(self) -> bool:
        """Whether each line is bet to win and for a place; of a single the kind says so."""
        return self.each_way or self.kind == "each_way"

    @property
    def at_starting_price(self) -> bool:
        """Whether a leg was taken at its starting price."""
        return any(leg.odds is None for leg in self.legs)

    @property
    def at_risk_minor(self) -> int:
        """What the account puts in play: the stake of all lines, or a lay's liability."""
        if self.free:
            return 0
        if self.side == "lay":
            return half_up(self.stake_minor * _taken(self.legs[0])) - self.stake_minor
        return self.stake_minor * len(lines(self.kind, len(self.legs))) * (1 + self.is_each_way)


class Ended(Struct, frozen=True):
    """What became of a bet; `return_minor` includes the stake, of a lay the liability."""

    status: str
    return_minor: int


def half_up(amount: Fraction) -> int:
    """Whole minor units; a half goes up."""
    return floor(amount + HALF)


def lines(kind: BetKind, legs: int) -> list[tuple[int, ...]]:
    """Write out every line of a bet, as the numbers of its legs."""
    shortest = SHORTEST_LINE.get(kind, legs)
    return [line for size in range(shortest, legs + 1) for line in combinations(range(legs), size)]


def deduction(odds: Decimal) -> Fraction:
    """Rule 4's share of the winnings for a runner withdrawn at these odds."""
    for band in RULE_4.split(", "):
        longest, pence = band.split()
        if Fraction(odds) - 1 <= Fraction(longest):
            return Fraction(int(pence), 100)
    return ZERO


def by_score(
    market_type: MarketType, line: Decimal | None, selection_id: str, score: Score
) -> Share:
    """End a selection of a football market by its score; a quarter line is two half stakes."""
    home, away = score.home, score.away
    if market_type in ("AH", "OU", "DNB"):
        total = home + away if market_type == "OU" else home - away
        handicap = Fraction(line or 0) * (-1 if market_type == "OU" else 1)
        sign = -1 if selection_id in ("away", "under") else 1
        quarter = Fraction(1, 4) if (handicap * 2).denominator != 1 else ZERO
        margins = [sign * (total + handicap + step) for step in (-quarter, quarter)]
        paid = HALF * sum(margin > 0 for margin in margins)
        return Share(HALF * sum(margin == 0 for margin in margins), paid, paid)
    winner = "home" if home > away else "away" if away > home else "draw"
    if market_type == "CS" and max(home, away) > SCORES_UP_TO:
        return Share(ZERO, Fraction(selection_id == "other"), Fraction(selection_id == "other"))
    won = {
        "1X2": selection_id == winner,
        "DC": winner in selection_id.split("_"),
        "BTTS": selection_id == ("yes" if home and away else "no"),
        "CS": selection_id == f"{home}-{away}",
    }[market_type]
    return Share(ZERO, Fraction(won), Fraction(won))


def by_finish(
    runners: Sequence[str], finish: Sequence[Sequence[str]], places: int
) -> dict[str, Share]:
    """End a race's runners by groups in order of finish (those in a dead heat together)."""
    shares = dict.fromkeys(runners, Share())
    before = 0
    for group in finish:
        tied = len(group)
        win = Fraction(min(max(1 - before, 0), tied), tied)
        place = Fraction(min(max(places - before, 0), tied), tied)
        shares |= dict.fromkeys(group, Share(ZERO, win, place))
        before += tied
    return shares


def end(wager: Wager, markets: Mapping[UUID, Facts]) -> Ended:
    """Work out a bet whose legs are all decided; rounded once, half up."""
    shares = [markets[leg.market_id].shares[leg.selection_id] for leg in wager.legs]
    parts = [_multipliers(wager, leg, markets[leg.market_id]) for leg in wager.legs]
    ways = [[win for win, _ in parts]]
    if wager.is_each_way:
        ways.append([place for _, place in parts])
    sums = [
        prod((way[number] for number in line), start=ONE)
        for way in ways
        for line in lines(wager.kind, len(wager.legs))
    ]
    if wager.free:
        # The stake was never the account's: each line pays its winnings alone.
        sums = [max(each - 1, ZERO) for each in sums]
    returned = wager.stake_minor * sum(sums, ZERO)
    status = _status(shares, returned, each_way=wager.is_each_way)
    if wager.side == "lay":
        profit_of_back = half_up(returned) - wager.stake_minor
        turned = {"won": "lost", "lost": "won"}.get(status, status)
        return Ended(turned, wager.at_risk_minor - profit_of_back)
    return Ended(status, half_up(returned))


def _multipliers(wager: Wager, leg: Leg, market: Facts) -> tuple[Fraction, Fraction]:
    """What a leg multiplies its stakes by, to win and for a place."""
    share = market.shares[leg.selection_id]
    starting = market.starting.get(leg.selection_id)
    if leg.odds is None:
        odds = starting or ONE
    else:
        odds = Fraction(leg.odds)
        if not wager.late:
            odds = 1 + (odds - 1) * (1 - market.deducted)
        if wager.best_odds and starting is not None:
            odds = max(odds, starting)
    place_odds = 1 + (odds - 1) / market.divisor
    return share.refunded + share.win * odds, share.refunded + share.place * place_odds


def _status(shares: Sequence[Share], returned: Fraction, *, each_way: bool) -> str:
    if all(share.refunded == 1 for share in shares):
        return "void"
    if not returned:
        return "lost"
    whole = all(
        share.refunded == 1 or (share.win == 1 and (share.place == 1 or not each_way))
        for share in shares
    )
    return "won" if whole else "part_won"


def _taken(leg: Leg) -> Fraction:
    assert leg.odds is not None  # a lay is never at the starting price
    return Fraction(leg.odds)
