"""What bets and accounts must come to, by DOMAIN.md's rules alone: fractions, lines written out one by one.

Nothing of fairbook is imported here, and no event is read: only what was placed, how every selection ended at last, and
which money came in and went out. What this says and what the ledger says were thought out apart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations
from math import floor, lcm
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

RULE_4 = """
0-1/9 90, 2/17-2/11 85, 1/5-1/4 80, 2/7-3/10 75, 1/3-2/5 70, 4/9-8/15 65, 4/7-8/13 60, 4/6-4/5 55, 5/6-20/21 50,
1-6/5 45, 5/4-6/4 40, 13/8-7/4 35, 15/8-9/4 30, 5/2-3/1 25, 10/3-4/1 20, 9/2-11/2 15, 6/1-9/1 10, 10/1-14/1 5
"""
"""Pence in the pound by band, as DOMAIN.md prints the traditional table; longer prices deduct nothing."""

CAPS = {"traditional/1": 90, "capped_at_75p/1": 75, "waives_5p/1": 90}


@dataclass(frozen=True)
class Said:
    """What was said about one selection: a word, and how many shared how many places."""

    word: str
    tied: int = 1
    places: int = 1


@dataclass(frozen=True)
class Withdrawn:
    """A runner that does not run, since when, and its price or an exchange's factor in percent."""

    selection: str
    at: int
    price: Fraction | None = None
    factor: Fraction | None = None


@dataclass
class MarketFacts:
    """A market, and what is known of its end now: words about selections, and a score for those that have none.

    `places` and `divisor` are its each-way terms, `rule_4` the name of its table; times are whole numbers. `abandoned`:
    nobody says any more what is not known now.
    """

    type: str
    line: Fraction | None
    selections: tuple[str, ...]
    places: int = 1
    divisor: int = 1
    rule_4: str | None = None
    max_payout: int | None = None
    score: tuple[int, int] | None = None
    said: dict[str, Said] = field(default_factory=dict)
    starting: dict[str, Fraction] = field(default_factory=dict)
    withdrawn: list[Withdrawn] = field(default_factory=list)
    abandoned: bool = False

    def endings(self, selection: str) -> tuple[Ending, Ending] | None:
        """How a stake to win and a stake on a place ended; None while that is not known."""
        if any(each.selection == selection for each in self.withdrawn):
            return WORDS["void"], WORDS["void"]
        if said := self.said.get(selection):
            return self.by_word(said)
        if self.score is not None:
            ending = by_score(self.type, self.line, selection, self.selections, self.score)
            return ending, ending
        return None

    def by_word(self, said: Said) -> tuple[Ending, Ending]:
        """In a tie for the win all places are shared from the first on; in a tie for a place, those that are said."""
        share = Fraction(said.places, said.tied)
        if said.word == "placed":
            placed = Ending(ZERO, share)
            return (placed if self.type == "PLACE" else WORDS["lost"]), placed
        whole = WORDS[said.word]
        place_share = Fraction(min(self.places, said.tied), said.tied)
        return (
            Ending(whole.refunded, whole.paid * share),
            Ending(whole.refunded, whole.paid * place_share),
        )

    def is_decided(self) -> bool:
        return all(self.endings(each) for each in self.selections)


@dataclass(frozen=True)
class LegFacts:
    """A selection at the odds taken; None: at the starting price."""

    market: UUID
    selection: str
    odds: Fraction | None


@dataclass
class BetFacts:
    """A bet as it was placed; `stake` is for each line and each way, in minor units.

    And what was done to it by hand: `voided`, and the parts that were `cashed` out, as stake and return.
    """

    account: UUID
    kind: str
    side: str
    legs: tuple[LegFacts, ...]
    stake: int
    each_way: bool = False
    best_odds: bool = False
    placed_at: int = 0
    free: bool = False
    voided: bool = False
    cashed: list[tuple[int, int]] = field(default_factory=list)

    @property
    def cashed_stake(self) -> int:
        return sum(stake for stake, _ in self.cashed)

    @property
    def cashed_return(self) -> int:
        return sum(returned for _, returned in self.cashed)


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
    bonus: int = 0


@dataclass(frozen=True)
class LegEnd:
    """What a leg multiplies its stakes by, to win and on a place."""

    win: Fraction
    place: Fraction
    is_void: bool
    is_whole: bool


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


