"""The port of price feeds: batches of quotes in a feed's words, and how well the feed is doing."""

from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final, Literal, Protocol

from application import meters
from domain.quotes import QuoteBatch

BreakerState = Literal["closed", "open", "half_open"]

ATTEMPTS_REMEMBERED: Final = 100
EXAMPLES_A_REASON: Final = 3


class Clock(Protocol):
    """Time as an argument: the machine's, or one that a test or a replay turns by hand."""

    def now(self) -> datetime:
        """The time of day, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an unknown beginning that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class FeedDenied(Exception):  # noqa: N818  the provider's answer, not a fault of the program
    """The provider refuses us, and trying again cannot help; the message says what to do."""


class Rejections:
    """What a feed said that cannot be used: counted by reason, with the places of the first few."""

    def __init__(self, feed: str) -> None:
        """Count for the feed of this name."""
        self.feed = feed
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def add(self, reason: str, where: str) -> None:
        """Count one; `reason` comes from a small set, `where` says which row, match or field it is."""
        self.counts[reason] += 1
        meters.feed_rejected.add(labels=(self.feed, reason))
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES_A_REASON:
            examples.append(where[:200])

    @property
    def total(self) -> int:
        """How many there were."""
        return self.counts.total()


class FeedHealth:
    """How a feed is doing: when it last had an answer, how many of its last attempts had one, and what it rejected."""

    def __init__(self, feed: str) -> None:
        """Begin with no attempt made."""
        self.feed = feed
        self.rejections = Rejections(feed)
        self.last_success_at: datetime | None = None
        self.last_error = ""
        self.breaker: BreakerState = "closed"
        self.notes: Counter[str] = Counter()
        """What is worth knowing and no fault: conflated updates, answers that were not modified."""
        self._attempts: deque[bool] = deque(maxlen=ATTEMPTS_REMEMBERED)

    def succeeded(self, at: datetime) -> None:
        """The provider answered as it should."""
        self.heard(at)
        self._attempts.append(True)
        meters.feed_attempts.add(labels=(self.feed, "succeeded"))

    def heard(self, at: datetime) -> None:
        """It said something on a connection that stays open."""
        self.last_success_at = at

    def failed(self, error: str) -> None:
        """It did not; `error` holds no credentials."""
        self.last_error = error
        self._attempts.append(False)
        meters.feed_attempts.add(labels=(self.feed, "failed"))

    @property
    def success_rate(self) -> float | None:
        """The share of the last hundred attempts that succeeded; None before the first."""
        return sum(self._attempts) / len(self._attempts) if self._attempts else None


class Feed(Protocol):
    """Where prices come from. A recorded one ends; a live one goes on, through failures, until it is cancelled."""

    @property
    def name(self) -> str:
        """Its key, as `FeedEvent.feed` has it."""
        ...

    @property
    def health(self) -> FeedHealth:
        """How it is doing."""
        ...

    def batches(self) -> AsyncIterator[Sequence[QuoteBatch]]:
        """What it says, in order: the batches of one message, answer or snapshot at a time.

        Nothing that the provider sends ends the iteration: what cannot be used is counted in `health.rejections`.
        Raises FeedDenied when the provider refuses the credentials or the question.
        """
        ...
