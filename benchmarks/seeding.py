"""What a benchmark needs before its clock starts: accounts with money, open markets with limits, bets to ask for."""

import asyncio
import random
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
import uvloop
from msgspec import Struct

from adapters.postgres.settings import ledger_environment
from application.ledger import Ledger
from domain.actors import Actor
from domain.commands.account import Deposit, OpenAccount
from domain.commands.bet import PlaceBet, PlaceBets
from domain.commands.command import Command
from domain.commands.market import FixtureBody, LimitsBody, OpenMarket, SelectionBody
from domain.events.bet import Leg

ADMIN: Final = Actor("bench-admin", "admin")
MARKETS: Final = 40
TRADERS: Final = 1_000
DEPOSIT_MINOR: Final = 10**12
MAX_STAKE_MINOR: Final = 100_000
MAX_RETURN_MINOR: Final = 10_000_000
SELECTIONS: Final = ("home", "draw", "away")
ODDS: Final = ("1.45", "1.91", "2.05", "2.5", "3.4", "4.75", "7.25")
_AT_ONCE: Final = 4_000


class Seeds(Struct):
    """Accounts with their owners, and markets."""

    accounts: list[UUID]
    owners: list[str]
    markets: list[UUID]


class _Answer(Struct):
    account_id: UUID | None = None
    market_id: UUID | None = None
    fixture_id: UUID | None = None


_decode = msgspec.json.Decoder(_Answer).decode


def seed(database_url: str, accounts: int, *, markets: int = MARKETS) -> Seeds:
    """Open accounts, each with a deposit, and markets with limits, in a process that then lets go of the ledger."""
    return uvloop.run(_seed_alone(database_url, accounts, markets))


async def _seed_alone(database_url: str, accounts: int, markets: int) -> Seeds:
    async with Ledger(ledger_environment(database_url)) as ledger:
        return await seed_with(ledger, accounts, markets=markets)


async def seed_with(ledger: Ledger, accounts: int, *, markets: int = MARKETS) -> Seeds:
    """Open accounts, each with a deposit, and markets with limits."""
    owners = [f"trader-{number % TRADERS}" for number in range(accounts)]
    opened = await _answers(
        [
            ledger.submit(OpenAccount(currency="EUR", name="bench", owner=owner), ADMIN)
            for owner in owners
        ]
    )
    ids = [each.account_id for each in opened if each.account_id]
    await _answers(
        [
            ledger.submit(Deposit(amount_minor=DEPOSIT_MINOR, method="card"), ADMIN, target=each)
            for each in ids
        ]
    )
    offered = await _answers([ledger.submit(_market(n), ADMIN) for n in range(markets)])
    return Seeds(ids, owners, [each.market_id for each in offered if each.market_id])


def seed_fixtures(database_url: str, number: int) -> list[tuple[UUID, UUID]]:
    """Open 1X2 markets, each of a fixture of its own; gives (fixture, market)."""
    return uvloop.run(_seed_fixtures(database_url, number))


async def _seed_fixtures(database_url: str, number: int) -> list[tuple[UUID, UUID]]:
    async with Ledger(ledger_environment(database_url)) as ledger:
        opened = await _answers([ledger.submit(_market(n), ADMIN) for n in range(number)])
    return [
        (each.fixture_id, each.market_id) for each in opened if each.fixture_id and each.market_id
    ]


async def _answers(submitted: Sequence[Coroutine[Any, Any, Any]]) -> list[_Answer]:
    found: list[_Answer] = []
    for begin in range(0, len(submitted), _AT_ONCE):
        receipts = await asyncio.gather(*submitted[begin : begin + _AT_ONCE])
        found += [_decode(receipt.answer) for receipt in receipts]
    return found


def _market(number: int) -> Command:
    return OpenMarket(
        fixture=FixtureBody(
            sport="football",
            competition="Premier League",
            name=f"Home {number} v Away {number}",
            starts_at=datetime.now(UTC) + timedelta(days=1),
            home=f"Home {number}",
            away=f"Away {number}",
        ),
        type="1X2",
        selections=[SelectionBody(selection_id=each, name=each) for each in SELECTIONS],
        pricing="external",
        limits=LimitsBody(max_stake_minor=MAX_STAKE_MINOR, max_return_minor=MAX_RETURN_MINOR),
    )


def bet(rng: random.Random, account_id: UUID, markets: Sequence[UUID]) -> PlaceBet:
    """Make a bet on a random selection, within the limits."""
    leg = Leg(rng.choice(markets), rng.choice(SELECTIONS), Decimal(rng.choice(ODDS)))
    return PlaceBet(account_id=account_id, legs=(leg,), stake_minor=rng.randint(100, 5_000))


def batch(rng: random.Random, seeds: Seeds, size: int) -> PlaceBets:
    """Make a batch of bets on random accounts."""
    accounts = rng.choices(seeds.accounts, k=size)
    return PlaceBets(bets=[bet(rng, each, seeds.markets) for each in accounts])


_as_json = msgspec.json.Encoder(decimal_format="number").encode


def body(command: Command) -> str:
    """Give a command as the body of a request, as a client would write it."""
    if isinstance(command, PlaceBets):
        return _as_json({"bets": [_fields(each) for each in command.bets]}).decode()
    assert isinstance(command, PlaceBet)
    return _as_json(_fields(command)).decode()


def _fields(each: PlaceBet) -> dict[str, Any]:
    return {"account_id": each.account_id, "legs": each.legs, "stake_minor": each.stake_minor}
