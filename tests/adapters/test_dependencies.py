"""The links to NATS and Valkey, as far as readiness asks them."""

import asyncio
from collections.abc import Callable

import pytest

from adapters.dependencies import ValkeyLink
from adapters.embedded import EmbeddedServers
from adapters.nats.connection import NatsLink
from tests.service import free_port

Link = NatsLink | ValkeyLink


def _link(name: str, servers: EmbeddedServers) -> Link:
    return NatsLink(servers.urls.nats) if name == "nats" else ValkeyLink(servers.urls.redis)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["nats", "valkey"])
async def test_a_server_that_is_there_answers(servers: EmbeddedServers, name: str) -> None:
    async with _link(name, servers) as link:
        await link.probe()
        await asyncio.gather(*(link.probe() for _ in range(20)))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "make",
    [
        lambda port: NatsLink(f"nats://127.0.0.1:{port}"),
        lambda port: ValkeyLink(f"redis://127.0.0.1:{port}/0"),
    ],
    ids=["nats", "valkey"],
)
async def test_a_server_that_is_not_there_fails_soon(make: Callable[[int], Link]) -> None:
    async with make(free_port()) as link:
        for _ in range(2):
            with pytest.raises(Exception):  # noqa: B017, PT011  whatever it says is the answer
                async with asyncio.timeout(10):
                    await link.probe()


@pytest.mark.anyio
async def test_a_link_that_was_never_used_is_closed_all_the_same() -> None:
    for link in (NatsLink("nats://127.0.0.1:1"), ValkeyLink("redis://127.0.0.1:1/0")):
        async with link:
            pass


@pytest.mark.anyio
async def test_a_wrong_password_is_no_readiness(servers: EmbeddedServers) -> None:
    url = servers.urls.redis.replace("redis://:", "redis://:wrong")
    async with ValkeyLink(url) as link:
        with pytest.raises(Exception, match=r"(?i)password|auth"):
            await link.probe()
