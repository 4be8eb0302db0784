"""What the outbox shows of itself: how far it is, and spans for the commands that are traced."""

import time
from collections.abc import Sequence
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from domain.events.event import Recorded

_meter = metrics.get_meter("fairbook.outbox")
_tracer = trace.get_tracer("fairbook")
_propagator: Final = TraceContextTextMapPropagator()

_lag = _meter.create_gauge(
    "fairbook_outbox_lag_events", description="Events of the ledger that are not published yet"
)
_published = _meter.create_counter(
    "fairbook_outbox_published", description="Events published by this process"
)
_batch_seconds = _meter.create_histogram(
    "fairbook_outbox_batch_seconds",
    unit="s",
    description="Time to publish one batch of events durably",
    explicit_bucket_boundaries_advisory=[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1],
)


def published(events: Sequence[Recorded], begun: int) -> None:
    """Measure a batch that is published now and was begun at a UNIX time in nanoseconds; trace its traced commands."""
    now = time.time_ns()
    _published.add(len(events))
    _batch_seconds.record((now - begun) / 1e9)
    traced = {recorded.command_id: recorded.trace for recorded in events if recorded.trace}
    for parent in traced.values():
        context = _propagator.extract({"traceparent": parent})
        _tracer.start_span("publish", context, start_time=begun).end(now)


def lagging(events: int) -> None:
    """Show how many events are not published yet."""
    _lag.set(events)
