"""Models whose tables an older version made: built anew beside the old ones while the worker goes on with the rest."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import psycopg
from eventsourcing.persistence import PersistenceError

from adapters.postgres import projection_meters as meters
from adapters.postgres.build import BuildFailed, BuildInProgress
from adapters.postgres.rebuild import SwapRefused, rebuild
from read_models.projection import Projection

RETRY_SECONDS: Final = 30.0
PROGRESS_SECONDS: Final = 5.0


class _Ended(Exception):  # noqa: N818  an order, not a fault
    """The worker stops; the old tables are as they were."""


class Renewal:
    """A thread that rebuilds models, one order at a time, between `with` and its end."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._thread: threading.Thread | None = None
        self._not_before = 0.0
        self._ended = threading.Event()

    def __enter__(self) -> "Renewal":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def order(self, projections: Sequence[Projection]) -> None:
        """Have models rebuilt, unless a rebuild runs or has just failed: whoever needs them asks again."""
        running = self._thread is not None and self._thread.is_alive()
        if running or time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + RETRY_SECONDS
        self._thread = threading.Thread(target=self._run, args=(list(projections),), name="renewal")
        self._thread.start()

    def _run(self, projections: Sequence[Projection]) -> None:
        names = [projection.name for projection in projections]
        meters.log.info("an older version made these tables: rebuilding", extra={"models": names})
        try:
            position = rebuild(self._database_url, projections, self._progress(names))
        except _Ended:
            meters.log.info("rebuild given up: the worker stops", extra={"models": names})
        except BuildInProgress:
            meters.log.info("somebody else rebuilds", extra={"models": names})
        except BuildFailed as error:
            if len(projections) > 1:  # the other models can be had
                for projection in projections:
                    self._run([projection])
            else:
                self._failed(names, error)
        except (SwapRefused, psycopg.Error, PersistenceError) as error:
            self._failed(names, error)
        else:
            meters.log.info("rebuilt", extra={"models": names, "position": position})
        self._not_before = time.monotonic() + RETRY_SECONDS

    def _failed(self, names: Sequence[str], error: Exception) -> None:
        meters.log.error(
            "rebuild failed and will be tried again; by hand: fairbook rebuild %s",
            " ".join(names),
            extra={"models": list(names), "reason": f"{type(error).__name__}: {error}"},
        )

    def _progress(self, names: Sequence[str]) -> Callable[[int, int], None]:
        told = time.monotonic()

        def progress(position: int, goal: int) -> None:
            nonlocal told
            if self._ended.is_set():
                raise _Ended
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                meters.log.info(
                    "rebuilding", extra={"models": names, "position": position, "goal": goal}
                )

        return progress
