"""What stands between a live feed and its provider: the rate, the breaker, the back-off, the health."""

import logging
from random import Random

from adapters.feeds.back_off import BackOff
from adapters.feeds.circuit_breaker import CircuitBreaker
from adapters.feeds.token_bucket import TokenBucket
from application import meters
from application.feeds import Clock, FeedHealth

_log = logging.getLogger("fairbook.feeds")

RETRY_AFTER_SECONDS_MAX = 3_600.0


class Provider:
    """Says when the next call may be made, and learns how each went."""

    def __init__(
        self,
        health: FeedHealth,
        clock: Clock,
        randomness: Random,
        *,
        per_second: float = 1.0,
        burst: int = 5,
        back_off: BackOff | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        """At most `per_second` calls a second, `burst` at once after a quiet while."""
        self.health = health
        self.clock = clock
        self._bucket = TokenBucket(per_second, burst, clock)
        self._back_off = back_off or BackOff(randomness)
        self._breaker = breaker or CircuitBreaker(clock)
        self._pause_seconds = 0.0

    async def turn(self) -> None:
        """Wait until a call may be made."""
        pause_seconds = max(self._pause_seconds, self._breaker.rest_seconds)
        self._pause_seconds = 0.0
        if pause_seconds > 0:
            await self.clock.sleep(pause_seconds)
        self.health.breaker = self._breaker.state
        await self._bucket.take()

    def succeeded(self) -> None:
        """The call went well."""
        self._back_off.succeeded()
        self._breaker.succeeded()
        self.health.breaker = "closed"
        self.health.succeeded(self.clock.now())

    def failed(self, error: str) -> bool:
        """It failed: `error` says how, without credentials. True when the provider is given a rest for it."""
        self._pause_seconds = self._back_off.failed()
        opened = self._breaker.failed()
        self.health.breaker = self._breaker.state
        self.health.failed(error)
        _log.warning("feed %s: %s", self.health.feed, error)
        if opened:
            meters.feed_breaker_opened.add(labels=(self.health.feed,))
            _log.warning(
                "feed %s: left alone for %.0f s", self.health.feed, self._breaker.rest_seconds
            )
        return opened

    def told_to_wait(self, seconds: float | None, error: str) -> None:
        """The provider is up and wants us slower: no fault that counts towards a rest."""
        asked = seconds if seconds is not None else self._back_off.failed()
        self._pause_seconds = min(asked, RETRY_AFTER_SECONDS_MAX)
        self.health.failed(error)
        _log.warning("feed %s: %s; waiting %.1f s", self.health.feed, error, self._pause_seconds)
