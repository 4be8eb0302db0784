"""The disk by itself: how long it takes until 4 KiB appended to a file are durable."""

import os
import tempfile
import time
from pathlib import Path

from msgspec import Struct

_sync = getattr(os, "fdatasync", os.fsync)
BLOCK_BYTES = 4096


class Flushes(Struct, frozen=True):
    """Times of one append and flush, in milliseconds."""

    count: int
    p50: float
    p99: float


def flushes(folder: Path, seconds: float) -> Flushes:
    """Append and flush in a loop, in a file of this folder."""
    block, times = os.urandom(BLOCK_BYTES), []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            file.write(block)
            _sync(file.fileno())
            times.append(1_000 * (time.perf_counter() - began))
    times.sort()
    return Flushes(len(times), times[len(times) // 2], times[int(len(times) * 0.99)])
