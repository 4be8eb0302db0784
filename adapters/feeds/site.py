"""Prices of a bookmaker without an API, read from its page where its terms allow: openly, slowly, within robots.txt.

Nothing is disguised: the user agent names fairbook and whom to write to, and the browser says that it is automated.
Needs the extra `sites` (Playwright) and a Chromium of the system.
"""

import asyncio
import importlib
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from random import Random
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec

from adapters.feeds.provider import Provider
from adapters.feeds.robots import FRESH_SECONDS, Robots, read_robots
from adapters.feeds.site_description import Site, SiteError
from adapters.feeds.site_reader import EventTexts, SiteReader
from application.feeds import Clock, FeedDenied, FeedHealth
from domain.quotes import QuoteBatch

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page, Route

_log = logging.getLogger("fairbook.feeds")

_PLACES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_APPLICATION: Final = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
_ARGUMENTS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NOT_LOADED: Final = frozenset({"image", "media", "font"})
_DENIED: Final = frozenset({401, 403, 451})
_BAD: Final = 400
_SETTLE_MILLISECONDS: Final = 500

# One question for a whole page: a question for each text would take a page of prices seconds.
_READ: Final = """
site => {
  const text = (root, field) => {
    if (!field) return null;
    const found = field.selector ? root.querySelector(field.selector) : root;
    if (!found) return null;
    return field.attribute ? found.getAttribute(field.attribute) : (found.innerText ?? found.textContent);
  };
  const lines = (root, market) =>
    (market.each ? [...root.querySelectorAll(market.each)] : [root]).map(line => ({
      line: text(line, market.line),
      selections: Object.fromEntries(
        Object.entries(market.selections).map(([id, field]) => [id, text(line, field)])),
    }));
  return [...document.querySelectorAll(site.row)].map(row => ({
    home: text(row, site.home), away: text(row, site.away),
    event_name: text(row, site.event_name), event_id: text(row, site.event_id),
    starts_at: text(row, site.starts_at),
    markets: site.markets.map(market => lines(row, market)),
  }));
}"""
_SCROLL: Final = "() => window.scrollTo(0, document.body.scrollHeight)"


def chromium_path(setting: str | None = None) -> Path:
    """Find the system's Chromium: where the setting says, or in the usual places; raises SiteError."""
    if setting:
        if os.access(setting, os.X_OK) and Path(setting).is_file():
            return Path(setting)
        raise SiteError(f"FAIRBOOK_CHROMIUM: {setting} is no program; name Chromium's")
    for name in (*_PLACES, _APPLICATION):
        if found := shutil.which(name):
            return Path(found)
    raise SiteError(
        "no Chromium found: install it (Debian: apt install chromium), or name it in FAIRBOOK_CHROMIUM"
    )


def user_agent_of(version: str, contact: str | None) -> str:
    """Say who reads: fairbook, its version, and an address to write to; raises SiteError without one."""
    if not contact or not contact.isprintable() or ("@" not in contact and "://" not in contact):
        raise SiteError(
            "set FAIRBOOK_CONTACT to an e-mail address or a URL: the sites that are read shall know whom to write to"
        )
    return f"fairbook/{version} (+{contact})"


@asynccontextmanager
async def launched(chromium: Path) -> AsyncIterator["Browser"]:
    """A browser of one's own, ended with the block; raises SiteError without Playwright."""
    async with _playwright().async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            headless=True,
            args=list(_ARGUMENTS),
            # Chromium's own sandbox does not start as root.
            chromium_sandbox=os.geteuid() != 0,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
        try:
            yield browser
        finally:
            await browser.close()


