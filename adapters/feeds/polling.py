"""A client that asks a provider over HTTP until it has an answer, without ever asking too often."""

import asyncio
import base64
import logging
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self

import httpx
from msgspec import Struct

from adapters.feeds.provider import Provider
from application.feeds import FeedDenied

TIMEOUT_SECONDS: Final = 15.0
ANSWER_BYTES_MAX: Final = 64 * 1_048_576

OK: Final = 200
NOT_MODIFIED: Final = 304
TIMEOUT: Final = 408
TOO_EARLY: Final = 425
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500
UNAVAILABLE: Final = 503
DENIED: Final = frozenset({401, 403})

# Its INFO lines hold whole addresses, and some providers want the key in the address.
logging.getLogger("httpx").setLevel(logging.WARNING)


class PolledAnswer(Struct, frozen=True):
    """An answer: 200 with its content, or 304 without; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class PollingClient:
    """GETs from one provider; proxies come from the environment (HTTPS_PROXY, NO_PROXY …)."""

    def __init__(
        self,
        url: str,
        provider: Provider,
        *,
        login: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        """Connect lazily to `url`; `login` is (user, password) for basic authentication."""
        self._provider = provider
        self._timeout_seconds = timeout_seconds
        self._answer_bytes_max = answer_bytes_max
        all_headers = {"Accept": "application/json", "User-Agent": "fairbook", **(headers or {})}
        if login is not None:
            pair = base64.b64encode(":".join(login).encode()).decode()
            all_headers["Authorization"] = f"Basic {pair}"
        self._http = httpx.AsyncClient(
            base_url=url, headers=all_headers, timeout=timeout_seconds, trust_env=True
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> PolledAnswer:
        """Ask, and ask again after failures for as long as it takes.

        Raises:
            FeedDenied: the provider refuses the credentials or the question.
        """
        return await self._answered(
            self._http.build_request("GET", path, params=params, headers=headers)
        )

    async def post(self, path: str, json: object) -> PolledAnswer:
        """Ask with a body, in the same way; for questions only."""
        return await self._answered(self._http.build_request("POST", path, json=json))

    async def _answered(self, request: httpx.Request) -> PolledAnswer:
        while True:
            await self._provider.turn()
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    answer = await self._once(request)
            except (httpx.HTTPError, TimeoutError, _TooLong) as error:
                # Messages of httpx name hosts, never whole addresses.
                self._provider.failed(f"{type(error).__name__} {error}".strip())
                continue
            if answer.status in {OK, NOT_MODIFIED}:
                self._provider.succeeded()
                return answer
            self._judge(answer)

    async def _once(self, request: httpx.Request) -> PolledAnswer:
        response = await self._http.send(request, stream=True)
        try:
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > self._answer_bytes_max:
                    raise _TooLong(f"an answer of over {self._answer_bytes_max} bytes")
        finally:
            await response.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return PolledAnswer(response.status_code, headers, bytes(content))

    def _judge(self, answer: PolledAnswer) -> None:
        """Learn from an answer that is none; raise FeedDenied where asking again cannot help."""
        said = f"HTTP {answer.status}"
        if answer.status in DENIED:
            raise FeedDenied(
                f"{self._http.base_url.host} refuses the credentials ({said}): check the feed's FAIRBOOK_ variables"
            )
        wait_seconds = self._retry_after_seconds(answer.headers.get("retry-after"))
        if answer.status == TOO_MANY_REQUESTS or (
            answer.status == UNAVAILABLE and wait_seconds is not None
        ):
            self._provider.told_to_wait(wait_seconds, said)
        elif answer.status >= SERVER_ERROR or answer.status in {TIMEOUT, TOO_EARLY}:
            self._provider.failed(said)
        else:
            raise FeedDenied(
                f"{self._http.base_url.host} does not answer this question ({said}): "
                f"{answer.content[:200].decode(errors='replace')}"
            )

    def _retry_after_seconds(self, value: str | None) -> float | None:
        """Read a Retry-After header (RFC 9110, 10.2.3): seconds, or a date."""
        if value is None:
            return None
        if value.isascii() and value.isdigit():
            return float(value[:9])
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        if at.tzinfo is None:
            return None
        return max(0.0, (at - self._provider.clock.now()).total_seconds())


class _TooLong(Exception):  # noqa: N818  never leaves this module
    """More was sent than any answer holds."""
