"""What every request passes before it is routed: who asks, whether it is traced, how long it takes."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from api import problems
from api.auth import Tokens
from api.express import CLIENT_GONE
from api.problems import SERVER_ERROR, BadToken, Send
from api.sampling import Sampler
from application import meters

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

_tracer = trace.get_tracer("fairbook")
_propagator: Final = TraceContextTextMapPropagator()
_SAMPLED_FLAG: Final = b"-01"


class Front:
    """The outermost ASGI application; `sampler` takes the requests to trace among those without a caller's decision."""

    def __init__(self, app: Asgi, tokens: Tokens, sampler: Sampler) -> None:
        self._app = app
        self._tokens = tokens
        self._sampler = sampler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = CLIENT_GONE

        async def send_noting_status(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        authorization = traceparent = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"traceparent":
                traceparent = value
        try:
            # The router takes //v1 for /v1. Its routes refuse whoever comes past this without a token.
            if scope["path"].lstrip("/").startswith("v1/"):
                scope["user"] = self._tokens.actor(authorization)
            if self._is_traced(scope, traceparent):
                await self._traced(scope, receive, send_noting_status, traceparent)
            else:
                await self._app(scope, receive, send_noting_status)
        except BadToken as error:
            await problems.send(error, scope["path"], send_noting_status)
        finally:
            route = scope.get("path_template") or "unknown"
            seconds = time.perf_counter() - started
            meters.request_seconds.observe(seconds, (scope["method"], route, str(status)))

    def _is_traced(self, scope: Scope, traceparent: bytes) -> bool:
        if traceparent:
            return traceparent.endswith(_SAMPLED_FLAG)
        # Who has passed the express lane has been in the draw already.
        return (
            bool(scope["fairbook.sampled"])
            if "fairbook.sampled" in scope
            else self._sampler.is_due()
        )

    async def _traced(self, scope: Scope, receive: Receive, send: Send, traceparent: bytes) -> None:
        carrier = {"traceparent": traceparent.decode("latin-1")} if traceparent else {}
        with _tracer.start_as_current_span(
            scope["method"], context=_propagator.extract(carrier), kind=SpanKind.SERVER
        ) as span:
            outgoing: dict[str, str] = {}
            _propagator.inject(outgoing)
            scope["fairbook.trace"] = outgoing.get("traceparent")

            async def send_with_status(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= SERVER_ERROR:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            await self._app(scope, receive, send_with_status)
            route = scope.get("path_template") or "unknown"
            span.update_name(f"{scope['method']} {route}")
            span.set_attribute("http.route", route)
