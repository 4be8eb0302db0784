"""The demo's own arithmetic: what every account must hold, from the bets that were accepted and the scores.

It shares no code with the ledger, on purpose: it is what the ledger's balances are compared with.
"""

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from msgspec import Struct, field

from domain.events.market import MarketType, Score
from fairbook.demo.rules import Ended, Wager

GOALS_LINE = Decimal("2.5")


class Bet(Struct, frozen=True):
    """A single back bet as it was sent; `stake_minor` in minor units of its account's currency."""

    bet_id: UUID
    account_id: UUID
    market_id: UUID
    selection_id: str
    odds: Decimal
    stake_minor: int


class Purse(Struct):
    """What one trader's account must hold; amounts in minor units of `currency`."""

    owner: str
    currency: str
    available_minor: int = 0
    in_play_minor: int = 0
    deposited_minor: int = 0
    withdrawn_minor: int = 0
    bets: int = 0
    won: int = 0
    turnover_minor: int = 0
    returned_minor: int = 0
    losing_rounds: int = 0
    profit_before_minor: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def profit_minor(self) -> int:
        """What the settled bets returned above their stakes."""
        return self.returned_minor - (self.turnover_minor - self.in_play_minor)


class Tally(Struct):
    """Sums over all bets of one kind in one currency, in its minor units."""

    bets: int = 0
    turnover_minor: int = 0
    returned_minor: int = 0

    @property
    def profit_minor(self) -> int:
        """What the bets returned above what they risked; open ones have returned nothing yet."""
        return self.returned_minor - self.turnover_minor


class Settled(Struct):
    """Sums over a market's settled bets of one currency, in its minor units."""

    bets: int = 0
    stake_minor: int = 0
    return_minor: int = 0


class Book:
    """All purses, the open bets of each market, and what became of them."""

    def __init__(self) -> None:
        """Begin with no account."""
        self.purses: dict[UUID, Purse] = {}
        self.settled: dict[tuple[UUID, str], Settled] = {}
        """What was settled on each market in each currency."""
        self.kinds: dict[tuple[str, str], Tally] = {}
        """Sums by currency and kind of bet."""
        self._open: dict[UUID, list[Bet]] = {}

    def open(self, account_id: UUID, owner: str, currency: str) -> None:
        """An account exists and is empty."""
        self.purses[account_id] = Purse(owner, currency)

    def deposit(self, account_id: UUID, amount_minor: int) -> None:
        """Money came in."""
        self.purses[account_id].available_minor += amount_minor
        self.purses[account_id].deposited_minor += amount_minor

    def withdraw(self, account_id: UUID, amount_minor: int) -> None:
        """Money was paid out."""
        self.purses[account_id].available_minor -= amount_minor
        self.purses[account_id].withdrawn_minor += amount_minor

    def accept(self, bet: Bet) -> None:
        """The ledger took this bet."""
        self._stake(bet.account_id, "single", bet.stake_minor)
        self._open.setdefault(bet.market_id, []).append(bet)

    def accept_wager(self, wager: Wager) -> None:
        """The ledger took this bet of any kind."""
        self._stake(wager.account_id, kind_of(wager), wager.at_risk_minor)

    def _stake(self, account_id: UUID, kind: str, stake_minor: int) -> None:
        purse = self.purses[account_id]
        purse.available_minor -= stake_minor
        purse.in_play_minor += stake_minor
        purse.turnover_minor += stake_minor
        purse.bets += 1
        tally = self.kinds.setdefault((purse.currency, kind), Tally())
        tally.bets += 1
        tally.turnover_minor += stake_minor

    def refuse(self, bet: Bet, kind: str) -> None:
        """The ledger refused this bet for the named reason."""
        self.purses[bet.account_id].refusals[kind] += 1

    def settle(self, market_id: UUID, selection_id: str) -> None:
        """One selection of the market won and the others lost."""
        for bet in self._open.pop(market_id, []):
            purse = self.purses[bet.account_id]
            won = bet.selection_id == selection_id
            return_minor = returned_minor(bet.stake_minor, bet.odds) if won else 0
            self._return(bet.account_id, "single", bet.stake_minor, return_minor, won=won)
            settled = self.settled.setdefault((market_id, purse.currency), Settled())
            settled.bets += 1
            settled.stake_minor += bet.stake_minor
            settled.return_minor += return_minor

    def settle_wager(self, wager: Wager, ended: Ended) -> None:
        """Every leg of this bet is decided for good."""
        self._return(
            wager.account_id,
            kind_of(wager),
            wager.at_risk_minor,
            ended.return_minor,
            won=ended.status == "won",
        )

    def _return(
        self, account_id: UUID, kind: str, stake_minor: int, return_minor: int, *, won: bool
    ) -> None:
        purse = self.purses[account_id]
        purse.in_play_minor -= stake_minor
        purse.available_minor += return_minor
        purse.returned_minor += return_minor
        purse.won += won
        self.kinds[purse.currency, kind].returned_minor += return_minor

    def end_round(self) -> None:
        """Count the rounds that a trader has lost in a row."""
        for purse in self.purses.values():
            if purse.profit_minor < purse.profit_before_minor:
                purse.losing_rounds += 1
            elif purse.profit_minor > purse.profit_before_minor:
                purse.losing_rounds = 0
            purse.profit_before_minor = purse.profit_minor

    @property
    def bets(self) -> int:
        """How many bets were accepted."""
        return sum(purse.bets for purse in self.purses.values())

    @property
    def refusals(self) -> Counter[str]:
        """How many bets were refused, by reason."""
        return sum((purse.refusals for purse in self.purses.values()), Counter[str]())


def kind_of(wager: Wager) -> str:
    """Name a bet as the report lists it: its kind, each way or a lay."""
    words = [str(wager.kind)]
    words += ["each way"] if wager.each_way else []
    words += ["free"] if wager.free else []
    words += ["lay"] if wager.side == "lay" else []
    return " ".join(words)


def returned_minor(stake_minor: int, odds: Decimal) -> int:
    """Return of a won single, stake included: stake x odds, half a minor unit rounds up."""
    return int((stake_minor * odds).quantize(Decimal(1), ROUND_HALF_UP))


def winner(market_type: MarketType, score: Score) -> str:
    """Which selection of a 1X2 or over/under 2.5 market the score makes win."""
    if market_type == "1X2":
        if score.home == score.away:
            return "draw"
        return "home" if score.home > score.away else "away"
    if market_type == "OU":
        return "over" if score.home + score.away > GOALS_LINE else "under"
    raise ValueError(f"the demo plays no {market_type} market")
