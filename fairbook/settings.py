"""What the environment may say, read once at the start of a process."""

import argparse
import difflib
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal, TypeVar, get_args
from urllib.parse import urlsplit

from adapters.nats.limits import DAY_SECONDS, HOUR_SECONDS, MEGABYTE, StreamLimits
from domain.cash_out import MARGIN, TOLERANCE
from domain.freshness import MaxAges
from domain.money import has_at_most_places
from fairbook.credentials import CREDENTIALS, FeedCredentials

Environment = Literal["development", "production"]

ENVIRONMENTS: tuple[str, ...] = get_args(Environment)
DEFAULT_PORT = 8080
_URLS = "urls.json"
PORT_MAX = 65_535
_MOST = 1_000_000_000
HOURS_MAX = 24 * 366

_OWN_VARIABLES = frozenset(
    {
        "FAIRBOOK_ARBITRAGE",
        "FAIRBOOK_ARTEFACTS",
        *CREDENTIALS,
        "FAIRBOOK_CASH_OUT_MARGIN",
        "FAIRBOOK_CASH_OUT_TOLERANCE",
        "FAIRBOOK_CHROMIUM",
        "FAIRBOOK_CONTACT",
        "FAIRBOOK_DATA",  # where the tests and the demo look for real data
        "FAIRBOOK_ENV",
        "FAIRBOOK_HOME",
        "FAIRBOOK_HOST",
        "FAIRBOOK_LEDGER_DAYS",
        "FAIRBOOK_LEDGER_MEGABYTES",
        "FAIRBOOK_NATS_REPLICAS",
        "FAIRBOOK_ODDS_HOURS",
        "FAIRBOOK_ODDS_MEGABYTES",
        "FAIRBOOK_PORT",
        "FAIRBOOK_QUOTE_MAX_AGE",
        "FAIRBOOK_RETRAIN_HOURS",
        "FAIRBOOK_SECRET",
        "FAIRBOOK_TOKEN",  # read by the commands that are clients of the API
        "FAIRBOOK_TRACE_RATIO",
        "FAIRBOOK_VALUE_BOUND",
        "FAIRBOOK_VALUE_CAP",
        "FAIRBOOK_VALUE_KELLY",
        "FAIRBOOK_VALUE_MARKET_CAP",
        "FAIRBOOK_VALUE_MIN",
    }
)
# Kubernetes sets these by itself in every pod beside a Service named fairbook.
_KUBERNETES_PREFIXES = ("FAIRBOOK_SERVICE_", "FAIRBOOK_PORT_")


ValueBound = Literal["mean", "low"]

VALUE_BOUNDS: tuple[str, ...] = get_args(ValueBound)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSettings:
    """Which prices are told as values and how they are sized; see domain.value.ValueRules."""

    min_value: Decimal = Decimal("0.03")
    bound: ValueBound = "mean"
    kelly: Decimal = Decimal("0.25")
    cap: Decimal = Decimal("0.02")
    market_cap: Decimal = Decimal("0.05")


