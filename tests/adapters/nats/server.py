"""A NATS server of a test's own, and short words for what tests do with it."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy

from adapters.embedded import EmbeddedServers
from adapters.nats.connection import connected
from adapters.nats.limits import StreamLimits
from adapters.nats.streams import ensure_streams

LIMITS = StreamLimits(odds_bytes=50_000_000, ledger_bytes=200_000_000)


@dataclass
class NatsServer:
    """One server."""

    servers: EmbeddedServers
    folder: Path

    @property
    def url(self) -> str:
        return self.servers.urls.nats

    def kill(self) -> None:
        self.servers.kill("nats")

    def start_again(self) -> None:
        self.servers.start_again("nats")

    def forget_everything(self) -> None:
        """While it is down, take its data away."""
        shutil.rmtree(self._data)

    def save(self) -> None:
        """While it is down, keep a copy of its data."""
        shutil.copytree(self._data, self.folder / "saved")

    def restore(self) -> None:
        """While it is down, bring the copy back, as a disk does that has lost the last writes."""
        owner = self._data.stat()
        self.forget_everything()
        shutil.copytree(self.folder / "saved", self._data)
        for path in (self._data, *self._data.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)

    @property
    def _data(self) -> Path:
        return self.folder / "nats" / "jetstream"


@asynccontextmanager
async def streams(url: str, limits: StreamLimits = LIMITS) -> AsyncIterator[JetStreamContext]:
    """JetStream with the declared streams."""
    async with connected(url, "test") as connection:
        await ensure_streams(connection.jetstream, limits)
        yield connection.jetstream


async def stored(jetstream: JetStreamContext, stream: str) -> list[Msg]:
    """Everything that a stream holds, in order."""
    wanted = (await jetstream.stream_info(stream)).state.messages
    if not wanted:
        return []
    subscription = await jetstream.subscribe(
        f"{stream.lower()}.>",
        stream=stream,
        ordered_consumer=True,
        config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL),
        pending_bytes_limit=1_000_000_000,
    )
    try:
        return [await subscription.next_msg(timeout=20) for _ in range(wanted)]
    finally:
        await subscription.unsubscribe()


async def last_sequence(jetstream: JetStreamContext, stream: str) -> int:
    last: int = (await jetstream.stream_info(stream)).state.last_seq
    return last
