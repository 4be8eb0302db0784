"""`fairbook feed`: play recorded prices, or read a live price feed, into a running service's price stream."""

import argparse
import asyncio
import contextlib
import math
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from rich.console import Console

from adapters.feeds.betfair_connection import Address
from adapters.feeds.betfair_feed import BetfairFeed, BetfairLogin
from adapters.feeds.betfair_feed import Subscription as BetfairSubscription
from adapters.feeds.betfair_names import URL as BETFAIR_NAMES_URL
from adapters.feeds.betfair_names import BetfairCatalogue
from adapters.feeds.clock import SystemClock
from adapters.feeds.pinnacle import PinnacleFeed
from adapters.feeds.polling import PollingClient
from adapters.feeds.provider import Provider
from adapters.feeds.recordings import FORMATS, Format, RecordingError, open_recording
from adapters.feeds.replay import ReplayedFeed
from adapters.feeds.site import SiteFeed, chromium_path, user_agent_of
from adapters.feeds.site_description import SiteError, read_site
from adapters.feeds.the_odds_api import Subscription as OddsSubscription
from adapters.feeds.the_odds_api import TheOddsApiFeed
from adapters.nats.connection import AWAY, connected
from adapters.nats.publisher import Publisher, PublishRefused
from adapters.nats.streams import StreamRefused
from adapters.telemetry import set_up
from api.app import VERSION
from application.feeds import Feed, FeedDenied, FeedHealth
from application.fixture_names import DeskAway, FixtureNames
from application.intake import Intake
from fairbook.client import LedgerClient, Refused, ServiceError, service_url
from fairbook.credentials import NEEDED
from fairbook.feed_desk import FeedDesk
from fairbook.feed_report import Report, show_feeds
from fairbook.secret import signing_secret
from fairbook.settings import Settings, SettingsError
from fairbook.token import mint

PLAYED, SOME_LEFT_OUT, FAILED = 0, 1, 2
TOKEN_TTL_SECONDS: Final = 30 * 86_400
USER: Final = "fairbook-feed"
CONNECTIONS: Final = 16
STOP_SECONDS: Final = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    replay = actions.add_parser("replay", help="play a recorded file as if it happened now")
    replay.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what was recorded")
    replay.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        help="times as fast as it was recorded; 0: as fast as it can be read (default: 1)",
    )
    replay.add_argument("--format", choices=FORMATS, help="default: guessed from the file")
    replay.add_argument(
        "--keep-times",
        action="store_true",
        help="keep the recorded times of quotes and kick-offs (default: it begins now)",
    )
    live = actions.add_parser("run", help="read a live feed until it is stopped")
    live.add_argument("name", choices=sorted(NEEDED), help="whose")
    live.add_argument("--sport", default="", help="default: football; as the provider names it")
    live.add_argument(
        "--markets", default="", help="markets, with commas, as the provider names them"
    )
    live.add_argument("--countries", default="", help="betfair: country codes, with commas")
    live.add_argument("--regions", default="uk,eu", help="the-odds-api: regions of bookmakers")
    live.add_argument("--leagues", default="", help="pinnacle: league ids, with commas")
    live.add_argument("--interval", type=_seconds, help="seconds between two questions")
    page = actions.add_parser(
        "site", help="read a bookmaker's page, where its terms allow, until it is stopped"
    )
    page.add_argument("file", type=Path, metavar="FILE", help="its description, TOML or JSON")
    page.add_argument(
        "--screenshots", type=Path, metavar="FOLDER", help="keep pictures of what could not be read"
    )
    for each in (replay, live, page):
        each.add_argument(
            "--url", type=service_url, help="the service (default: where `fairbook up` runs it)"
        )
        each.add_argument(
            "--token",
            default=os.environ.get("FAIRBOOK_TOKEN"),
            help="an operator's token (default: FAIRBOOK_TOKEN, else one is made with the data folder's secret)",
        )
        each.add_argument("--nats", help="URL of NATS (default: NATS_URL, else the data folder's)")
    actions.add_parser("list", help="show the feeds, and what each needs")


def run(arguments: argparse.Namespace) -> int:
    """Play or read: 0 at the end, 1 when events had no fixture or markets were refused, 2 when it failed."""
    console = Console()
    settings = Settings.from_environment()
    if arguments.action == "list":
        show_feeds(console, settings.feeds)
        return PLAYED
    try:
        return asyncio.run(_run(console, settings, arguments))
    except (
        *AWAY,
        DeskAway,
        FeedDenied,
        PublishRefused,
        RecordingError,
        Refused,
        ServiceError,
        SiteError,
        StreamRefused,
    ) as error:
        said = str(error) or type(error).__name__
        console.print(f"fairbook feed: {said}", markup=False, highlight=False, soft_wrap=True)
        return FAILED


