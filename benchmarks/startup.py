"""How long a warm `fairbook up` takes until the API says that it is ready."""

import http.client
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks import report
from benchmarks.report import Outcome, at_most, plain, say
from benchmarks.service import HOST, free_port, own_environment, temporary_folder
from fairbook.program import CHECKOUT

AIM_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.01


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Start it cold once, then warm several times, stopping it in good order in between."""
    port = free_port()
    with temporary_folder() as folder:
        cold, stop = _start_and_stop(folder, port)
        say(f"  cold: ready after {cold:.2f} s, stopped after {stop:.2f} s")
        warm, stops = [], [stop]
        for _ in range(3 if short else 5):
            ready, stop = _start_and_stop(folder, port)
            say(f"  warm: ready after {ready:.2f} s, stopped after {stop:.2f} s")
            warm.append(ready)
            stops.append(stop)
    return Outcome(
        [
            at_most(
                f"warm `fairbook up` until /ready, median of {len(warm)}",
                statistics.median(warm),
                "s",
                AIM_SECONDS,
            ),
            plain("  slowest", max(warm), "s"),
            plain("  cold: with initdb", cold, "s"),
            plain("Ctrl-C until everything has stopped", statistics.median(stops), "s"),
        ],
        {"warm": warm, "stops": stops},
    )


def _start_and_stop(folder: Path, port: int) -> tuple[float, float]:
    """Run `fairbook up` until it is ready, then stop it; give both times in seconds."""
    log = folder / "up.log"
    with log.open("w") as out:
        began = time.monotonic()
        up = subprocess.Popen(
            [sys.executable, "-m", "fairbook", "up", f"--data={folder / 'data'}", f"--port={port}"],
            cwd=CHECKOUT,
            env=own_environment(),
            stdout=out,
            stderr=out,
        )
        try:
            while not _is_ready(port):
                if up.poll() is not None or time.monotonic() - began > PATIENCE_SECONDS:
                    raise RuntimeError(f"fairbook up does not get ready:\n{log.read_text()}")
                time.sleep(_POLL_SECONDS)
            ready = time.monotonic() - began
        finally:
            asked = time.monotonic()
            up.send_signal(signal.SIGINT)
            up.wait(PATIENCE_SECONDS)
    return ready, time.monotonic() - asked


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(report.main("startup", measure))
