"""Idempotency: under which keys a command is answered once, and what tells one request from another."""

import hashlib
from collections.abc import Iterator, Mapping
from uuid import UUID

import msgspec
from msgspec.structs import replace

from application.answers import BatchDone, BetAccepted, BetRefused, RefusalRecord, to_json
from application.log import CommandRecord
from application.order import Order, Outcome
from domain.actors import Actor
from domain.commands.account import Deposit, GrantBonus, OpenAccount, Withdraw
from domain.commands.bet import CashOutBet, PlaceBet, PlaceBets
from domain.commands.command import Command
from domain.commands.market import ChangeMarketLimits, OpenMarket
from domain.refusals import IdempotencyKeyReused, IdTaken, Refusal

BET_SCOPE = "#bet"
Records = Mapping[tuple[str, str], CommandRecord]


def keys_of(command: Command, actor: Actor, key: str | None) -> list[tuple[str, str]]:
    """Give every (scope, key) under which a command is answered once: chosen ids, then the Idempotency-Key."""
    keys = _chosen_ids(command)
    if key is not None:
        keys.append((f"@{actor.user}", key))
    return keys


def _chosen_ids(command: Command) -> list[tuple[str, str]]:
    match command:
        case PlaceBet(bet_id=chosen):
            return [(BET_SCOPE, str(chosen))] if chosen else []
        case PlaceBets():
            return [(BET_SCOPE, str(each.bet_id)) for each in command.bets if each.bet_id]
        case OpenAccount(account_id=chosen):
            return [("#account", str(chosen))] if chosen else []
        case OpenMarket(market_id=chosen):
            return [("#market", str(chosen))] if chosen else []
        case (
            Deposit(transfer_id=chosen)
            | Withdraw(transfer_id=chosen)
            | GrantBonus(transfer_id=chosen)
        ):
            return [("#transfer", str(chosen))] if chosen else []
        case _:
            return []


_canonical = msgspec.json.Encoder(order="deterministic").encode


def _digest(command: Command, order: Order, scope: str) -> bytes:
    """Tell one request from another: what is asked, about what and, for a chosen id, by whom."""
    said = type(command).__name__.encode()
    if order.target:
        said += order.target.bytes
    if scope.startswith("#"):
        said += order.actor.user.encode()
    if isinstance(command, CashOutBet):  # a client that asks again sends no prices
        command = CashOutBet(offer_minor=command.offer_minor, share=command.share)
    elif isinstance(command, ChangeMarketLimits):  # nor the bets that are open
        command = replace(command, seen=None)
    return hashlib.blake2b(said + _canonical(command), digest_size=16).digest()


def records_of(order: Order) -> Iterator[CommandRecord]:
    """Record the answer under the command's keys; a refusal takes no chosen id, for it made nothing of that name."""
    outcome = order.outcome
    refused = isinstance(outcome, Refusal)
    answer = to_json(RefusalRecord.of(outcome)) if isinstance(outcome, Refusal) else outcome
    for scope, key in order.keys:
        if scope.startswith("#") and (refused or isinstance(order.command, PlaceBets)):
            continue
        digest = _digest(order.command, order, scope)
        yield CommandRecord(scope, key, digest, refused, answer)


def item_records(order: Order, done: BatchDone) -> Iterator[CommandRecord]:
    """Record the answers to those bets of a batch that have chosen ids."""
    recorded: set[UUID] = set()
    for bet, result in _unanswered(order, done):
        if isinstance(result, BetAccepted) and bet.bet_id and bet.bet_id not in recorded:
            recorded.add(bet.bet_id)
            digest = _digest(bet, order, BET_SCOPE)
            yield CommandRecord(
                BET_SCOPE, str(bet.bet_id), digest, refused=False, answer=to_json(result)
            )


def unknown_keys(order: Order, done: BatchDone | None = None) -> Iterator[tuple[str, str]]:
    """Give the chosen ids that were refused, in a batch that is `done` or as a whole.

    One of them that has a record is no refusal but a first answer to give again.
    """
    if done is not None:
        for bet, result in _unanswered(order, done):
            if isinstance(result, BetRefused) and bet.bet_id:
                yield BET_SCOPE, str(bet.bet_id)
    elif isinstance(order.command, PlaceBets):
        for number, bet in enumerate(order.command.bets):
            if bet.bet_id and number not in order.known:
                yield BET_SCOPE, str(bet.bet_id)
    else:
        yield from (key for key in order.keys if key[0].startswith("#"))


def _unanswered(order: Order, done: BatchDone) -> Iterator[tuple[PlaceBet, object]]:
    """Give the bets of a batch that had not been answered before, each with its result."""
    assert isinstance(order.command, PlaceBets)
    for number, pair in enumerate(zip(order.command.bets, done.results, strict=True)):
        if number not in order.known:
            yield pair


def _known_items(order: Order, known: Records) -> dict[int, Outcome]:
    assert isinstance(order.command, PlaceBets)
    outcomes = {}
    for number, bet in enumerate(order.command.bets):
        record = known.get((BET_SCOPE, str(bet.bet_id)))
        if bet.bet_id and record:
            outcomes[number] = _first_outcome(record, _digest(bet, order, BET_SCOPE))
    return outcomes


def _first_outcome(record: CommandRecord, digest: bytes) -> Outcome:
    """Give the first answer again, or refuse because the key was used for something else."""
    if record.digest != digest:
        if record.scope.startswith("#"):
            return IdTaken(f"{record.key} was used for something else")
        return IdempotencyKeyReused()
    if record.refused:
        return msgspec.json.decode(record.answer, type=RefusalRecord).refusal()
    return record.answer


def answer_again(order: Order, known: Records) -> bool:
    """Resolve an order whose key has a record; tell whether it did.

    A batch of bets with chosen ids is not answered as a whole: what is known of its bets goes into `order.known`.
    """
    for key in reversed(order.keys):
        record = known.get(key)
        if record is None:
            continue
        if key[0] == BET_SCOPE and isinstance(order.command, PlaceBets):
            order.known = _known_items(order, known)
            return False
        digest = _digest(order.command, order, key[0])
        order.outcome = _first_outcome(record, digest)
        order.resolve(replayed=record.digest == digest)
        return True
    return False
