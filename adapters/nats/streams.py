"""The streams, declared: whoever needs one brings all of them to what is written here."""

import logging
import time
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from adapters.nats.limits import DAY_SECONDS, MEGABYTE, StreamLimits

ODDS: Final = "ODDS"
SIGNALS: Final = "SIGNALS"
LEDGER: Final = "LEDGER"
DEAD: Final = "DEAD"

DEDUPLICATED_SECONDS: Final = 120
SIGNALS_SECONDS: Final = 7 * DAY_SECONDS
SERVICE_UNAVAILABLE: Final = 503
NAME_IN_USE: Final = 10058
"""JetStream's code for a stream of this name that is configured otherwise."""

_COMPARED: Final = (
    "subjects", "retention", "storage", "num_replicas", "max_age", "max_bytes", "discard",
    "duplicate_window", "deny_delete",
)  # fmt: skip
_log = logging.getLogger("fairbook.nats")


class StreamRefused(Exception):  # noqa: N818  the server's answer, with what to do about it
    """The server does not take a declared stream; nothing was changed."""


def declared(limits: StreamLimits) -> list[StreamConfig]:
    """Give the streams as they shall be."""
    return [
        _stream(
            ODDS,
            ["odds.>"],
            "prices on their way in",
            limits,
            max_age=limits.odds_seconds,
            max_bytes=limits.odds_bytes,
        ),
        _stream(
            SIGNALS,
            ["signals.arbitrage.>", "signals.value.>"],
            "what the handlers found",
            limits,
            max_age=SIGNALS_SECONDS,
            max_bytes=256 * MEGABYTE,
        ),
        _stream(
            LEDGER,
            ["ledger.>"],
            "every event of the ledger once; sequence = position",
            limits,
            max_age=limits.ledger_seconds,
            max_bytes=limits.ledger_bytes,
            # What is published twice is refused by its expected sequence: ids need not be remembered for that.
            duplicate_window=1,
            deny_delete=True,
        ),
        _stream(
            DEAD,
            ["dead.>"],
            "messages that could not be handled, with the reason in a header",
            limits,
            max_age=30 * DAY_SECONDS,
            max_bytes=256 * MEGABYTE,
        ),
    ]


def _stream(
    name: str,
    subjects: list[str],
    description: str,
    limits: StreamLimits,
    *,
    max_age: float,
    max_bytes: int,
    duplicate_window: float = DEDUPLICATED_SECONDS,
    deny_delete: bool = False,
) -> StreamConfig:
    return StreamConfig(
        name=name,
        subjects=subjects,
        description=f"fairbook: {description}",
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        storage=StorageType.FILE,
        num_replicas=limits.replicas,
        max_age=max_age,
        max_bytes=max_bytes,
        max_msgs=-1,
        max_consumers=-1,
        duplicate_window=min(duplicate_window, max_age) if max_age else duplicate_window,
        deny_delete=deny_delete,
        allow_direct=True,
    )


async def ensure_streams(jetstream: JetStreamContext, limits: StreamLimits) -> None:
    """Create the streams that are missing and bring the others to what is declared; several may do so at once.

    Raises:
        StreamRefused: the server does not take one, with what to do.
    """
    for config in declared(limits):
        try:
            await _ensure(jetstream, config)
        except APIError as error:
            # Not available (yet): another attempt may do better, and the caller makes it.
            if error.code in {None, SERVICE_UNAVAILABLE} and not _lacks_room(error):
                raise
            raise StreamRefused(_explained(config, error)) from error


async def _ensure(jetstream: JetStreamContext, config: StreamConfig) -> None:
    if config.name == ODDS:
        config.first_seq = await _first_sequence(jetstream)
    try:
        await jetstream.add_stream(config)
    except APIError as error:
        if error.err_code != NAME_IN_USE:
            raise
    else:
        return
    assert config.name is not None
    try:
        there = (await jetstream.stream_info(config.name)).config
    except NotFoundError:  # deleted in between
        await jetstream.add_stream(config)
        return
    changes = [
        f"{name} {getattr(there, name)!r} → {wanted!r}"
        for name in _COMPARED
        if (wanted := getattr(config, name)) != getattr(there, name)
    ]
    config.first_seq = there.first_seq
    _log.info("stream %s: %s", config.name, "; ".join(changes) or "brought up to date")
    await jetstream.update_stream(config)


async def _first_sequence(jetstream: JetStreamContext) -> int | None:
    """Give where the stream of prices begins to count: by the microsecond, so behind all that one before it has counted.

    By these numbers the ledger knows what it was told last of a signal, and what is new.
    """
    try:
        return (await jetstream.stream_info(ODDS)).config.first_seq
    except NotFoundError:
        return time.time_ns() // 1_000


def _lacks_room(error: APIError) -> bool:
    said = error.description or ""
    return "insufficient" in said or "replicas" in said or "peers" in said


def _explained(config: StreamConfig, error: APIError) -> str:
    said = error.description or str(error)
    what_to_do = "Compare its settings (`nats stream info`) with those that fairbook declares, and change one of them"
    if "storage" in said and "insufficient" in said:
        what_to_do = "Raise max_file_store of the server, or lower FAIRBOOK_ODDS_MEGABYTES or FAIRBOOK_LEDGER_MEGABYTES"
    elif "replica" in said or "peer" in said:
        what_to_do = (
            "FAIRBOOK_NATS_REPLICAS needs as many servers in the cluster: 1 for a single server"
        )
    elif "overlap" in said:
        what_to_do = "Another stream takes the same subjects: give fairbook an account of its own"
    elif "can not" in said or "cannot" in said:
        what_to_do = f"This setting of an existing stream cannot change: take a copy of what it holds if need be, then delete stream {config.name}, and it is made anew"
    return f"NATS does not take stream {config.name} as declared: {said}. {what_to_do}."
