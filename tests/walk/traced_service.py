"""The API and a projector in one process, from the same parts as `fairbook api` and `fairbook project`.

Run: python -m tests.walk.traced_service PORT FILE; every span goes to FILE as a line of JSON.
"""

import functools
import json
import sys
import threading
from pathlib import Path
from typing import cast

import uvicorn
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from adapters.postgres.projector import Projector
from adapters.postgres.snapshot_projection import PROJECTIONS
from adapters.postgres.stop import Stop
from adapters.telemetry import set_up
from api.app import create_app
from api.express import ExpressHttp
from fairbook.api import _open
from fairbook.secret import signing_secret
from fairbook.settings import Settings


class SpanLines(SpanProcessor):
    """Writes each span when it ends."""

    def __init__(self, file: Path) -> None:
        self._lines = file.open("a", buffering=1)
        self._lock = threading.Lock()

    def on_end(self, span: ReadableSpan) -> None:
        """Write one line."""
        context = span.get_span_context()
        assert context is not None
        line = {
            "name": span.name,
            "trace": format(context.trace_id, "032x"),
            "span": format(context.span_id, "016x"),
            "parent": format(span.parent.span_id, "016x") if span.parent else None,
            "start": span.start_time,
            "end": span.end_time,
            "attributes": dict(span.attributes or {}),
        }
        with self._lock:
            self._lines.write(json.dumps(line) + "\n")


def main(port: int, spans_file: Path) -> None:
    """Serve until a signal says stop."""
    settings = Settings.from_environment()
    metrics_text = set_up("fairbook-walk", extra_spans=[SpanLines(spans_file)])
    stop = Stop()
    projector = Projector(settings.require_database_url(), PROJECTIONS.values())
    projecting = threading.Thread(target=projector.run, args=(stop,))
    projecting.start()
    app, lane = create_app(
        lambda: _open(settings, metrics_text),
        signing_secret(settings),
        trace_ratio=settings.trace_ratio,
    )
    try:
        http = cast("type[ExpressHttp]", functools.partial(ExpressHttp, lane))
        uvicorn.run(app, port=port, loop="uvloop", http=http, lifespan="on", log_config=None)
    finally:
        stop.set()
        projecting.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
