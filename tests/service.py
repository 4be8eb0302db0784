"""The running service, as its clients meet it: the real API and the real projector on a database of their own."""

import os
import secrets
import select
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import msgspec
import psycopg

from adapters.embedded import EmbeddedServers
from adapters.embedded.child import Child
from adapters.embedded.processes import wait_until
from domain.actors import Role
from fairbook.token import mint

CHECKOUT = Path(__file__).parents[1]
SECRET = "a-secret-of-the-tests-that-signs-their-tokens-with-any-HMAC-there-is"
START_PATIENCE_SECONDS = 60.0
STOP_PATIENCE_SECONDS = 20.0
LARGE_BYTES = 1_000_000
JSON = {"Content-Type": "application/json"}
EXPRESS, FRAMEWORK = "/v1/bets", "/v1/bets/"
"""The two ways in for a bet: the express lane takes the address as it is, the framework any spelling of it."""

Json = Any


@contextmanager
def a_database(server_url: str) -> Iterator[str]:
    """An empty database that is gone afterwards."""
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield server_url.rpartition("/")[0] + "/" + name
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def free_ports(number: int) -> list[int]:
    """So many different ones: asked one after the other, the kernel may give the same again."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(number)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


def free_port() -> int:
    return free_ports(1)[0]


def token(role: Role = "trader", user: str = "alice", ttl_seconds: int = 3_600) -> str:
    return mint(SECRET, user, role, ttl_seconds)


# ---- the processes


class Service:
    """`fairbook api` and `fairbook project` as processes, with their logs in `folder`."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = environment["DATABASE_URL"]
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FAIRBOOK_", "OTEL_"))
            and name not in {"DATABASE_URL", "NATS_URL", "REDIS_URL"}
        }
        self.environment = {
            **inherited,
            "FAIRBOOK_SECRET": SECRET,
            "FAIRBOOK_TRACE_RATIO": "0",
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self.api = Child("api", folder / "api.log")
        self.projector = Child("project", folder / "project.log")

    def start_api(self) -> None:
        command = [sys.executable, "-m", "fairbook", "api", "--port", str(self.port)]
        self.api.start(command, self.environment, CHECKOUT)

    def start_projector(self) -> None:
        command = [sys.executable, "-m", "fairbook", "project"]
        self.projector.start(command, self.environment, CHECKOUT)

    def wait_ready(self) -> None:
        assert wait_until(self.is_ready, START_PATIENCE_SECONDS), self.api.log_tail()

    def is_ready(self) -> bool:
        return self._status("/ready") == 200

    def is_alive(self) -> bool:
        return self._status("/health") == 200

    def _status(self, path: str) -> int | None:
        client = Client(self.url, None)
        try:
            return client.get(path).status
        except (OSError, HTTPException):
            return None
        finally:
            client.close()

    def stop(self) -> None:
        for child in (self.api, self.projector):
            child.ask_to_stop()
        for child in (self.api, self.projector):
            child.wait_stopped(STOP_PATIENCE_SECONDS)

    @property
    def logs(self) -> str:
        return self.api.log_file.read_text() + self.projector.log_file.read_text()

    def head(self) -> int:
        """Position of the log's last event."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(
                "SELECT coalesce(max(notification_id), 0) FROM ledger_events"
            ).fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def a_service(folder: Path, servers: EmbeddedServers, **environment: str) -> Iterator[Service]:
    """A ready service on an empty database, with NATS and Valkey beside it."""
    with a_database(servers.urls.database) as database_url:
        service = Service(
            folder, {**servers.urls.environment(), "DATABASE_URL": database_url, **environment}
        )
        service.start_projector()
        service.start_api()
        try:
            service.wait_ready()
            yield service
        finally:
            service.stop()


# ---- the client


@dataclass(frozen=True)
class Answer:
    """What the service answered."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Json:
        return msgspec.json.decode(self.content)

    @property
    def is_replayed(self) -> bool:
        return bool(self.headers.get("idempotency-replayed") == "true")

    @property
    def fields(self) -> set[str]:
        """The fields that a problem names."""
        return {each["field"] for each in self.json.get("errors", [])}

    def problem(self, status: int, kind: str | None = None) -> Json:
        """Check that this is a whole problem of this status and type, and give its members."""
        assert self.status == status, (self.status, self.content)
        assert self.headers["content-type"] == "application/problem+json"
        members = self.json
        assert {"type", "title", "status", "detail", "instance"} <= members.keys(), members
        assert members["status"] == status
        assert all(members[name] for name in ("type", "title", "detail", "instance")), members
        for error in members.get("errors", []):
            assert error.keys() == {"field", "message"}, members
        if kind is not None:
            assert members["type"] == kind, members
        if status == 503:
            assert int(self.headers["retry-after"]) >= 1
        if status == 401:
            assert self.headers["www-authenticate"] == "Bearer"
        return members

    def ok(self, status: int = 200) -> Json:
        """Check that the answer is JSON of this status, and give it."""
        assert self.status == status, (self.status, self.content)
        assert self.headers["content-type"] == "application/json", self.headers
        return self.json


class Client:
    """One user's requests, over a kept-alive connection; for one thread at a time.

    Python's own client: httpx spends more processor time on a request than the whole service.
    """

    def __init__(self, url: str, token: str | None, user: str = "") -> None:
        self.url, self.token, self.user = url, token, user
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        content: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str | bytes] | None = None,
        key: str | None = None,
        **query: Any,
    ) -> Answer:
        """Send a request; `body` goes as JSON, `content` as it is, an iterator's in chunks."""
        fields: dict[str, str | bytes] = {}
        if self.token is not None:
            fields["Authorization"] = f"Bearer {self.token}"
        if key is not None:
            fields["Idempotency-Key"] = key
        if body is not None:
            content = msgspec.json.encode(body)
        if content is not None:
            fields |= JSON
        fields |= headers or {}
        if "from_" in query:
            query["from"] = query.pop("from_")
        if query:
            path += ("&" if "?" in path else "?") + urlencode(query)
        self._forget_if_closed()
        try:
            self._send(method, path, content, fields)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException):
            self.close()
            raise
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, answer)

    def _forget_if_closed(self) -> None:
        """Notice that the service closed the connection while nothing was asked."""
        sock = self._connection.sock
        if sock is not None and select.select([sock], [], [], 0)[0]:
            self.close()

    def _send(
        self,
        method: str,
        path: str,
        content: bytes | Iterator[bytes] | None,
        headers: Mapping[str, str | bytes],
    ) -> None:
        chunked = content is not None and not isinstance(content, bytes)
        try:
            self._connection.request(
                method, path, content, cast("Any", headers), encode_chunked=chunked
            )
        except (BrokenPipeError, ConnectionResetError):
            # The service may answer, and close, before it has read everything.
            if content is None or (isinstance(content, bytes) and len(content) < LARGE_BYTES):
                raise

    def get(self, path: str, **query: Any) -> Answer:
        return self.ask("GET", path, **query)

    def post(self, path: str, body: Json = None, *, key: str | None = None, **more: Any) -> Answer:
        return self.ask("POST", path, body, key=key, **more)

    # ---- what many tests begin with

    def account(self, funds_minor: int = 0, currency: str = "EUR") -> str:
        body = {"currency": currency, "name": "main"}
        account_id: str = self.post("/v1/accounts", body).ok(201)["account_id"]
        if funds_minor:
            self.deposit(account_id, funds_minor).ok(201)
        return account_id

    def deposit(self, account_id: str, amount_minor: int, key: str | None = None) -> Answer:
        body = {"amount_minor": amount_minor, "method": "card"}
        return self.post(f"/v1/accounts/{account_id}/deposits", body, key=key)

    def market(self, **members: Any) -> str:
        market_id: str = self.post("/v1/markets", market_body(**members)).ok(201)["market_id"]
        return market_id

    def bet(
        self, account_id: str, market_id: str, stake_minor: int = 100, **options: Any
    ) -> Answer:
        key, headers = options.pop("key", None), options.pop("headers", None)
        lane = options.pop("lane", EXPRESS)
        body = bet_body(account_id, market_id, stake_minor, **options)
        return self.post(lane, body, key=key, headers=headers)

    def see(self, position: int) -> None:
        """Wait until the views of accounts and markets show everything up to a position."""
        for path in ("/v1/accounts", "/v1/markets"):
            self.get(path, after=position, limit=1).ok()

    def settled(self, market_id: str, patience_seconds: float = 60) -> Json:
        """Wait until a market's settlement is completed, and give it."""

        def completed() -> bool:
            shown = self.get(f"/v1/markets/{market_id}/settlement")
            # The view may not even show the market yet.
            return shown.status != 404 and bool(shown.ok()["completed"])

        assert wait_until(completed, patience_seconds)
        return self.get(f"/v1/markets/{market_id}/settlement").ok()

    def pages(self, path: str, limit: int, **query: Any) -> list[Json]:
        """Walk all pages of a list, and give its items."""
        items: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, limit=limit, **query, **cursor).ok()
            assert page.keys() == {"items", "next_cursor"}
            assert len(page["items"]) <= limit
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            assert page["items"], "an empty page promises more"
            cursor = {"cursor": page["next_cursor"]}


