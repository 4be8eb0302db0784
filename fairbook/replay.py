"""`fairbook replay`: fold the whole log anew and compare it with what the read models show."""

import argparse
import gc
import sys
from collections.abc import Callable
from typing import Any, Final

import psycopg
from eventsourcing.persistence import PersistenceError
from msgspec import Struct
from psycopg import Connection
from rich.console import Console
from rich.table import Table

from adapters.postgres import tracking
from adapters.postgres.build import Build, BuildFailed
from adapters.postgres.schema import TableDigest, connect, create_live, digest, outdated
from adapters.postgres.snapshot_projection import PROJECTIONS
from application.log import LogUnavailable
from domain.account import Account
from domain.journal import postings
from domain.streams import State, evolve
from fairbook.database import answering_database_url
from fairbook.progress import events_bar
from fairbook.settings import Settings
from read_models.projection import ACCOUNT_EVENTS, Batch, StreamKey

GC_THRESHOLDS: Final = (200_000, 50, 100)
EXAMPLES_MAX: Final = 10

Figures = tuple[int, int, int]
"""Available and in play, in minor units, and version."""


class ModelComparison(Struct, frozen=True):
    """A model as it stands, and as the log gives it at the same position."""

    name: str
    position: int
    live: tuple[TableDigest, ...]
    replayed: tuple[TableDigest, ...]

    @property
    def same(self) -> bool:
        """Whether every row is the same."""
        return self.live == self.replayed


class ReplayReport(Struct, frozen=True):
    """What a replay found: `unbalanced` are positions whose postings do not sum to zero in some currency.

    `wrong_accounts` are accounts whose balances differ from the fold. Both hold some examples at most.
    """

    events: int
    accounts: int
    unbalanced: list[int]
    wrong_accounts: list[str]
    models: list[ModelComparison]
    failure: str | None = None

    @property
    def same(self) -> bool:
        """Whether the read models are what the log says, and the log balances."""
        models = all(model.same for model in self.models)
        return models and not (self.unbalanced or self.wrong_accounts or self.failure)


class OldTables(Exception):  # noqa: N818  a state, not a fault
    """Another version made the tables of these models: there is nothing that could be the same."""


class _Audit:
    """A fold of the log by the domain alone: account states, and whether every entry balances."""

    def __init__(self, upto: int) -> None:
        self._upto = upto
        self.states: dict[StreamKey, State] = {}
        self.unbalanced: list[int] = []

    def observe(self, batch: Batch) -> None:
        """Fold a batch; events are seen in order and once, also when a build passes them again."""
        for recorded in batch.of(*ACCOUNT_EVENTS):
            key, position = recorded.stream_id.int, recorded.position
            state = self.states.get(key)
            if position > self._upto or (state is not None and state.version >= recorded.version):
                continue
            self.states[key] = evolve(state, recorded.stream_id, recorded.event)
            sums: dict[str, int] = {}
            for each in postings(recorded.event):
                sums[each.currency] = sums.get(each.currency, 0) + each.amount_minor
            if any(sums.values()) and len(self.unbalanced) < EXAMPLES_MAX:
                self.unbalanced.append(position)


def run_replay(database_url: str, progress: Callable[[int, int], None]) -> ReplayReport:
    """Fold the log from its first event and compare it with every read model at that model's position.

    `progress` is told the position that is done and the one to reach. What is in memory grows with the number of
    accounts, not with the log.
    """
    projections = list(PROJECTIONS.values())
    create_live(database_url, projections)
    with connect(database_url) as connection:
        if old := outdated(connection, projections):
            raise OldTables(" ".join(projection.name for projection in old))
    positions, live, balances = _as_it_stands(database_url)
    audit = _Audit(positions["balances"])
    failure = None
    replayed: dict[str, tuple[TableDigest, ...]] = {}
    with Build(database_url, projections, "replay", audit.observe) as build:
        try:
            build.advance(positions, progress)
        except BuildFailed as error:
            failure = str(error)
        with connect(database_url) as connection:
            for each in projections:
                replayed[each.name] = digest(connection, each, build.schema_of(each))
    return ReplayReport(
        events=max(positions.values()),
        accounts=len(audit.states),
        unbalanced=audit.unbalanced,
        wrong_accounts=_differences(audit.states, balances),
        models=[
            ModelComparison(name, positions[name], live[name], replayed[name])
            for name in PROJECTIONS
        ],
        failure=failure,
    )


