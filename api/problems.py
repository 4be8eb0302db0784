"""Refusals and faults as RFC 9457 problems."""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, Struct, UnsetType

from application.answers import problem
from application.live.source import LiveUnavailable, TooManyStreams
from application.log import LogUnavailable
from application.writer import Overloaded, Unavailable
from domain.refusals import Refusal

PROBLEM_JSON: Final = "application/problem+json"
SERVER_ERROR: Final = 500
_UNKNOWN_FIELD: Final = re.compile(r"unknown field `(.*)`")
_NAMES_OUTSIDE: Final = {
    "key": "Idempotency-Key",
    "start": "from",
    "end": "to",
    "interval_seconds": "interval",
}
"""What clients call the parameters that have other names in Python."""

_log = logging.getLogger("fairbook.api")


Members = dict[str, Any]
Headers = dict[str, str]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class BadToken(Exception):  # noqa: N818  what came in, not a fault
    """The token is missing, malformed, forged or expired."""


class FieldError(Struct):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(Struct):
    """A refusal (RFC 9457); `type` names the rule, `errors` the fields, `offer_minor` what a cash-out pays now.

    `limit` names the limit that was met, of `limit_minor`, and `left_minor` what it still allows.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] | UnsetType = UNSET
    offer_minor: int | UnsetType = UNSET
    limit: str | UnsetType = UNSET
    limit_minor: int | UnsetType = UNSET
    left_minor: int | UnsetType = UNSET


class ItemProblem(Struct):
    """A refusal of one item of a batch: a Problem without `instance`."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | UnsetType = UNSET
    limit: str | UnsetType = UNSET
    limit_minor: int | UnsetType = UNSET
    left_minor: int | UnsetType = UNSET


class RateLimited(Exception):  # noqa: N818  what came in, not a fault
    """More was sent than may be in so short a time."""


class StaleView(Exception):  # noqa: N818  a state, not a fault
    """The view has not yet reached the position that was asked for; try again in a moment."""


_PHRASES: Final = {
    400: ("bad_request", "The request cannot be read."),
    401: ("unauthenticated", "A valid token is needed."),
    403: ("forbidden", "Your role does not allow this."),
    404: ("not_found", "There is no such thing, or it is not yours."),
    405: ("method_not_allowed", "This address does not take that method."),
    413: ("too_large", "The request is too large."),
    415: ("unsupported_media_type", "Send application/json."),
}
_DESCRIPTIONS: Final = {
    400: "The request cannot be read, or a field is not acceptable",
    401: "No token, or one that is not valid",
    403: "The role does not allow this",
    404: "Unknown, or not yours",
    405: "Not a method of this address",
    409: "Conflicts with what has happened",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "Refused by a rule, which `type` names",
    429: "Too much at a time; see Retry-After",
    503: "A dependency is down or too many requests wait; see Retry-After",
}


def responses(*more: int) -> dict[int, ResponseSpec]:
    """Document the problems that a route may answer: the common ones, and `more`."""
    statuses = sorted({400, 401, 403, 405, 503, *more})
    return {
        status: ResponseSpec(
            data_container=Problem,
            generate_examples=False,
            description=_DESCRIPTIONS[status],
            media_type=PROBLEM_JSON,
        )
        for status in statuses
    }


def responses_to_body(*more: int) -> dict[int, ResponseSpec]:
    """Document the problems that a route may answer that reads a body."""
    return responses(413, 415, *more)


def _plain(status: int, detail: str = "") -> Members:
    kind, title = _PHRASES.get(status, ("error", "The request failed."))
    return {"type": kind, "title": title, "status": status, "detail": detail or title}


_LIVE: Final[dict[type[Exception], tuple[str, int, str]]] = {
    LiveUnavailable: ("live_unavailable", 503, "2"),
    TooManyStreams: ("too_many_streams", 429, "5"),
    RateLimited: ("rate_limited", 429, "1"),
}


def describe(error: Exception) -> tuple[Members, Headers]:
    """Give the members of the problem that answers an exception, and the headers that go with it."""
    match error:
        case Refusal():
            return problem(error), {"Idempotency-Replayed": "true"} if error.replayed else {}
        case BadToken():
            return _plain(401, str(error)), {"WWW-Authenticate": "Bearer"}
        case Overloaded() | Unavailable() | LogUnavailable() | StaleView():
            # Nothing is wrong with the request: it may work in a moment.
            kind = {Overloaded: "overloaded", StaleView: "view_behind"}.get(
                type(error), "unavailable"
            )
            title = (type(error).__doc__ or "").splitlines()[0]
            return {"type": kind, "title": title, "status": 503, "detail": title}, {
                "Retry-After": "1"
            }
        case LiveUnavailable() | TooManyStreams() | RateLimited():
            kind, status, wait = _LIVE[type(error)]
            title = (type(error).__doc__ or "").splitlines()[0]
            members = {"type": kind, "title": title, "status": status, "detail": str(error)}
            return members, {"Retry-After": wait}
        case HTTPException():
            return _of_framework(error)
        case _:
            # What it was is for the log alone.
            title = "The service has a fault; it has been logged."
            return {"type": "fault", "title": title, "status": SERVER_ERROR, "detail": title}, {}


def _of_framework(error: HTTPException) -> tuple[Members, Headers]:
    """Describe what the framework refuses: unreadable bodies, unknown addresses, wrong methods."""
    members = _plain(error.status_code, error.detail if error.status_code < SERVER_ERROR else "")
    extra = error.extra if isinstance(error.extra, list) else []
    if errors := [_field_error(each) for each in extra if isinstance(each, dict)]:
        members["errors"] = errors
        members["detail"] = "; ".join(f"{each['field']}: {each['message']}" for each in errors)
    return members, {k: v for k, v in (error.headers or {}).items() if k.lower() == "allow"}


def _field_error(extra: dict[str, Any]) -> dict[str, str]:
    message = str(extra.get("message", "is not acceptable"))
    field = str(extra.get("key", "body"))
    if field == "data":
        # The framework's name for a body that is missing.
        return {"field": "body", "message": "a JSON body is needed"}
    if message.startswith("Expected `str` matching regex"):
        message = "has characters that are not allowed here"
    if extra.get("source") != "body":
        field = _NAMES_OUTSIDE.get(field, field)
    elif unknown := _UNKNOWN_FIELD.search(message):
        field = unknown[1] if field == "body" else f"{field}.{unknown[1]}"
    return {"field": field, "message": message}


def rendered(error: Exception, path: str, asked: str) -> tuple[int, bytes, Headers]:
    """Give the status, body and headers of the problem that an exception stands for.

    A fault is logged with what was `asked`.
    """
    members, headers = describe(error)
    if members["status"] == SERVER_ERROR:
        _log.error("fault in %s", asked, exc_info=error)
    return members["status"], msgspec.json.encode(members | {"instance": path}), headers


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer a request with the problem that an exception stands for."""
    path = request.url.path
    status, body, headers = rendered(error, path, f"{request.method} {path}")
    return Response(body, status_code=status, media_type=PROBLEM_JSON, headers=headers)


async def send(error: Exception, path: str, send_message: Send) -> None:
    """Answer with a problem where no framework is at hand."""
    status, body, headers = rendered(error, path, path)
    lines = [
        (b"content-type", PROBLEM_JSON.encode()),
        (b"content-length", str(len(body)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in headers.items()),
    ]
    await send_message({"type": "http.response.start", "status": status, "headers": lines})
    await send_message({"type": "http.response.body", "body": body})


HANDLERS: Final[dict[int | type[Exception], Any]] = {HTTPException: answer, Exception: answer}
