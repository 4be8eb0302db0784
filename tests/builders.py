"""What many tests begin with: people, a fixture, a market, and the states that events lead to."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid5

from domain.account import Account
from domain.actors import Actor
from domain.bet import Bet
from domain.commands.bet import PlaceBet
from domain.commands.market import FixtureBody, LimitsBody, OpenMarket, SelectionBody
from domain.events.account import AccountOpened, FundsDeposited
from domain.events.arbitrage import ArbitrageKind, ArbitrageLeg, Opportunity
from domain.events.bet import BetPlaced, Leg
from domain.events.event import Event, Recorded
from domain.events.market import (
    Fixture,
    MarketLimits,
    MarketOpened,
    MarketType,
    Pricing,
    Selection,
    SelectionResult,
)
from domain.market import Market
from domain.streams import State, evolve

NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
ALICE = Actor(user="alice", role="trader")
BOB = Actor(user="bob", role="trader")
OPERATOR = Actor(user="olga", role="operator")
AUDITOR = Actor(user="aud", role="auditor")
ADMIN = Actor(user="root", role="admin")

_NAMES = UUID("00000000-0000-0000-0000-00000000fa1b")


def an_id(name: str) -> UUID:
    """An id that is the same in every run."""
    return uuid5(_NAMES, name)


ACCOUNT, MARKET, BET, TRANSFER = (an_id(n) for n in ("account", "market", "bet", "transfer"))

FIXTURE = Fixture(
    sport="football",
    competition="Premier League",
    name="Arsenal v Chelsea",
    starts_at=datetime(2024, 3, 2, 15, 0, tzinfo=UTC),
    fixture_id=an_id("fixture"),
    home="Arsenal",
    away="Chelsea",
)
SELECTIONS = (
    Selection("home", "Arsenal"),
    Selection("draw", "The draw"),
    Selection("away", "Chelsea"),
)


def given(stream_id: UUID, *events: Event) -> State:
    """Fold events into the state of their stream."""
    state: State | None = None
    for event in events:
        state = evolve(state, stream_id, event)
    assert state is not None
    return state


def account_opened(owner: str = "alice", currency: str = "EUR") -> AccountOpened:
    return AccountOpened(owner=owner, currency=currency, name="main")


def deposited(amount_minor: int, currency: str = "EUR") -> FundsDeposited:
    return FundsDeposited(
        transfer_id=TRANSFER, amount_minor=amount_minor, currency=currency, method="card"
    )


def given_account(*events: Event, funds_minor: int = 0) -> Account:
    """An account of Alice's in EUR that has funds, and to which `events` happened."""
    before = (account_opened(), *((deposited(funds_minor),) if funds_minor else ()))
    state = given(ACCOUNT, *before, *events)
    assert isinstance(state, Account)
    return state


def market_opened(
    market_type: MarketType = "1X2",
    *,
    line: str | None = None,
    selections: tuple[Selection, ...] = SELECTIONS,
    pricing: Pricing = "external",
    limits: MarketLimits | None = None,
) -> MarketOpened:
    return MarketOpened(
        fixture=FIXTURE,
        type=market_type,
        line=Decimal(line) if line is not None else None,
        selections=selections,
        pricing=pricing,
        limits=limits,
    )


def given_market(*events: Event, opened: MarketOpened | None = None) -> Market:
    """A 1X2 market to which `events` happened."""
    state = given(MARKET, opened or market_opened(), *events)
    assert isinstance(state, Market)
    return state


def leg(odds: str = "2.5", selection_id: str = "home", market_id: UUID = MARKET) -> Leg:
    return Leg(market_id=market_id, selection_id=selection_id, odds=Decimal(odds))


def bet_placed(
    stake_minor: int = 1_000, potential_return_minor: int = 2_500, odds: str = "2.5"
) -> BetPlaced:
    return BetPlaced(
        account_id=ACCOUNT,
        owner="alice",
        kind="single",
        side="back",
        legs=(leg(odds),),
        stake_minor=stake_minor,
        total_stake_minor=stake_minor,
        potential_return_minor=potential_return_minor,
        currency="EUR",
    )


def given_bet(*events: Event, placed: BetPlaced | None = None) -> Bet:
    """A single bet on home to which `events` happened."""
    state = given(BET, placed or bet_placed(), *events)
    assert isinstance(state, Bet)
    return state


def results(
    home: str = "won", draw: str = "lost", away: str = "lost"
) -> tuple[SelectionResult, ...]:
    """A result for each selection of the 1X2 market."""
    words = {"home": home, "draw": draw, "away": away}
    return tuple(SelectionResult(side, word) for side, word in words.items())  # type: ignore[arg-type]


def recorded(
    position: int,
    stream_id: UUID,
    version: int,
    event: Event,
    *,
    actor: str = "alice",
    at: datetime = NOW,
) -> Recorded:
    """An event as the log holds it."""
    return Recorded(
        position, stream_id, version, at, actor, an_id(f"command {position}"), None, event
    )


def opportunity(
    sequence: int,
    margin: str = "0.01",
    *,
    kind: ArbitrageKind = "two_way",
    fixture_id: UUID | None = None,
    market_id: UUID = MARKET,
    at: datetime = NOW,
) -> Opportunity:
    """An arbitrage as message `sequence` of the price stream has made it."""
    return Opportunity(
        kind=kind,
        fixture_id=fixture_id or an_id("fixture"),
        legs=(
            ArbitrageLeg("pinnacle", market_id, "home", "back", Decimal("2.1"), 5_000, at),
            ArbitrageLeg("betfair", market_id, "away", "back", Decimal("2.125"), 4_941, at),
        ),
        currency="EUR",
        outlay_minor=9_941,
        guaranteed_profit_minor=558,
        margin=Decimal(margin),
        warnings=(),
        expires_at=at + timedelta(seconds=30),
        sequence=sequence,
    )


# ---- commands


def open_market(
    market_id: UUID | None = None,
    *,
    pricing: Pricing = "external",
    limits: LimitsBody | None = None,
) -> OpenMarket:
    """A command that opens a 1X2 market."""
    return OpenMarket(
        market_id=market_id,
        fixture=FixtureBody(
            fixture_id=FIXTURE.fixture_id,
            sport=FIXTURE.sport,
            competition=FIXTURE.competition,
            name=FIXTURE.name,
            starts_at=FIXTURE.starts_at,
            home=FIXTURE.home,
            away=FIXTURE.away,
        ),
        type="1X2",
        selections=[SelectionBody(selection_id=s.selection_id, name=s.name) for s in SELECTIONS],
        pricing=pricing,
        limits=limits,
    )


def place_bet(
    account_id: UUID,
    market_id: UUID,
    stake_minor: int,
    *,
    odds: str = "2.5",
    selection_id: str = "home",
    bet_id: UUID | None = None,
) -> PlaceBet:
    """A command that places a single back bet."""
    return PlaceBet(
        bet_id=bet_id,
        account_id=account_id,
        legs=(leg(odds, selection_id, market_id),),
        stake_minor=stake_minor,
    )
