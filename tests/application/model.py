"""What should be true of a ledger, said as plainly as possible. Every method gives "ok" or the problem type."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from domain.commands.bet import PlaceBet

SIDES = ("home", "draw", "away")
OK = "ok"


def rounded(amount: Decimal) -> int:
    """Whole minor units; a half goes up."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


@dataclass
class ModelMarket:
    """A market on home, draw and away; `said` is what was declared last, `out` who was withdrawn from a race."""

    is_race: bool
    status: str = "open"
    generation: int = 0
    said: object = None
    results: dict[str, str] = field(default_factory=dict)
    out: set[str] = field(default_factory=set)

    def result_of(self, side: str) -> str | None:
        return "void" if side in self.out else self.results.get(side)

    def change(self, said: object, results: dict[str, str], status: str = "resulted") -> str:
        self.said, self.results, self.status = said, results, status
        self.generation += 1
        return OK


@dataclass
class ModelBet:
    """A single back bet; what was `cashed` out of it is its stake and its return."""

    account: UUID
    market: UUID
    side: str
    stake: int
    odds: Decimal
    free: bool = False
    status: str = "open"
    returned: int = 0
    is_voided: bool = False
    cashed: tuple[int, int] = (0, 0)

    @property
    def left(self) -> int:
        return self.stake - self.cashed[0]

    @property
    def pays(self) -> int:
        """What is left of it returns if it wins."""
        return rounded(self.left * self.odds) - (self.stake if self.free else 0)

    @property
    def money(self) -> tuple[int, int, int]:
        """What it has done to its account's available funds, those in play, and the bonus."""
        is_open = self.status == "open"
        if self.free:
            return self.returned, 0, 0 if self.status == "void" else -self.stake
        available = self.cashed[1] + self.returned - self.stake
        return available, self.left if is_open else 0, 0

    def end(self, result: str | None) -> None:
        back = 0 if self.free else self.left
        self.status = result or "open"
        self.returned = {"won": self.pays, "void": back}.get(self.status, 0)