class SettingsError(Exception):
    """The environment says something that fairbook cannot use; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The environment of one process, checked.

    `database_url`, `nats_url` and `redis_url` are None when unset: `fairbook up` then starts that
    server itself. What OpenTelemetry needs (`OTEL_*`), its SDK reads by itself.
    """

    database_url: str | None
    nats_url: str | None
    redis_url: str | None
    secret: str | None
    home: Path
    host: str
    port: int
    environment: Environment
    trace_ratio: float
    streams: StreamLimits
    quote_max_ages: MaxAges
    feeds: FeedCredentials
    arbitrage_file: Path | None
    artefacts: Path
    value: "ValueSettings"
    retrain_hours: float | None = None
    cash_out_margin: Decimal = MARGIN
    cash_out_tolerance: Decimal = TOLERANCE
    chromium: str | None = None
    contact: str | None = None

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> "Settings":
        """Read and check the variables.

        Raises:
            SettingsError: one is malformed, or starts with FAIRBOOK_ and is none of fairbook's.
        """
        _refuse_unknown(variables)
        return cls(
            database_url=_url(variables, "DATABASE_URL", ("postgresql", "postgres")),
            nats_url=_url(variables, "NATS_URL", ("nats", "tls")),
            redis_url=_url(variables, "REDIS_URL", ("redis", "rediss", "valkey", "valkeys")),
            secret=variables.get("FAIRBOOK_SECRET") or None,
            home=_home(variables),
            host=variables.get("FAIRBOOK_HOST") or "127.0.0.1",
            port=_parsed(variables, "FAIRBOOK_PORT", _port, DEFAULT_PORT, "a number, 1 to 65535"),
            environment=_environment(variables),
            trace_ratio=_parsed(
                variables, "FAIRBOOK_TRACE_RATIO", _ratio, 0.002, "a number from 0 (no traces) to 1"
            ),
            streams=_streams(variables),
            quote_max_ages=_parsed(
                variables,
                "FAIRBOOK_QUOTE_MAX_AGE",
                MaxAges.parse,
                MaxAges(),
                "seconds by bookmaker, such as default=300,betfair=10",
            ),
            arbitrage_file=_file(variables, "FAIRBOOK_ARBITRAGE"),
            cash_out_margin=_parsed(
                variables,
                "FAIRBOOK_CASH_OUT_MARGIN",
                _margin,
                MARGIN,
                "a share from 0 to below 1, with 4 decimals at most",
            ),
            cash_out_tolerance=_parsed(
                variables,
                "FAIRBOOK_CASH_OUT_TOLERANCE",
                _margin,
                TOLERANCE,
                "a share from 0 to below 1, with 4 decimals at most",
            ),
            artefacts=_artefacts(variables),
            value=_value(variables),
            retrain_hours=_parsed(
                variables,
                "FAIRBOOK_RETRAIN_HOURS",
                _hours,
                None,
                "a number of hours above 0, such as 24",
            ),
            feeds=FeedCredentials.from_environment(variables),
            chromium=variables.get("FAIRBOOK_CHROMIUM") or None,
            contact=variables.get("FAIRBOOK_CONTACT") or None,
        )

    def require_database_url(self) -> str:
        """The URL of PostgreSQL: as set, else where `fairbook up` on this data folder runs it.

        Raises SettingsError when there is neither.
        """
        return self._required("DATABASE_URL", self.database_url)

    def require_nats_url(self) -> str:
        """The URL of NATS, found in the same way; raises SettingsError when there is none."""
        return self._required("NATS_URL", self.nats_url)

    def _required(self, name: str, value: str | None) -> str:
        value = value or _read_urls(self.home).get(name)
        if value is None:
            raise SettingsError(
                f"{name} is not set, and no `fairbook up` has run on {self.home}. Start one, name "
                f"its folder in FAIRBOOK_HOME, or set {name} to the server's URL."
            )
        return value


def write_urls(home: Path, urls: Mapping[str, str]) -> None:
    """Leave the servers' URLs for other commands on this data folder; they hold passwords."""
    file = home / _URLS
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(dict(urls), out, indent=1)


def _read_urls(home: Path) -> dict[str, str]:
    try:
        urls: dict[str, str] = json.loads((home / _URLS).read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{home / _URLS} cannot be read ({error}): start `fairbook up` again."
        ) from error
    return urls


def _refuse_unknown(variables: Mapping[str, str]) -> None:
    for name in variables:
        if not name.startswith("FAIRBOOK_") or name in _OWN_VARIABLES:
            continue
        if name.startswith(_KUBERNETES_PREFIXES):
            continue
        near = difflib.get_close_matches(name, _OWN_VARIABLES, n=1, cutoff=0.8)
        meant = (
            f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(_OWN_VARIABLES))}"
        )
        raise SettingsError(f"{name} is not a setting of fairbook ({meant}). Unset or rename it.")


def _url(variables: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    value = variables.get(name)
    if not value:
        return None
    # The value may hold a password: never repeat it, nor what a parser says of it.
    try:
        parts = urlsplit(value)
        if "," not in parts.netloc:  # else several servers, each with its port
            _ = parts.port
        if _BAD_PERCENT.search(value):
            raise ValueError(name)
    except ValueError:
        raise SettingsError(
            f"{name} is no URL. A password with other signs than letters and digits is written in percent "
            f"signs (/ as %2F, @ as %40, % as %25), for example {_EXAMPLES[name]}"
        ) from None
    if parts.scheme not in schemes:
        raise SettingsError(
            f"{name} must start with {schemes[0]}://, for example {_EXAMPLES[name]}"
        )
    return value


_BAD_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_EXAMPLES = {
    "DATABASE_URL": "postgresql://fairbook:PASSWORD@HOST:5432/fairbook",
    "NATS_URL": "nats://fairbook:PASSWORD@HOST:4222",
    "REDIS_URL": "redis://:PASSWORD@HOST:6379/0",
}


def _home(variables: Mapping[str, str]) -> Path:
    if value := variables.get("FAIRBOOK_HOME"):
        return _folder_of("FAIRBOOK_HOME", value)
    if os.geteuid() == 0:
        # Root's own home is closed to the unprivileged account that the servers run as.
        return Path("/var/lib/fairbook")
    state = variables.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "fairbook"


def _artefacts(variables: Mapping[str, str]) -> Path:
    if value := variables.get("FAIRBOOK_ARTEFACTS"):
        return _folder_of("FAIRBOOK_ARTEFACTS", value)
    return _home(variables) / "artefacts"


def _folder_of(name: str, value: str) -> Path:
    try:
        return _folder(value)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}. Correct it, or unset it.") from None


