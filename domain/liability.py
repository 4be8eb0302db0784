"""A market's liability: what its open bets together may cost the house on any outcome, for the limit on it.

How bets count, in each currency on its own:

* Where the market's ends are known and nobody is withdrawn (1X2, ML, OU, BTTS, AH, DC, DNB, CS), plain singles count by
  outcome: what they return there, less all that they hold in play. Half results count to the half.
* In a race a runner may be withdrawn, and its bets are void then: stakes on others are no cover. So each outcome counts
  only what is lost on it: backs of the runner that wins, lays of the others. In a WIN or EW market one runner wins; in any
  other market whose ends are not known each selection may, whatever becomes of the others.
* Every other bet (of several legs or parts, or with an eye on the starting price) counts with all that it may win, on
  every outcome, until it is settled as a whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final, Self, assert_never, cast
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.events.bet import BetPlaced
from domain.events.liability import Held, LiabilityChanged, LiabilityCounted
from domain.events.market import MarketType
from domain.ids import derived_id
from domain.legs import RACES
from domain.market import Market
from domain.money import MAX_FUNDS_MINOR
from domain.outcomes import Grid, Proposition
from domain.placing import most_minor
from domain.refusals import LimitExceeded, Refusal

LiabilityEvent = LiabilityCounted | LiabilityChanged

SLICE_BETS: Final = 500
"""So many times MAX_FUNDS_MINOR is below 2^63."""

ONE_WINS: Final[frozenset[MarketType]] = frozenset({"WIN", "EW"})

Ends = tuple[tuple[tuple[str, int, int, int, int], ...], ...]
"""The ends of a market, each by the selections that are not lost in it: what stakes and returns of backs and of lays
count there, doubled, because a half result counts a half."""


def liability_id(market_id: UUID) -> UUID:
    """Give the id of the stream that follows the market's liability."""
    return derived_id(f"liability:{market_id}")


class Sums(Struct, frozen=True, gc=False):
    """Bets that are alike: what they hold in play, and what they return at the most, in minor units."""

    bets: int = 0
    stake_minor: int = 0
    return_minor: int = 0

    @property
    def profit_minor(self) -> int:
        """What they win at the most."""
        return self.return_minor - self.stake_minor

    def plus(self, held: Held) -> "Sums":
        """Add some bets, or take them away."""
        return Sums(
            self.bets + held.bets,
            self.stake_minor + held.stake_minor,
            self.return_minor + held.return_minor,
        )


NOTHING: Final = Sums()


class LiabilityBook(Struct, frozen=True):
    """The open bets on a market in one currency: plain singles by selection, and all others."""

    backs: dict[str, Sums] = {}
    lays: dict[str, Sums] = {}
    others: Sums = NOTHING

    @property
    def bets(self) -> int:
        """How many bets it holds."""
        singles = (*self.backs.values(), *self.lays.values())
        return self.others.bets + sum(each.bets for each in singles)

    def plus(self, held: Held) -> "LiabilityBook":
        """Add some bets, or take them away."""
        selection_id = held.selection_id
        if selection_id is None:
            return replace(self, others=self.others.plus(held))
        singles = self.backs if held.side == "back" else self.lays
        added = singles | {selection_id: singles.get(selection_id, NOTHING).plus(held)}
        if added[selection_id] == NOTHING:
            del added[selection_id]
        if held.side == "back":
            return LiabilityBook(added, self.lays, self.others)
        return LiabilityBook(self.backs, added, self.others)


EMPTY: Final = LiabilityBook()


class Liability(Struct, frozen=True):
    """State of a market's liability: what is open on it, by currency, since its limit was set."""

    market_id: UUID
    version: int
    books: dict[str, LiabilityBook] = {}

    def book(self, currency: str) -> LiabilityBook:
        """Give what is open in a currency."""
        return self.books.get(currency, EMPTY)

    @classmethod
    def start(cls, _: UUID, event: LiabilityEvent) -> Self:
        """Begin the state with the stream's first event."""
        return cast("Self", cls(event.market_id, 0).evolve(event))

    def evolve(self, event: LiabilityEvent) -> "Liability":
        """Give the state after `event`; decides nothing."""
        match event:
            case LiabilityCounted():
                books: dict[str, LiabilityBook] = {}
            case LiabilityChanged():
                books = dict(self.books)
            case _:
                assert_never(event)
        for held in event.held:
            book = books.get(held.currency, EMPTY).plus(held)
            if book == EMPTY:
                books.pop(held.currency, None)
            else:
                books[held.currency] = book
        return Liability(self.market_id, self.version + 1, books)


# ---- what a bet holds


def held_by(standing: BetPlaced, markets: Mapping[UUID, Market]) -> Held:
    """Give what an open bet holds on each of its markets; raises LimitExceeded where nobody knows."""
    if most_minor(standing, markets) is None:
        raise LimitExceeded(
            "a limit on liability takes starting prices and best odds only where max_payout_minor caps them",
            members={"limit": "max_liability_minor"},
        )
    return held_still(standing, markets)


