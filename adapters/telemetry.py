"""OpenTelemetry and logs, set up once in a process.

Metrics are shown as Prometheus text and, when OTEL_EXPORTER_OTLP_ENDPOINT is set, sent over OTLP with the traces.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from application import meters
from application.meters import Distribution, Tally

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_RECORD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def exports_traces() -> bool:
    """Tell whether spans go anywhere."""
    return bool(os.environ.get(ENDPOINT))


def set_up(service: str, *, extra_spans: Iterable[SpanProcessor] = ()) -> Callable[[], bytes]:
    """Start telemetry and structured logs; give the function that shows the metrics as Prometheus text.

    `extra_spans` also get every span: a test's own, for instance.
    """
    set_up_logs(service)
    resource = Resource.create({"service.name": service})
    readers: list[MetricReader] = [PrometheusMetricReader()]
    tracers = TracerProvider(resource=resource)
    for processor in extra_spans:
        tracers.add_span_processor(processor)
    if exports_traces():
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(MeterProvider(metric_readers=readers, resource=resource))
    _observe_meters()
    REGISTRY.register(_Histograms())
    return partial(generate_latest, REGISTRY)


# ---- metrics


class _Histograms(Collector):
    """The distributions in Prometheus form."""

    def collect(self) -> Iterator[HistogramMetricFamily]:
        for distribution in meters.DISTRIBUTIONS:
            family = HistogramMetricFamily(
                distribution.name, distribution.help, labels=distribution.label_names
            )
            for labels, cell in list(distribution.cells.items()):
                family.add_metric(labels, _cumulative(distribution, cell), cell[-1])
            yield family


def _cumulative(distribution: Distribution, cell: list[float]) -> list[tuple[str, float]]:
    buckets, count = [], 0.0
    for bound, inside in zip((*distribution.bounds, "+Inf"), cell[:-1], strict=True):
        count += inside
        buckets.append((str(bound), count))
    return buckets


def _observe_meters() -> None:
    """Let the SDK read the counters, and the counts and sums of the distributions."""
    meter = metrics.get_meter("fairbook")
    for tally in meters.TALLIES:
        meter.create_observable_counter(
            tally.name, [partial(_of_tally, tally)], description=tally.help
        )
    if not exports_traces():
        return
    for each in meters.DISTRIBUTIONS:
        for what, read in (("count", _count), ("sum", _sum)):
            meter.create_observable_counter(
                f"{each.name}.{what}", [partial(_of_cells, each, read)], description=each.help
            )


def _of_tally(tally: Tally, _: CallbackOptions) -> Iterator[Observation]:
    for labels, value in list(tally.cells.items()):
        yield Observation(value, dict(zip(tally.label_names, labels, strict=True)))


def _of_cells(
    each: Distribution, read: Callable[[list[float]], float], _: CallbackOptions
) -> Iterator[Observation]:
    for labels, cell in list(each.cells.items()):
        yield Observation(read(cell), dict(zip(each.label_names, labels, strict=True)))


def _count(cell: list[float]) -> float:
    return sum(cell[:-1])


def _sum(cell: list[float]) -> float:
    return cell[-1]


# ---- logs


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, logger, message, what the caller added, the exception."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _RECORD_FIELDS}
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = format(context.trace_id, "032x")
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def set_up_logs(service: str) -> None:
    """Send every log record to standard error as a line of JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO").upper(), handlers=[handler], force=True
    )
    # Request lines would show addresses of clients and queries; the metrics count them.
    logging.getLogger("httpx").setLevel(logging.WARNING)
