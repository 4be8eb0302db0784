"""A server that has stopped answering is as good as lost."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import AsyncConnection


@contextlib.contextmanager
def answering(connection: AsyncConnection[Any], seconds: float) -> Iterator[None]:
    """Break a connection on which the block takes longer; whoever waits on it gets psycopg.errors.QueryCanceled.

    Cancelling what waits would not do: the driver then asks the same server to cancel, and waits for that.
    """
    broken = False

    def give_up() -> None:
        nonlocal broken
        broken = True
        if not connection.closed:
            line = socket.socket(fileno=os.dup(connection.fileno()))
            with line, contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_later(seconds, give_up)
    try:
        yield
    except psycopg.Error as error:
        if broken:
            said = f"the server has not answered for {seconds:g} seconds"
            raise psycopg.errors.QueryCanceled(said) from error
        raise
    finally:
        timer.cancel()