def market_body(**members: Any) -> dict[str, Any]:
    """The body that opens a 1X2 market priced elsewhere."""
    body = {
        "fixture": {
            "sport": "football",
            "competition": "Premier League",
            "name": "Arsenal v Chelsea",
            "starts_at": "2030-03-02T15:00:00Z",
            "home": "Arsenal",
            "away": "Chelsea",
        },
        "type": "1X2",
        "selections": [
            {"selection_id": "home", "name": "Arsenal"},
            {"selection_id": "draw", "name": "The draw"},
            {"selection_id": "away", "name": "Chelsea"},
        ],
        "pricing": "external",
    }
    return {name: value for name, value in (body | members).items() if value is not None}


def bet_body(
    account_id: str,
    market_id: str,
    stake_minor: int = 100,
    *,
    odds: float = 2.5,
    selection_id: str = "home",
    bet_id: str | None = None,
) -> dict[str, Any]:
    """The body of a single back bet."""
    body: dict[str, Any] = {
        "account_id": account_id,
        "legs": [{"market_id": market_id, "selection_id": selection_id, "odds": odds}],
        "stake_minor": stake_minor,
    }
    return body | ({"bet_id": bet_id} if bet_id else {})


def a_name(prefix: str = "user") -> str:
    """A name that no other test uses."""
    return f"{prefix}-{secrets.token_hex(5)}"


def an_id() -> str:
    return str(uuid4())


class People:
    """Clients of one service, by role; every trader is somebody new unless named."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: list[Client] = []
        self.operator = self.client("operator", "olga")
        self.auditor = self.client("auditor", "aud")
        self.admin = self.client("admin", "root")
        self.nobody = self.with_token(None)

    def client(self, role: Role, user: str) -> Client:
        return self.with_token(token(role, user), user)

    def with_token(self, bearer: str | None, user: str = "") -> Client:
        client = Client(self.url, bearer, user)
        self._clients.append(client)
        return client

    def trader(self, user: str | None = None) -> Client:
        return self.client("trader", user or a_name("trader"))

    def close(self) -> None:
        for client in self._clients:
            client.close()


def until(condition: Any, seconds: float = 60.0) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "not in time"
        time.sleep(0.02)
