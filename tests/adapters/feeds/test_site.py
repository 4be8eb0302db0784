"""A page of prices on this machine, read by the real Chromium."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from adapters.feeds.clock import SystemClock
from adapters.feeds.site import SiteFeed, chromium_path, launched, user_agent_of
from adapters.feeds.site_description import Site, SiteError, parse_site
from application.feeds import FeedDenied
from domain.quotes import QuoteBatch

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.anyio

try:
    CHROMIUM: Path | None = chromium_path()
except SiteError:
    CHROMIUM = None
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

AGENT = user_agent_of("0.1.0", "desk@example.org")
ROW = """
<li class="match" data-id="{id}"><time datetime="2030-03-02T15:00:00Z">Saturday</time>
<b class="home">{home}</b> - <b class="away">{away}</b>
<i class="h">{odds}</i><i class="d">3.4</i><i class="a">4.75</i>
<div class="total" data-line="2.5"><i class="o">5/6</i><i class="u">evs</i></div>
<div class="total" data-line="3.5"><i class="o">21/10</i></div></li>"""
TOML = """
name = "example"
bookmaker = "example_bets"
url = "{url}/football"
terms_allow = true
sport = "football"
competition = "Premier League"
row = "li.match"
home = {{selector = ".home"}}
away = {{selector = ".away"}}
event_id = {{attribute = "data-id"}}
starts_at = {{selector = "time", attribute = "datetime"}}
interval_seconds = 1
seconds_between_loads = 1
timeout_seconds = {timeout}
{more}
[[markets]]
type = "1X2"
selections = {{home = {{selector = ".h"}}, draw = {{selector = ".d"}}, away = {{selector = ".a"}}}}
[[markets]]
type = "OU"
each = ".total"
odds_format = "fractional"
line = {{attribute = "data-line"}}
selections = {{over = {{selector = ".o"}}, under = {{selector = ".u"}}}}
"""


class Bookmaker:
    """A small site: its pages by path, and who asked for them."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, str]] = {}
        self.asked: list[tuple[str, str]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, self.headers["User-Agent"]))
                status, text = site.pages.get(self.path, (404, "nothing here"))
                kind = "text/plain" if self.path.endswith(".txt") else "text/html; charset=utf-8"
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", text)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the library's name
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def show(self, *rows: str, path: str = "/football", more: str = "") -> None:
        head = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
        self.pages[path] = (200, f"{head}<ul>{''.join(rows)}</ul>{more}")

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@pytest.fixture
def bookmaker() -> Iterator[Bookmaker]:
    site = Bookmaker()
    thread = Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for all tests of this file: it is the browser's."""
    return "asyncio"


class Shared:
    """A browser that several feeds read with, one after the other."""

    def __init__(self, browser: "Browser") -> None:
        self._browser = browser

    def feed(self, site: Site, **options: Any) -> SiteFeed:
        return a_feed(site, launch=self._lend, **options)

    @asynccontextmanager
    async def _lend(self, _: Path) -> AsyncIterator["Browser"]:
        yield self._browser


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Shared]:
    assert CHROMIUM is not None
    async with launched(CHROMIUM) as browser:
        yield Shared(browser)


def a_row(number: int = 1, home: str = "Arsenal", away: str = "Chelsea", odds: str = "2.05") -> str:
    return ROW.format(id=number, home=home, away=away, odds=odds)


def a_site(bookmaker: Bookmaker, more: str = "", timeout: int = 30) -> Site:
    return parse_site(TOML.format(url=bookmaker.url, more=more, timeout=timeout).encode())


def a_feed(site: Site, **options: Any) -> SiteFeed:
    assert CHROMIUM is not None
    return SiteFeed(
        site,
        user_agent=AGENT,
        chromium=CHROMIUM,
        clock=SystemClock(),
        randomness=Random(1),
        **options,
    )


async def first_look(feed: SiteFeed) -> Sequence[QuoteBatch]:
    async with aclosing(feed.batches()) as batches:  # type: ignore[type-var]  # it is a generator
        return await anext(batches)


def priced(batch: QuoteBatch) -> dict[str, str]:
    return {quote.selection_id: str(quote.odds) for quote in batch.quotes}


