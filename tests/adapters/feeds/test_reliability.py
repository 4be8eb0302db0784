"""The parts that keep a live feed polite: token bucket, back-off, circuit breaker."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feeds.back_off import BackOff
from adapters.feeds.circuit_breaker import CircuitBreaker
from adapters.feeds.provider import Provider
from adapters.feeds.token_bucket import TokenBucket
from application.feeds import FeedHealth
from tests.adapters.feeds.clock import HandClock


@pytest.mark.anyio
async def test_a_full_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    clock = HandClock()
    bucket = TokenBucket(2.0, 3, clock)
    taken_at = []
    for _ in range(7):
        await bucket.take()
        taken_at.append(clock.monotonic())
    assert taken_at == [0, 0, 0, 0.5, 1.0, 1.5, 2.0]


@pytest.mark.anyio
async def test_a_quiet_hour_fills_a_bucket_to_its_burst_and_no_further() -> None:
    clock = HandClock()
    bucket = TokenBucket(1.0, 2, clock)
    clock.turn(3_600)
    for _ in range(3):
        await bucket.take()
    assert clock.sleeps == [1.0]


@given(
    rate=st.floats(0.01, 100),
    burst=st.integers(1, 20),
    quiet=st.lists(st.floats(0, 60), max_size=60),
)
def test_no_bucket_ever_gives_more_than_its_burst_and_its_rate(
    rate: float, burst: int, quiet: list[float]
) -> None:
    import asyncio

    async def take_all() -> None:
        clock = HandClock()
        bucket = TokenBucket(rate, burst, clock)
        for taken, seconds in enumerate(quiet, 1):
            clock.turn(seconds)
            await bucket.take()
            assert taken <= burst + rate * clock.monotonic() + 1e-6

    asyncio.run(take_all())


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_bucket_that_never_gives_is_refused(per_second: float, burst: int) -> None:
    with pytest.raises(ValueError, match="gets tokens"):
        TokenBucket(per_second, burst, HandClock())


@given(seed=st.integers(), failures=st.integers(1, 2_000))
def test_pauses_lie_between_nothing_and_a_doubling_ceiling(seed: int, failures: int) -> None:
    back_off = BackOff(Random(seed), first_seconds=0.5, most_seconds=60)
    for failure in range(failures):
        ceiling = 60 if failure > 10 else min(60, 0.5 * 2**failure)
        assert 0 <= back_off.failed() <= ceiling


def test_pauses_of_those_who_failed_together_differ() -> None:
    pauses = set()
    for seed in range(50):
        back_off = BackOff(Random(seed))
        for _ in range(5):
            back_off.failed()
        pauses.add(round(back_off.failed(), 1))
    assert len(pauses) > 30


def test_a_success_makes_pauses_short_again() -> None:
    back_off = BackOff(Random(1), first_seconds=0.5)
    for _ in range(8):
        back_off.failed()
    back_off.succeeded()
    assert back_off.failed() <= 0.5


def test_a_breaker_opens_after_failures_in_a_row_and_closes_after_a_trial_that_succeeds() -> None:
    clock = HandClock()
    breaker = CircuitBreaker(clock, failures_max=3, rest_seconds=30)
    assert [breaker.failed() for _ in range(3)] == [False, False, True]
    states = [breaker.state]
    clock.turn(29)
    states.append(breaker.state)
    clock.turn(1)
    states.append(breaker.state)
    breaker.succeeded()
    states.append(breaker.state)
    assert states == ["open", "open", "half_open", "closed"]
    assert breaker.failed() is False


def test_a_trial_that_fails_opens_the_breaker_at_once() -> None:
    clock = HandClock()
    breaker = CircuitBreaker(clock, failures_max=3, rest_seconds=30)
    for _ in range(3):
        breaker.failed()
    clock.turn(31)
    assert breaker.failed() is True
    assert breaker.state == "open"


def test_failures_that_are_not_in_a_row_open_nothing() -> None:
    breaker = CircuitBreaker(HandClock(), failures_max=2)
    for _ in range(10):
        assert breaker.failed() is False
        breaker.succeeded()


@pytest.mark.anyio
async def test_a_provider_waits_out_what_it_is_told_and_forgets_it() -> None:
    clock = HandClock()
    health = FeedHealth("any")
    provider = Provider(health, clock, Random(1), per_second=1_000)
    provider.told_to_wait(17.0, "HTTP 429")
    await provider.turn()
    await provider.turn()
    assert clock.sleeps[0] == 17.0
    assert clock.monotonic() < 18
    assert health.breaker == "closed"
    assert health.success_rate == 0


@pytest.mark.anyio
async def test_nobody_waits_for_more_than_an_hour_because_a_server_says_so() -> None:
    clock = HandClock()
    provider = Provider(FeedHealth("any"), clock, Random(1))
    provider.told_to_wait(10.0**9, "HTTP 429")
    await provider.turn()
    assert clock.sleeps == [3_600]


def test_health_tells_the_success_rate_of_the_last_hundred_attempts() -> None:
    health = FeedHealth("any")
    rates = [health.success_rate]
    for _ in range(100):
        health.failed("HTTP 500")
    for _ in range(25):
        health.succeeded(HandClock().now())
    assert [*rates, health.success_rate] == [None, 0.25]
    assert health.last_success_at == HandClock().now()
    assert health.last_error == "HTTP 500"