def of_lines(kind: str, legs: list[Fraction], *, free: bool = False) -> Fraction:
    """What all lines return on one unit each; in whole numbers over one denominator, which is quicker.

    Of a free unit a line returns what is above it.
    """
    below = lcm(*(leg.denominator for leg in legs))
    above = [leg.numerator * (below // leg.denominator) for leg in legs]
    whole, total = below ** len(legs), 0
    for line in lines(kind, len(legs)):
        product = below ** (len(legs) - len(line))
        for number in line:
            product *= above[number]
        total += max(product - whole, 0) if free else product
    return Fraction(total, whole)


def stake_of(bet: BetFacts) -> int:
    """What the bet takes from its account's money when it is placed."""
    return 0 if bet.free else staked(bet)


def staked(bet: BetFacts) -> int:
    """What the bet stakes, of money or of bonus."""
    if bet.side == "lay":
        assert bet.legs[0].odds is not None
        return minor(bet.stake * bet.legs[0].odds) - bet.stake
    return bet.stake * len(lines(bet.kind, len(bet.legs))) * (2 if bet.each_way else 1)


def _rule_4_pence(price: Fraction) -> int:
    """Pence for a price to one: those of the band that holds it, or else is nearest to it."""
    bands = [each.split() for each in RULE_4.replace("\n", " ").split(",")]
    if price > 14:
        return 0

    def distance(band: list[str]) -> Fraction:
        shortest, longest = map(Fraction, band[0].split("-"))
        return max(shortest - price, price - longest, ZERO)

    return int(min(bands, key=distance)[1])


def deduction(market: MarketFacts, prices: list[Fraction]) -> Fraction:
    """The share of the winnings that Rule 4 takes for runners withdrawn at these decimal odds."""
    if market.rule_4 is None:
        return ZERO
    pence = sum(_rule_4_pence(price - 1) for price in prices)
    pence = min(pence, CAPS[market.rule_4])
    if market.rule_4 == "waives_5p/1" and pence == 5:
        pence = 0
    return Fraction(pence, 100)


def odds_of(bet: BetFacts, leg: LegFacts, market: MarketFacts) -> tuple[Fraction, Fraction] | None:
    """The odds that a leg is paid at, to win and on a place; None while its starting price is not known."""
    starting = market.starting.get(leg.selection)
    if leg.odds is None:
        # A starting price was made without the runners that were withdrawn.
        return None if starting is None else (starting, 1 + (starting - 1) / market.divisor)
    later = [each for each in market.withdrawn if bet.placed_at < each.at]
    taken = 1 + (leg.odds - 1) * (
        1 - deduction(market, [each.price for each in later if each.price is not None])
    )
    win, place = taken, 1 + (taken - 1) / market.divisor
    for each in later:
        if each.factor is not None:
            rest = 1 - each.factor / 100
            # On an exchange the whole odds of a win shrink, but never to less than the stake; of a place the winnings.
            win = 1 + (win - 1) * rest if market.type == "PLACE" else max(win * rest, ONE)
            place = 1 + (place - 1) * rest
    if bet.best_odds and starting is not None:
        win, place = max(win, starting), max(place, 1 + (starting - 1) / market.divisor)
    return win, place


def leg_end(bet: BetFacts, leg: LegFacts, market: MarketFacts) -> LegEnd | None:
    """How a leg ended; None while that is not known, or paid at a price that is not known."""
    endings = market.endings(leg.selection)
    if endings is None:
        return None
    win, place = endings
    odds = odds_of(bet, leg, market)
    if odds is None:
        if win.paid or (bet.each_way and place.paid):
            # No starting price was returned: who bet at it has his stake back.
            return LegEnd(ONE, ONE, is_void=True, is_whole=False) if market.abandoned else None
        odds = ONE, ONE
    return LegEnd(
        win.multiplier(odds[0]),
        place.multiplier(odds[1]),
        win.refunded == 1,
        win.paid == 1 and (place.paid == 1 or not bet.each_way),
    )


def outcome(bet: BetFacts, markets: Mapping[UUID, MarketFacts]) -> Outcome:
    """How a bet stands by all that is known in the end; what is open of it is open until its legs decide it."""
    stake = stake_of(bet)
    if bet.voided:
        return Outcome("void", 0, stake)
    if bet.cashed:
        # Only bets of one line are cashed out: what is left is a bet of its own.
        left = stake - bet.cashed_stake
        if not left:
            return Outcome("cashed_out", 0, bet.cashed_return)
        rest = _by_results(replace(bet, stake=left), markets, _cap(bet, markets, left))
        return replace(rest, returned=rest.returned + bet.cashed_return)
    return _by_results(bet, markets, _cap(bet, markets, stake))


def _cap(bet: BetFacts, markets: Mapping[UUID, MarketFacts], part: int) -> int | None:
    """What the next part of a bet may return: the stakes share a cap, which is never less than they are."""
    caps = [cap for leg in bet.legs if (cap := markets[leg.market].max_payout) is not None]
    if not caps:
        return None
    whole, before = stake_of(bet), bet.cashed_stake
    cap = max(min(caps), whole)
    if part == whole:
        return cap
    return floor(Fraction(cap * (before + part), whole)) - floor(Fraction(cap * before, whole))


def _by_results(bet: BetFacts, markets: Mapping[UUID, MarketFacts], cap: int | None) -> Outcome:
    stake = stake_of(bet)
    ends = [leg_end(bet, leg, markets[leg.market]) for leg in bet.legs]
    legs = [each for each in ends if each is not None]
    lost = [each for each in legs if each.win == 0 and (each.place == 0 or not bet.each_way)]
    if bet.kind == "accumulator" and lost:
        return Outcome("lost", 0, 0)  # whatever becomes of its other legs
    if len(legs) < len(ends):
        return Outcome("open", stake, 0)
    total = bet.stake * of_lines(bet.kind, [leg.win for leg in legs])
    winnings = bet.stake * of_lines(bet.kind, [leg.win for leg in legs], free=True)
    if bet.each_way:
        total += bet.stake * of_lines(bet.kind, [leg.place for leg in legs])
        winnings += bet.stake * of_lines(bet.kind, [leg.place for leg in legs], free=True)
    returned = minor(winnings if bet.free else total)
    if all(leg.is_void for leg in legs):
        status = "void"
    elif total == 0:
        status = "lost"
    else:
        status = "won" if all(leg.is_void or leg.is_whole for leg in legs) else "part_won"
    if bet.side == "lay":
        # The layer's profit is the backer's, turned round; the liability comes back with it.
        turned = {"won": "lost", "lost": "won"}
        return Outcome(turned.get(status, status), 0, stake - (returned - bet.stake))
    if cap is not None:
        returned = min(returned, cap)
    return Outcome(status, 0, returned)


def cash_out_offer(
    bet: BetFacts,
    markets: Mapping[UUID, MarketFacts],
    now: Mapping[tuple[UUID, str], Fraction],
    margin: Fraction,
    part: int,
) -> int:
    """What this part of a bet's stake is worth at the odds of `now`, less the margin: never more than it could return.

    The parts between the first and the last are rounded down.
    """
    worth, odds = part * (1 - margin), ONE
    for leg in bet.legs:
        assert leg.odds is not None
        odds *= leg.odds
        end = leg_end(bet, leg, markets[leg.market])
        worth *= end.win if end else leg.odds / now[leg.market, leg.selection]
    left = stake_of(bet) - bet.cashed_stake
    whole = floor(worth) if bet.cashed and part < left else minor(worth)
    offer = min(whole, minor(left * odds) - minor((left - part) * odds))
    cap = _cap(bet, markets, part)
    return offer if cap is None else min(offer, max(cap, part))


Ended = Iterable[tuple[BetFacts, Outcome]]


def commissions(rates: Mapping[UUID, Fraction], bets: Ended) -> dict[UUID, int]:
    """What accounts pay an exchange: a share of what they won, all in all, on each market by bets on it alone."""
    profits: dict[tuple[UUID, UUID], int] = {}
    for bet, ended in bets:
        if bet.account in rates and len(bet.legs) == 1 and ended.status != "open":
            key = bet.account, bet.legs[0].market
            profits[key] = profits.get(key, 0) + ended.returned - stake_of(bet)
    paid = dict.fromkeys(rates, 0)
    for (account, _), profit in profits.items():
        paid[account] += minor(profit * rates[account]) if profit > 0 else 0
    return paid


@dataclass
class Balances:
    """Available funds, those in play, and bonus."""

    available: int
    in_play: int
    bonus: int


def balances(
    cash: Mapping[UUID, Cash], bets: Ended, rates: Mapping[UUID, Fraction]
) -> dict[UUID, Balances]:
    """What every account holds, when everything that is known has been settled."""
    bets = list(bets)
    paid = commissions(rates, bets)
    sums = {
        account: Balances(
            each.deposited - each.paid_out - each.asked - paid.get(account, 0),
            each.asked,
            each.bonus,
        )
        for account, each in cash.items()
    }
    for bet, ended in bets:
        sums[bet.account].available += ended.returned - stake_of(bet)
        sums[bet.account].in_play += ended.held
        if bet.free and ended.status != "void":
            sums[bet.account].bonus -= staked(bet)
    return sums
