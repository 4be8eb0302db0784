"""Pinnacle: a snapshot of a sport's prices, then what changed since, polled; names come from a second address."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from random import Random
from typing import Final, Literal

import msgspec
from msgspec import Struct

from adapters.feeds.pinnacle_reader import FEED, PinnacleReader
from adapters.feeds.polling import PollingClient
from adapters.feeds.provider import Provider
from adapters.feeds.readings import NOT_JSON, Unusable, read_time
from application.feeds import Clock, FeedHealth
from domain.quotes import QuoteBatch

URL: Final = "https://api.pinnacle.com"
# Fair use, as documented: deltas no more often than every 5 s, names every minute, a snapshot every minute.
INTERVAL_SECONDS: Final = 10.0
NAMES_SECONDS: Final = 60.0


class PinnacleFeed:
    """The live API, polled."""

    def __init__(
        self,
        login: tuple[str, str],
        *,
        clock: Clock,
        randomness: Random,
        sport_id: int = 29,
        leagues: Sequence[int] = (),
        url: str = URL,
        interval_seconds: float = INTERVAL_SECONDS,
        timeout_seconds: float = 30.0,
        provider: Provider | None = None,
    ) -> None:
        """Read one sport's prices, of some leagues or all, as (user, password)."""
        self.name = FEED
        self.health = provider.health if provider else FeedHealth(FEED)
        self._login = login
        self._clock = clock
        self._url = url
        self._interval_seconds = interval_seconds
        self._timeout_seconds = timeout_seconds
        self._provider = provider or Provider(
            self.health, clock, randomness, per_second=0.5, burst=3
        )
        self._question = {"sportId": str(sport_id)}
        if leagues:
            self._question["leagueIds"] = ",".join(map(str, leagues))
        self._reader = PinnacleReader(self.health)

    async def batches(self) -> AsyncGenerator[Sequence[QuoteBatch], None]:
        """Give what changed with each answer."""
        names_since: int | None = None
        names_at = float("-inf")
        since: int | None = None
        async with PollingClient(
            self._url, self._provider, login=self._login, timeout_seconds=self._timeout_seconds
        ) as client:
            while True:
                if self._clock.monotonic() - names_at >= NAMES_SECONDS:
                    answer = await client.get("/v3/fixtures", self._asking(names_since))
                    names_since = self._reader.take_fixtures(answer.content) or names_since
                    names_at = self._clock.monotonic()
                answer = await client.get(
                    "/v3/odds", {**self._asking(since), "oddsFormat": "Decimal"}
                )
                batches, last = self._reader.take_odds(
                    answer.content, self._clock.now(), "snapshot" if since is None else "delta"
                )
                # After an answer of no use the next question is the same one: no change is lost.
                since = last if last is not None else since
                if batches:
                    yield batches
                await self._clock.sleep(self._interval_seconds)

    def _asking(self, since: int | None) -> dict[str, str]:
        return self._question if since is None else {**self._question, "since": str(since)}


class _RecordedAnswer(Struct, frozen=True):
    at: str
    endpoint: Literal["fixtures", "odds"]
    body: msgspec.Raw
    since: int | None = None


class RecordedPinnacleFeed:
    """Recorded answers, one in each line: `{"at", "endpoint": "fixtures"|"odds", "since"?, "body"}`."""

    def __init__(self, content: bytes, clock: Clock) -> None:
        """Take a file's bytes."""
        self.name = FEED
        self.health = FeedHealth(FEED)
        self._content = content
        self._clock = clock

    async def batches(self) -> AsyncIterator[Sequence[QuoteBatch]]:
        """Give what changed with each answer."""
        reader = PinnacleReader(self.health)
        for number, line in enumerate(self._content.splitlines(), 1):
            try:
                recorded = msgspec.json.decode(line, type=_RecordedAnswer)
                at = read_time(recorded.at, "at")
            except (*NOT_JSON, Unusable) as error:
                self.health.rejections.add("line is no recorded answer", f"line {number}: {error}")
                continue
            self.health.heard(self._clock.now())
            body = bytes(recorded.body)
            if recorded.endpoint == "fixtures":
                reader.take_fixtures(body)
                continue
            kind: Literal["snapshot", "delta"] = "snapshot" if recorded.since is None else "delta"
            batches, _ = reader.take_odds(body, at, kind)
            if batches:
                yield batches