class Model:
    """Accounts, withdrawals, markets and bets."""

    def __init__(self) -> None:
        self.available: dict[UUID, int] = {}
        self.in_play: dict[UUID, int] = {}
        self.bonus: dict[UUID, int] = {}
        self.withdrawals: dict[UUID, tuple[UUID, int, str]] = {}
        self.markets: dict[UUID, ModelMarket] = {}
        self.bets: dict[UUID, ModelBet] = {}

    # ---- accounts

    def open_account(self, account: UUID) -> None:
        self.available[account] = self.in_play[account] = self.bonus[account] = 0

    def deposit(self, account: UUID, amount: int) -> str:
        self.available[account] += amount
        return OK

    def grant_bonus(self, account: UUID, amount: int) -> str:
        self.bonus[account] += amount
        return OK

    def reserve(self, account: UUID, amount: int) -> str:
        if amount > self.available[account]:
            return "account_overdrawn" if self.available[account] < 0 else "insufficient_funds"
        self.available[account] -= amount
        self.in_play[account] += amount
        return OK

    def finish_withdrawal(self, transfer: UUID, status: str) -> str:
        account, amount, before = self.withdrawals[transfer]
        if before != "pending":
            return "withdrawal_not_pending"
        self.withdrawals[transfer] = account, amount, status
        self.in_play[account] -= amount
        self.available[account] += amount if status == "rejected" else 0
        return OK

    # ---- markets

    def change_market(self, market: UUID, status: str) -> str:
        allowed = {"suspended": ["open"], "open": ["suspended"], "closed": ["open", "suspended"]}
        if self.markets[market].status not in allowed[status]:
            return "market_state_conflict"
        self.markets[market].status = status
        return OK

    def declare(self, market_id: UUID, score: tuple[int, int]) -> str:
        """A race is declared by its winner, which is who wins by the score elsewhere."""
        market, (home, away) = self.markets[market_id], score
        winner = "home" if home > away else "away" if away > home else "draw"
        said: object = winner if market.is_race else score
        if market.said == said:
            return "result_already_declared"
        return market.change(said, {side: "won" if side == winner else "lost" for side in SIDES})

    def void_market(self, market_id: UUID) -> str:
        market = self.markets[market_id]
        if market.said == "void":
            return "result_already_declared"
        return market.change("void", dict.fromkeys(SIDES, "void"))

    def roll_back(self, market_id: UUID) -> str:
        market = self.markets[market_id]
        if market.said is None:
            return "market_state_conflict"
        return market.change(None, {}, "closed")

    def withdraw_runner(self, market_id: UUID, side: str) -> str:
        market = self.markets[market_id]
        if not market.is_race:
            return "not_offered"
        if side in market.out:
            return "market_state_conflict"
        market.out.add(side)
        market.generation += 1
        return OK

    def reinstate_runner(self, market_id: UUID, side: str) -> str:
        market = self.markets[market_id]
        if side not in market.out:
            return "market_state_conflict"
        market.out.remove(side)
        market.generation += 1
        return OK

    # ---- bets

    def bet(self, command: PlaceBet) -> str:
        leg, stake, account = command.legs[0], command.stake_minor, command.account_id
        market = self.markets[leg.market_id]
        if market.status != "open":
            return "market_not_open"
        if leg.selection_id in market.out:
            return "selection_not_in_market"
        if not command.free:
            return self.reserve(account, stake)
        if self.available[account] < 0:
            return "account_overdrawn"
        if stake > self.bonus[account]:
            return "insufficient_funds"
        self.bonus[account] -= stake
        return OK

    def placed(self, bet_id: UUID, command: PlaceBet) -> None:
        leg = command.legs[0]
        assert leg.odds is not None
        self.bets[bet_id] = ModelBet(
            command.account_id,
            leg.market_id,
            leg.selection_id,
            command.stake_minor,
            leg.odds,
            command.free,
        )

    def settle(self, market_id: UUID, bets: list[UUID], generation: int) -> str:
        market = self.markets[market_id]
        if generation != market.generation or not generation:
            return "market_state_conflict"
        for bet in map(self.bets.__getitem__, bets):
            if bet.market == market_id and not bet.is_voided and bet.status != "cashed_out":
                before = bet.money
                bet.end(market.result_of(bet.side))
                self._moved(bet, before)
        return OK

    def void_bet(self, bet_id: UUID) -> str:
        bet = self.bets[bet_id]
        if bet.is_voided:
            return "bet_state_conflict"
        before = bet.money
        bet.is_voided, bet.cashed = True, (0, 0)
        bet.end("void")
        self._moved(bet, before)
        return OK

    def cash_out(self, bet_id: UUID, share: Decimal | None, now: Decimal) -> str:
        """All is taken that is offered, without a margin."""
        bet = self.bets[bet_id]
        market, left = self.markets[bet.market], bet.left
        if bet.status != "open":
            return "bet_state_conflict"
        if bet.free:
            return "not_offered"
        part = left if share is None else rounded(left * share)
        if not part or (part == left and share is not None and share < 1):
            return "invalid_input"
        if market.result_of(bet.side) is not None:
            return "bet_state_conflict"
        if market.status != "open":
            return "market_not_open"
        if market.out:
            return "not_offered"
        could_return = rounded(left * bet.odds) - rounded((left - part) * bet.odds)
        offer = min(rounded(part * bet.odds / now), could_return)
        if not offer:
            return "not_offered"
        before = bet.money
        if part == left:
            bet.status, bet.returned = "cashed_out", offer
        else:
            bet.cashed = bet.cashed[0] + part, bet.cashed[1] + offer
        self._moved(bet, before)
        return OK

    def _moved(self, bet: ModelBet, before: tuple[int, int, int]) -> None:
        books = (self.available, self.in_play, self.bonus)
        for book, then, now in zip(books, before, bet.money, strict=True):
            book[bet.account] += now - then
