"""What must agree once a season has been played, each said in one sentence."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from fairbook.client import LedgerClient, in_flight
from fairbook.demo.answers import BetEnd, Funds
from fairbook.demo.book import Settled, kind_of
from fairbook.demo.run import Played
from fairbook.replay import run_replay
from read_models.journal import TrialBalance
from read_models.markets import SettlementRow

EVENTS_IN_PAGE: Final = 20_000
SETTLEMENT_POLLS: Final = 50
POLL_SECONDS: Final = 0.1
DIFFERENCES_SHOWN: Final = 5


class Check(Struct, frozen=True):
    """One comparison: what was compared, and whether it agrees."""

    said: str
    agrees: bool


class Findings(Struct, frozen=True):
    """What the ledger says after the season, and how it compares."""

    topics: Counter[str]
    head: int
    trial_balance: TrialBalance
    checks: list[Check]


class _EventHead(Struct, frozen=True):
    """What is counted of an event in the audit feed."""

    position: int
    topic: str


async def check(client: LedgerClient, played: Played, *, alone: bool) -> Findings:
    """Compare balances, settlements, books and log with what the demo knows; `alone` on a ledger of its own."""
    settlements = await check_settlements(client, played)
    bets = await check_bets(client, played)
    balances = await check_balances(client, played)
    trial_balance = await client.read(
        "/v1/audit/trial-balance", TrialBalance, after=played.last_position
    )
    topics, head = await count_events(client, played)
    checks = [balances, settlements, bets, check_books(trial_balance)]
    if alone:
        checks += [check_log(topics, played), check_owed(trial_balance, played)]
    return Findings(topics, head, trial_balance, checks)


async def check_balances(client: LedgerClient, played: Played) -> Check:
    """Compare every account with the demo's own arithmetic, to the minor unit."""
    differences = []
    for account_id, purse in played.book.purses.items():
        funds = await client.read(f"/v1/accounts/{account_id}", Funds, after=played.last_position)
        held = (funds.available_minor, funds.in_play_minor, funds.currency)
        expected = (purse.available_minor, purse.in_play_minor, purse.currency)
        if held != expected:
            differences.append(f"{purse.owner} holds {held}, expected {expected}")
    return _check(
        f"balances equal the demo's own arithmetic ({len(played.book.purses)} accounts)",
        differences,
    )


async def check_settlements(client: LedgerClient, played: Played) -> Check:
    """Compare every market's settlement: completed, nothing open, the sums to the minor unit."""
    differences: list[str] = []
    expected: dict[UUID, dict[str, Settled]] = {market_id: {} for market_id in played.markets}
    for (market_id, currency), settled in played.book.settled.items():
        expected[market_id][currency] = settled

    async def compare(market_id: UUID) -> None:
        row = await _completed(client, market_id)
        sums = {t.currency: Settled(t.bets, t.stake_minor, t.return_minor) for t in row.totals}
        if not row.completed or row.open_bets or sums != expected[market_id]:
            differences.append(f"market {market_id} is {row}, expected {expected[market_id]}")

    await in_flight(played.markets, compare)
    return _check(
        f"settlements equal the demo's own arithmetic ({len(played.markets)} markets)", differences
    )


async def check_bets(client: LedgerClient, played: Played) -> Check:
    """Compare each bet of the last day with the demo's own rules: its status, its return to the minor unit."""
    differences: list[str] = []
    for market_id in played.gala.markets:
        row = await _completed(client, market_id)
        if not row.completed or row.open_bets:
            differences.append(f"market {market_id} is {row}")

    async def compare(bet_id: UUID) -> None:
        wager, ended = played.gala.ended[bet_id]
        shown = await client.read(f"/v1/bets/{bet_id}", BetEnd, after=played.last_position)
        if (shown.status, shown.return_minor) != (ended.status, ended.return_minor):
            differences.append(f"{wager} is {shown}, expected {ended}")

    await in_flight(played.gala.ended, compare)
    kinds = {kind_of(wager) for wager, _ in played.gala.ended.values()}
    return _check(
        f"bets of every kind end as the demo's own rules say "
        f"({len(played.gala.ended)} bets, {len(kinds)} kinds)",
        differences,
    )