@needs_chromium
async def test_a_page_is_read_as_it_is_described(bookmaker: Bookmaker, shared: Shared) -> None:
    bookmaker.show(a_row(), a_row(2, "Köln & Co", "M'gladbach", "1,909"))
    bookmaker.pages["/robots.txt"] = (200, "User-agent: *\nDisallow: /account\n")
    batches = await first_look(shared.feed(a_site(bookmaker)))
    one, over, more = batches[:3]
    assert (one.event.feed, one.event.event_id, one.event.name) == (
        "example",
        "1",
        "Arsenal v Chelsea",
    )
    assert one.event.starts_at == datetime(2030, 3, 2, 15, tzinfo=UTC)
    assert (one.bookmaker, one.type, one.line) == ("example_bets", "1X2", None)
    assert one.selections == (("home", "Arsenal"), ("draw", "Draw"), ("away", "Chelsea"))
    assert priced(one) == {"home": "2.05", "draw": "3.4", "away": "4.75"}
    assert (over.type, over.line, priced(over)) == (
        "OU",
        Decimal("2.5"),
        {"over": "1.833", "under": "2"},
    )
    assert (more.line, priced(more)) == (Decimal("3.5"), {"over": "3.1"})
    assert batches[3].event.home == "Köln & Co"
    assert priced(batches[3])["home"] == "1.909"
    assert len(batches) == 6


@needs_chromium
async def test_what_is_no_longer_shown_is_withdrawn(bookmaker: Bookmaker, shared: Shared) -> None:
    bookmaker.show(a_row(), a_row(2, "Leeds", "Hull"))
    seen = []
    feed = shared.feed(a_site(bookmaker))
    async with aclosing(feed.batches()) as batches:  # type: ignore[type-var]  # it is a generator
        async for look in batches:
            seen.append(look)
            if len(seen) == 2:
                break
            bookmaker.show(a_row(odds="2.1").replace('class="o"', 'class="closed"', 1))
    second = seen[1]
    gone = [batch for batch in second if batch.suspended]
    assert {(batch.event.name, batch.type) for batch in gone} == {
        ("Leeds v Hull", "1X2"),
        ("Leeds v Hull", "OU"),
    }
    assert all(batch.quotes == () and batch.at >= seen[0][0].at for batch in gone)
    assert priced(next(batch for batch in second if batch.type == "1X2" and batch.quotes)) == {
        "home": "2.1",
        "draw": "3.4",
        "away": "4.75",
    }
    assert feed.health.success_rate == 1


@needs_chromium
async def test_pages_are_turned_as_far_as_asked(bookmaker: Bookmaker, shared: Shared) -> None:
    for number in range(1, 5):
        path = "/football" if number == 1 else f"/football/{number}"
        link = f'<a class="next" href="/football/{number + 1}">more</a>'
        bookmaker.show(a_row(number, f"Home {number}"), path=path, more=link)
    site = a_site(bookmaker, more='pages = {next = "a.next", most = 3}')
    batches = await first_look(shared.feed(site))
    assert [b.event.event_id for b in batches if b.type == "1X2"] == ["1", "2", "3"]
    assert "/football/4" not in bookmaker.paths()


@needs_chromium
async def test_selectors_that_match_nothing_are_named(bookmaker: Bookmaker, shared: Shared) -> None:
    bookmaker.show(a_row().replace('class="d"', 'class="x"').replace("data-line", "data-x"))
    feed = shared.feed(a_site(bookmaker))
    batches = await first_look(feed)
    assert [priced(batch) for batch in batches] == [{"home": "2.05", "away": "4.75"}]
    assert feed.health.rejections.examples["selector matches nothing"] == [
        "markets[0] 1X2 draw: .d",
        "markets[1] OU line: (the event itself)",
    ]


@needs_chromium
async def test_a_page_without_events_withdraws_and_says_why(
    bookmaker: Bookmaker, shared: Shared, tmp_path: Path
) -> None:
    bookmaker.show(a_row())
    feed = shared.feed(a_site(bookmaker, timeout=6), screenshots=tmp_path)
    seen = []
    async with aclosing(feed.batches()) as batches:  # type: ignore[type-var]  # it is a generator
        async for look in batches:
            seen.append(look)
            if len(seen) == 2:
                break
            bookmaker.show("<p>A new design</p>")
    assert all(batch.suspended for batch in seen[1])
    assert feed.health.rejections.examples["selector matches nothing"] == ["row: li.match"]
    assert _pictures(tmp_path) == 1


def _pictures(folder: Path) -> int:
    return len(list(folder.glob("example-*.png")))


@needs_chromium
async def test_what_robots_txt_forbids_is_not_read(bookmaker: Bookmaker, shared: Shared) -> None:
    bookmaker.show(a_row())
    bookmaker.pages["/robots.txt"] = (200, "User-agent: fairbook\nDisallow: /football\n")
    with pytest.raises(FeedDenied, match=r"robots\.txt .* does not allow /football"):
        await first_look(shared.feed(a_site(bookmaker)))
    assert bookmaker.paths() == ["/robots.txt"]


