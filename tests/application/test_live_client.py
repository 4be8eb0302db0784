"""What waits for a client: pacing, coalescing, bounds, and that nothing is lost without a word."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.live.client import (
    FACT_BYTES_MAX,
    FACTS_MAX,
    FLUSH_SECONDS,
    PRICES_MAX,
    SIGNALS_MAX,
    Client,
    price_key,
)
from application.live.messages import Message, Price, coalesced, message
from application.live.wheel import STEP_SECONDS, Wheel
from domain.actors import Actor, Role
from domain.quotes import QuoteLine, QuoteMessage, encode_message

pytestmark = pytest.mark.anyio

FIXTURE, MARKET = UUID(int=1), UUID(int=2)
TOPIC = f"odds.{MARKET}"
START = datetime(2026, 1, 1, tzinfo=UTC)


def a_client(role: Role = "trader") -> Client:
    return Client(Actor("alice", role), 2e9, Wheel(), lambda: None)


def price(
    number: int = 0,
    lines: Sequence[tuple[str, Decimal | None]] = (("home", Decimal(2)),),
    *,
    bookmaker: str = "b",
    market_id: UUID = MARKET,
    side: Any = "back",
) -> Price:
    told = QuoteMessage(
        bookmaker=bookmaker,
        fixture_id=FIXTURE,
        market_id=market_id,
        at=START + timedelta(milliseconds=number),
        quotes=tuple(QuoteLine(selection, odds, side) for selection, odds in lines),
    )
    return Price.read(encode_message(told), 0.0)


def fact(position: int, size: int = 10) -> Message:
    return Message("bets", b"x" * size, position)


async def next_of(client: Client) -> list[Message]:
    async with asyncio.timeout(60):
        await client.ready()
    return client.take()


def add(client: Client, topic: str, told: Price) -> None:
    client.add_price(price_key(topic, told), told)


def data(each: Message) -> Any:
    return msgspec.json.decode(each.body)


# ---- coalescing

_LINES = st.dictionaries(
    st.sampled_from(["home", "draw", "away"]),
    st.none() | st.decimals(Decimal("1.01"), Decimal(50), places=2),
    min_size=1,
)


@given(
    told=st.lists(
        st.tuples(
            st.integers(0, 20), _LINES, st.sampled_from(["back", "lay"]), st.sampled_from("xy")
        ),
        max_size=25,
    ),
    cuts=st.sets(st.integers(0, 25)),
)
def test_whatever_is_coalesced_gives_the_same_book_as_every_message_by_itself(
    told: list[tuple[int, dict[str, Decimal | None], str, str]], cuts: set[int]
) -> None:
    """Within one flush the later `at` wins, of two with the same `at` the one that came later."""
    everything: dict[Any, Any] = {}
    flushed: dict[Any, Any] = {}
    waiting: dict[str, tuple[Price, ...]] = {}
    since_flush: dict[Any, datetime] = {}

    def flush() -> None:
        for prices in waiting.values():
            seen = set()
            for each in prices:
                for line in each.message.quotes:
                    key = (each.message.bookmaker, line.selection_id, line.side)
                    assert key not in seen, "told twice in one flush"
                    seen.add(key)
                    flushed[key] = line.odds
        waiting.clear()
        since_flush.clear()

    for number, (at, lines, side, bookmaker) in enumerate(told):
        if number in cuts:
            flush()
        came = price(at, [*lines.items()], bookmaker=bookmaker, side=side)
        waiting[bookmaker] = coalesced(waiting.get(bookmaker, ()), came)
        for selection, odds in lines.items():
            key = (bookmaker, selection, side)
            if key not in since_flush or since_flush[key] <= came.message.at:
                everything[key] = odds
                since_flush[key] = came.message.at
    flush()
    assert flushed == everything


def test_a_message_that_tells_everything_anew_displaces_the_one_that_waits() -> None:
    first, second = price(1), price(2)
    assert coalesced((first,), second) == (second,)


def test_a_message_that_was_overtaken_displaces_nothing() -> None:
    newer, older = (
        price(2, [("home", Decimal(3))]),
        price(1, [("home", Decimal(2)), ("away", None)]),
    )
    first, second = coalesced((newer,), older)
    assert first is newer
    assert second.message.quotes == (QuoteLine("away", None),)
    assert msgspec.json.decode(second.body)["quotes"] == [{"selection_id": "away", "odds": None}]


# ---- pacing


async def test_what_comes_together_goes_out_together_and_the_rest_a_tenth_of_a_second_later() -> (
    None
):
    client = a_client()
    add(client, TOPIC, price(1))
    add(client, TOPIC, price(1, bookmaker="c"))
    (first,) = await next_of(client)
    assert [each["bookmaker"] for each in data(first)["prices"]] == ["b", "c"]
    begun = asyncio.get_running_loop().time()
    for number in range(50):
        add(client, TOPIC, price(number, [("home", Decimal(2) + number)]))
    (second,) = await next_of(client)
    waited = asyncio.get_running_loop().time() - begun
    assert waited >= FLUSH_SECONDS - 2 * STEP_SECONDS
    assert data(second)["prices"][0]["quotes"][0]["odds"] == 51


async def test_a_note_goes_out_at_once_and_brings_nothing_else_forward() -> None:
    client = a_client()
    add(client, TOPIC, price(1))
    await next_of(client)
    add(client, TOPIC, price(2))
    client.say(message("pong"))
    assert [each.type for each in await next_of(client)] == ["pong"]
    assert [each.type for each in await next_of(client)] == ["odds"]


async def test_prices_wait_for_the_snapshot_that_they_follow() -> None:
    client = a_client()
    client.expect_snapshots(1)
    add(client, TOPIC, price(1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await client.ready()
    client.say(message("snapshot"))
    client.expect_snapshots(-1)
    told = [each.type for each in await next_of(client)]
    if told == ["snapshot"]:
        told += [each.type for each in await next_of(client)]
    assert told == ["snapshot", "odds"]


# ---- bounds


async def test_a_slow_client_loses_its_oldest_prices_and_is_told_of_which_topics() -> None:
    client = a_client()
    for number in range(PRICES_MAX + 5):
        topic = f"odds.fixture.{UUID(int=number // 1_000)}"
        add(client, topic, price(1, market_id=UUID(int=number)))
    add(client, f"odds.fixture.{UUID(int=0)}", price(2, market_id=UUID(int=7)))
    taken = await next_of(client)
    assert taken[0].type == "resync"
    assert data(taken[0])["topics"] == [f"odds.fixture.{UUID(int=0)}"]
    assert data(taken[0])["reason"] == "missed"
    told = [each["market_id"] for note in taken[1:] for each in data(note)["prices"]]
    assert len(told) == PRICES_MAX
    assert str(UUID(int=0)) not in told
    assert told.count(str(UUID(int=7))) == 1
    add(client, TOPIC, price(3))
    assert [each.type for each in await next_of(client)] == ["odds"], "it is told once"


async def test_a_slow_client_loses_its_oldest_signals() -> None:
    client = a_client()
    for number in range(SIGNALS_MAX + 3):
        client.add_signal("arbitrage", b"%d" % number, 0.0)
    note, signals = await next_of(client)
    assert data(note)["topics"] == ["arbitrage"]
    assert data(signals)["signals"] == [*range(3, SIGNALS_MAX + 3)]


@pytest.mark.parametrize(
    ("number", "size"), [(FACTS_MAX + 1, 10), (5, FACT_BYTES_MAX // 4)], ids=["many", "large"]
)
async def test_a_client_too_slow_for_its_facts_is_told_where_it_stood_and_let_go(
    number: int, size: int
) -> None:
    client = a_client()
    client.topics = {"bets", TOPIC}
    client.add_fact(fact(41), 0.0)
    assert [each.position for each in await next_of(client)] == [41]
    for position in range(42, 42 + number):
        client.add_fact(fact(position, size), 0.0)
    resync, end = await next_of(client)
    assert data(resync) == {
        "type": "resync",
        "topics": ["bets"],
        "reason": "too_slow",
        "read": ["/v1/bets"],
        "after": 41,
    }
    assert data(end) == {"type": "end", "reason": "too_slow"}
    assert client.is_done


async def test_who_ends_while_facts_are_being_written_still_gets_its_last_words() -> None:
    client = a_client()
    client.add_fact(fact(1), 0.0)
    await next_of(client)
    for position in range(2, FACTS_MAX + 3):
        client.add_fact(fact(position), 0.0)
    assert client.ended == "too_slow"
    assert not client.is_done
    assert [each.type for each in await next_of(client)] == ["resync", "end"]


async def test_facts_are_told_in_order_and_none_is_dropped() -> None:
    client = a_client()
    told: list[int | None] = []

    async def write() -> None:
        for position in range(1, 2_001):
            await client.room()
            client.add_fact(fact(position), 0.0)

    writing = asyncio.create_task(write())
    while len(told) < 2_000:
        told += [each.position for each in await next_of(client)]
    await writing
    assert told == [*range(1, 2_001)]
    assert client.last_position == 2_000


async def test_what_is_left_is_not_told() -> None:
    client = a_client()
    add(client, TOPIC, price(1))
    client.add_signal("value", b"1", 0.0)
    client.add_fact(fact(1), 0.0)
    client.forget([TOPIC, "bets"])
    assert [each.type for each in await next_of(client)] == ["value"]


def test_a_trader_sees_their_own_and_the_others_everything() -> None:
    async def owners() -> list[str | None]:
        return [a_client(role).owner for role in ("trader", "operator", "auditor", "admin")]

    assert asyncio.run(owners()) == ["alice", None, None, None]


async def test_the_wheel_calls_everything_once_and_not_before_its_time() -> None:
    wheel, loop = Wheel(), asyncio.get_running_loop()
    called: list[tuple[float, float]] = []
    begun = loop.time()
    for number in (9, 3, 3, 0, 25, 1, -4):
        when = begun + number / 100
        wheel.at(when, lambda when=when: called.append((when, loop.time())))  # type: ignore[misc]  # bound now
    await asyncio.sleep(0.1)
    wheel.at(loop.time() + 0.02, lambda: called.append((0.0, loop.time())))
    async with asyncio.timeout(60):
        while len(called) < 8:  # noqa: ASYNC110  what is called tells nobody else
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert len(called) == 8
    assert all(at >= when for when, at in called)
    assert [when for when, _ in called if when] == sorted(when for when, _ in called if when)