async def _completed(client: LedgerClient, market_id: UUID) -> SettlementRow:
    """Read a settlement, patiently: its last event follows the last bet's."""
    path = f"/v1/markets/{market_id}/settlement"
    row = await client.read(path, SettlementRow)
    for _ in range(SETTLEMENT_POLLS):
        if row.completed:
            break
        await asyncio.sleep(POLL_SECONDS)
        row = await client.read(path, SettlementRow)
    return row


def check_books(trial_balance: TrialBalance) -> Check:
    """Sum all books by currency, without trusting the sum that the ledger gives."""
    sums: dict[str, int] = {}
    for row in trial_balance.rows:
        sums[row.currency] = sums.get(row.currency, 0) + row.balance_minor
    agrees = trial_balance.check_minor == sums and not any(sums.values())
    said = ", ".join(f"{currency} {amount}" for currency, amount in sorted(sums.items()))
    return Check(f"the trial balance is zero in every currency ({said})", agrees)


def check_owed(trial_balance: TrialBalance, played: Played) -> Check:
    """Compare what the books owe to customers with the sum of the purses."""
    owed: Counter[str] = Counter()
    for row in trial_balance.rows:
        if row.book in ("customer_available", "customer_in_play"):
            owed[row.currency] += row.balance_minor
    for purse in played.book.purses.values():
        owed[purse.currency] -= purse.available_minor + purse.in_play_minor
    differences = [f"{currency} differs by {amount}" for currency, amount in owed.items() if amount]
    return _check("the books owe the customers what their accounts hold", differences)


async def count_events(client: LedgerClient, played: Played) -> tuple[Counter[str], int]:
    """Count the events since the run began, by topic, from the audit feed; and the last one's position."""
    topics: Counter[str] = Counter()
    after = played.first_position - 1
    while lines := await client.lines("/v1/audit/events", after=after, limit=EVENTS_IN_PAGE):
        heads = [msgspec.json.decode(line, type=_EventHead) for line in lines]
        topics.update(head.topic for head in heads)
        after = heads[-1].position
    return topics, after


def check_log(topics: Counter[str], played: Played) -> Check:
    """Compare the log with the answers: no accepted bet missing, none twice, each settled once."""
    expected = {
        "account.opened": len(played.book.purses),
        "market.opened": len(played.markets) + len(played.gala.markets),
        "market.result_declared": len(played.markets) + played.gala.declarations,
        "bet.placed": played.book.bets,
        # What a result that was taken back had settled is open again, and settled a second time.
        "bet.settled": played.book.bets + topics["bet.reopened"],
    }
    differences = [
        f"{topic}: {topics[topic]} events, {count} expected"
        for topic, count in expected.items()
        if topics[topic] != count
    ]
    return _check(
        f"the log holds each of the {played.book.bets:,} accepted bets once, placed and settled",
        differences,
    )


def check_replay(database_url: str, head: int, progress: Callable[[int, int], None]) -> Check:
    """Fold the log up to position `head` anew and compare digests with every read model."""
    report = run_replay(database_url, progress)
    differences = list(report.wrong_accounts)
    differences += [f"postings at position {each} do not balance" for each in report.unbalanced]
    differences += [f"the log cannot be replayed: {report.failure}"] if report.failure else []
    differences += [f"{model.name} differs" for model in report.models if not model.same]
    differences += [
        f"{model.name} stands at position {model.position} of {head}"
        for model in report.models
        if model.position < head
    ]
    digest = sum(table.hash for model in report.models for table in model.live) % 2**64
    return _check(
        f"a replay of {report.events:,} events gives the same digest as the read models "
        f"({len(report.models)} models, {digest:016x})",
        differences,
    )


def _check(said: str, differences: Sequence[str]) -> Check:
    if not differences:
        return Check(said, agrees=True)
    shown = "\n  ".join(differences[:DIFFERENCES_SHOWN])
    return Check(f"not so: {said}\n  {len(differences)} differ: {shown}", agrees=False)
