"""Plays a season through the HTTP API: accounts, markets, prices, bets, results, settlement."""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import groupby, islice
from random import Random
from typing import Final
from uuid import UUID, uuid5

from msgspec import Struct, field

from adapters.football_data import Match
from domain.commands.account import (
    CompleteWithdrawal,
    Deposit,
    OpenAccount,
    RejectWithdrawal,
    Withdraw,
)
from domain.commands.bet import PlaceBet, PlaceBets
from domain.commands.command import Command
from domain.commands.market import CloseMarket, DeclareResult, ScoreBody
from domain.commands.odds import RecordOdds
from domain.events.bet import Leg
from fairbook.client import LedgerClient, Receipt, Refused, ServiceError, in_flight
from fairbook.demo.answers import BatchAnswer, Funds
from fairbook.demo.book import Bet, Book, winner
from fairbook.demo.gala import CUP_MATCHES
from fairbook.demo.gala_play import GalaPlay, GalaPlayed
from fairbook.demo.season import Round, Snapshot, own_ids, rounds
from fairbook.demo.simulation import simulate_matches
from fairbook.demo.tickets import Quota, Ticket
from fairbook.demo.traders import TRADERS, Desk, Prices, Trader, prices
from fairbook.imports import open_market, record_odds

BETS_IN_BATCH: Final = 500
QUOTES_IN_POST: Final = 2_000
WITHDRAWN_SHARE: Final = 10
POLL_SECONDS: Final = 0.05
POLL_SECONDS_MAX: Final = 0.5
SETTLEMENT_SECONDS_MAX: Final = 120.0


class Played(Struct):
    """What a play did, for the report."""

    book: Book
    run_id: UUID
    matches: int = 0
    markets: list[UUID] = []
    quotes: int = 0
    singles: int = 0
    batched: int = 0
    batches: int = 0
    first_position: int = 0
    last_position: int = 0
    betting_seconds: float = 0.0
    settling_seconds: float = 0.0
    gala_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    gala: GalaPlayed = field(default_factory=GalaPlayed)
    """The last day, on which bets of every kind are placed."""


