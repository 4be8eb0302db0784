"""What the write path shows of itself: metrics for every batch, spans for the commands that are traced."""

import logging
from typing import TYPE_CHECKING, Final

from opentelemetry import metrics, trace

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from application.writer import Order

_log = logging.getLogger("fairbook.writer")
_meter = metrics.get_meter("fairbook.writer")
_tracer = trace.get_tracer("fairbook")
_propagator: Final = TraceContextTextMapPropagator()

_batch_size = _meter.create_histogram(
    "fairbook_batch_commands",
    description="Commands in one transaction",
    explicit_bucket_boundaries_advisory=[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
)
_SECONDS: Final = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
_commit_time = _meter.create_histogram(
    "fairbook_commit_seconds",
    unit="s",
    description="Time from the end of deciding a batch until it is durable",
    explicit_bucket_boundaries_advisory=_SECONDS,
)
_decide_time = _meter.create_histogram(
    "fairbook_decide_seconds",
    unit="s",
    description="Time to load what a batch needs and decide it",
    explicit_bucket_boundaries_advisory=_SECONDS,
)
_events = _meter.create_counter("fairbook_events", description="Events appended")
_failures = _meter.create_counter("fairbook_batch_failures", description="Batches that failed as a whole")


def batch_done(orders: "list[Order]", events: int, begun: int, decided: int, done: int) -> None:
    """Measure one durable batch; times are UNIX nanoseconds."""
    _batch_size.record(len(orders))
    _decide_time.record((decided - begun) / 1e9)
    _commit_time.record((done - decided) / 1e9)
    _events.add(events)
    for order in orders:
        if order.trace is not None:
            _trace_order(order, begun, decided, done)


def batch_failed(error: Exception) -> None:
    """Count and log a batch that failed as a whole."""
    _failures.add(1, {"error": type(error).__name__})
    _log.error("batch failed", extra={"error": repr(error)})


def _trace_order(order: "Order", begun: int, decided: int, done: int) -> None:
    parent = _propagator.extract({"traceparent": order.trace})
    name = type(order.command).__name__
    for step, start, end in (
        ("queue", order.queued_at, begun),
        ("decide", begun, decided),
        ("commit", decided, done),
    ):
        span = _tracer.start_span(f"{name} {step}", context=parent, start_time=start)
        span.end(end)


