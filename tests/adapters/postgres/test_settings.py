import psycopg
import pytest
from eventsourcing.persistence import PersistenceError
from eventsourcing.utils import Environment

from adapters.postgres.log import PostgresLog
from adapters.postgres.recorder import LedgerFactory, LedgerRecorder
from adapters.postgres.settings import ledger_environment
from application.ledger import Ledger
from application.log import LogUnavailable

pytestmark = pytest.mark.anyio


def opened_factory(database_url: str) -> LedgerFactory:
    environment = {**ledger_environment(database_url), "POSTGRES_CONNECT_TIMEOUT": "2"}
    return LedgerFactory(Environment("ledger", environment))


@pytest.mark.parametrize("parameter", ["sslmode=require", "sslmode=verify-full"])
async def test_a_ledger_does_not_write_over_a_connection_less_secure_than_its_url_asks_for(
    database_url: str, parameter: str
) -> None:
    # The server of the tests has no TLS, as has somebody who stands between.
    with pytest.raises(psycopg.OperationalError, match=r"SSL|root certificate"):
        psycopg.connect(f"{database_url}?{parameter}")
    with (
        opened_factory(database_url) as plain,
        opened_factory(f"{database_url}?{parameter}") as asks,
    ):
        recorder = plain.application_recorder()
        assert isinstance(recorder, LedgerRecorder)
        writer = PostgresLog(asks.datastore, recorder.names)
        try:
            with pytest.raises(LogUnavailable, match=r"SSL|root certificate"):
                await writer.connect()
        finally:
            await writer.disconnect()
        with pytest.raises(PersistenceError):  # the library's pool, over which tables are made
            asks.application_recorder()


async def test_what_the_ledger_sets_for_itself_may_stand_in_its_url(database_url: str) -> None:
    more = "application_name=x&connect_timeout=3&keepalives_idle=9&tcp_user_timeout=9&options=-cjit%3Doff"
    async with Ledger(ledger_environment(f"{database_url}?sslmode=prefer&{more}")) as ledger:
        assert ledger.waiting == 0
