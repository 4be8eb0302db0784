"""Recordings and live feeds into a running service: real API, real NATS, a file or a provider's server on loopback."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from adapters.embedded import EmbeddedServers
from adapters.embedded.child import Child
from adapters.embedded.processes import wait_until
from adapters.feeds.recorded_csv import RecordedCsvFeed
from adapters.feeds.the_odds_api import Subscription, TheOddsApiFeed
from adapters.nats.connection import connected
from adapters.nats.limits import StreamLimits
from adapters.nats.publisher import Publisher
from adapters.nats.streams import ODDS, ensure_streams
from application.fixture_names import ASK_AGAIN_SECONDS, DeskAway, FixtureNames
from application.intake import Intake
from domain.quotes import FeedEvent, QuoteMessage, decode_message
from fairbook.cli import main
from fairbook.client import LedgerClient
from fairbook.credentials import CREDENTIALS, NEEDED, FeedCredentials
from fairbook.feed_desk import FeedDesk
from tests.adapters.feeds.clock import HandClock
from tests.adapters.feeds.provider_server import answers, provider_server, resets
from tests.service import CHECKOUT, Client, Json, Service, a_service, market_body, token, until

DATA = Path(os.environ.get("FAIRBOOK_DATA", Path(__file__).parents[2] / "../shared/data"))
WORLD_CUP = DATA / "odds" / "world_cup_2026_20_books.csv.gz"
MAY_DAY = datetime(2027, 5, 1, 15, tzinfo=UTC)
HEADER = "ts_utc,match,kickoff_utc,bookmaker,market,outcome,point,price\n"


@pytest.fixture(scope="module")
def service(
    servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with a_service(tmp_path_factory.mktemp("feed"), servers) as running:
        yield running


@pytest.fixture
def desk(service: Service) -> Iterator[Client]:
    client = Client(service.url, token("operator", "ann"))
    yield client
    client.close()


class Stream:
    """The ODDS stream of the tests' NATS, as far as one test wrote to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.after = asyncio.run(self._last())

    async def _last(self) -> int:
        async with connected(self.url, "test") as nats:
            await ensure_streams(nats.jetstream, StreamLimits())
            return (await nats.jetstream.stream_info(ODDS)).state.last_seq

    def messages(self) -> list[tuple[str, QuoteMessage]]:
        """What was published since the last look: subjects and messages."""

        async def read() -> list[tuple[str, QuoteMessage]]:
            last = await self._last()
            async with connected(self.url, "test") as nats:
                found = []
                for sequence in range(self.after + 1, last + 1):
                    raw = await nats.jetstream.get_msg(ODDS, sequence)
                    assert raw.data is not None
                    found.append((raw.subject or "", decode_message(raw.data)))
                self.after = last
                return found

        return asyncio.run(read())


@pytest.fixture
def stream(servers: EmbeddedServers) -> Stream:
    return Stream(servers.urls.nats)


def played(service: Service, stream: Stream, file: Path, *more: str) -> int:
    return main(
        [
            *("feed", "replay", str(file), "--speed", "0", *more),
            *("--url", service.url, "--token", token("operator", "feed"), "--nats", stream.url),
        ]
    )


def quotes(
    folder: Path, home: str, away: str, *rows: str, start: str = "2026-06-20T19:00:00Z"
) -> Path:
    """A recording of one match; rows are `minute,bookmaker,market,outcome,point,price`."""
    file = folder / f"{home}-{away}.csv"
    lines = []
    for row in rows:
        minute, rest = row.split(",", 1)
        lines.append(f"2026-06-12 12:{int(minute):02},{home} v {away},{start},{rest}\n")
    file.write_text(HEADER + "".join(lines))
    return file


def shown(message: QuoteMessage) -> dict[str, str | None]:
    return {
        f"{each.selection_id} {each.side}": None if each.odds is None else str(each.odds)
        for each in message.quotes
    }


def markets_of(desk: Client, fixture_id: object) -> list[Any]:
    items: list[Any] = desk.get("/v1/markets", fixture_id=str(fixture_id)).ok()["items"]
    return items


