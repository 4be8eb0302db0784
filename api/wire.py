"""HTTP/1.1 on the wire: requests' heads are bounded, and what is no HTTP gets a problem too."""

from http import HTTPStatus
from typing import Any, Final, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from api.problems import PROBLEM_JSON

HEAD_MAX_BYTES: Final = 64 * 1024
_TOO_LARGE: Final = "431 Request Header Fields Too Large"
_BAD: Final = "400 Bad Request"


class BoundedHttp(HttpToolsProtocol):
    """The server's protocol, which by itself would gather headers without end before anybody is asked for a token.

    Whoever extends it says when a request's head begins and ends.
    """

    _head_bytes: int | None = None

    def begin_head(self) -> None:
        """Begin to count."""
        self._head_bytes = 0

    def end_head(self) -> None:
        """Stop counting."""
        self._head_bytes = None

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless they make a head too large."""
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX_BYTES:
                self._refuse(_TOO_LARGE, "too_large", "The request's headers are too large.")
                return
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and close."""
        self._refuse(_BAD, "bad_request", msg)

    def _refuse(self, status: str, kind: str, title: str) -> None:
        self.transport.write(_refusal(status, kind, title))
        self.transport.close()


def _refusal(status: str, kind: str, title: str) -> bytes:
    members = {
        "type": kind,
        "title": title,
        "status": int(status[:3]),
        "detail": title,
        "instance": "/",
    }
    body = msgspec.json.encode(members)
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: {PROBLEM_JSON}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


class WebSocketWire(WebSocketsSansIOProtocol):
    """The server's protocol of WebSockets, which lets the application cut a connection that takes nothing any more."""

    def data_received(self, data: bytes) -> None:
        """Take bytes, and answer a handshake that is none: the library only stops to listen then."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            title = "The request is no handshake of a WebSocket."
            self.transport.write(_refusal(_BAD, "bad_request", title))
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        """Begin, with a way to end in the scope."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            cast("dict[str, Any]", self.scope)["fairbook.abort"] = self.transport.abort