class Play:
    """One run of a season on a ledger; `advance(matches, bets)` is called as it goes."""

    def __init__(
        self,
        client: LedgerClient,
        season: Sequence[Match],
        *,
        bets: int,
        seed: int,
        run_id: UUID,
        advance: Callable[[int, int], None],
    ) -> None:
        """Prepare; nothing is sent before `run`."""
        self._client = client
        self._rounds = rounds(own_ids(match, run_id) for match in season)
        self._run_id = run_id
        self._seed = seed
        self._dice = Random(seed)  # noqa: S311  chance that must be repeatable, not secret
        self._advance = advance
        self._quota = Quota(bets, sum(len(round_.phases()) for round_ in self._rounds))
        self._account_of = {trader.name: self._id(f"account/{trader.name}") for trader in TRADERS}
        self._bets_made = 0
        self._commands = 0
        self.played = Played(Book(), run_id)

    @property
    def matches(self) -> int:
        """How many matches will be played."""
        return sum(len(round_.matches) for round_ in self._rounds)

    async def run(self) -> Played:
        """Play all of it.

        Raises:
            Refused: a rule stood against something that every ledger must accept.
            ServiceError: the service is away, or settlement stands still.
        """
        started = time.perf_counter()
        await in_flight(TRADERS, self._open_account)
        for number, round_ in enumerate(self._rounds):
            if number == len(self._rounds) // 2:
                await self._withdraw()
            await self._play_round(round_)
        await self._play_gala()
        self.played.elapsed_seconds = time.perf_counter() - started
        return self.played

    # ---- accounts

    async def _open_account(self, trader: Trader) -> None:
        account_id = self._account_of[trader.name]
        await self._send(
            "/v1/accounts",
            OpenAccount(
                account_id=account_id,
                owner=trader.name,
                currency=trader.currency,
                name=trader.strategy,
            ),
        )
        self.played.book.open(account_id, trader.name, trader.currency)
        await self._send(
            f"/v1/accounts/{account_id}/deposits",
            Deposit(
                transfer_id=self._id(f"deposit/{trader.name}"),
                amount_minor=trader.deposit_minor,
                method="bank transfer",
            ),
        )
        self.played.book.deposit(account_id, trader.deposit_minor)

    async def _withdraw(self) -> None:
        """Half way through, one trader takes money out, and another's wish is refused by the operator."""
        for trader, granted in ((TRADERS[0], True), (TRADERS[1], False)):
            account_id = self._account_of[trader.name]
            amount_minor = self.played.book.purses[account_id].available_minor // WITHDRAWN_SHARE
            if amount_minor == 0:
                continue
            transfer_id = self._id(f"withdrawal/{trader.name}")
            await self._send(
                f"/v1/accounts/{account_id}/withdrawals",
                Withdraw(
                    transfer_id=transfer_id, amount_minor=amount_minor, method="bank transfer"
                ),
            )
            if granted:
                await self._send(f"/v1/withdrawals/{transfer_id}/complete", CompleteWithdrawal())
                self.played.book.withdraw(account_id, amount_minor)
            else:
                await self._send(
                    f"/v1/withdrawals/{transfer_id}/reject",
                    RejectWithdrawal(reason="the bank account is not in the owner's name"),
                )

    # ---- a round

    async def _play_round(self, round_: Round) -> None:
        await in_flight(round_.matches, self._open_markets)
        seen: dict[UUID, Prices] = {}
        for phase in round_.phases():
            await self._post_prices(phase)
            tickets = self._plan(phase, seen)
            started = time.perf_counter()
            await self._place(tickets)
            self.played.betting_seconds += time.perf_counter() - started
        started = time.perf_counter()
        await in_flight(round_.matches, self._declare)
        await self._settled(list(self._account_of.values()))
        self.played.settling_seconds += time.perf_counter() - started
        for match in round_.matches:
            assert match.score is not None  # rounds() lets no other in
            for market in match.markets:
                self.played.book.settle(market.market_id, winner(market.type, match.score))
        self.played.book.end_round()
        self.played.matches += len(round_.matches)
        self._advance(len(round_.matches), 0)

    async def _open_markets(self, match: Match) -> None:
        for market in match.markets:
            await self._send("/v1/markets", open_market(match.fixture, market))
            self.played.markets.append(market.market_id)

    async def _post_prices(self, phase: Sequence[Snapshot]) -> None:
        """Post the phase's prices in as few requests as their bound allows."""
        quotes = record_odds(tuple(snapshot.market for snapshot in phase)).quotes
        parts = [quotes[at : at + QUOTES_IN_POST] for at in range(0, len(quotes), QUOTES_IN_POST)]
        for part in parts:
            await self._send("/v1/odds", RecordOdds(quotes=part))
        self.played.quotes += len(quotes)

    def _plan(self, phase: Sequence[Snapshot], seen: dict[UUID, Prices]) -> list[Ticket]:
        picks = []
        for snapshot in phase:
            market = snapshot.market
            now = prices(market)
            before = seen.get(market.market_id, {})
            for trader in TRADERS:
                purse = self.played.book.purses[self._account_of[trader.name]]
                desk = Desk(market, now, before, purse, self._dice)
                picks += [(trader, pick) for pick in trader.picks(desk)]
            seen[market.market_id] = now
        return self._quota.plan(picks, self._dice)

    async def _play_gala(self) -> None:
        """Let the season's last matches play a cup; a short season is filled up with simulated ones."""
        started = time.perf_counter()
        matches = [match for round_ in reversed(self._rounds) for match in round_.matches]
        matches += islice(simulate_matches(self._seed), max(0, CUP_MATCHES - len(matches)))
        gala = GalaPlay(self._client, self.played.book, self._run_id, self._send, self._take_back)
        self.played.gala = await gala.run(matches[:CUP_MATCHES], self._dice)
        await self._settled(list(self.played.book.purses))
        self.played.gala_seconds = time.perf_counter() - started

    # ---- bets

    async def _place(self, tickets: Sequence[Ticket]) -> None:
        """Send every trader's bets, many requests in flight at once; a batch holds one trader's."""
        orders: list[list[Bet]] = []
        by_trader = sorted(tickets, key=lambda ticket: ticket.trader.name)
        for trader, group in groupby(by_trader, key=lambda ticket: ticket.trader):
            bets = [self._bet(ticket) for ticket in group]
            size = BETS_IN_BATCH if trader.sends == "batches" else 1
            orders += [bets[at : at + size] for at in range(0, len(bets), size)]
        # By lot, so that traders take turns as they would.
        self._dice.shuffle(orders)
        await in_flight(orders, self._place_order)

    def _bet(self, ticket: Ticket) -> Bet:
        account_id, pick = self._account_of[ticket.trader.name], ticket.pick
        self._bets_made += 1
        return Bet(
            self._id(f"bet/{self._bets_made}"),
            account_id,
            pick.market_id,
            pick.selection_id,
            pick.odds,
            ticket.stake_minor,
        )

    async def _place_order(self, bets: Sequence[Bet]) -> None:
        if len(bets) == 1:
            await self._place_one(bets[0])
        else:
            await self._place_batch(bets)
        self._advance(0, len(bets))

    async def _place_one(self, bet: Bet) -> None:
        self.played.singles += 1
        try:
            await self._send("/v1/bets", _place_bet(bet))
        except Refused as refused:
            self.played.book.refuse(bet, refused.problem.kind)
        else:
            self.played.book.accept(bet)

    async def _place_batch(self, bets: Sequence[Bet]) -> None:
        self.played.batches += 1
        self.played.batched += len(bets)
        body = PlaceBets(bets=[_place_bet(bet) for bet in bets])
        answer = await self._client.command("/v1/bets/batch", body, self._next_key(), BatchAnswer)
        self._reached(answer.position)
        if len(answer.results) != len(bets):
            raise ServiceError(f"a batch of {len(bets)} bets got {len(answer.results)} results")
        for bet, item in zip(bets, answer.results, strict=True):
            if item.error is not None:
                self.played.book.refuse(bet, item.error.kind)
            elif item.bet_id == bet.bet_id:
                self.played.book.accept(bet)
            else:
                raise ServiceError(f"the batch answered {item.bet_id} where {bet.bet_id} was sent")

    # ---- results

    async def _declare(self, match: Match) -> None:
        assert match.score is not None  # rounds() lets no other in
        result = DeclareResult(score=ScoreBody(home=match.score.home, away=match.score.away))
        for market in match.markets:
            await self._send(f"/v1/markets/{market.market_id}/close", CloseMarket())
            await self._send(f"/v1/markets/{market.market_id}/result", result)

    async def _settled(self, waiting: list[UUID]) -> None:
        """Wait until these accounts have no bet in play any more."""
        pause_seconds, waited_seconds = POLL_SECONDS, 0.0
        while waiting:
            waiting = [
                account_id for account_id in waiting if await self._in_play_minor(account_id)
            ]
            if not waiting:
                return
            if waited_seconds > SETTLEMENT_SECONDS_MAX:
                raise ServiceError(
                    f"settlement stands still: {len(waiting)} accounts have bets in play "
                    f"{SETTLEMENT_SECONDS_MAX:.0f} s after the results"
                )
            await asyncio.sleep(pause_seconds)
            waited_seconds += pause_seconds
            pause_seconds = min(pause_seconds * 1.5, POLL_SECONDS_MAX)

    async def _in_play_minor(self, account_id: UUID) -> int:
        funds = await self._client.read(
            f"/v1/accounts/{account_id}", Funds, after=self.played.last_position
        )
        return funds.in_play_minor

    # ---- requests

    def _id(self, name: str) -> UUID:
        return uuid5(self._run_id, name)

    async def _send(self, path: str, command: Command) -> int:
        receipt = await self._client.command(path, command, self._next_key(), Receipt)
        self._reached(receipt.position)
        return receipt.position

    async def _take_back(self, path: str) -> int:
        receipt = await self._client.delete(path, self._next_key(), Receipt)
        self._reached(receipt.position)
        return receipt.position

    def _next_key(self) -> UUID:
        self._commands += 1
        return self._id(f"command/{self._commands}")

    def _reached(self, position: int) -> None:
        self.played.first_position = min(self.played.first_position or position, position)
        self.played.last_position = max(self.played.last_position, position)


def _place_bet(bet: Bet) -> PlaceBet:
    return PlaceBet(
        bet_id=bet.bet_id,
        account_id=bet.account_id,
        legs=(Leg(bet.market_id, bet.selection_id, bet.odds),),
        stake_minor=bet.stake_minor,
    )