def test_a_recording_opens_fixtures_and_markets_and_is_published_on_its_subjects(
    service: Service,
    stream: Stream,
    desk: Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = quotes(
        tmp_path, "Ruritania", "Graustark",
        "0,Some Book,h2h,Ruritania,,2.1", "0,Some Book,h2h,Draw,,3.3", "0,Some Book,h2h,Graustark,,3.9",
        "0,exch,h2h,Ruritania,,2.2", "0,exch,h2h_lay,Ruritania,,2.24", "0,Some Book,totals,Over,2.5,1.9",
        "0,Some Book,btts,Yes,,NaN",
    )  # fmt: skip
    before = datetime.now(UTC)
    assert played(service, stream, file) == 0
    messages = stream.messages()
    by_subject = {subject.split(".")[1]: subject for subject, _ in messages}
    assert by_subject.keys() == {"some_book", "exch"}
    for subject, message in messages:
        assert subject == f"odds.{message.bookmaker}.{message.fixture_id}.{message.market_id}"
        assert before <= message.at <= datetime.now(UTC)
        assert message.feed == "recorded"
    assert [shown(message) for _, message in messages] == [
        {"home back": "2.1", "draw back": "3.3", "away back": "3.9"},
        {"home back": "2.2", "home lay": "2.24", "away back": None, "draw back": None, "away lay": None, "draw lay": None},
        {"over back": "1.9", "under back": None},
        {"yes back": None, "no back": None},
    ]  # fmt: skip
    [fixture_id] = {message.fixture_id for _, message in messages}
    assert wait_until(lambda: len(markets_of(desk, fixture_id)) == 3, 30)
    found = {each["type"]: each for each in markets_of(desk, fixture_id)}
    assert found["OU"]["line"] == 2.5
    assert found["OU"]["pricing"] == "external"
    assert found["1X2"]["fixture"]["name"] == "Ruritania v Graustark"
    starts_at = datetime.fromisoformat(found["1X2"]["fixture"]["starts_at"])
    assert before < starts_at < before + timedelta(days=14 + 9)
    said = capsys.readouterr().out
    assert "4 batches, 6 prices, 4 messages published" in said
    assert "rejected 1: odds is not a number" in said
    assert "1 fixtures begun, 3 markets opened" in said


def test_a_second_replay_meets_the_same_markets_and_says_only_new_prices(
    service: Service,
    stream: Stream,
    desk: Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = quotes(tmp_path, "Freedonia", "Sylvania", "0,b,h2h,Freedonia,,2.1", "5,b,h2h,Draw,,3.3")
    assert played(service, stream, file, "--keep-times") == 0
    first = stream.messages()
    assert [shown(message)["home back"] for _, message in first] == ["2.1", None]
    assert wait_until(lambda: len(markets_of(desk, first[0][1].fixture_id)) == 1, 30)
    assert played(service, stream, file, "--keep-times") == 0
    # The same prices of the same moments: the stream has them already.
    assert stream.messages() == []
    assert "0 fixtures begun, 0 markets opened" in capsys.readouterr().out.splitlines()[-1]
    assert played(service, stream, file) == 0
    again = stream.messages()
    assert len(again) == 2
    assert {message.market_id for _, message in again} != {
        message.market_id for _, message in first
    }


def test_a_line_that_was_withdrawn_and_a_price_that_is_gone_are_said_so(
    service: Service, stream: Stream, tmp_path: Path
) -> None:
    file = quotes(
        tmp_path, "Latveria", "Symkaria",
        "0,b,totals,Over,2.5,1.9", "0,b,totals,Under,2.5,1.9", "0,b,h2h,Latveria,,2", "0,b,h2h_lay,Latveria,,2.1",
        "9,b,totals,Over,3.5,2.9", "9,b,h2h,Latveria,,1.0", "9,b,h2h,Draw,,3",
    )  # fmt: skip
    played(service, stream, file)
    said = [shown(message) for _, message in stream.messages()]
    assert said[2:] == [
        {"over back": "2.9", "under back": None},
        {"draw back": "3", "home back": None, "home lay": None},
        {"over back": None, "under back": None},
    ]


def test_two_feeds_that_spell_a_match_differently_and_one_that_has_it_in_reverse_land_on_one_fixture(
    service: Service, stream: Stream, desk: Client, tmp_path: Path
) -> None:
    start = (datetime.now(UTC) + timedelta(days=40)).replace(microsecond=0)
    text = start.isoformat().replace("+00:00", "Z")
    csv = quotes(tmp_path, "Manchester United", "Brighton", "0,b,h2h,Brighton,,4.5", start=text)
    played(service, stream, csv, "--keep-times")
    [(_, first)] = stream.messages()
    assert wait_until(lambda: len(markets_of(desk, first.fixture_id)) == 1, 30)
    api = tmp_path / "api.json"
    markets = [
        {"key": "h2h", "outcomes": [{"name": "Brighton and Hove Albion", "price": 4.6}]},
        {
            "key": "spreads",
            "outcomes": [{"name": "Brighton and Hove Albion", "price": 1.9, "point": 0.75}],
        },
    ]
    match = {
        "id": "1",
        "sport_key": "soccer_epl",
        "sport_title": "EPL",
        "commence_time": (start + timedelta(minutes=5)).isoformat(),
        "home_team": "Brighton and Hove Albion",
        "away_team": "Man Utd",
        "bookmakers": [{"key": "other", "last_update": "2026-06-12T12:00:00Z", "markets": markets}],
    }
    api.write_bytes(msgspec.json.encode([match]))
    assert played(service, stream, api, "--keep-times") == 0
    second = {message.market_id: message for _, message in stream.messages()}
    assert {message.fixture_id for message in second.values()} == {first.fixture_id}
    assert shown(second[first.market_id])["away back"] == "4.6"
    assert wait_until(lambda: len(markets_of(desk, first.fixture_id)) == 2, 30)
    lines = {each["type"]: each["line"] for each in markets_of(desk, first.fixture_id)}
    # Brighton +0.75 as its feed's home side is Manchester United -0.75 here, whose market it is.
    assert lines == {"1X2": None, "AH": -0.75}
    names = desk.get("/v1/feed-names", feed="the-odds-api").ok()["items"]
    assert [(each["status"], each["swapped"]) for each in names if each["away"] == "Man Utd"] == [
        ("matched", True)
    ]


def test_a_match_that_is_not_certain_waits_for_an_operator_and_is_read_once_he_has_said(
    service: Service,
    stream: Stream,
    desk: Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = quotes(
        tmp_path,
        "Kelvinside Rangers",
        "Paisley Rovers",
        "0,b,h2h,Draw,,3",
        start="2027-01-10T15:00:00Z",
    )
    played(service, stream, known, "--keep-times")
    [(_, first)] = stream.messages()
    assert wait_until(lambda: len(markets_of(desk, first.fixture_id)) == 1, 30)
    moved = quotes(
        tmp_path,
        "Kelvinside Rangers",
        "Paisley Rovers",
        "1,b,h2h,Draw,,3.1",
        start="2027-01-14T15:00:00Z",
    )
    capsys.readouterr()
    assert played(service, stream, moved, "--keep-times") == 1
    assert stream.messages() == []
    said = capsys.readouterr().out
    assert (
        "no fixture is certain: Kelvinside Rangers v Paisley Rovers, 2027-01-14 15:00 UTC" in said
    )
    assert "GET /v1/feed-names?status=unmatched" in said

    def waiting() -> list[Any]:
        items = desk.get("/v1/feed-names", status="unmatched", feed="recorded").ok()["items"]
        return [each for each in items if each["home"] == "Kelvinside Rangers"]

    assert wait_until(lambda: len(waiting()) == 1, 30)
    [name] = waiting()
    assert [each["fixture_id"] for each in name["candidates"]] == [str(first.fixture_id)]
    desk.post(f"/v1/feed-names/{name['name_id']}/match", {"fixture_id": str(first.fixture_id)}).ok()
    assert wait_until(lambda: not waiting(), 30)
    assert played(service, stream, moved, "--keep-times") == 0
    [(_, second)] = stream.messages()
    assert second.market_id == first.market_id


def test_prices_belong_to_the_market_that_a_fixture_has_already_whoever_opened_it(
    service: Service, stream: Stream, desk: Client, tmp_path: Path
) -> None:
    opened = desk.post(
        "/v1/markets",
        {
            "fixture": {
                "sport": "football",
                "competition": "Cup",
                "name": "Borduria v Syldavia",
                "starts_at": "2027-03-01T19:00:00Z",
                "home": "Borduria",
                "away": "Syldavia",
            },
            "type": "OU",
            "line": 2.50,
            "selections": [
                {"selection_id": "over", "name": "Over"},
                {"selection_id": "under", "name": "Under"},
            ],
            "pricing": "house",
        },
    ).ok(201)
    assert wait_until(lambda: len(markets_of(desk, opened["fixture_id"])) == 1, 30)
    file = quotes(
        tmp_path, "Borduria", "Syldavia", "0,b,totals,Over,2.5,1.9", start="2027-03-01T19:00:00Z"
    )
    played(service, stream, file, "--keep-times")
    [(_, message)] = stream.messages()
    assert (str(message.market_id), str(message.fixture_id)) == (
        opened["market_id"],
        opened["fixture_id"],
    )


def test_prices_of_a_match_go_to_no_market_on_its_first_half(
    service: Service, stream: Stream, desk: Client, tmp_path: Path
) -> None:
    body = market_body(type="OU", line=0.5, period="first_half")
    body["fixture"] |= {
        "name": "Ruritania v Zenda",
        "starts_at": "2027-03-01T19:00:00Z",
        "home": "Ruritania",
        "away": "Zenda",
    }
    body["selections"] = [
        {"selection_id": "over", "name": "Over"},
        {"selection_id": "under", "name": "Under"},
    ]
    half = desk.post("/v1/markets", body).ok(201)
    assert wait_until(lambda: len(markets_of(desk, half["fixture_id"])) == 1, 30)
    file = quotes(
        tmp_path, "Ruritania", "Zenda", "0,b,totals,Over,0.5,1.1", start="2027-03-01T19:00:00Z"
    )
    played(service, stream, file, "--keep-times")
    [(_, message)] = stream.messages()
    assert str(message.fixture_id) == half["fixture_id"]
    assert str(message.market_id) != half["market_id"]


@pytest.mark.skipif(not WORLD_CUP.exists(), reason=f"no recorded quotes in {DATA}")
def test_a_week_of_twenty_bookmakers_is_published_whole(
    service: Service, stream: Stream, desk: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    began = datetime.now(UTC)
    before = stream.after
    assert played(service, stream, WORLD_CUP) == 0
    assert datetime.now(UTC) - began < timedelta(seconds=60)
    said = capsys.readouterr().out
    assert (
        "9614 batches, 30385 prices, 9614 messages published, 0 without news, 16 rejected, 0 unmatched"
        in said
    )
    assert "38 fixtures begun, 105 markets opened" in said
    assert asyncio.run(stream._last()) - before == 9_614


# ---- names


def an_event(feed: str, home: str, away: str, days: int = 0) -> FeedEvent:
    return FeedEvent(
        feed=feed,
        event_id=f"{home} {days}",
        sport="football",
        competition="Cup",
        name=f"{home} v {away}",
        starts_at=MAY_DAY + timedelta(days=days),
        home=home,
        away=away,
    )


def a_fixture(desk: Client, home: str, away: str) -> str:
    """Open a market on a match that starts at MAY_DAY, and give its fixture."""
    fixture = {
        "sport": "football",
        "competition": "Cup",
        "name": f"{home} v {away}",
        "starts_at": MAY_DAY.isoformat(),
        "home": home,
        "away": away,
    }
    market_id = desk.market(fixture=fixture)
    until(lambda: desk.get(f"/v1/markets/{market_id}").status == 200)
    fixture_id: str = desk.get(f"/v1/markets/{market_id}").ok()["fixture"]["fixture_id"]
    return fixture_id


@pytest.mark.anyio
async def test_an_operators_word_and_a_later_one_are_noticed_while_the_feed_runs(
    service: Service, desk: Client
) -> None:
    first = a_fixture(desk, "Cowlairs Rangers", "Linthouse Rovers")
    second = a_fixture(desk, "Duntocher Hibernian", "Renton Academicals")

    def say(fixture_id: str) -> None:
        [name] = [each for each in said() if each["home"] == "Cowlairs Rangers"]
        desk.post(f"/v1/feed-names/{name['name_id']}/match", {"fixture_id": fixture_id}).ok()
        until(lambda: fixture_id in {each["fixture_id"] for each in said()})

    def said() -> list[Json]:
        items: list[Json] = desk.get("/v1/feed-names", feed="a-feed").ok()["items"]
        return items

    clock = HandClock()
    moved = an_event("a-feed", "Cowlairs Rangers", "Linthouse Rovers", days=4)
    async with LedgerClient(service.url, token("operator", "feed")) as client:
        names = FixtureNames("a-feed", FeedDesk(client), clock)
        assert await names.fixture_of(moved) is None
        assert [each.home for each in names.unmatched.values()] == ["Cowlairs Rangers"]
        until(lambda: len(said()) == 1)
        say(first)
        assert await names.fixture_of(moved) is None  # it was asked a moment ago
        clock.turn(ASK_AGAIN_SECONDS)
        found = await names.fixture_of(moved)
        assert found is not None
        assert str(found.fixture.fixture_id) == first
        assert not names.unmatched

        say(second)
        clock.turn(ASK_AGAIN_SECONDS)
        begun = await names.fixture_of(an_event("a-feed", "Newcomers", "Latecomers"))
        assert begun is not None
        assert begun.begun
        found = await names.fixture_of(moved)
        assert found is not None
        assert str(found.fixture.fixture_id) == second


# ---- live


@pytest.mark.anyio
async def test_a_live_feed_goes_through_faults_of_its_provider_into_the_price_stream(
    service: Service, servers: EmbeddedServers
) -> None:
    start = (datetime.now(UTC) + timedelta(days=70)).isoformat()
    outcomes = [{"name": name, "price": price} for name, price in (("Oz", 2.1), ("Narnia", 3.7))]
    bookmaker = {
        "key": "livebook",
        "last_update": datetime.now(UTC).isoformat(),
        "markets": [{"key": "h2h", "outcomes": outcomes}],
    }
    match = {
        "id": "77",
        "sport_key": "soccer_cup",
        "sport_title": "Cup",
        "commence_time": start,
        "home_team": "Oz",
        "away_team": "Narnia",
        "bookmakers": [bookmaker],
    }
    content = msgspec.json.encode([match])
    async with (
        provider_server(answers(500), resets, answers(200, content)) as server,
        connected(servers.urls.nats, "test") as nats,
        LedgerClient(service.url, token("operator", "feed")) as client,
        Publisher(servers.urls.nats, StreamLimits(), "feed") as outlet,
    ):
        await ensure_streams(nats.jetstream, StreamLimits())
        heard = await nats.client.subscribe("odds.livebook.>")
        await nats.client.flush()
        clock = HandClock(datetime.now(UTC))
        feed = TheOddsApiFeed(
            "key", Subscription("soccer_cup"), clock=clock, randomness=Random(1), url=server.url
        )
        desk = FeedDesk(client)
        intake = Intake(FixtureNames(feed.name, desk, clock), desk, outlet)
        async with asyncio.timeout(20):
            batches = await anext(feed.batches())
            await intake.take(batches)
            await intake.finish()
            message = decode_message((await heard.next_msg(10)).data)
    assert shown(message) == {"home back": "2.1", "away back": "3.7", "draw back": None}
    assert message.feed == "the-odds-api"
    assert feed.health.success_rate == pytest.approx(1 / 3)
    assert (intake.tally.fixtures_begun, intake.tally.markets_opened) == (1, 1)


@pytest.mark.anyio
async def test_while_the_ledger_is_away_a_live_feed_leaves_new_fixtures_out_and_a_recording_stops(
    servers: EmbeddedServers, tmp_path: Path
) -> None:
    clock = HandClock(datetime.now(UTC))
    recorded = RecordedCsvFeed(quotes(tmp_path, "A", "B", "0,b,h2h,A,,2").read_bytes(), clock)
    batches = await anext(recorded.batches())
    async with (
        LedgerClient("http://127.0.0.1:1", "token") as client,
        Publisher(servers.urls.nats, StreamLimits(), "feed") as outlet,
    ):
        desk = FeedDesk(client)
        live = Intake(FixtureNames("recorded", desk, clock), desk, outlet, is_live=True)
        took = []
        for _ in range(2):
            began = asyncio.get_running_loop().time()
            await live.take(batches)
            took.append(asyncio.get_running_loop().time() - began)
        # Nobody waits for a ledger that was away a moment ago.
        assert took[1] < took[0] / 2, took
        assert (live.tally.left_out, live.tally.published) == (2, 0)
        with pytest.raises(DeskAway, match="did not answer"):
            await Intake(FixtureNames("recorded", desk, clock), desk, outlet).take(batches)


def test_a_live_feed_goes_on_through_an_outage_until_it_is_stopped_and_shows_no_key(
    service: Service, servers: EmbeddedServers, tmp_path: Path
) -> None:
    child = Child("feed", tmp_path / "feed.log")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAIRBOOK_")}
    environment = {
        **kept,
        "FAIRBOOK_THE_ODDS_API_KEY": "a-secret-key",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "FAIRBOOK_TOKEN": token("operator", "feed"),
        "NATS_URL": servers.urls.nats,
    }
    command = [
        sys.executable,
        "-m",
        "fairbook",
        "feed",
        "run",
        "the-odds-api",
        "--url",
        service.url,
    ]
    child.start(command, environment, CHECKOUT)

    def failures() -> int:
        return child.log_file.read_text().count("feed the-odds-api: ConnectError")

    assert wait_until(lambda: failures() >= 2, 30), child.log_tail()
    child.ask_to_stop()
    assert wait_until(lambda: child.exit_status is not None, 20)
    assert child.exit_status == 0
    said = child.log_file.read_text()
    assert "stopping" in said
    assert "a-secret-key" not in said


# ---- what stands in the way


def test_what_cannot_be_played_is_said_with_what_to_do(
    service: Service, stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = quotes(tmp_path, "A", "B", "0,b,h2h,A,,2")
    other = tmp_path / "other.txt"
    other.write_text("hello")
    asked = ["feed", "replay", str(file), "--speed", "0", "--token", token("operator", "f")]
    for arguments, said in (
        ([*asked[:2], str(tmp_path / "none"), *asked[3:], "--nats", stream.url], "No such file"),
        ([*asked[:2], str(other), *asked[3:], "--nats", stream.url], "--format"),
        ([*asked, "--url", "http://127.0.0.1:1", "--nats", stream.url], "did not answer"),
        ([*asked, "--url", service.url, "--nats", "nats://127.0.0.1:1"], "Start `fairbook up`"),
    ):
        assert main(arguments) == 2
        assert said in capsys.readouterr().out
    trader = ["feed", "replay", str(file), "--token", token("trader", "t"), "--url", service.url]
    assert main([*trader, "--nats", stream.url]) == 2
    assert "does not accept the token" in capsys.readouterr().out


@pytest.mark.parametrize("speed", ["-1", "fast", "nan", "inf"])
def test_a_speed_is_a_number(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["feed", "replay", "x.csv", "--speed", speed])
    assert "is not a speed" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_live_feed_names_the_variables_that_it_lacks(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in CREDENTIALS:
        monkeypatch.delenv(variable, raising=False)
    assert main(["feed", "run", name, "--token", "t", "--nats", "nats://127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert all(variable in said for variable in NEEDED[name])


def test_the_list_shows_what_each_feed_needs_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAIRBOOK_THE_ODDS_API_KEY", "a-secret-key")
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["feed", "list"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"the-odds-api\W+ready", said)
    assert "FAIRBOOK_PINNACLE_USER" in said
    assert "a-secret-key" not in said


def test_credentials_are_in_no_representation() -> None:
    variables = dict.fromkeys(CREDENTIALS, "a-secret")
    credentials = FeedCredentials.from_environment(variables)
    assert "a-secret" not in repr(credentials)
    assert credentials.missing("betfair") == []
    assert FeedCredentials.from_environment({}).missing("pinnacle") == list(NEEDED["pinnacle"])
