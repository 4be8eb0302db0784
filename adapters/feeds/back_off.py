"""How long to wait before trying again."""

from random import Random


class BackOff:
    """Pauses that double with every failure up to a most, drawn from zero to there ("full jitter").

    Source: Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015: of the ways compared there, full
    jitter does the least work, because those who failed together do not come back together.
    """

    def __init__(
        self, randomness: Random, first_seconds: float = 0.5, most_seconds: float = 60.0
    ) -> None:
        """Begin with no failure."""
        self._randomness = randomness
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._failures = 0

    def failed(self) -> float:
        """Count a failure; the seconds to wait now."""
        # Beyond 2^30 the most has long been reached, and a power could overflow.
        ceiling = min(self._most_seconds, self._first_seconds * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return self._randomness.uniform(0.0, ceiling)

    def succeeded(self) -> None:
        """Forget the failures."""
        self._failures = 0
