"""What bets and accounts must come to, by DOMAIN.md's rules alone: fractions, lines written out one by one.

Nothing of fairbook is imported here, and no event is read: only what was placed, how every selection ended at last, and
which money came in and went out. What this says and what the ledger says were thought out apart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import floor
from uuid import UUID

ZERO, HALF, ONE = Fraction(0), Fraction(1, 2), Fraction(1)

LINES_FROM = {
    "trixie": 2,
    "patent": 1,
    "yankee": 2,
    "lucky15": 1,
    "canadian": 2,
    "lucky31": 1,
    "heinz": 2,
    "lucky63": 1,
    "super_heinz": 2,
    "goliath": 2,
}
"""Legs in the shortest line of a full cover; its longest line has them all."""


@dataclass(frozen=True)
class Ending:
    """How a stake on one selection ended: the share given back, and the share that is paid at the odds."""

    refunded: Fraction
    paid: Fraction

    def multiplier(self, odds: Fraction) -> Fraction:
        return self.refunded + self.paid * odds


WORDS = {
    "won": Ending(ZERO, ONE),
    "lost": Ending(ZERO, ZERO),
    "push": Ending(ONE, ZERO),
    "void": Ending(ONE, ZERO),
    "half_won": Ending(HALF, HALF),
    "half_lost": Ending(HALF, ZERO),
}


@dataclass(frozen=True)
class Said:
    """What was said about one selection: a word, and how many shared how many places."""

    word: str
    tied: int = 1
    places: int = 1

    def ending(self) -> Ending:
        whole = WORDS[self.word]
        return Ending(whole.refunded, whole.paid * Fraction(self.places, self.tied))


@dataclass
class MarketFacts:
    """A market, and what is known of its end now: words about selections, and a score for those that have none."""

    type: str
    line: Fraction | None
    selections: tuple[str, ...]
    score: tuple[int, int] | None = None
    said: dict[str, Said] = field(default_factory=dict)

    def ending(self, selection: str) -> Ending | None:
        """How a stake on this selection ended; None while that is not known."""
        if words := self.said.get(selection):
            return words.ending()
        if self.score is not None:
            return by_score(self.type, self.line, selection, self.selections, self.score)
        return None


@dataclass(frozen=True)
class LegFacts:
    market: UUID
    selection: str
    odds: Fraction


@dataclass(frozen=True)
class BetFacts:
    """A bet as it was placed; `stake` is for each line, in minor units."""

    account: UUID
    kind: str
    side: str
    legs: tuple[LegFacts, ...]
    stake: int


@dataclass(frozen=True)
class Outcome:
    """How a bet stands: what it keeps in play, what it has paid back, and its status."""

    status: str
    held: int
    returned: int


@dataclass
class Cash:
    """Money of one account that crossed the border of the book."""

    deposited: int = 0
    paid_out: int = 0
    asked: int = 0


def by_score(
    market_type: str,
    line: Fraction | None,
    selection: str,
    selections: tuple[str, ...],
    score: tuple[int, int],
) -> Ending:
    """End a stake by the score; a quarter line is two half stakes, a quarter to either side."""
    home, away = score
    if market_type == "DNB":
        market_type, line = "AH", ZERO
    if market_type in ("AH", "OU"):
        assert line is not None
        whole_or_half = line * 2 == floor(line * 2)
        lines = [line, line] if whole_or_half else [line - Fraction(1, 4), line + Fraction(1, 4)]
        refunded = paid = ZERO
        for each in lines:
            above = Fraction(home + away) - each if market_type == "OU" else home - away + each
            if selection in ("away", "under"):
                above = -above
            refunded += HALF if above == 0 else ZERO
            paid += HALF if above > 0 else ZERO
        return Ending(refunded, paid)
    winner = "home" if home > away else "away" if away > home else "draw"
    if market_type in ("1X2", "ML"):
        won = selection == winner
    elif market_type == "DC":
        won = winner in selection.split("_")
    elif market_type == "BTTS":
        won = selection == ("yes" if min(score) > 0 else "no")
    elif market_type == "CS":
        exact = f"{home}-{away}"
        won = selection == (exact if exact in selections else "other")
    else:
        raise ValueError(market_type)
    return WORDS["won" if won else "lost"]


def minor(amount: Fraction) -> int:
    """Whole minor units; a half goes up."""
    return floor(amount + HALF)


def lines(kind: str, legs: int) -> list[tuple[int, ...]]:
    """Every line of a bet, as the numbers of its legs."""
    shortest = LINES_FROM.get(kind, legs)
    return [line for size in range(shortest, legs + 1) for line in combinations(range(legs), size)]


def stake_of(bet: BetFacts) -> int:
    """What the bet takes from its account when it is placed."""
    if bet.side == "lay":
        return minor(bet.stake * bet.legs[0].odds) - bet.stake
    return bet.stake * len(lines(bet.kind, len(bet.legs)))


def outcome(bet: BetFacts, markets: Mapping[UUID, MarketFacts]) -> Outcome:
    """How a bet stands by all that is known in the end; open until each of its legs is decided."""
    stake = stake_of(bet)
    endings = [markets[leg.market].ending(leg.selection) for leg in bet.legs]
    decided = [each for each in endings if each is not None]
    if len(decided) < len(endings):
        return Outcome("open", stake, 0)
    each_leg = [ending.multiplier(leg.odds) for ending, leg in zip(decided, bet.legs, strict=True)]
    total = ZERO
    for line in lines(bet.kind, len(bet.legs)):
        product = Fraction(bet.stake)
        for number in line:
            product *= each_leg[number]
        total += product
    returned = minor(total)
    if bet.side == "lay":
        # The layer's profit is the backer's, turned round; the liability comes back with it.
        returned = stake - (returned - bet.stake)
    return Outcome(status(bet, decided), 0, returned)


def status(bet: BetFacts, endings: list[Ending]) -> str:
    """Name how a decided bet ended: all void, nothing paid, all paid in full, or between."""
    if all(each.refunded == 1 for each in endings):
        return "void"
    if all(each.paid == 1 for each in endings):
        return "won" if bet.side == "back" else "lost"
    if not any(
        all(endings[number].refunded + endings[number].paid for number in line)
        for line in lines(bet.kind, len(bet.legs))
    ):
        return "lost" if bet.side == "back" else "won"
    return "part_won"


def balances(
    cash: Mapping[UUID, Cash],
    bets: Iterable[BetFacts],
    markets: Mapping[UUID, MarketFacts],
) -> dict[UUID, tuple[int, int]]:
    """Available and in play of every account, when everything that is known has been settled."""
    sums = {
        account: [each.deposited - each.paid_out - each.asked, each.asked]
        for account, each in cash.items()
    }
    for bet in bets:
        ended = outcome(bet, markets)
        sums[bet.account][0] += ended.returned - stake_of(bet)
        sums[bet.account][1] += ended.held
    return {account: (available, in_play) for account, (available, in_play) in sums.items()}
