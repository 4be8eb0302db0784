"""How often a provider may be asked."""

from application.feeds import Clock


class TokenBucket:
    """Holds up to `burst` tokens and gets `per_second` more each second; every call takes one."""

    def __init__(self, per_second: float, burst: int, clock: Clock) -> None:
        """Begin full."""
        if per_second <= 0 or burst < 1:
            raise ValueError("a bucket gets tokens, and holds at least one")
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock.monotonic()

    async def take(self) -> None:
        """Wait until there is a token, and take it."""
        self._fill()
        # Taken before the wait: a second caller then waits behind the first, not beside it.
        self._tokens -= 1
        if self._tokens < 0:
            await self._clock.sleep(-self._tokens / self._per_second)

    def _fill(self) -> None:
        now = self._clock.monotonic()
        gained = (now - self._filled_at) * self._per_second
        self._tokens = min(float(self._burst), self._tokens + gained)
        self._filled_at = now
