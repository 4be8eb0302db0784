"""What the simulated desk knows, and what it thinks of next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any
from uuid import UUID

from domain.actors import SETTLER, Actor
from domain.commands import (
    CloseMarket,
    Command,
    CompleteSettlement,
    CompleteWithdrawal,
    DeadHeatBody,
    DeclareResult,
    Deposit,
    FixtureBody,
    OpenAccount,
    OpenMarket,
    PlaceBet,
    PlaceBets,
    RejectWithdrawal,
    ResumeMarket,
    RollBackResult,
    ScoreBody,
    SelectionBody,
    SelectionResultBody,
    SettleBets,
    SuspendMarket,
    Withdraw,
)
from domain.events import Leg, Result
from tests.builders import ALICE, OPERATOR
from tests.simulation import oracle
from tests.simulation.offers import BETS, MARKETS, TIES, WORDS, MarketOffer
from tests.simulation.oracle import BetFacts, Cash, LegFacts, MarketFacts, Said

Answer = dict[str, Any]

ACCOUNTS = 16
MARKETS_IN_PLAY = 24
PAGE_BETS = 16
KICK_OFF = datetime(2024, 3, 2, 15, 0, tzinfo=UTC)


def nothing(_: Answer) -> None:
    """Learn nothing from an answer."""


@dataclass
class Step:
    """A command, and what is true once it has been accepted; `missed` is called when it was refused."""

    command: Command
    actor: Actor
    target: UUID | None = None
    learn: Callable[[Answer], None] = nothing
    missed: Callable[[], None] = lambda: None


@dataclass
class Visit:
    """A settlement of one market under way, as the process does it: page by page in the order of placing."""

    generation: int
    pages: list[list[tuple[int, UUID]]]
    asked: bool = False


@dataclass
class Market:
    """A market with its facts, the bets on it by position, and how far it is settled."""

    offer: MarketOffer
    facts: MarketFacts
    currency: str
    bets: list[tuple[int, UUID]] = field(default_factory=list)
    generation: int = 0
    completed: int = 0
    over: bool = False
    visit: Visit | None = None


class World:
    """Everything that happened, as far as answers told it; commands come from a seeded `random`."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.cash: dict[UUID, Cash] = {}
        self.pending: dict[UUID, tuple[UUID, int]] = {}
        self.finished: dict[UUID, str] = {}
        self.markets: dict[UUID, Market] = {}
        self.in_play: list[UUID] = []
        self.recent: list[UUID] = []
        self.bets: dict[UUID, BetFacts] = {}

    # ---- facts

    @property
    def facts(self) -> dict[UUID, MarketFacts]:
        return {market_id: market.facts for market_id, market in self.markets.items()}

    def due(self) -> list[UUID]:
        """Markets whose results have changed since they were settled to the end."""
        return [
            each for each, market in self.markets.items() if market.completed < market.generation
        ]

    # ---- what comes next

    def steps(self, count: int) -> list[Step]:
        """Think of so many commands that may be asked at the same time."""
        # What makes the rest possible comes first: accounts, and markets to bet on.
        chosen = [self.open_account() for _ in range(ACCOUNTS - len(self.cash))]
        chosen += [self.open_market() for _ in range(MARKETS_IN_PLAY - len(self.in_play))]
        while self.cash and len(chosen) < count:
            chosen.append(self.next_step())
        return chosen

    def next_step(self) -> Step:
        pick = self.random.random()
        if pick < 0.002:
            return self.open_account()
        if pick < 0.05 or not self.in_play:
            return self.deposit()
        if pick < 0.09:
            return self.withdraw()
        if pick < 0.12 and (self.pending or self.finished):
            return self.finish_withdrawal()
        if pick < 0.14:
            return self.change_status()
        if pick < 0.165:
            return self.declare(self.random.choice(self.in_play))
        if pick < 0.20 and self.recent:
            return self.declare(self.random.choice(self.recent))
        if pick < 0.225:
            return self.roll_back(self.random.choice(self.recent or self.in_play))
        if pick < 0.26 and self.bets:
            return self.settle_anything()
        if pick < 0.45 and (due := self.due()):
            return self.visit(self.random.choice(due))
        if pick < 0.49:
            return self.place_batch()
        return self.place()

    # ---- accounts

    def an_id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def open_account(self) -> Step:
        account = self.an_id()

        def learn(_: Answer) -> None:
            self.cash[account] = Cash()

        currency = self.random.choice(("EUR", "EUR", "GBP", "JPY"))
        return Step(
            OpenAccount(account_id=account, currency=currency, name="x"), ALICE, None, learn
        )

    def an_account(self) -> UUID:
        return self.random.choice(list(self.cash))

    def deposit(self) -> Step:
        account, amount = self.an_account(), self.random.randint(1_000, 6_000)

        def learn(_: Answer) -> None:
            self.cash[account].deposited += amount

        return Step(Deposit(amount_minor=amount, method="card"), ALICE, account, learn)

    def withdraw(self) -> Step:
        account, transfer = self.an_account(), self.an_id()
        amount = self.random.randint(100, 5_000)

        def learn(_: Answer) -> None:
            self.cash[account].asked += amount
            self.pending[transfer] = account, amount

        command = Withdraw(transfer_id=transfer, amount_minor=amount, method="bank")
        return Step(command, ALICE, account, learn)

    def finish_withdrawal(self) -> Step:
        transfer = self.random.choice(list(self.pending) or list(self.finished))
        paid = self.random.random() < 0.7

        def learn(_: Answer) -> None:
            account, amount = self.pending.pop(transfer)
            self.cash[account].asked -= amount
            self.cash[account].paid_out += amount if paid else 0
            self.finished[transfer] = "completed" if paid else "rejected"

        command = CompleteWithdrawal() if paid else RejectWithdrawal()
        return Step(command, OPERATOR, transfer, learn)

    # ---- markets

    def open_market(self) -> Step:
        market_id, offer = self.an_id(), self.random.choice(MARKETS)
        line = self.random.choice(offer.lines)

        def learn(_: Answer) -> None:
            facts = MarketFacts(offer.type, Fraction(line) if line else None, offer.selections)
            self.markets[market_id] = Market(offer, facts, "EUR")
            self.in_play.append(market_id)

        command = OpenMarket(
            market_id=market_id,
            fixture=FixtureBody(
                fixture_id=self.an_id(),
                sport="football",
                competition="Simulated",
                name="Reds v Blues",
                starts_at=KICK_OFF,
                home="Reds",
                away="Blues",
            ),
            type=offer.type,
            line=Decimal(line) if line else None,
            selections=[SelectionBody(selection_id=each, name=each) for each in offer.selections],
            pricing="external",
        )
        return Step(command, OPERATOR, None, learn)

    def change_status(self) -> Step:
        market_id = self.random.choice(self.in_play)
        command: Command = self.random.choice((SuspendMarket(), ResumeMarket(), ResumeMarket()))
        if self.random.random() < 0.05:
            command = CloseMarket()
        return Step(command, OPERATOR, market_id)

    def declare(self, market_id: UUID) -> Step:
        """A result, or a correction of one: by score, or selection by selection, and then perhaps of some only."""
        market = self.markets[market_id]
        if market.offer.by_score and self.random.random() < 0.7:
            return self.declare_score(market_id)
        selections = list(market.offer.selections)
        partial = self.random.random() < 0.4
        if partial:
            selections = self.random.sample(selections, self.random.randint(1, len(selections)))
        said = {each: self.say() for each in selections}

        def learn(_: Answer) -> None:
            if not partial:
                market.facts.said, market.facts.score = {}, None
            market.facts.said |= {each: Said(*words) for each, words in said.items()}
            self.has_changed(market_id)

        command = DeclareResult(
            results=[
                SelectionResultBody(
                    selection_id=each,
                    result=word,
                    dead_heat=DeadHeatBody(tied=tied, places=places) if tied > 1 else None,
                )
                for each, (word, tied, places) in said.items()
            ],
            partial=partial,
        )
        return Step(command, OPERATOR, market_id, learn)

    def say(self) -> tuple[Result, int, int]:
        """A word about a selection, and how many share how many places."""
        word = self.random.choice(WORDS)
        if word == "won" and self.random.random() < 0.3:
            return word, *self.random.choice(TIES)
        return word, 1, 1

    def declare_score(self, market_id: UUID) -> Step:
        market = self.markets[market_id]
        score = self.random.choice((0, 0, 1, 1, 2, 3)), self.random.choice((0, 0, 1, 1, 2, 4))

        def learn(_: Answer) -> None:
            market.facts.score, market.facts.said = score, {}
            self.has_changed(market_id)

        command = DeclareResult(score=ScoreBody(home=score[0], away=score[1]))
        return Step(command, OPERATOR, market_id, learn)

    def roll_back(self, market_id: UUID) -> Step:
        market = self.markets[market_id]

        def learn(_: Answer) -> None:
            market.facts.score, market.facts.said = None, {}
            self.has_changed(market_id)

        return Step(RollBackResult(), OPERATOR, market_id, learn)

    def has_changed(self, market_id: UUID) -> None:
        """A market's results are others now: its bets have to be visited anew."""
        market = self.markets[market_id]
        market.generation += 1
        market.visit = None
        if market_id in self.in_play:
            self.in_play.remove(market_id)
            self.recent.append(market_id)
            # What is long over stays as it is, so that bets on it end; a few are never decided.
            if len(self.recent) > 40:
                self.recent.pop(self.random.randrange(20))

    # ---- bets

    def a_bet(self) -> tuple[PlaceBet, BetFacts]:
        offer = self.random.choice(BETS)
        count = min(self.random.randint(*offer.legs), len(self.in_play))
        chosen = self.random.sample(self.in_play, count)
        if self.recent and self.random.random() < 0.02:
            chosen[0] = self.random.choice(self.recent)  # which takes no bets any more
        legs = []
        for market_id in chosen:
            selection = self.random.choice(self.markets[market_id].offer.selections)
            thousandths = int(1_000 * self.random.choice((1.2, 2, 2, 3, 6)) ** self.random.random())
            odds = Decimal(thousandths + self.random.randint(10, 2_000)) / 1_000
            legs.append(Leg(market_id=market_id, selection_id=selection, odds=odds))
        account, stake = self.an_account(), self.random.randint(1, 600)
        command = PlaceBet(
            bet_id=self.an_id(),
            account_id=account,
            kind=offer.kind,
            side=offer.side,
            legs=tuple(legs),
            stake_minor=stake,
        )
        facts = BetFacts(
            account,
            offer.kind,
            offer.side,
            tuple(LegFacts(leg.market_id, leg.selection_id, Fraction(leg.odds)) for leg in legs),
            stake,
        )
        return command, facts

    def learn_bet(self, bet: BetFacts, answer: Answer) -> None:
        bet_id = UUID(answer["bet_id"])
        assert answer["total_stake_minor"] == oracle.stake_of(bet), (bet, answer)
        self.bets[bet_id] = bet
        for market_id in {leg.market for leg in bet.legs}:
            self.markets[market_id].bets.append((answer["position"], bet_id))

    def place(self) -> Step:
        command, bet = self.a_bet()

        def learn(answer: Answer) -> None:
            self.learn_bet(bet, answer)

        return Step(command, ALICE, None, learn)

    def place_batch(self) -> Step:
        drawn = [self.a_bet() for _ in range(self.random.randint(2, 6))]

        def learn(answer: Answer) -> None:
            for (_, bet), each in zip(drawn, answer["results"], strict=True):
                if "error" not in each:
                    self.learn_bet(bet, each)

        atomic = self.random.random() < 0.3
        command = PlaceBets(bets=[command for command, _ in drawn], atomic=atomic)
        return Step(command, ALICE, None, learn)

    # ---- settlement

    def visit(self, market_id: UUID) -> Step:
        """Go one step on in a market's settlement, as the process would; now and then begin it again."""
        market = self.markets[market_id]
        if market.visit is None or self.random.random() < 0.05:
            ordered = sorted(market.bets)
            pages = [ordered[at : at + PAGE_BETS] for at in range(0, len(ordered), PAGE_BETS)]
            market.visit = Visit(market.generation, pages)
        visit = market.visit

        def missed() -> None:
            if market.visit is visit:
                market.visit = None

        if not visit.pages:
            if visit.asked:  # in this very round: whether the last page got there is not known yet
                return self.settle_anything()

            def complete(_: Answer) -> None:
                market.completed = max(market.completed, visit.generation)

            command: Command = CompleteSettlement(generation=visit.generation)
            return Step(command, SETTLER, market_id, complete, missed)
        page = visit.pages.pop(0)
        visit.asked = True

        def arrived(_: Answer) -> None:
            visit.asked = False

        command = SettleBets(
            bet_ids=[bet_id for _, bet_id in page], generation=visit.generation, after=page[-1][0]
        )
        return Step(command, SETTLER, market_id, arrived, missed)

    def settle_anything(self) -> Step:
        """A step that nobody needs: any bets, any market, perhaps of a generation that is past."""
        if not self.bets:
            return self.deposit()
        market_id = self.random.choice(self.recent or self.in_play)
        market = self.markets[market_id]
        known = [bet_id for _, bet_id in market.bets] or list(self.bets)
        drawn = self.random.choices(known, k=self.random.randint(1, 12))
        generation = market.generation - (self.random.random() < 0.1)
        return Step(SettleBets(bet_ids=drawn, generation=generation), SETTLER, market_id)