@needs_chromium
async def test_robots_txt_holds_for_what_a_page_loads_and_the_reader_says_who_it_is(
    bookmaker: Bookmaker,
    shared: Shared,
) -> None:
    script = '<img src="/logo.png"><script>fetch("/private/prices").catch(() => 0)</script>'
    bookmaker.show(a_row(), more=script)
    bookmaker.pages["/robots.txt"] = (200, "User-agent: *\nDisallow: /private\n")
    feed = shared.feed(a_site(bookmaker))
    await first_look(feed)
    assert bookmaker.paths() == ["/robots.txt", "/football"]
    assert {agent for _, agent in bookmaker.asked} == {"fairbook/0.1.0 (+desk@example.org)"}
    assert feed.health.notes["left out for robots.txt"] == 1


@needs_chromium
async def test_a_redirect_to_a_forbidden_place_is_refused(
    bookmaker: Bookmaker, shared: Shared
) -> None:
    bookmaker.show(a_row(), path="/private/football")
    bookmaker.pages["/football"] = (302, "/private/football")
    bookmaker.pages["/robots.txt"] = (200, "User-agent: *\nDisallow: /private\n")
    with pytest.raises(FeedDenied, match="does not allow /private/football"):
        await first_look(shared.feed(a_site(bookmaker)))


@needs_chromium
async def test_a_site_that_refuses_is_left_alone(bookmaker: Bookmaker, shared: Shared) -> None:
    bookmaker.pages["/football"] = (403, "go away")
    with pytest.raises(FeedDenied, match="HTTP 403"):
        await first_look(shared.feed(a_site(bookmaker)))
    bookmaker.pages["/robots.txt"] = (401, "go away")
    with pytest.raises(FeedDenied, match=r"robots\.txt"):
        await first_look(shared.feed(a_site(bookmaker)))


@needs_chromium
async def test_a_fault_of_the_site_is_waited_out(bookmaker: Bookmaker, shared: Shared) -> None:
    bookmaker.pages["/football"] = (500, "oops")
    bookmaker.pages["/robots.txt"] = (503, "oops")
    feed = shared.feed(a_site(bookmaker))
    async with aclosing(feed.batches()) as batches:  # type: ignore[type-var]  # it is a generator
        waiting = Thread(target=lambda: _mend(bookmaker))
        waiting.start()
        assert await anext(batches)
        waiting.join()
    rate = feed.health.success_rate
    assert rate is not None
    assert rate < 1
    assert "HTTP 50" in feed.health.last_error


def _mend(bookmaker: Bookmaker) -> None:
    """Mend one fault after the other, each once it was met."""
    for path in ("/robots.txt", "/football"):
        while path not in bookmaker.paths():
            time.sleep(0.05)
        if path == "/football":
            bookmaker.show(a_row())
        else:
            del bookmaker.pages[path]


@needs_chromium
async def test_a_browser_that_died_is_started_again_unless_its_feed_is_told_to_stop(
    bookmaker: Bookmaker,
) -> None:
    """Ctrl-C reaches both the feed and its browser."""
    bookmaker.show(a_row())
    others = _browsers()
    feed = a_feed(a_site(bookmaker))
    looks: asyncio.Queue[Sequence[QuoteBatch]] = asyncio.Queue()

    async def read() -> None:
        async for look in feed.batches():
            looks.put_nowait(look)

    reading = asyncio.create_task(read())
    assert await asyncio.wait_for(looks.get(), 60)
    _kill_browser(others)
    async with asyncio.timeout(60):
        while not feed.health.last_error:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.05)
        # The first one may have shown it more than once.
        while not looks.empty():
            looks.get_nowait()
        assert await looks.get()
    assert feed.health.success_rate is not None
    assert feed.health.success_rate < 1
    _kill_browser(others)
    reading.cancel()
    done, _ = await asyncio.wait([reading], timeout=20)
    assert done
    assert reading.cancelled()


def _browsers() -> set[int]:
    """Give the browsers that this process has started."""
    found = set()
    for pid in _descendants(os.getpid()):
        with suppress(FileNotFoundError, ProcessLookupError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            # The others of a browser's many processes are of a --type.
            if b"--user-data-dir=" in command and b"--type=" not in command:
                found.add(pid)
    return found


def _kill_browser(others: set[int]) -> None:
    """Kill the one browser that is not among the others."""
    (pid,) = _browsers() - others
    os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_descendants(child)]
    return found


def test_a_reader_without_a_contact_is_not_started() -> None:
    for contact in (None, "", "nobody", "a@b\nX: y"):
        with pytest.raises(SiteError, match="FAIRBOOK_CONTACT"):
            user_agent_of("0.1.0", contact)
    assert user_agent_of("1.2", "https://desk.example") == "fairbook/1.2 (+https://desk.example)"


def test_a_chromium_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="FAIRBOOK_CHROMIUM"):
        chromium_path(str(tmp_path / "chromium"))