class SiteFeed:
    """A bookmaker's page, read again and again."""

    def __init__(
        self,
        site: Site,
        *,
        user_agent: str,
        chromium: Path,
        clock: Clock,
        randomness: Random,
        screenshots: Path | None = None,
        launch: Callable[[Path], AbstractAsyncContextManager["Browser"]] = launched,
    ) -> None:
        """Read `site` as `user_agent`; pictures of pages that could not be read go to `screenshots`, by default nowhere.

        Feeds may share a browser: `launch` lends it. What a feed does in it is apart from the others.
        """
        self.name = site.name
        self.health = FeedHealth(site.name)
        self._site = site
        self._user_agent = user_agent
        self._chromium = chromium
        self._clock = clock
        self._randomness = randomness
        self._screenshots = screenshots
        self._launch = launch
        self._reader = SiteReader(site, self.health, clock)
        self._robots_read_at: float | None = None

    async def batches(self) -> AsyncIterator[Sequence[QuoteBatch]]:
        """Give what the page shows, and what it no longer shows, at each look.

        Raises FeedDenied where robots.txt or the site's answers refuse us, and SiteError without Playwright.
        """
        playwright = _playwright()
        provider = self._provider(self._site.seconds_between_loads)
        robots: Robots | None = None
        while True:
            if robots is None or not self._is_fresh():
                robots = await self._allowed(provider)
                pause_seconds = max(self._site.seconds_between_loads, robots.delay_seconds)
                provider = self._provider(pause_seconds)
            try:
                async with self._browser(robots) as context:
                    while self._is_fresh():
                        rows = await self._looked(context, provider, robots)
                        if rows is not None and (batches := self._reader.take(rows)):
                            yield batches
                        await self._clock.sleep(self._site.interval_seconds)
            except playwright.Error as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    # Ctrl-C reaches the browser too, whose end must not hide that we are to stop.
                    raise asyncio.CancelledError from error
                # The browser did not start, or is gone: begin another.
                provider.failed(f"browser: {_first_line(error)}")
                await provider.turn()

    def _provider(self, pause_seconds: float) -> Provider:
        return Provider(
            self.health, self._clock, self._randomness, per_second=1 / pause_seconds, burst=1
        )

    def _is_fresh(self) -> bool:
        read_at = self._robots_read_at
        return read_at is not None and self._clock.monotonic() - read_at < FRESH_SECONDS

    async def _allowed(self, provider: Provider) -> Robots:
        """Read robots.txt until it answers; while it does not, nothing else is read."""
        while True:
            await provider.turn()
            try:
                robots = await read_robots(self._site.url, self._user_agent)
            except httpx.HTTPError as error:
                provider.failed(f"robots.txt: {type(error).__name__} {error}".strip())
                continue
            provider.succeeded()
            self._robots_read_at = self._clock.monotonic()
            self._check(robots, self._site.url)
            return robots

    def _check(self, robots: Robots, url: str) -> None:
        if _origin(url) != _origin(self._site.url):
            raise FeedDenied(
                f"{self._site.url} leads to another site, {_origin(url)}: describe that one"
            )
        if not robots.allows(url):
            raise FeedDenied(f"robots.txt of {_origin(url)} does not allow {urlsplit(url).path}")

    # ---- the browser

    @asynccontextmanager
    async def _browser(self, robots: Robots) -> AsyncIterator["BrowserContext"]:
        async with self._launch(self._chromium) as browser:
            context = await browser.new_context(
                user_agent=self._user_agent, accept_downloads=False, service_workers="block"
            )
            try:
                context.set_default_timeout(self._site.timeout_seconds * 1000)
                await context.route("**/*", lambda route: self._filter(route, robots))
                yield context
            finally:
                await context.close()

    async def _looked(
        self, context: "BrowserContext", provider: Provider, robots: Robots
    ) -> list[EventTexts] | None:
        """Read all pages; None when that failed, which is tried again at the next look."""
        page = await context.new_page()
        try:
            await provider.turn()
            rows = await self._pages(page, provider, robots)
        except (_playwright().Error, _BadAnswer) as error:
            provider.failed(_first_line(error))
            await self._picture(page)
            return None
        else:
            provider.succeeded()
            return rows
        finally:
            await page.close()

    async def _pages(self, page: "Page", provider: Provider, robots: Robots) -> list[EventTexts]:
        site = self._site
        answer = await page.goto(site.url, wait_until="domcontentloaded")
        if answer is not None and answer.status in _DENIED:
            raise FeedDenied(f"{_origin(site.url)} refuses to be read (HTTP {answer.status})")
        if answer is not None and answer.status >= _BAD:
            raise _BadAnswer(f"HTTP {answer.status}")
        rows: list[EventTexts] = []
        most = site.pages.most if site.pages else 1
        for number in range(1, most + 1):
            self._check(robots, page.url)
            rows += await self._rows(page)
            following = page.locator(site.pages.next).first if site.pages else None
            if following is None or number == most or not await following.is_visible():
                break
            await provider.turn()
            await following.click()
            await page.wait_for_timeout(_SETTLE_MILLISECONDS)
            await page.wait_for_load_state("domcontentloaded")
        return rows

    async def _rows(self, page: "Page") -> list[EventTexts]:
        try:
            await page.wait_for_selector(self._site.row, state="attached")
        except _playwright().TimeoutError:
            _log.warning("feed %s: nothing matches row %s", self.name, self._site.row)
            await self._picture(page)
            return []
        for _ in range(self._site.scrolls):
            await page.evaluate(_SCROLL)
            await page.wait_for_timeout(_SETTLE_MILLISECONDS)
        found: Any = await page.evaluate(_READ, msgspec.to_builtins(self._site))
        return msgspec.convert(found, list[EventTexts])

    async def _picture(self, page: "Page") -> None:
        if self._screenshots is None or page.is_closed():
            return
        file = self._screenshots / f"{self.name}-{self._clock.now():%Y%m%dT%H%M%S}.png"
        try:
            await page.screenshot(path=file)
        except _playwright().Error as error:
            _log.warning("feed %s: no screenshot: %s", self.name, _first_line(error))

    async def _filter(self, route: "Route", robots: Robots) -> None:
        """Load no pictures and the like, for prices are text; and nothing that robots.txt keeps to the site."""
        url = route.request.url
        if route.request.resource_type in _NOT_LOADED:
            await route.abort()
        elif _origin(url) == _origin(self._site.url) and not robots.allows(url):
            self.health.notes["left out for robots.txt"] += 1
            await route.abort()
        else:
            await route.continue_()


class _BadAnswer(Exception):  # noqa: N818  never leaves this module
    """The site answered with a fault of its own."""


def _playwright() -> ModuleType:
    """Give Playwright, an extra that few need; raises SiteError."""
    try:
        return importlib.import_module("playwright.async_api")
    except ImportError as error:
        raise SiteError(
            "sites are read with Playwright, which is not installed: pip install 'playwright>=1.50,<2'"
        ) from error


def _first_line(error: Exception) -> str:
    """Give what went wrong; below it stands Playwright's own log."""
    return str(error).partition("\n")[0][:300] or type(error).__name__


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
