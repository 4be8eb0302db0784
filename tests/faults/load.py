"""Bets under load, from clients that send again with the same key until they are answered."""

import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import psycopg

from adapters.postgres.codec import decode_event
from domain.events.bet import BetPlaced
from tests.service import Client, People, Service, an_id, bet_body, until

FUNDS_MINOR: Final = 1_000_000
STAKE_MINOR: Final = 7
CLIENTS: Final = 6
ANSWERED_PATIENCE_SECONDS: Final = 60.0


class Load:
    """Traders, each with an account, who bet without pause while the block runs."""

    def __init__(self, people: People) -> None:
        self._traders = [people.trader() for _ in range(CLIENTS)]
        self.accounts = [trader.account(FUNDS_MINOR) for trader in self._traders]
        self.market = people.operator.market()
        self.answers: list[dict[str, tuple[dict[str, Any], bytes]]] = [{} for _ in self.accounts]
        self.sent_again = 0
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._running: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._running = [self._pool.submit(self._bet, n) for n in range(CLIENTS)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._pool.shutdown()
        if error is None:
            for each in self._running:
                each.result()

    @property
    def answered(self) -> int:
        return sum(map(len, self.answers))

    def wait_for_more(self, answers: int) -> None:
        wanted, give_up = self.answered + answers, time.monotonic() + ANSWERED_PATIENCE_SECONDS
        while self.answered < wanted:
            assert time.monotonic() < give_up, "nobody is answered any more"
            assert not any(each.done() for each in self._running), "a client has given up"
            time.sleep(0.005)

    def _bet(self, n: int) -> None:
        trader, account = self._traders[n], self.accounts[n]
        while not self._stop.is_set():
            body = bet_body(account, self.market, STAKE_MINOR)
            if len(self.answers[n]) % 2:
                body["bet_id"] = an_id()
            key = an_id()
            self.answers[n][key] = body, self._insist(trader, body, key)

    def _insist(self, trader: Client, body: dict[str, Any], key: str) -> bytes:
        give_up = time.monotonic() + ANSWERED_PATIENCE_SECONDS
        while True:
            with suppress(OSError, HTTPException):
                answer = trader.post("/v1/bets", body, key=key)
                if answer.status == 201:
                    return answer.content
                answer.problem(503)
            self.sent_again += 1
            assert time.monotonic() < give_up, "never answered"
            time.sleep(0.02)

    # ---- what must hold afterwards

    def check(self, service: Service) -> None:
        """Every answered bet is in the log exactly once, nothing else is, and the balances say so."""
        placed = _placed(service.database_url)
        acknowledged = Counter(
            msgspec.json.decode(content)["bet_id"]
            for answers in self.answers
            for _, content in answers.values()
        )
        assert set(acknowledged.values()) == {1}
        ours = {bet: count for (bet, market), count in placed.items() if market == self.market}
        assert ours == acknowledged
        last = service.head()
        for trader, account, answers in zip(
            self._traders, self.accounts, self.answers, strict=True
        ):
            shown = _patient(trader, f"/v1/accounts/{account}", last)
            staked = STAKE_MINOR * len(answers)
            assert (shown["available_minor"], shown["in_play_minor"]) == (
                FUNDS_MINOR - staked,
                staked,
            )
        self.check_first_answers()

    def check_first_answers(self) -> None:
        """Sent again with its key, a bet gets its first answer; a good sample of them."""
        for trader, answers in zip(self._traders, self.answers, strict=True):
            for key, (body, content) in list(answers.items())[-40:]:
                again = trader.post("/v1/bets", body, key=key)
                assert (again.status, again.content, again.is_replayed) == (201, content, True)


def _placed(database_url: str) -> Counter[tuple[str, str]]:
    """Count the placed bets of the log by bet and market, from the audit's own columns."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT notification_id, originator_id, originator_version, topic, state"
            " FROM ledger_events WHERE topic = 'bet.placed'"
        ).fetchall()
    placed: Counter[tuple[str, str]] = Counter()
    for row in rows:
        recorded = decode_event(*row)
        assert isinstance(recorded.event, BetPlaced)
        placed[str(recorded.stream_id), str(recorded.event.legs[0].market_id)] += 1
    return placed


def _patient(client: Client, path: str, after: int) -> Any:
    """Read from a view that may have a while to catch up."""
    until(lambda: client.get(path, after=after).status == 200, 40)
    return client.get(path, after=after).ok()
