"""A client of a running fairbook service, for the commands that feed and play it."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import msgspec
from msgspec import Struct

from fairbook.connections import DEFAULT_PORTS, HttpClient, HttpError, Response

CONNECTIONS: Final = 32
# A service that restarts is back within seconds; one that stays away longer is reported.
ATTEMPTS: Final = 8
ATTEMPTS_AT_FIRST: Final = 2
PAUSE_SECONDS: Final = 0.25
PAUSE_SECONDS_MAX: Final = 5.0
TIMEOUT_SECONDS: Final = 60.0
TRY_AGAIN: Final = frozenset({429, 503})

# Odds travel as JSON numbers with exactly the digits that they have, never through a float.
_ENCODER = msgspec.json.Encoder(decimal_format="number")

T = TypeVar("T")
J = TypeVar("J")

DEFAULT_URL: Final = "http://127.0.0.1:8080"
DENIED: Final = frozenset({401, 403})


def service_url(text: str) -> str:
    """Check the URL of a service; for argparse."""
    try:
        url = urlsplit(text)
        usable = url.scheme in DEFAULT_PORTS and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as {DEFAULT_URL}")
    return text.rstrip("/")


class Receipt(Struct, frozen=True):
    """The global position of a command's last event."""

    position: int


class FieldError(Struct, frozen=True):
    """What is wrong with one field of a request."""

    message: str
    field: str | None = None


class Problem(Struct, frozen=True):
    """A refusal as RFC 9457 shapes it."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    errors: list[FieldError] = []

    @property
    def kind(self) -> str:
        """The rule that refused, such as insufficient_funds."""
        return self.type.rpartition("/")[2].rpartition(":")[2]


class ServiceError(Exception):
    """The service cannot be reached, or answers what no fairbook service would."""


class Refused(Exception):  # noqa: N818  a refusal is an answer, not a fault of the client
    """The service refused a request; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        fields = "; ".join(f"{error.field}: {error.message}" for error in problem.errors)
        said = problem.detail or problem.title
        super().__init__(
            f"{problem.status} {problem.kind}: {said}{f' ({fields})' if fields else ''}"
        )
        self.problem = problem


class LedgerClient:
    """Sends commands and reads answers; a command that fails halfway is sent again under its key."""

    def __init__(self, url: str, token: str, connections: int = CONNECTIONS) -> None:
        """Connect lazily to the service at `url` as the bearer of `token`."""
        self.url = url
        self.replays = 0
        """How many commands the service had already carried out before."""
        self._reached = False
        self._http = HttpClient(
            url, {"Authorization": f"Bearer {token}"}, connections, TIMEOUT_SECONDS
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.close()

    async def command(self, path: str, body: Struct | None, key: UUID | str, answer: type[T]) -> T:
        """POST a command under an idempotency key; its answer, decoded.

        Raises:
            Refused: a rule of the ledger refused it; nothing changed.
            ServiceError: the service stayed away, or answered nonsense.
        """
        headers = {"Idempotency-Key": str(key), "Content-Type": "application/json"}
        content = b"" if body is None else _encoded(body)
        return self._decoded(await self._answered("POST", path, content, headers), path, answer)

    async def delete(self, path: str, key: UUID | str, answer: type[T]) -> T:
        """DELETE under an idempotency key; its answer, decoded; raises as `command` does."""
        headers = {"Idempotency-Key": str(key)}
        return self._decoded(await self._answered("DELETE", path, b"", headers), path, answer)

    async def read(self, path: str, answer: type[T], **params: str | int) -> T:
        """GET a view, decoded; raises as `command` does."""
        return self._decoded(await self._answered("GET", _target(path, params)), path, answer)

    async def lines(self, path: str, **params: str | int) -> list[bytes]:
        """GET newline-delimited JSON, undecoded; raises as `command` does."""
        response = await self._answered("GET", _target(path, params))
        if response.is_error:
            raise Refused(_problem(response))
        return response.content.splitlines()

    async def _answered(
        self,
        method: str,
        target: str,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send, and send again while the service is away or busy: the idempotency key makes that safe."""
        failure = "no answer"
        attempt = 0
        # Until it has answered once, what is missing is a service rather than patience.
        while attempt < (ATTEMPTS if self._reached else ATTEMPTS_AT_FIRST):
            try:
                response = await self._http.request(method, target, content, headers)
            except HttpError as error:
                failure = str(error)
                pause_seconds = _pause_seconds(attempt, None)
            else:
                self._reached = True
                if response.status not in TRY_AGAIN:
                    return response
                failure = str(Refused(_problem(response)))
                pause_seconds = _pause_seconds(attempt, response.headers.get("retry-after"))
            await asyncio.sleep(pause_seconds)
            attempt += 1
        raise ServiceError(f"{self.url} did not answer {method} {target}: {failure}")

    def _decoded(self, response: Response, path: str, answer: type[T]) -> T:
        if response.status in DENIED:
            raise ServiceError(
                f"{self.url} does not accept the token: {Refused(_problem(response))}"
            )
        if response.is_error:
            raise Refused(_problem(response))
        self.replays += response.headers.get("idempotency-replayed") == "true"
        try:
            return msgspec.json.decode(response.content, type=answer)
        except msgspec.MsgspecError as error:
            raise ServiceError(
                f"{self.url} answered {path} with something else than {answer.__name__}: {error}"
            ) from error


def _encoded(body: Struct) -> bytes:
    # A leg without odds is at the starting price; within a text the quotation marks are escaped.
    return _ENCODER.encode(body).replace(b'"odds":null', b'"odds":"SP"')


def _target(path: str, params: Mapping[str, str | int]) -> str:
    return f"{path}?{urlencode(params)}" if params else path


def _problem(response: Response) -> Problem:
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except msgspec.MsgspecError:
        # A proxy in between answers in its own way.
        return Problem(status=response.status, title="no problem document")


async def in_flight(
    jobs: Iterable[J], work: Callable[[J], Awaitable[None]], at_once: int = CONNECTIONS
) -> None:
    """Do `work` for every job, up to `at_once` at a time, begun in order; the first failure ends all."""
    waiting = iter(jobs)

    async def worker() -> None:
        for job in waiting:
            await work(job)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())
    except ExceptionGroup as failures:
        # Others fail for the same reason; one is enough to say.
        raise failures.exceptions[0] from None


def _pause_seconds(attempt: int, retry_after: str | None) -> float:
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), PAUSE_SECONDS_MAX)
    return min(PAUSE_SECONDS * 2.0**attempt, PAUSE_SECONDS_MAX)