def _file(variables: Mapping[str, str], name: str) -> Path | None:
    if not (value := variables.get(name)):
        return None
    file = _folder_of(name, value)
    if not file.is_file():
        raise SettingsError(f"{name} names {value!r}, which is no file. Correct it, or unset it.")
    return file


def _environment(variables: Mapping[str, str]) -> Environment:
    match variables.get("FAIRBOOK_ENV") or "development":
        case "development":
            return "development"
        case "production":
            return "production"
        case other:
            raise SettingsError(
                f"FAIRBOOK_ENV is {other!r}; set it to {' or '.join(ENVIRONMENTS)}."
            )


def _value(variables: Mapping[str, str]) -> ValueSettings:
    usual = ValueSettings()
    expected = "a share above 0, up to 1, with 4 decimals at most"

    def share(name: str, usual: Decimal) -> Decimal:
        return _parsed(variables, name, _positive_share, usual, expected)

    bound: ValueBound = usual.bound
    match variables.get("FAIRBOOK_VALUE_BOUND") or bound:
        case "mean":
            bound = "mean"
        case "low":
            bound = "low"
        case other:
            raise SettingsError(
                f"FAIRBOOK_VALUE_BOUND is {other!r}; set it to {' or '.join(VALUE_BOUNDS)}."
            )
    return ValueSettings(
        min_value=share("FAIRBOOK_VALUE_MIN", usual.min_value),
        bound=bound,
        kelly=share("FAIRBOOK_VALUE_KELLY", usual.kelly),
        cap=share("FAIRBOOK_VALUE_CAP", usual.cap),
        market_cap=share("FAIRBOOK_VALUE_MARKET_CAP", usual.market_cap),
    )


T = TypeVar("T")


def _parsed(
    variables: Mapping[str, str], name: str, parse: Callable[[str], T], default: T, expected: str
) -> T:
    value = variables.get(name)
    if not value:
        return default
    try:
        return parse(value)
    except ValueError:
        raise SettingsError(f"{name} is {value!r}; set it to {expected}, or unset it.") from None


def _streams(variables: Mapping[str, str]) -> StreamLimits:
    usual = StreamLimits()

    def scaled(name: str, unit: int, usual: int, least: int, expected: str) -> int:
        return _parsed(variables, name, lambda text: _at_least(least, text) * unit, usual, expected)

    size = "a number of megabytes, 1 or more"
    return StreamLimits(
        replicas=_parsed(
            variables, "FAIRBOOK_NATS_REPLICAS", _replicas, usual.replicas, "1, 3 or 5"
        ),
        odds_seconds=scaled(
            "FAIRBOOK_ODDS_HOURS",
            HOUR_SECONDS,
            usual.odds_seconds,
            1,
            "a number of hours, 1 or more",
        ),
        odds_bytes=scaled("FAIRBOOK_ODDS_MEGABYTES", MEGABYTE, usual.odds_bytes, 1, size),
        ledger_seconds=scaled(
            "FAIRBOOK_LEDGER_DAYS",
            DAY_SECONDS,
            usual.ledger_seconds,
            0,
            "a number of days, or 0 for no limit",
        ),
        ledger_bytes=scaled("FAIRBOOK_LEDGER_MEGABYTES", MEGABYTE, usual.ledger_bytes, 1, size),
    )


def _at_least(least: int, text: str) -> int:
    number = int(text)
    if not least <= number <= _MOST:
        raise ValueError(text)
    return number


def _replicas(text: str) -> int:
    replicas = int(text)
    if replicas not in {1, 3, 5}:
        raise ValueError(text)
    return replicas


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= PORT_MAX:
        raise ValueError(text)
    return port


def port_option(text: str) -> int:
    """Read the option --port; raises argparse's error."""
    try:
        return _port(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number, 1 to 65535") from None


def folder_option(text: str) -> Path:
    """Read an option that names a folder; raises argparse's error."""
    try:
        return _folder(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _folder(text: str) -> Path:
    # An empty name would be the folder that somebody happens to stand in.
    if not text.strip() or "\0" in text:
        raise ValueError(f"{text!r} names no folder")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError(f"{text!r} is in the home of nobody who is known here") from None


def _margin(text: str) -> Decimal:
    try:
        margin = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not (has_at_most_places(margin, 4) and 0 <= margin < 1):
        raise ValueError(text)
    return margin


def _positive_share(text: str) -> Decimal:
    if text.strip() in {"1", "1.0"}:
        return Decimal(1)
    share = _margin(text)
    if not share:
        raise ValueError(text)
    return share


def _hours(text: str) -> float:
    hours = float(text)
    if not (math.isfinite(hours) and 0 < hours <= HOURS_MAX):
        raise ValueError(text)
    return hours


def _ratio(text: str) -> float:
    ratio = float(text)
    if not (math.isfinite(ratio) and 0 <= ratio <= 1):
        raise ValueError(text)
    return ratio
