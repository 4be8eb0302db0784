"""PostgreSQL, as commands that need it at once look for it."""

import psycopg

from application.log import LogUnavailable
from fairbook.settings import Settings

PATIENCE_SECONDS = 5


def answering_database_url(settings: Settings) -> str:
    """The URL of a database that answers; raises SettingsError, and LogUnavailable saying what to do."""
    url = settings.require_database_url()
    try:
        psycopg.connect(url, connect_timeout=PATIENCE_SECONDS).close()
    except psycopg.Error as error:
        todo = (
            "Start it, or correct DATABASE_URL."
            if settings.database_url
            else f"Start `fairbook up` on {settings.home}, or set DATABASE_URL."
        )
        reason = " ".join(str(error).split())
        raise LogUnavailable(f"PostgreSQL cannot be used: {reason} {todo}") from error
    return url
