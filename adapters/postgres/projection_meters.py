"""What projections show of themselves: metrics for every round, spans for the commands that are traced."""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from domain.events.event import Recorded

log = logging.getLogger("fairbook.projector")
_meter = metrics.get_meter("fairbook.projector")
_tracer = trace.get_tracer("fairbook")
_propagator: Final = TraceContextTextMapPropagator()

_lag_events = _meter.create_gauge(
    "fairbook_projection_lag_events", description="Events that a read model does not show yet"
)
_lag_seconds = _meter.create_gauge(
    "fairbook_projection_lag_seconds",
    unit="s",
    description="Age of the last event shown, when it was shown; 0 once all are",
)
_batch_events = _meter.create_histogram(
    "fairbook_projection_batch_events",
    description="Events in one transaction of projections",
    explicit_bucket_boundaries_advisory=[1, 2, 5, 10, 50, 100, 500, 1000, 2000, 4000],
)
_batch_seconds = _meter.create_histogram(
    "fairbook_projection_batch_seconds",
    unit="s",
    description="Time to bring one batch of events into a group of read models",
    explicit_bucket_boundaries_advisory=[0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
)
_fold_seconds = _meter.create_histogram(
    "fairbook_projection_fold_seconds",
    unit="s",
    description="Time to turn one batch of events into a model's changes",
    explicit_bucket_boundaries_advisory=[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
)
_faults = _meter.create_counter(
    "fairbook_projection_faults", description="Times that a read model stopped at an event"
)


def folded(model: str, seconds: float) -> None:
    """Measure how long a model took to turn a batch into changes."""
    _fold_seconds.record(seconds, {"model": model})


def shown(models: Sequence[str], events: Sequence[Recorded], begun: int) -> None:
    """Measure a batch that is committed now and was begun at a UNIX time in nanoseconds; trace its traced commands."""
    now = time.time_ns()
    _batch_events.record(len(events))
    _batch_seconds.record((now - begun) / 1e9)
    traced = {recorded.command_id: recorded.trace for recorded in events if recorded.trace}
    for parent in traced.values():
        context = _propagator.extract({"traceparent": parent})
        span = _tracer.start_span(
            "project", context, start_time=begun, attributes={"models": list(models)}
        )
        span.end(now)


def lagging(model: str, events: int, last: datetime | None) -> None:
    """Show how many events a model lacks, and how old the last one is that it shows."""
    _lag_events.set(events, {"model": model})
    seconds = (datetime.now(UTC) - last).total_seconds() if events and last else 0.0
    _lag_seconds.set(seconds, {"model": model})


def fault(model: str, position: int, reason: str) -> None:
    """Say loudly that a model stopped."""
    _faults.add(1, {"model": model})
    log.error("projection stopped", extra={"model": model, "position": position, "reason": reason})