def _as_it_stands(
    database_url: str,
) -> tuple[dict[str, int], dict[str, tuple[TableDigest, ...]], dict[StreamKey, Figures]]:
    """Give positions, digests and balances of one moment."""
    with connect(database_url) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found = tracking.positions(connection)
        positions = {name: found[name] for name in PROJECTIONS}
        live = {
            name: digest(connection, projection, projection.schema)
            for name, projection in PROJECTIONS.items()
        }
        balances = _balances(connection)
        connection.execute("COMMIT")
    return positions, live, balances


def _balances(connection: Connection[Any]) -> dict[StreamKey, Figures]:
    sql = "SELECT account_id, available_minor, in_play_minor, version FROM balances"
    cursor = connection.cursor(binary=True)
    return {row[0].int: (int(row[1]), int(row[2]), row[3]) for row in cursor.execute(sql)}


def _differences(states: dict[StreamKey, State], balances: dict[StreamKey, Figures]) -> list[str]:
    """Describe accounts whose balances are not what the fold gives."""
    found: list[str] = []
    for key in states.keys() | balances.keys():
        state, shown = states.get(key), balances.get(key)
        folded = None
        if isinstance(state, Account):
            folded = (state.available_minor, state.in_play_minor, state.version)
        if folded != shown:
            name = f"{key:032x}"
            found.append(f"{name}: the log gives {folded}, the read model shows {shown}")
            if len(found) == EXAMPLES_MAX:
                break
    return found


# ---- the command


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Declare this command's options: it has none."""


def run(_: argparse.Namespace) -> int:
    """Replay and show what was compared; the status is 1 when anything differs, 2 when there is no database."""
    try:
        database_url = answering_database_url(Settings.from_environment())
    except LogUnavailable as error:
        print(f"fairbook replay: {error}", file=sys.stderr)
        return 2
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        with events_bar(Console(stderr=True), "replay") as progress:
            report = run_replay(database_url, progress)
    except OldTables as error:
        print(
            f"fairbook replay: another version made the tables of {error}; a running worker is rebuilding them, "
            f"or run: fairbook rebuild {error}",
            file=sys.stderr,
        )
        return 1
    except (psycopg.Error, PersistenceError) as error:
        said = str(error).strip().partition("\n")[0]
        print(f"fairbook replay: the database: {said}; run it again", file=sys.stderr)
        return 2
    _show(Console(), report)
    return 0 if report.same else 1


def _show(console: Console, report: ReplayReport) -> None:
    table = Table("model", "position", "rows", "digest", "replayed", "")
    for model in report.models:
        table.add_row(
            model.name,
            f"{model.position:,}",
            f"{sum(each.rows for each in model.live):,}",
            _short(model.live),
            _short(model.replayed),
            "same" if model.same else "DIFFERENT",
        )
    console.print(table)
    console.print(f"{report.events:,} events, {report.accounts:,} accounts folded")
    unbalanced = ", ".join(map(str, report.unbalanced))
    console.print(
        f"postings do not sum to zero at {unbalanced}"
        if unbalanced
        else "postings sum to zero at every position"
    )
    for line in report.wrong_accounts:
        console.print(f"account {line}")
    if report.failure:
        console.print(f"the log could not be replayed: {report.failure}")


def _short(digests: tuple[TableDigest, ...]) -> str:
    """Give one word for the digests of a model's tables."""
    return f"{sum(each.hash for each in digests) % 2**64:016x}"
