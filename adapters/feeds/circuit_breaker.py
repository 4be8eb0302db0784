"""When to leave a failing provider alone."""

from application.feeds import BreakerState, Clock


class CircuitBreaker:
    """Opens after `failures_max` failures in a row; after `rest_seconds` one call is tried, which closes or opens it.

    Source: Nygard, "Release It!", 2007, "Circuit Breaker".
    """

    def __init__(self, clock: Clock, failures_max: int = 5, rest_seconds: float = 30.0) -> None:
        """Begin closed: calls go through."""
        self._clock = clock
        self._failures_max = failures_max
        self._rest_seconds = rest_seconds
        self._failures = 0
        self._opened_at: float | None = None

    @property
    def state(self) -> BreakerState:
        """Closed: calls go through; open: none does; half-open: the next one decides."""
        if self._opened_at is None:
            return "closed"
        return "open" if self.rest_seconds > 0 else "half_open"

    @property
    def rest_seconds(self) -> float:
        """Seconds until a call may be tried."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._rest_seconds - self._clock.monotonic())

    def succeeded(self) -> None:
        """A call went well: close."""
        self._failures = 0
        self._opened_at = None

    def failed(self) -> bool:
        """A call failed; True when that opened the breaker."""
        self._failures += 1
        if self._opened_at is None and self._failures < self._failures_max:
            return False
        self._opened_at = self._clock.monotonic()
        return True
