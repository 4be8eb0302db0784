"""The declared streams, on a real server."""

import asyncio
from dataclasses import replace

import pytest
from nats.js.api import StorageType, StreamConfig

from adapters.nats.connection import connected
from adapters.nats.limits import StreamLimits
from adapters.nats.streams import DEAD, LEDGER, ODDS, SIGNALS, StreamRefused, ensure_streams
from tests.adapters.nats.server import LIMITS, last_sequence, streams

pytestmark = pytest.mark.anyio


async def test_every_stream_is_there_with_its_subjects_and_bounds(nats_url: str) -> None:
    async with streams(nats_url) as jetstream:
        found = {
            name: (await jetstream.stream_info(name)).config
            for name in (ODDS, SIGNALS, LEDGER, DEAD)
        }
    assert found[ODDS].subjects == ["odds.>"]
    assert found[SIGNALS].subjects == ["signals.arbitrage.>", "signals.value.>"]
    assert found[LEDGER].subjects == ["ledger.>"]
    assert found[DEAD].subjects == ["dead.>"]
    assert found[ODDS].duplicate_window == 120
    assert (found[ODDS].max_age, found[ODDS].max_bytes) == (86_400, 50_000_000)
    assert found[SIGNALS].max_age == 7 * 86_400
    assert found[DEAD].max_age == 30 * 86_400
    assert (found[LEDGER].max_age, found[LEDGER].max_bytes) == (0, 200_000_000)
    assert all(
        each.storage == StorageType.FILE and each.num_replicas == 1 for each in found.values()
    )
    assert all((each.max_bytes or 0) > 0 for each in found.values()), "none grows without end"


async def test_the_usual_limits_fit_into_the_embedded_server(nats_url: str) -> None:
    async with streams(nats_url, StreamLimits()) as jetstream:
        assert (await jetstream.account_info()).streams == 4


async def test_many_processes_may_start_at_once(nats_url: str) -> None:
    async def start() -> None:
        async with connected(nats_url, "racer") as connection:
            await ensure_streams(connection.jetstream, LIMITS)

    await asyncio.gather(*(start() for _ in range(10)))


async def test_a_changed_limit_reaches_a_stream_that_is_there_and_keeps_what_it_holds(
    nats_url: str,
) -> None:
    async with streams(nats_url) as jetstream:
        await jetstream.publish("odds.a.b.c", b"{}")
        changed = replace(LIMITS, odds_seconds=3_600, odds_bytes=1_000_000)
        await asyncio.gather(*(ensure_streams(jetstream, changed) for _ in range(5)))
        info = await jetstream.stream_info(ODDS)
    assert (info.config.max_age, info.config.max_bytes) == (3_600, 1_000_000)
    assert info.state.messages == 1


async def test_the_same_message_id_is_stored_once(nats_url: str) -> None:
    async with streams(nats_url) as jetstream:
        answers = [
            await jetstream.publish("odds.a.b.c", b"{}", headers={"Nats-Msg-Id": name})
            for name in ("one", "one", "two", "one")
        ]
        assert [bool(answer.duplicate) for answer in answers] == [False, True, False, True]
        assert [answer.seq - answers[0].seq for answer in answers] == [0, 0, 1, 0]
        assert await last_sequence(jetstream, ODDS) == answers[2].seq


async def test_prices_are_counted_on_when_their_stream_is_made_anew(nats_url: str) -> None:
    """Else what was told of them before would pass for newer than what is told of them now."""
    async with streams(nats_url) as jetstream:
        before = [await jetstream.publish("odds.a.b.c", b"{}") for _ in range(50)]
        await ensure_streams(jetstream, LIMITS)
        before.append(await jetstream.publish("odds.a.b.c", b"{}"))
        await jetstream.delete_stream(ODDS)
        await ensure_streams(jetstream, LIMITS)
        after = await jetstream.publish("odds.a.b.c", b"{}")
    assert [each.seq - before[0].seq for each in before] == list(range(51))
    assert after.seq > before[-1].seq


async def test_a_setting_that_cannot_change_is_explained(nats_url: str) -> None:
    async with connected(nats_url, "test") as connection:
        there = StreamConfig(name=ODDS, subjects=["odds.>"], storage=StorageType.MEMORY)
        await connection.jetstream.add_stream(there)
        with pytest.raises(StreamRefused, match=r"stream ODDS .*storage.*delete stream ODDS"):
            await ensure_streams(connection.jetstream, LIMITS)


async def test_subjects_that_another_stream_takes_are_explained(nats_url: str) -> None:
    async with connected(nats_url, "test") as connection:
        await connection.jetstream.add_stream(StreamConfig(name="OTHER", subjects=["ledger.bet.>"]))
        with pytest.raises(StreamRefused, match=r"stream LEDGER .*overlap.*account of its own"):
            await ensure_streams(connection.jetstream, LIMITS)


async def test_more_than_the_server_may_store_is_explained(nats_url: str) -> None:
    async with connected(nats_url, "test") as connection:
        with pytest.raises(StreamRefused, match=r"max_file_store.*FAIRBOOK_ODDS_MEGABYTES"):
            await ensure_streams(connection.jetstream, replace(LIMITS, odds_bytes=10**13))


async def test_copies_that_a_single_server_cannot_make_are_explained(nats_url: str) -> None:
    async with connected(nats_url, "test") as connection:
        with pytest.raises(StreamRefused, match="FAIRBOOK_NATS_REPLICAS"):
            await ensure_streams(connection.jetstream, replace(LIMITS, replicas=3))