def held_still(standing: BetPlaced, markets: Mapping[UUID, Market]) -> Held:
    """Give what a bet holds that was taken, also one that no limit would take: that holds all that a bet can return.

    Such a bet was over when the limit began, and is opened again by a correction.
    """
    leg = standing.legs[0]
    if standing.kind == "single" and leg.odds is not None and not standing.best_odds:
        return Held(
            standing.currency,
            1,
            standing.total_stake_minor,
            standing.potential_return_minor,
            leg.selection_id,
            standing.side,
        )
    most = most_minor(standing, markets)
    returned = MAX_FUNDS_MINOR if most is None else most
    return Held(standing.currency, 1, standing.total_stake_minor, returned)


def added_up(held: Iterable[tuple[int, Held]]) -> tuple[Held, ...]:
    """Add up what bets hold, each with a sign, by currency, side and selection; what comes to nothing is left out."""
    sums: dict[tuple[str, str, str | None], list[int]] = {}
    for sign, each in held:
        entry = sums.setdefault((each.currency, each.side, each.selection_id), [0, 0, 0])
        entry[0] += sign * each.bets
        entry[1] += sign * each.stake_minor
        entry[2] += sign * each.return_minor
    in_order = sorted(sums.items(), key=lambda item: (*item[0][:2], item[0][2] or ""))
    return tuple(
        Held(currency, bets, stake, returned, selection_id, "back" if side == "back" else "lay")
        for (currency, side, selection_id), (bets, stake, returned) in in_order
        if bets or stake or returned
    )


def counted(market_id: UUID, held: Sequence[Held]) -> LiabilityCounted:
    """Begin with what these open bets hold; added up a slice at a time, because an event's integers have 64 bits."""
    slices = (held[start : start + SLICE_BETS] for start in range(0, len(held), SLICE_BETS))
    sums = [each for some in slices for each in added_up((1, each) for each in some)]
    return LiabilityCounted(market_id=market_id, held=tuple(sums))


# ---- what the bets may cost


def check_limit(market: Market, before: Liability, after: Liability, held: Held) -> None:
    """Refuse a bet that takes the market's liability above its limit; one that does not raise it is always welcome."""
    limit = market.max_liability_minor
    if limit is None:
        return
    now = liability_minor(market, after.book(held.currency))
    if now <= limit or now <= liability_minor(market, before.book(held.currency)):
        return
    left = max(held.return_minor - held.stake_minor - (now - limit), 0)
    raise LimitExceeded(
        f"market {market.market_id} may cost {limit} at the most: this bet may still win {left} (minor units)",
        members={"limit": "max_liability_minor", "limit_minor": limit, "left_minor": left},
    )


def liability_minor(market: Market, book: LiabilityBook) -> int:
    """Give what these bets may cost the house at the most, 0 where it cannot lose; see the head of this module."""
    others = max(book.others.profit_minor, 0)
    if not (book.backs or book.lays):
        return others
    if market.type in ONE_WINS:
        return others + _lost_on_one(book)
    ends = None if market.type in RACES else _ends(market.type, market.line, (*market.selections,))
    return others + (_lost_on_any(book) if ends is None else _lost_by_ends(book, ends))


def _lost_on_one(book: LiabilityBook) -> int:
    lays = {selection_id: lay.profit_minor for selection_id, lay in book.lays.items()}
    more = [  # where this one wins, than where none does
        back.return_minor - back.stake_minor - lays.get(selection_id, 0)
        for selection_id, back in book.backs.items()
    ]
    return sum(lays.values()) + max([0, *more])


def _lost_on_any(book: LiabilityBook) -> int:
    return sum(
        max(
            book.backs.get(selection_id, NOTHING).profit_minor,
            book.lays.get(selection_id, NOTHING).profit_minor,
        )
        for selection_id in book.backs.keys() | book.lays.keys()
    )


def _lost_by_ends(book: LiabilityBook, ends: Ends) -> int:
    kept = returned = 0
    for sums in book.backs.values():
        kept += sums.stake_minor
    for sums in book.lays.values():
        kept += sums.stake_minor
        returned += sums.return_minor
    all_lost, worst = 2 * (returned - kept), 0
    for end in ends:
        loss = all_lost
        for selection_id, back_stake, back_return, lay_stake, lay_return in end:
            if back := book.backs.get(selection_id):
                loss += back_stake * back.stake_minor + back_return * back.return_minor
            if lay := book.lays.get(selection_id):
                loss += lay_stake * lay.stake_minor + (lay_return - 2) * lay.return_minor
        worst = max(worst, loss)
    return (worst + 1) // 2


@lru_cache(4096)
def _ends(
    market_type: MarketType, line: Decimal | None, selections: tuple[str, ...]
) -> Ends | None:
    """Give the ends of a market, None where they are not known."""
    proposition = Proposition(market_type, line, selections)
    try:
        grid = Grid.of([proposition])
    except Refusal:
        return None
    columns = []
    for selection_id in selections:
        back = grid.payoff(proposition, selection_id)
        lay = grid.payoff(proposition, selection_id, "lay")
        doubled = ((2 * each).astype(int).tolist() for each in (back.c0, back.c1, lay.c0, lay.c1))
        columns.append([(selection_id, *shares) for shares in zip(*doubled, strict=True)])
    lost = (0, 0, 0, 2)
    return tuple(
        tuple(each for each in end if each[1:] != lost) for end in zip(*columns, strict=True)
    )