async def _run(console: Console, settings: Settings, arguments: argparse.Namespace) -> int:
    token = arguments.token or _own_token(settings)
    url = arguments.url or f"http://{_reachable(settings.host)}:{settings.port}"
    nats_url = arguments.nats or settings.require_nats_url()
    async with contextlib.AsyncExitStack() as stack:
        feed = await _feed(settings, arguments, stack)
        client = await stack.enter_async_context(LedgerClient(url, token, CONNECTIONS))
        await _check_nats(nats_url)
        outlet = await stack.enter_async_context(Publisher(nats_url, settings.streams, "feed"))
        desk = FeedDesk(client)
        names = FixtureNames(feed.name, desk, SystemClock())
        intake = Intake(names, desk, outlet, is_live=arguments.action != "replay")
        with Report(console, feed, intake, names) as report:
            if arguments.action == "replay":
                await _play(feed, intake, report.tick)
            else:
                await _read(feed, intake, report)
        report.conclude()
        tally = intake.tally
        return SOME_LEFT_OUT if tally.unmatched or tally.refused else PLAYED


async def _play(feed: Feed, intake: Intake, tick: Callable[[], None]) -> None:
    async for batches in feed.batches():
        await intake.take(batches)
        tick()
    await intake.finish()


async def _read(feed: Feed, intake: Intake, report: Report) -> None:
    """Read until a signal says stop, and then wait a little for what is on its way."""
    set_up("fairbook-feed")
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        async for batches in feed.batches():
            await intake.take(batches)
            report.tick()
    except asyncio.CancelledError:
        report.note("stopping")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await intake.finish()


async def _feed(
    settings: Settings, arguments: argparse.Namespace, stack: contextlib.AsyncExitStack
) -> Feed:
    clock = SystemClock()
    if arguments.action == "replay":
        try:
            recorded = open_recording(arguments.files, clock, cast(Format | None, arguments.format))
        except OSError as error:
            raise RecordingError(f"{error.filename}: {error.strerror}") from error
        return ReplayedFeed(recorded, clock, arguments.speed, keep_times=arguments.keep_times)
    if arguments.action == "site":
        return SiteFeed(
            read_site(arguments.file),
            user_agent=user_agent_of(VERSION, settings.contact),
            chromium=chromium_path(settings.chromium),
            clock=clock,
            randomness=random.Random(),  # noqa: S311  jitter is no secret
            screenshots=arguments.screenshots,
        )
    return await _live_feed(settings, arguments, stack)


async def _live_feed(
    settings: Settings, arguments: argparse.Namespace, stack: contextlib.AsyncExitStack
) -> Feed:
    keys = settings.feeds
    if missing := keys.missing(arguments.name):
        raise SettingsError(f"{arguments.name} needs {' and '.join(missing)} in the environment.")
    clock, randomness = SystemClock(), random.Random()  # noqa: S311  jitter is no secret
    interval = {} if arguments.interval is None else {"interval_seconds": arguments.interval}
    if arguments.name == "the-odds-api":
        assert keys.the_odds_api_key is not None
        wanted = OddsSubscription(
            sport=arguments.sport or "soccer_epl",
            regions=arguments.regions,
            markets=arguments.markets or "h2h,totals",
        )
        return TheOddsApiFeed(
            keys.the_odds_api_key, wanted, clock=clock, randomness=randomness, **interval
        )
    if arguments.name == "pinnacle":
        assert keys.pinnacle_user is not None
        assert keys.pinnacle_password is not None
        return PinnacleFeed(
            (keys.pinnacle_user, keys.pinnacle_password),
            clock=clock,
            randomness=randomness,
            sport_id=int(arguments.sport or "29"),
            leagues=[int(each) for each in arguments.leagues.split(",") if each],
            **interval,
        )
    assert keys.betfair_app_key is not None
    assert keys.betfair_session is not None
    health = FeedHealth("betfair")
    headers = {
        "X-Application": keys.betfair_app_key,
        "X-Authentication": keys.betfair_session,
    }
    client = await stack.enter_async_context(
        PollingClient(BETFAIR_NAMES_URL, Provider(health, clock, randomness), headers=headers)
    )
    wanted_markets = {
        "eventTypeIds": [arguments.sport or "1"],
        "marketTypes": (arguments.markets or "MATCH_ODDS").split(","),
    }
    if arguments.countries:
        wanted_markets["marketCountries"] = arguments.countries.split(",")
    return BetfairFeed(
        BetfairLogin(keys.betfair_app_key, keys.betfair_session),
        BetfairSubscription(wanted_markets),
        clock=clock,
        randomness=randomness,
        catalogue=BetfairCatalogue(client, health),
        address=Address(),
        health=health,
    )


async def _check_nats(url: str) -> None:
    """Say at once that NATS is not there: the publisher would wait for it without end."""
    try:
        async with connected(url, "feed"):
            return
    except AWAY as error:
        raise ServiceError(
            f"NATS does not answer ({str(error) or type(error).__name__}). Start `fairbook up`, or name its URL with --nats."
        ) from error


def _own_token(settings: Settings) -> str:
    """On the machine of `fairbook up` nobody needs to copy a token."""
    try:
        return mint(signing_secret(settings), USER, "operator", TOKEN_TTL_SECONDS)
    except SettingsError as error:
        raise SettingsError(f"Give --token, or set FAIRBOOK_TOKEN. ({error})") from error


def _reachable(host: str) -> str:
    """A host that a client on this machine can connect to."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{host}]" if ":" in host else host


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed: 0, or a number such as 10")
    return speed


def _seconds(text: str) -> float:
    seconds = _speed(text)
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1")
    return seconds
