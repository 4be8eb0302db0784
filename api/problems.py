"""Refusals and faults as RFC 9457 problems."""

import logging
import re
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, Struct, UnsetType

from application.answers import problem
from application.log import LogUnavailable
from application.writer import Overloaded, Unavailable
from domain.refusals import Refusal

PROBLEM_JSON: Final = "application/problem+json"
SERVER_ERROR: Final = 500
_UNKNOWN_FIELD: Final = re.compile(r"unknown field `(.*)`")
_log = logging.getLogger("fairbook.api")


class FieldError(Struct):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(Struct):
    """A refusal (RFC 9457); `type` names the rule, `errors` the fields."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] | UnsetType = UNSET


class ItemProblem(Struct):
    """A refusal of one item of a batch: a Problem without `instance`."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | UnsetType = UNSET


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
    422: "Refused by a rule, which `type` names",
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


def render(
    members: dict[str, Any], path: str, headers: dict[str, str] | None = None
) -> Response[bytes]:
    """Give a problem response for the request at `path`."""
    return Response(
        msgspec.json.encode(members | {"instance": path}),
        status_code=members["status"],
        media_type=PROBLEM_JSON,
        headers=headers,
    )


def _plain(status: int, detail: str = "") -> dict[str, Any]:
    kind, title = _PHRASES.get(status, ("error", "The request failed."))
    return {"type": kind, "title": title, "status": status, "detail": detail or title}


def on_refusal(request: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    """Answer a refusal; one that is given again says so."""
    headers = {"Idempotency-Replayed": "true"} if refusal.replayed else None
    return render(problem(refusal), request.url.path, headers)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework refuses: unreadable bodies, unknown addresses, wrong methods."""
    members = _plain(error.status_code, error.detail if error.status_code < SERVER_ERROR else "")
    extra = error.extra if isinstance(error.extra, list) else []
    if errors := [_field_error(each) for each in extra if isinstance(each, dict)]:
        members["errors"] = errors
    headers = {k: v for k, v in (error.headers or {}).items() if k.lower() == "allow"}
    return render(members, request.url.path, headers)


def _field_error(extra: dict[str, Any]) -> dict[str, str]:
    message = str(extra.get("message", "is not acceptable"))
    field = str(extra.get("key", "data"))
    if unknown := _UNKNOWN_FIELD.search(message):
        field = unknown[1] if field == "data" else f"{field}.{unknown[1]}"
    return {"field": "body" if field == "data" else field, "message": message}


def on_busy(
    request: Request[Any, Any, Any],
    error: Overloaded | Unavailable | LogUnavailable | StaleView,
) -> Response[bytes]:
    """Answer that it may work in a moment: nothing is wrong with the request."""
    kind = {Overloaded: "overloaded", StaleView: "view_behind"}.get(type(error), "unavailable")
    title = (type(error).__doc__ or "").splitlines()[0]
    members = {"type": kind, "title": title, "status": 503, "detail": title}
    return render(members, request.url.path, {"Retry-After": "1"})


def on_fault(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer a fault of ours without telling what it was; the log has it."""
    _log.error("fault in %s %s", request.method, request.url.path, exc_info=error)
    members = {
        "type": "fault",
        "title": "The service has a fault.",
        "status": SERVER_ERROR,
        "detail": "The service has a fault; it has been logged.",
    }
    return render(members, request.url.path)


HANDLERS: Final[dict[int | type[Exception], Any]] = {
    Refusal: on_refusal,
    Overloaded: on_busy,
    Unavailable: on_busy,
    LogUnavailable: on_busy,
    StaleView: on_busy,
    HTTPException: on_http_error,
    Exception: on_fault,
}
