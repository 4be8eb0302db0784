"""From one DATABASE_URL to what the library and the driver want to know."""

from typing import Final

from psycopg.conninfo import conninfo_to_dict

CONNINFO: Final = "POSTGRES_CONNINFO"
"""The whole address; it holds what the library has no variable for: TLS, which server of several."""

OURS: Final = frozenset(
    {
        *("application_name", "connect_timeout", "options"),
        *("keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
    }
)
"""What our connections say for themselves, whatever the address says."""


def ledger_environment(database_url: str) -> dict[str, str]:
    """Give the eventsourcing environment of the ledger in this database."""
    info = conninfo_to_dict(database_url)
    return {
        "PERSISTENCE_MODULE": "adapters.postgres.recorder:LedgerFactory",
        "MAPPER_TOPIC": "adapters.postgres.codec:EventMapper",
        "POSTGRES_DBNAME": str(info.get("dbname", "fairbook")),
        "POSTGRES_HOST": str(info.get("host", "127.0.0.1")),
        "POSTGRES_PORT": str(info.get("port", 5432)),
        "POSTGRES_USER": str(info.get("user", "fairbook")),
        "POSTGRES_PASSWORD": str(info.get("password", "")),
        CONNINFO: database_url,
        "POSTGRES_POOL_SIZE": "1",
        "POSTGRES_MAX_OVERFLOW": "4",
        "POSTGRES_PRE_PING": "y",
    }
