"""What a site lets programs read: its robots.txt (RFC 9309)."""

from typing import Final
from urllib.parse import urlsplit, urlunsplit
from urllib.robotparser import RobotFileParser

import httpx

from application.feeds import FeedDenied

SIZE_BYTES_MAX: Final = 500 * 1024
FRESH_SECONDS: Final = 86_400.0
TIMEOUT_SECONDS: Final = 15.0
_OK: Final = 200
_FORBIDDEN: Final = frozenset({401, 403})
_MISSING: Final = range(400, 500)


class Robots:
    """The rules of one site for one user agent."""

    def __init__(self, user_agent: str, rules: RobotFileParser) -> None:
        """Take rules that were read."""
        self._user_agent = user_agent
        self._rules = rules

    def allows(self, url: str) -> bool:
        """Tell whether an address may be read."""
        return self._rules.can_fetch(self._user_agent, url)

    @property
    def delay_seconds(self) -> float:
        """The pause between two loads that the site asks for."""
        return float(self._rules.crawl_delay(self._user_agent) or 0)


async def read_robots(url: str, user_agent: str) -> Robots:
    """Read the rules of an address's site.

    A site without the file allows everything. Raises FeedDenied where the file is closed to us, and httpx.HTTPError
    while the site is away: it then allows nothing.
    """
    parts = urlsplit(url)
    address = urlunsplit((parts.scheme, parts.netloc, "/robots.txt", "", ""))
    rules = RobotFileParser()
    async with (
        httpx.AsyncClient(
            headers={"User-Agent": user_agent}, timeout=TIMEOUT_SECONDS, follow_redirects=True
        ) as client,
        client.stream("GET", address) as answer,
    ):
        if answer.status_code in _FORBIDDEN:
            raise FeedDenied(f"{parts.netloc} does not even show its robots.txt: ask its owner")
        if answer.status_code in _MISSING:
            rules.parse([])
            return Robots(user_agent, rules)
        if answer.status_code != _OK:
            raise httpx.HTTPStatusError(
                f"robots.txt: HTTP {answer.status_code}", request=answer.request, response=answer
            )
        content = bytearray()
        async for chunk in answer.aiter_bytes():
            content += chunk
            if len(content) > SIZE_BYTES_MAX:
                break
    rules.parse(content[:SIZE_BYTES_MAX].decode(errors="replace").splitlines())
    return Robots(user_agent, rules)
