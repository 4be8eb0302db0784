"""What the simulated desk knows, and what it thinks of next."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from random import Random
from typing import Any
from uuid import UUID

from msgspec.structs import replace as replace_fields

from domain.actors import SETTLER, Actor
from domain.commands.account import (
    CompleteWithdrawal,
    Deposit,
    GrantBonus,
    OpenAccount,
    RejectWithdrawal,
    Withdraw,
)
from domain.commands.bet import (
    ApproveRepricing,
    CashOutBet,
    PlaceBet,
    PlaceBets,
    ProposeRepricing,
    RejectRepricing,
    VoidBet,
)
from domain.commands.command import Command
from domain.commands.market import (
    AbandonMarket,
    CloseMarket,
    DeadHeatBody,
    DeclareResult,
    FixtureBody,
    LimitsBody,
    OpenMarket,
    ReinstateRunner,
    ResumeMarket,
    RollBackResult,
    ScoreBody,
    SelectionBody,
    SelectionResultBody,
    SuspendMarket,
    TermsBody,
    VoidMarket,
    WithdrawRunner,
)
from domain.commands.settlement import CompleteSettlement, SettleBets
from domain.events.bet import Leg, PriceSeen
from domain.events.market import AbandonRule, Result, StartingPrice
from tests.builders import ADMIN, ALICE, OPERATOR
from tests.simulation import oracle
from tests.simulation.offers import (
    BETS,
    EACH_WAY_TYPES,
    MARKETS,
    RACE_WORDS,
    RULE_4,
    TIES,
    WORDS,
    BetOffer,
    MarketOffer,
)
from tests.simulation.oracle import BetFacts, Cash, LegFacts, MarketFacts, Said, Withdrawn

Answer = dict[str, Any]

ACCOUNTS = 16
MARKETS_IN_PLAY = 24
PAGE_BETS = 16
BEGINNING = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
KICK_OFF = datetime(2025, 3, 2, 15, 0, tzinfo=UTC)


def at(time: int) -> datetime:
    """The moment that a whole number stands for."""
    return BEGINNING + timedelta(minutes=time)


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
    since: int = 0
    asked: bool = False


@dataclass
class Market:
    """A market with its facts, the bets on it by position, and how far it is settled."""

    offer: MarketOffer
    facts: MarketFacts
    bets: list[tuple[int, UUID]] = field(default_factory=list)
    generation: int = 0
    suspended: bool = False
    visit: Visit | None = None


class World:
    """Everything that happened, as far as answers told it; commands come from a seeded `random`."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.cash: dict[UUID, Cash] = {}
        self.rates: dict[UUID, Fraction] = {}
        self.pending: dict[UUID, tuple[UUID, int]] = {}
        self.finished: dict[UUID, str] = {}
        self.markets: dict[UUID, Market] = {}
        self.in_play: list[UUID] = []
        self.recent: list[UUID] = []
        self.unsettled: dict[UUID, None] = {}
        self.bets: dict[UUID, BetFacts] = {}
        self.repricings: dict[UUID, tuple[UUID, ProposeRepricing]] = {}
        self.time = 0

    # ---- facts

    def clock(self) -> datetime:
        """The ledger's clock: it stands still while commands are asked together."""
        return at(self.time)

    @property
    def facts(self) -> dict[UUID, MarketFacts]:
        return {market_id: market.facts for market_id, market in self.markets.items()}

    def due(self) -> list[UUID]:
        """Markets whose results have changed since they were settled to the end."""
        return list(self.unsettled)

    # ---- what comes next

    def steps(self, count: int) -> list[Step]:
        """Think of so many commands that may be asked at the same time."""
        self.time += 1
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
        if pick < 0.17:
            return self.declare(self.random.choice(self.in_play))
        if pick < 0.20 and self.recent:
            return self.declare(self.random.choice(self.recent))
        if pick < 0.212:
            return self.withdraw_runner()
        if pick < 0.217:
            return self.reinstate_runner()
        if pick < 0.225:
            return self.abandon(self.random.choice(self.recent or self.in_play))
        if pick < 0.24:
            return self.roll_back(self.random.choice(self.recent or self.in_play))
        if pick < 0.27 and self.bets:
            return self.settle_anything()
        if pick < 0.45 and (due := self.due()):
            return self.visit(self.random.choice(due))
        if pick < 0.49:
            return self.place_batch()
        if pick < 0.51:
            return self.grant_bonus()
        if pick < 0.525 and self.bets:
            return self.void_bet()
        if pick < 0.53:
            return self.void_market(self.random.choice(self.recent or self.in_play))
        if pick < 0.58 and self.bets:
            return self.cash_out()
        if pick < 0.59 and self.bets:
            return self.propose_repricing()
        if pick < 0.60 and self.repricings:
            return self.decide_repricing()
        return self.place()

    # ---- accounts

    def an_id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def open_account(self) -> Step:
        account = self.an_id()
        commission = self.random.choice((None, None, Decimal("0.05"), Decimal("0.0225")))

        def learn(_: Answer) -> None:
            self.cash[account] = Cash()
            if commission is not None:
                self.rates[account] = Fraction(commission)

        command = OpenAccount(
            account_id=account,
            currency=self.random.choice(("EUR", "EUR", "GBP", "JPY")),
            name="x",
            commission=commission,
        )
        return Step(command, ALICE, None, learn)

    def an_account(self) -> UUID:
        return self.random.choice(list(self.cash))

    def deposit(self) -> Step:
        account, amount = self.an_account(), self.random.randint(500, 3_500)

        def learn(_: Answer) -> None:
            self.cash[account].deposited += amount

        return Step(Deposit(amount_minor=amount, method="card"), ALICE, account, learn)

    def grant_bonus(self) -> Step:
        account, amount = self.an_account(), self.random.randint(200, 2_000)

        def learn(_: Answer) -> None:
            self.cash[account].bonus += amount

        command = GrantBonus(amount_minor=amount, reason="welcome")
        return Step(command, OPERATOR, account, learn)

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
        facts = MarketFacts(offer.type, Fraction(line) if line else None, offer.selections)
        terms = limits = None
        if offer.race:
            facts.places, facts.divisor = self.random.randint(1, 4), self.random.choice((4, 5))
            facts.rule_4 = self.random.choice(RULE_4)
            terms = TermsBody(
                each_way_places=facts.places, each_way_divisor=facts.divisor, rule4=facts.rule_4
            )
        if self.random.random() < 0.15:
            facts.max_payout = self.random.randint(200, 20_000)
            limits = LimitsBody(max_payout_minor=facts.max_payout)
        if self.random.random() < 0.15:
            limits = replace_fields(
                limits or LimitsBody(), max_liability_minor=self.random.randint(5_000, 200_000)
            )

        def learn(_: Answer) -> None:
            self.markets[market_id] = Market(offer, facts)
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
            terms=terms,
            limits=limits,
            period=offer.period,
        )
        return Step(command, OPERATOR, None, learn)

    def change_status(self) -> Step:
        """Suspend a market, resume one that is suspended, or close one; now and then one that cannot be."""
        suspended = [each for each in self.in_play if self.markets[each].suspended]
        resumes = bool(suspended) and self.random.random() < 0.8
        market_id = self.random.choice(suspended if resumes else self.in_play)
        command: Command = ResumeMarket() if resumes else SuspendMarket()
        if self.random.random() < 0.05:
            command = CloseMarket()

        def learn(_: Answer) -> None:
            self.markets[market_id].suspended = isinstance(command, SuspendMarket)

        return Step(command, OPERATOR, market_id, learn)

    def last_results(self) -> list[Step]:
        """Say of nearly every market how it ended, and at which prices its race began."""
        return [
            self.declare(market_id, whole=True)
            for market_id in self.markets
            if self.random.random() < 0.97
        ]

    def declare(self, market_id: UUID, *, whole: bool = False) -> Step:
        """A result, or a correction of one: by score, or selection by selection, and then perhaps of some only."""
        market = self.markets[market_id]
        if not market.offer.race and self.random.random() < 0.7:
            return self.declare_score(market_id)
        selections = list(market.offer.selections)
        partial = not whole and self.random.random() < 0.4
        if partial:
            selections = self.random.sample(selections, self.random.randint(1, len(selections)))
        said = {each: self.say(race=market.offer.race) for each in selections}
        priced = market.offer.race and (whole or self.random.random() < 0.7)
        starting = {each: self.odds() for each in market.offer.selections} if priced else {}

        def learn(_: Answer) -> None:
            market.facts.abandoned = False
            market.facts.starting |= {each: Fraction(odds) for each, odds in starting.items()}
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
            starting_prices=tuple(StartingPrice(*each) for each in starting.items()),
            partial=partial,
        )
        return Step(command, OPERATOR, market_id, learn)

    def say(self, *, race: bool) -> tuple[Result, int, int]:
        """A word about a selection, and how many share how many places."""
        word = self.random.choice(RACE_WORDS if race else WORDS)
        if word in ("won", "placed") and self.random.random() < 0.3:
            return word, *self.random.choice(TIES)
        return word, 1, 1

    def declare_score(self, market_id: UUID) -> Step:
        market = self.markets[market_id]
        score, half_time = self.a_score(), self.a_score()
        deciding = half_time if market.offer.period == "first_half" else score

        def learn(_: Answer) -> None:
            market.facts.score, market.facts.said = deciding, {}
            market.facts.abandoned = False
            self.has_changed(market_id)

        command = DeclareResult(
            score=ScoreBody(home=score[0], away=score[1]),
            half_time=ScoreBody(home=half_time[0], away=half_time[1]),
        )
        return Step(command, OPERATOR, market_id, learn)

    def a_score(self) -> tuple[int, int]:
        return self.random.choice((0, 0, 1, 1, 2, 3)), self.random.choice((0, 0, 1, 1, 2, 4))

    def roll_back(self, market_id: UUID) -> Step:
        market = self.markets[market_id]

        def learn(_: Answer) -> None:
            market.facts.score, market.facts.said, market.facts.starting = None, {}, {}
            market.facts.abandoned = False
            self.has_changed(market_id)

        return Step(RollBackResult(), OPERATOR, market_id, learn)

    def withdraw_runner(self) -> Step:
        """Take a runner out of a race, before it is run or after: by its price, by a factor, or with neither."""
        races = [each for each in self.in_play + self.recent if self.markets[each].offer.race]
        if not races:
            return self.deposit()
        market_id = self.random.choice(races)
        market = self.markets[market_id]
        since = self.time - self.random.choice((0, 0, 1, 5, 20))
        selection = self.random.choice(market.offer.selections)
        how = self.random.choice(("price", "factor", "neither"))
        price = self.odds() if how == "price" and market.facts.rule_4 else None
        factor = Decimal(self.random.randint(0, 600)) / 10 if how == "factor" else None

        def learn(_: Answer) -> None:
            market.facts.withdrawn.append(
                Withdrawn(
                    selection,
                    since,
                    Fraction(price) if price is not None else None,
                    Fraction(factor) if factor is not None else None,
                )
            )
            self.has_changed(market_id, over=False)

        command = WithdrawRunner(
            selection_id=selection,
            at=None if since == self.time else at(since),
            odds=price,
            factor=factor,
        )
        return Step(command, OPERATOR, market_id, learn)

    def reinstate_runner(self) -> Step:
        """Take a withdrawal back, and with it the void result of the runner, if it has one."""
        out = [
            (each, gone.selection)
            for each in self.in_play + self.recent
            for gone in self.markets[each].facts.withdrawn
        ]
        if not out:
            return self.withdraw_runner()
        market_id, selection = self.random.choice(out)
        market = self.markets[market_id]

        def learn(_: Answer) -> None:
            facts = market.facts
            facts.withdrawn = [each for each in facts.withdrawn if each.selection != selection]
            if not facts.abandoned and facts.said.get(selection) == Said("void"):
                del facts.said[selection]
            self.has_changed(market_id, over=False)

        command = ReinstateRunner(selection_id=selection, reason="a slip")
        return Step(command, OPERATOR, market_id, learn)

    def abandon(self, market_id: UUID) -> Step:
        market = self.markets[market_id]
        rule: AbandonRule = self.random.choice(("void_undecided", "void_all"))

        def learn(_: Answer) -> None:
            for each in market.offer.selections:
                is_known = each in market.facts.said or market.facts.score is not None
                if rule == "void_all" or not is_known:
                    market.facts.said[each] = Said("void")
            market.facts.abandoned = True
            self.has_changed(market_id)

        return Step(AbandonMarket(reason="fog", rule=rule), OPERATOR, market_id, learn)

    def void_market(self, market_id: UUID) -> Step:
        market = self.markets[market_id]

        def learn(_: Answer) -> None:
            market.facts.said = {each: Said("void") for each in market.offer.selections}
            market.facts.abandoned = True
            self.has_changed(market_id)

        return Step(VoidMarket(reason="wrong names"), OPERATOR, market_id, learn)

    def has_changed(self, market_id: UUID, *, over: bool = True) -> None:
        """What a market's bets are settled by is other now: they have to be visited anew."""
        market = self.markets[market_id]
        market.generation += 1
        market.visit = None
        self.unsettled[market_id] = None
        if over and market_id in self.in_play:
            self.in_play.remove(market_id)
            self.recent.append(market_id)
            # What is long over stays as it is, so that bets on it end; a few are never decided.
            if len(self.recent) > 40:
                self.recent.pop(self.random.randrange(20))

    # ---- bets

    def odds(self) -> Decimal:
        """Odds as they come: mostly short, with up to three decimals."""
        longest = self.random.choice((1.2, 2, 2, 3, 6, 20))
        thousandths = int(1_000 * longest ** self.random.random()) + self.random.randint(5, 900)
        return Decimal(thousandths) / 1_000

    def a_bet(self) -> tuple[PlaceBet, BetFacts]:
        offer = self.random.choice(BETS)
        takes = [
            each
            for each in self.in_play
            if not offer.each_way or self.markets[each].offer.type in EACH_WAY_TYPES
        ]
        if len(takes) < offer.legs[1]:
            offer, takes = BetOffer("single"), self.in_play
        chosen = self.random.sample(takes, self.random.randint(*offer.legs))
        if self.recent and not offer.each_way and self.random.random() < 0.02:
            chosen[0] = self.random.choice(self.recent)  # which takes no bets any more
        legs = []
        for market_id in chosen:
            market = self.markets[market_id].offer
            at_start = market.race and offer.side == "back" and self.random.random() < 0.2
            odds = None if at_start else self.odds()
            selection = self.random.choice(market.selections)
            legs.append(Leg(market_id=market_id, selection_id=selection, odds=odds))
        account, stake = self.an_account(), self.random.randint(1, 600)
        if len(legs) > 2:
            stake = self.random.randint(1, 30)
        free = offer.side == "back" and self.random.random() < 0.1
        best_odds = offer.side == "back" and not free and self.random.random() < 0.2
        command = PlaceBet(
            bet_id=self.an_id(),
            account_id=account,
            kind=offer.kind,
            side=offer.side,
            legs=tuple(legs),
            stake_minor=stake if offer.side == "back" else stake + 200,
            each_way=offer.each_way and offer.kind != "each_way",
            best_odds=best_odds,
            free=free,
        )
        facts = BetFacts(
            account,
            offer.kind,
            offer.side,
            tuple(
                LegFacts(
                    leg.market_id,
                    leg.selection_id,
                    Fraction(leg.odds) if leg.odds is not None else None,
                )
                for leg in legs
            ),
            command.stake_minor,
            each_way=offer.each_way,
            best_odds=best_odds,
            placed_at=self.time,
            free=free,
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

    def a_late_bet(self, *, offered: bool = False) -> UUID:
        """One of the last bets, most of which are open; of those that the desk would cash out, if there are any."""
        late = list(islice(reversed(self.bets), 150))
        good = [each for each in late if offered and self.is_cashed_out(self.bets[each])]
        return self.random.choice(good or late)

    def is_cashed_out(self, bet: BetFacts) -> bool:
        return (
            bet.kind in ("single", "accumulator")
            and bet.side == "back"
            and not (bet.each_way or bet.best_odds or bet.free or bet.account in self.rates)
            and all(leg.odds is not None for leg in bet.legs)
            and any(leg.market in self.in_play for leg in bet.legs)
        )

    def void_bet(self) -> Step:
        bet_id = self.a_late_bet()

        def learn(answer: Answer) -> None:
            self.bets[bet_id].voided = True
            assert (answer["status"], answer["return_minor"]) == (
                "void",
                oracle.stake_of(self.bets[bet_id]),
            )

        return Step(VoidBet(reason="palpable error"), OPERATOR, bet_id, learn)

    def cash_out(self) -> Step:
        """Take whatever is offered for a bet, at odds of now that have nothing to do with those taken."""
        bet_id = self.a_late_bet(offered=self.random.random() < 0.9)
        bet = self.bets[bet_id]
        now = {(leg.market, leg.selection): self.odds() for leg in bet.legs}
        margin = self.random.choice((Decimal(0), Decimal("0.05")))
        shares = (None, Decimal(1), Decimal(self.random.randint(1, 999)) / 1_000)
        share = self.random.choice(shares)
        command = CashOutBet(
            offer_minor=1,
            share=share,
            margin=margin,
            prices=tuple(
                PriceSeen(market_id, selection, "x", odds, self.clock())
                for (market_id, selection), odds in now.items()
            ),
        )

        def learn(answer: Answer) -> None:
            left = oracle.stake_of(bet) - bet.cashed_stake
            part = left if share is None else oracle.minor(left * Fraction(share))
            odds = {key: Fraction(each) for key, each in now.items()}
            offer = oracle.cash_out_offer(bet, self.facts, odds, Fraction(margin), part)
            assert answer["return_minor"] == offer, (bet, self.facts, odds, command, answer, offer)
            bet.cashed.append((part, offer))

        return Step(command, ALICE, bet_id, learn)

    def propose_repricing(self) -> Step:
        """Propose other odds for a leg of a bet, open or settled."""
        bet_id = self.random.choice((self.a_late_bet(), self.random.choice(list(self.bets))))
        leg = self.random.choice(self.bets[bet_id].legs)
        command = ProposeRepricing(
            market_id=leg.market, selection_id=leg.selection, odds=self.odds(), reason="a slip"
        )

        def learn(answer: Answer) -> None:
            self.repricings[bet_id] = UUID(answer["repricing_id"]), command

        return Step(command, OPERATOR, bet_id, learn)

    def decide_repricing(self) -> Step:
        bet_id = self.random.choice(list(self.repricings))
        repricing_id, proposed = self.repricings[bet_id]
        approved = self.random.random() < 0.8
        who = OPERATOR if self.random.random() < 0.1 else ADMIN

        def learn(_: Answer) -> None:
            self.repricings.pop(bet_id, None)
            if approved:
                bet = self.bets[bet_id]
                bet.legs = tuple(
                    replace(leg, odds=Fraction(proposed.odds))
                    if leg.market == proposed.market_id
                    else leg
                    for leg in bet.legs
                )

        def missed() -> None:
            # A bet that was made void or cashed out meanwhile is not repriced any more.
            if who != OPERATOR:
                self.repricings.pop(bet_id, None)

        command = (
            ApproveRepricing(repricing_id=repricing_id)
            if approved
            else RejectRepricing(repricing_id=repricing_id, reason="it was right")
        )
        return Step(command, who, bet_id, learn, missed)

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
                if visit.generation == market.generation:
                    self.unsettled.pop(market_id, None)

            command: Command = CompleteSettlement(generation=visit.generation, since=visit.since)
            return Step(command, SETTLER, market_id, complete, missed)
        page = visit.pages.pop(0)
        visit.asked = True

        def arrived(_: Answer) -> None:
            visit.asked = False

        since, visit.since = visit.since, page[-1][0]
        command = SettleBets(
            bet_ids=[bet_id for _, bet_id in page],
            generation=visit.generation,
            since=since,
            after=visit.since,
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
