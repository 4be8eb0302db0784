"""Digests of requests are kept for ever, so today's program must still compute yesterday's."""

import asyncio
import json
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any
from uuid import UUID

import msgspec
import pytest

from application.idempotency import _digest, keys_of
from application.order import Order
from domain import commands
from domain.commands.account import Deposit
from domain.commands.command import Command
from tests.builders import ACCOUNT, ALICE, BET, MARKET, TRANSFER, an_id

GOLDEN = Path(__file__).parent / "digests.json"

COMMANDS: dict[str, type[Command]] = {
    name: kind
    for module in iter_modules(commands.__path__, "domain.commands.")
    for name, kind in vars(import_module(module.name)).items()
    if isinstance(kind, type) and issubclass(kind, Command)
}

LEG = {"market_id": str(MARKET), "selection_id": "home", "odds": 2.5}
PLACE: dict[str, Any] = {"account_id": str(ACCOUNT), "legs": [LEG], "stake_minor": 1_000}
FIXTURE = {
    "sport": "football",
    "competition": "Premier League",
    "name": "Arsenal v Chelsea",
    "starts_at": "2024-03-02T15:00:00Z",
}
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("OpenAccount", {"currency": "EUR", "name": "main"}),
    ("OpenAccount", {"account_id": str(ACCOUNT), "owner": "bob", "currency": "EUR", "name": "x"}),
    ("Deposit", {"amount_minor": 5, "method": "card"}),
    ("Deposit", {"transfer_id": str(TRANSFER), "amount_minor": 5, "method": "card"}),
    ("Withdraw", {"amount_minor": 5, "method": "bank", "reference": "R-1"}),
    ("CompleteWithdrawal", {}),
    ("RejectWithdrawal", {}),
    ("RejectWithdrawal", {"reason": "no"}),
    (
        "OpenMarket",
        {
            "fixture": FIXTURE,
            "type": "OU",
            "line": 2.5,
            "selections": [{"selection_id": "over", "name": "Over"}],
            "pricing": "house",
            "limits": {"max_stake_minor": 5},
        },
    ),
    ("SuspendMarket", {}),
    ("DeclareResult", {"score": {"home": 2, "away": 1}}),
    ("DeclareResult", {"results": [{"selection_id": "home", "result": "won"}]}),
    ("PlaceBet", PLACE),
    ("PlaceBet", {**PLACE, "bet_id": str(BET)}),
    ("PlaceBets", {"bets": [PLACE, {**PLACE, "bet_id": str(BET)}], "atomic": True}),
    (
        "RecordOdds",
        {
            "quotes": [
                {
                    "bookmaker": "house",
                    "market_id": str(MARKET),
                    "selection_id": "home",
                    "odds": 2.5,
                    "at": "2024-03-01T12:00:00Z",
                }
            ]
        },
    ),
    ("SeeFeedName", {"feed": "betfair", **FIXTURE}),
    (
        "SeeFeedName",
        {
            "feed": "betfair",
            **FIXTURE,
            "home": "Arsenal",
            "away": "Chelsea",
            "candidates": [{"fixture_id": str(MARKET), "likeness": 0.75, "swapped": True}],
        },
    ),
    (
        "SeeFeedName",
        {
            "feed": "betfair",
            **FIXTURE,
            "matched": {"fixture_id": str(MARKET), "by": "alias"},
        },
    ),
    ("MatchFeedName", {"fixture_id": str(MARKET)}),
    (
        "OpenAccount",
        {
            "currency": "EUR",
            "name": "main",
            "limits": {"max_in_play_minor": 5, "max_profit_minor": 9},
        },
    ),
    ("ChangeAccountLimits", {"max_in_play_minor": 5}),
    ("ChangeMarketLimits", {"max_stake_minor": 5, "max_liability_minor": 7}),
    ("VoidBet", {"reason": "placed twice"}),
    ("VoidMarket", {"reason": "fog"}),
    ("CashOutBet", {"offer_minor": 5}),
    ("CashOutBet", {"offer_minor": 5, "share": 0.5}),
    ("ProposeRepricing", {"selection_id": "home", "odds": 2.5, "reason": "a slip"}),
    ("ApproveRepricing", {"repricing_id": str(TRANSFER)}),
    ("RejectRepricing", {"repricing_id": str(TRANSFER), "reason": "no"}),
    ("DeclareResult", {"finish": [["red"], ["blue", "green"]]}),
    ("ActivateModel", {}),
    ("ActivateModel", {"force": True, "reason": "the other one's data were wrong"}),
]


def command_of(name: str, body: dict[str, Any]) -> Command:
    return msgspec.json.decode(json.dumps(body), type=COMMANDS[name])


async def digest(command: Command, target: UUID | None, scope: str) -> str:
    keys = keys_of(command, ALICE, "k")
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    order = Order(command, target, ALICE, an_id("command"), None, 1, keys, future, 0)
    return _digest(command, order, scope).hex()


@pytest.mark.anyio
async def test_digests_are_those_of_every_earlier_version() -> None:
    found = [
        [name, body, await digest(command_of(name, body), ACCOUNT, scope)]
        for name, body in BODIES
        for scope in ("@alice", "#bet")
    ]
    if not GOLDEN.exists():
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == found, (
        "requests that were answered would no longer be recognised when they are sent again"
    )


def test_a_field_added_later_leaves_the_encoding_of_old_requests_alone() -> None:
    class Later(Deposit, frozen=True, kw_only=True):
        """A deposit with a field that came later."""

        limit_minor: int | None = None

    body = b'{"amount_minor":5,"method":"card"}'
    then, now = (msgspec.json.decode(body, type=kind) for kind in (Deposit, Later))
    assert msgspec.json.encode(then) == msgspec.json.encode(now) == body


def test_every_part_of_a_command_leaves_out_what_was_left_out() -> None:
    assert {"OpenAccount", "PlaceBets", "DeclareResult", "RecordOdds"} <= COMMANDS.keys()
    for part in COMMANDS.values():
        assert part.__struct_config__.omit_defaults, part
