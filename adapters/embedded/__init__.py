"""Real PostgreSQL, NATS and Valkey from wheels, run as children of one process."""

from adapters.embedded.errors import DataFolderInUseError, EmbeddedError, ServerDied
from adapters.embedded.supervisor import EmbeddedServers, Urls

__all__ = ["DataFolderInUseError", "EmbeddedError", "EmbeddedServers", "ServerDied", "Urls"]
