"""Live streams: server-sent events and WebSockets over the same topics."""

from api.live import socket, stream

ROUTES = [stream.read_stream, socket.open_socket]
