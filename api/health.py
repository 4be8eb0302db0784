"""Is it alive, is it ready, what does it measure."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Literal, Protocol

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct

from application.log import LogUnavailable

LAG_ALLOWED: Final = 100_000
"""Events that a view may be behind before the service calls itself degraded."""

PROBE_SECONDS: Final = 1.5

Status = Literal["ready", "degraded", "not ready"]
Probe = Callable[[], Awaitable[object]]


class Stopped(Protocol):
    """A view that has stopped at an event, and why."""

    @property
    def model(self) -> str:
        """The view's name."""

    @property
    def position(self) -> int:
        """Position of the event."""

    @property
    def reason(self) -> str:
        """What went wrong."""


class Views(Protocol):
    """What tells how far each view is."""

    async def head(self) -> int:
        """Give the position of the log's last event."""

    async def positions(self) -> Mapping[str, int]:
        """Give the position that each view has reached."""

    async def faults(self) -> Sequence[Stopped]:
        """Give the views that have stopped, and why."""


class Health(Struct, frozen=True):
    """The process answers."""

    status: str = "alive"


class Readiness(Struct, frozen=True):
    """Each dependency with `ok` or what is wrong; each view with how many events it is behind.

    `degraded` is ready too: commands and the other views work, and taking every process out of service because one
    view has stopped would stop them as well.
    """

    status: Status
    dependencies: dict[str, str]
    lag_events: dict[str, int]
    faults: dict[str, str]


class Probes:
    """The dependencies to ask, and the metrics to show."""

    def __init__(
        self, dependencies: Mapping[str, Probe], views: Views, metrics_text: Callable[[], bytes]
    ) -> None:
        self.dependencies = dependencies
        self.views = views
        self.metrics_text = metrics_text

    async def readiness(self) -> Readiness:
        """Ask every dependency at once, each for at most PROBE_SECONDS."""
        answers = await asyncio.gather(*(_ask(probe) for probe in self.dependencies.values()))
        dependencies = dict(zip(self.dependencies, answers, strict=True))
        lags: dict[str, int] = {}
        faults: dict[str, str] = {}
        if dependencies.get("postgres") == "ok":
            head = await self.views.head()
            lags = {name: max(0, head - at) for name, at in (await self.views.positions()).items()}
            faults = {
                each.model: f"at position {each.position}: {each.reason}"
                for each in await self.views.faults()
            }
        if not all(answer == "ok" for answer in answers):
            status: Status = "not ready"
        elif faults or any(lag > LAG_ALLOWED for lag in lags.values()):
            status = "degraded"
        else:
            status = "ready"
        return Readiness(status, dependencies, lags, faults)

    async def metrics(self) -> bytes:
        """Give the metrics as Prometheus text: this process's, and how far each view is behind the log."""
        lines: list[str] = []
        with contextlib.suppress(LogUnavailable):  # /ready tells
            head, positions = await self.views.head(), await self.views.positions()
            stopped = {each.model for each in await self.views.faults()}
            lags = {name: max(0, head - at) for name, at in positions.items()}
            lines += _gauge("fairbook_view_lag_events", lags)
            lines += _gauge("fairbook_view_stopped", {n: int(n in stopped) for n in positions})
        return self.metrics_text() + "".join(lines).encode()


def _gauge(name: str, values: Mapping[str, int]) -> list[str]:
    lines = [f'{name}{{model="{model}"}} {value}\n' for model, value in values.items()]
    return [f"# TYPE {name} gauge\n", *lines]


async def _ask(probe: Probe) -> str:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await probe()
    except TimeoutError:
        return "does not answer"
    except Exception as error:  # noqa: BLE001  whatever is wrong with a dependency is the answer
        return type(error).__name__
    return "ok"


@get("/health")
async def health() -> Health:
    """Tell that the process is alive."""
    return Health()


@get(
    "/ready",
    responses={503: ResponseSpec(Readiness, generate_examples=False, description="Not ready")},
)
async def ready(probes: NamedDependency[Probes]) -> Response[Readiness]:
    """Tell whether every dependency answers, and which view has stopped or fallen far behind."""
    readiness = await probes.readiness()
    return Response(readiness, status_code=503 if readiness.status == "not ready" else 200)


@get("/metrics", media_type="text/plain")
async def metrics(probes: NamedDependency[Probes]) -> Response[bytes]:
    """Show the metrics in Prometheus text form."""
    return Response(await probes.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


ROUTES = [health, ready, metrics]
