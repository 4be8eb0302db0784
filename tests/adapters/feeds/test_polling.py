import asyncio
import logging
from random import Random
from typing import Any

import pytest

from adapters.feeds.back_off import BackOff
from adapters.feeds.circuit_breaker import CircuitBreaker
from adapters.feeds.polling import PolledAnswer, PollingClient
from adapters.feeds.provider import Provider
from application.feeds import FeedDenied, FeedHealth
from tests.adapters.feeds.clock import HandClock
from tests.adapters.feeds.provider_server import (
    ProviderServer,
    Step,
    answers,
    is_silent,
    provider_server,
    resets,
    says,
)

pytestmark = pytest.mark.anyio


def provider(clock: HandClock) -> Provider:
    return Provider(
        FeedHealth("any"),
        clock,
        Random(1),
        per_second=1_000,
        burst=1_000,
        back_off=BackOff(Random(1), 0.5, 60),
        breaker=CircuitBreaker(clock, failures_max=3, rest_seconds=30),
    )


async def asked(server: ProviderServer, one: Provider, **options: Any) -> PolledAnswer:
    async with PollingClient(server.url, one, timeout_seconds=0.3, **options) as client:
        async with asyncio.timeout(20):
            return await client.get("/v4/odds", {"apiKey": "a-secret"})


@pytest.mark.parametrize(
    "fault",
    [
        answers(500),
        answers(502, b"<html>Bad Gateway</html>"),
        answers(408),
        resets,
        is_silent,
        says(b"\x00\xff garbage\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[1, 2"),
        says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
        says(b""),
    ],
    ids=["500", "502", "408", "reset", "silence", "garbage", "half-closed", "not gzip", "closed"],
)
async def test_a_fault_is_tried_again_after_a_pause_until_there_is_an_answer(fault: Step) -> None:
    clock = HandClock()
    one = provider(clock)
    async with provider_server(fault, fault, answers(200, b"[]", ETag='"x"')) as server:
        answer = await asked(server, one)
    assert (answer.status, answer.content, answer.headers["etag"]) == (200, b"[]", '"x"')
    assert len(server.requests) == 3
    assert len(clock.sleeps) == 2
    assert clock.sleeps[0] <= 0.5
    assert clock.sleeps[1] <= 1.0
    assert one.health.success_rate == pytest.approx(1 / 3)
    assert one.health.breaker == "closed"


async def test_the_breaker_opens_after_faults_in_a_row_and_the_feed_recovers_after_its_rest() -> (
    None
):
    clock = HandClock()
    one = provider(clock)
    faults = [answers(500)] * 4
    async with provider_server(*faults, answers(200, b"[]")) as server:
        answer = await asked(server, one)
    assert answer.status == 200
    # Three failures open it; the trial after its rest is the fourth, which opens it again.
    assert clock.sleeps[2:] == pytest.approx([30.0, 30.0])
    assert one.health.breaker == "closed"
    assert one.health.success_rate == 0.2


async def test_a_provider_that_wants_us_slower_is_obeyed_to_the_second() -> None:
    clock = HandClock()
    one = provider(clock)
    async with provider_server(
        answers(429, Retry_After="42"),
        answers(503, Retry_After="7"),
        answers(429, Retry_After="Fri, 12 Jun 2026 12:01:49 GMT"),
        answers(200),
    ) as server:
        await asked(server, one)
    assert clock.sleeps == [42.0, 7.0, 60.0]
    assert one.health.breaker == "closed"


async def test_a_429_without_a_time_or_with_nonsense_is_backed_off_from() -> None:
    clock = HandClock()
    async with provider_server(
        answers(429), answers(429, Retry_After="soon"), answers(200)
    ) as server:
        await asked(server, provider(clock))
    assert len(clock.sleeps) == 2
    assert all(seconds <= 1 for seconds in clock.sleeps)


@pytest.mark.parametrize("status", [401, 403, 404, 422, 302])
async def test_a_refusal_ends_the_asking_and_says_what_to_do(status: int) -> None:
    async with provider_server(answers(status, b"no")) as server:
        with pytest.raises(FeedDenied, match=f"HTTP {status}") as refusal:
            await asked(server, provider(HandClock()))
    assert len(server.requests) == 1
    assert "a-secret" not in str(refusal.value)


async def test_an_endless_answer_is_broken_off() -> None:
    one = provider(HandClock())
    async with provider_server(answers(200, b"x" * 10_000), answers(200, b"[]")) as server:
        answer = await asked(server, one, answer_bytes_max=5_000)
    assert answer.content == b"[]"
    assert "5000 bytes" in one.health.last_error


async def test_not_modified_is_an_answer() -> None:
    async with provider_server(answers(304)) as server:
        assert (await asked(server, provider(HandClock()))).status == 304


async def test_credentials_are_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    one = provider(HandClock())
    with caplog.at_level(logging.DEBUG):
        async with provider_server(answers(500), resets, answers(200)) as server:
            await asked(server, one)
    assert "HTTP 500" in caplog.text
    # At DEBUG the client library writes whole addresses, which is nobody's default.
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("fairbook")]
    informed = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert not any("a-secret" in line for line in [*ours, *informed, one.health.last_error])


async def test_a_login_goes_out_as_basic_authentication() -> None:
    async with (
        provider_server(answers(200)) as server,
        PollingClient(server.url, provider(HandClock()), login=("ann", "pä:ss")) as client,
    ):
        await client.get("/")
    assert server.requests[0][1]["authorization"] == "Basic YW5uOnDDpDpzcw=="


async def test_the_environments_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with provider_server(answers(200, b"by proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.delenv("no_proxy", raising=False)
        async with PollingClient("http://odds.invalid", provider(HandClock())) as client:
            answer = await client.get("/v4/odds")
    assert answer.content == b"by proxy"
    assert proxy.requests[0][0] == "GET http://odds.invalid/v4/odds HTTP/1.1"
