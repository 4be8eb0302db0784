"""How much the streams keep; nothing here imports a client, so that settings can be read without one."""

from dataclasses import dataclass

HOUR_SECONDS = 3_600
DAY_SECONDS = 24 * HOUR_SECONDS
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What an operator may choose: copies of each stream (1, or 3 and 5 in a cluster), ages, and sizes on disk.

    An age of 0 is no limit. What is older, or more, is dropped from the stream, oldest first.
    """

    replicas: int = 1
    odds_seconds: int = 24 * HOUR_SECONDS
    odds_bytes: int = 2_000 * MEGABYTE
    ledger_seconds: int = 0
    ledger_bytes: int = 4_000 * MEGABYTE
