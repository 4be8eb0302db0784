"""What the environment says of the price feeds' providers; none of it is ever shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

CREDENTIALS: Final[Mapping[str, str]] = {
    "FAIRBOOK_BETFAIR_APP_KEY": "betfair_app_key",
    "FAIRBOOK_BETFAIR_SESSION": "betfair_session",
    "FAIRBOOK_PINNACLE_PASSWORD": "pinnacle_password",
    "FAIRBOOK_PINNACLE_USER": "pinnacle_user",
    "FAIRBOOK_THE_ODDS_API_KEY": "the_odds_api_key",
}
"""Variables, and the fields that they fill."""

NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "betfair": ("FAIRBOOK_BETFAIR_APP_KEY", "FAIRBOOK_BETFAIR_SESSION"),
    "pinnacle": ("FAIRBOOK_PINNACLE_USER", "FAIRBOOK_PINNACLE_PASSWORD"),
    "the-odds-api": ("FAIRBOOK_THE_ODDS_API_KEY",),
}
"""What each live feed needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedCredentials:
    """Keys, users and passwords, each None when unset."""

    betfair_app_key: str | None = field(default=None, repr=False)
    betfair_session: str | None = field(default=None, repr=False)
    pinnacle_password: str | None = field(default=None, repr=False)
    pinnacle_user: str | None = field(default=None, repr=False)
    the_odds_api_key: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> "FeedCredentials":
        """Read the variables; an empty one is unset."""
        return cls(**{name: variables.get(key) or None for key, name in CREDENTIALS.items()})

    def missing(self, feed: str) -> list[str]:
        """Give the variables that a live feed lacks."""
        return [key for key in NEEDED[feed] if getattr(self, CREDENTIALS[key]) is None]
