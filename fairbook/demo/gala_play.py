"""Plays the demo's last day through the HTTP API: bets of every kind, a withdrawn runner, corrected results."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final
from uuid import UUID, uuid5

from msgspec import Struct

from adapters.football_data import Match
from domain.commands.account import Deposit, GrantBonus, OpenAccount
from domain.commands.bet import PlaceBet
from domain.commands.command import Command
from domain.commands.market import CloseMarket, DeclareResult
from fairbook.client import LedgerClient, ServiceError, in_flight
from fairbook.demo.book import Book
from fairbook.demo.gala import Gala, Offer, late_wagers, prepare, wagers
from fairbook.demo.rules import Ended, Wager, end
from read_models.markets import SettlementRow

PUNTERS: Final = {"maya": "GBP", "nils": "EUR", "olga": "GBP"}
STRATEGY: Final = "every kind of bet on the last day"
DEPOSIT_MINOR: Final = 50_000_000
BONUS_MINOR: Final = 10_000
POLL_SECONDS: Final = 0.1
SETTLEMENT_POLLS: Final = 600


class GalaPlayed(Struct):
    """What the day did: its bets with what the demo's own rules make of them, and its markets."""

    ended: dict[UUID, tuple[Wager, Ended]] = {}
    markets: list[UUID] = []
    declarations: int = 0


class GalaPlay:
    """One day on a ledger; `send(path, command)` and `take_back(path)` carry commands out and give their positions."""

    def __init__(
        self,
        client: LedgerClient,
        book: Book,
        run_id: UUID,
        send: Callable[[str, Command], Awaitable[int]],
        take_back: Callable[[str], Awaitable[int]],
    ) -> None:
        """Prepare; nothing is sent before `run`."""
        self._client = client
        self._book = book
        self._run_id = run_id
        self._send = send
        self._take_back = take_back
        self.played = GalaPlayed()

    async def run(self, matches: Sequence[Match], dice: Random) -> GalaPlayed:
        """Play the day with these matches' scores.

        Raises:
            Refused: a rule stood against something that every ledger must accept.
            ServiceError: the service is away, or settlement stands still.
        """
        gala = prepare(matches, self._run_id, dice)
        accounts = {owner: uuid5(self._run_id, f"account/{owner}") for owner in PUNTERS}
        for owner, account_id in accounts.items():
            await self._open_account(owner, account_id)
        await in_flight(gala.offers, self._open_market)
        placed = wagers(gala, accounts, self._run_id, dice)
        await in_flight(placed, self._place)
        for race in gala.races:
            if race.withdrawal is not None:
                await self._send(f"/v1/markets/{race.market_id}/withdrawals", race.withdrawal)
        late = late_wagers(gala, accounts, self._run_id, dice)
        await in_flight(late, self._place)
        await in_flight(gala.offers, self._decide)
        self._settle(gala, [*placed, *late])
        return self.played

    async def _open_account(self, owner: str, account_id: UUID) -> None:
        currency = PUNTERS[owner]
        opened = OpenAccount(account_id=account_id, owner=owner, currency=currency, name=STRATEGY)
        await self._send("/v1/accounts", opened)
        self._book.open(account_id, owner, currency)
        deposit = Deposit(
            transfer_id=uuid5(account_id, "deposit"),
            amount_minor=DEPOSIT_MINOR,
            method="bank transfer",
        )
        await self._send(f"/v1/accounts/{account_id}/deposits", deposit)
        self._book.deposit(account_id, DEPOSIT_MINOR)
        bonus = GrantBonus(
            transfer_id=uuid5(account_id, "bonus"), amount_minor=BONUS_MINOR, reason="free bets"
        )
        await self._send(f"/v1/accounts/{account_id}/bonus", bonus)

    async def _open_market(self, offer: Offer) -> None:
        await self._send("/v1/markets", offer.opened)
        self.played.markets.append(offer.market_id)

    async def _place(self, wager: Wager) -> None:
        await self._send(
            "/v1/bets",
            PlaceBet(
                bet_id=wager.bet_id,
                account_id=wager.account_id,
                kind=wager.kind,
                side=wager.side,
                legs=wager.legs,
                stake_minor=wager.stake_minor,
                each_way=wager.each_way,
                best_odds=wager.best_odds,
                free=wager.free,
            ),
        )
        self._book.accept_wager(wager)

    async def _decide(self, offer: Offer) -> None:
        """Close and declare; a wrong result is settled first, then corrected, or taken back and declared again."""
        market = f"/v1/markets/{offer.market_id}"
        await self._send(f"{market}/close", CloseMarket())
        if offer.wrong is not None:
            await self._settled(market, await self._declare(market, offer.wrong))
            if offer.rolled_back:
                await self._settled(market, await self._take_back(f"{market}/result"))
        await self._declare(market, offer.declared)

    async def _declare(self, market: str, result: DeclareResult) -> int:
        self.played.declarations += 1
        return await self._send(f"{market}/result", result)

    async def _settled(self, market: str, position: int) -> None:
        """Wait until every bet was visited after the result at this position."""
        for _ in range(SETTLEMENT_POLLS):
            row = await self._client.read(f"{market}/settlement", SettlementRow, after=position)
            if row.completed:
                return
            await asyncio.sleep(POLL_SECONDS)
        raise ServiceError(f"settlement of {market} stands still")

    def _settle(self, gala: Gala, placed: Sequence[Wager]) -> None:
        facts = {offer.market_id: offer.facts for offer in gala.offers}
        for wager in placed:
            ended = end(wager, facts)
            self.played.ended[wager.bet_id] = (wager, ended)
            self._book.settle_wager(wager, ended)
