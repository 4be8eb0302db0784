"""The Odds API, version 4: matches with the prices of many bookmakers, polled within a monthly quota.

Source: the-odds-api.com, "V4 API documentation".
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final

from msgspec import Struct

from adapters.feeds.polling import NOT_MODIFIED, PolledAnswer, PollingClient
from adapters.feeds.provider import Provider
from adapters.feeds.readings import NOT_JSON, decode_json
from adapters.feeds.the_odds_api_reader import FEED, TheOddsApiReader
from application.feeds import Clock, FeedHealth
from domain.quotes import QuoteBatch

URL: Final = "https://api.the-odds-api.com"
INTERVAL_SECONDS: Final = 60.0


class Subscription(Struct, frozen=True):
    """What to ask for, as the API's parameters have it; each region (or ten bookmakers) times market costs one."""

    sport: str
    regions: str = "uk,eu"
    markets: str = "h2h,totals"
    bookmakers: str = ""


class Quota:
    """What is left of the month's requests, and how often to ask so that they last."""

    def __init__(self, clock: Clock, interval_seconds: float) -> None:
        """Ask every `interval_seconds` where the quota allows it."""
        self._clock = clock
        self._interval_seconds = interval_seconds
        self.remaining: int | None = None
        self.last_cost = 1

    def learn(self, headers: Mapping[str, str]) -> None:
        """Read the headers of an answer."""
        remaining = _count(headers.get("x-requests-remaining"))
        if remaining is not None:
            self.remaining = remaining
        self.last_cost = max(1, _count(headers.get("x-requests-last")) or self.last_cost)

    @property
    def wait_seconds(self) -> float:
        """Seconds until the next question: the interval, longer where the rest of the month needs it.

        The quota begins anew with each month; before it is used up, nothing is asked until then.
        """
        if self.remaining is None:
            return self._interval_seconds
        now = self._clock.now()
        until_reset = (_next_month(now) - now).total_seconds()
        questions = self.remaining // self.last_cost
        if not questions:
            return until_reset
        return max(self._interval_seconds, min(until_reset, until_reset / questions))


class TheOddsApiFeed:
    """The live API, polled."""

    def __init__(
        self,
        api_key: str,
        subscription: Subscription,
        *,
        clock: Clock,
        randomness: Random,
        url: str = URL,
        interval_seconds: float = INTERVAL_SECONDS,
        timeout_seconds: float = 15.0,
        provider: Provider | None = None,
    ) -> None:
        """Ask every `interval_seconds`, or as seldom as the quota needs it."""
        self.name = FEED
        self.health = provider.health if provider else FeedHealth(FEED)
        self.quota = Quota(clock, interval_seconds)
        self._api_key = api_key
        self._subscription = subscription
        self._clock = clock
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._provider = provider or Provider(self.health, clock, randomness)
        self._reader = TheOddsApiReader(self.health, clock)

    async def batches(self) -> AsyncGenerator[Sequence[QuoteBatch], None]:
        """Give what is new in each answer."""
        wanted = self._subscription
        params = {
            "apiKey": self._api_key,
            "markets": wanted.markets,
            "oddsFormat": "decimal",
            "dateFormat": "iso",
            **(
                {"bookmakers": wanted.bookmakers}
                if wanted.bookmakers
                else {"regions": wanted.regions}
            ),
        }
        etag: str | None = None
        async with PollingClient(
            self._url, self._provider, timeout_seconds=self._timeout_seconds
        ) as client:
            while True:
                headers = {"If-None-Match": etag} if etag else {}
                answer = await client.get(f"/v4/sports/{wanted.sport}/odds", params, headers)
                self.quota.learn(answer.headers)
                etag = answer.headers.get("etag", etag)
                if batches := self._taken(answer):
                    yield batches
                await self._clock.sleep(self.quota.wait_seconds)

    def _taken(self, answer: PolledAnswer) -> list[QuoteBatch]:
        if answer.status == NOT_MODIFIED:
            self.health.notes["not modified"] += 1
            return []
        return self._reader.take(answer.content)


class RecordedTheOddsApiFeed:
    """Recorded answers: one JSON document, or one in each line."""

    def __init__(self, content: bytes, clock: Clock) -> None:
        """Take a file's bytes."""
        self.name = FEED
        self.health = FeedHealth(FEED)
        self._content = content
        self._clock = clock

    async def batches(self) -> AsyncIterator[Sequence[QuoteBatch]]:
        """Give what is new in each answer."""
        reader = TheOddsApiReader(self.health, self._clock)
        for answer in _documents(self._content):
            self.health.heard(self._clock.now())
            if batches := reader.take(answer):
                yield batches
            await asyncio.sleep(0)


def _documents(content: bytes) -> Iterator[bytes]:
    try:
        decode_json(content)
    except NOT_JSON:
        yield from (line for line in content.splitlines() if line.strip())
    else:
        yield content


def _count(text: str | None) -> int | None:
    """Read a count; the API prints some as 12.0."""
    digits = (text or "").partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else None


def _next_month(now: datetime) -> datetime:
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)
