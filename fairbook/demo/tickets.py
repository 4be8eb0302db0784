"""How many bets are placed when: spreads a wanted number of bets over a season's picks."""

from collections.abc import Sequence
from random import Random

from msgspec import Struct

from fairbook.demo.traders import Pick, Trader

STAKE_MINOR_MIN = 10


class Ticket(Struct, frozen=True):
    """One bet to place: a pick, or a part of it."""

    trader: Trader
    pick: Pick
    stake_minor: int


class Quota(Struct):
    """Spreads `bets` evenly over `phases`; what one phase cannot place, the next ones make good."""

    bets: int
    phases: int
    planned: int = 0
    phase: int = 0

    def next(self) -> int:
        """Tell how many bets the coming phase should place."""
        self.phase += 1
        return max(0, self.bets * self.phase // self.phases - self.planned)

    def plan(self, picks: Sequence[tuple[Trader, Pick]], dice: Random) -> list[Ticket]:
        """Turn a phase's picks into its share of the bets.

        With more picks than bets some are left out by lot; with fewer, a pick's stake is split over several bets, as
        one does when a bookmaker limits each.
        """
        wanted = self.next()
        if not picks:
            return []
        each, rest = divmod(wanted, len(picks))
        lucky = set(dice.sample(range(len(picks)), rest))
        tickets = [
            Ticket(trader, pick, max(pick.stake_minor // count, STAKE_MINOR_MIN))
            for at, (trader, pick) in enumerate(picks)
            if (count := each + (at in lucky))
            for _ in range(count)
        ]
        self.planned += len(tickets)
        return tickets
