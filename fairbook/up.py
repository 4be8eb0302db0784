"""`fairbook up`: start everything, say where it is, keep it running, stop it in order."""

import argparse
import dataclasses
import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from adapters.embedded import EmbeddedError, EmbeddedServers, ServerDied
from fairbook.program import Program, UpError
from fairbook.secret import made_signing_secret
from fairbook.settings import Settings, SettingsError, folder_option, port_option, write_urls
from fairbook.token import mint

POLL_SECONDS: Final = 0.1
READY_PATIENCE_SECONDS: Final = 120.0
READY_POLL_SECONDS: Final = 0.02
STOP_PATIENCE_SECONDS: Final = 20.0
TOKEN_TTL_SECONDS: Final = 12 * 3_600


class StopRequested(BaseException):
    """Ctrl-C, or a polite signal. Not an Exception: no handler on the way may swallow it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument("--host", help="address to listen on (default: FAIRBOOK_HOST, 127.0.0.1)")
    parser.add_argument(
        "--port", type=port_option, help="the API's port (default: FAIRBOOK_PORT, 8080)"
    )
    parser.add_argument(
        "--data",
        type=folder_option,
        metavar="FOLDER",
        help="where the data lives (default: FAIRBOOK_HOME)",
    )
    parser.add_argument(
        "--api-processes",
        type=int,
        default=1,
        metavar="N",
        help="processes that share the API's port (default: 1)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C (exit status 0), or until something does not stay up (1)."""
    settings = _settings(arguments)
    report = _reporter()
    try:
        with _polite_stop():
            _refuse_taken_port(settings)
            with EmbeddedServers(settings.home, report) as servers:
                settings.home.mkdir(parents=True, exist_ok=True)
                write_urls(settings.home, servers.urls.environment())
                secret = made_signing_secret(settings)
                programs = _programs(settings, servers, secret, arguments.api_processes)
                handlers = _handlers(settings, servers, secret)
                with _running(programs, report):
                    _wait_ready(settings, servers, programs, report)
                    # Nobody waits for them, and they would only slow the others' start down.
                    with _running(handlers, report):
                        _announce(settings, secret, report)
                        while True:
                            _keep_up(servers, [*programs, *handlers], report)
                            time.sleep(POLL_SECONDS)
    except StopRequested:
        report("stopped; the data stays")
        return 0
    except (EmbeddedError, UpError) as error:
        report(f"error: {error}")
        return 1
    except OSError as error:  # no room, no permission, a file where a folder should be
        report(f"error: {error}. Mend it, or choose another folder with --data.")
        return 1


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = Settings.from_environment()
    if arguments.api_processes < 1:
        raise SettingsError("--api-processes takes 1 or more.")
    return dataclasses.replace(
        settings,
        host=arguments.host or settings.host,
        port=arguments.port or settings.port,
        home=arguments.data or settings.home,
    )


def _reporter() -> Callable[[str], None]:
    began_at = time.monotonic()

    def report(line: str) -> None:
        _say(f"[{time.monotonic() - began_at:6.2f} s] {line}")

    return report


def _say(text: str) -> None:
    """Print; whoever read along may have gone, with the terminal or the pipe, and that stops nothing."""
    try:
        print(text, flush=True)
    except OSError:
        # Python would try to get rid of these words once more at the very end, and call that a failure.
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextmanager
def _polite_stop() -> Iterator[None]:
    """Turn the first stop signal into StopRequested, and ignore more: the way out is not cut short."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # else started with nohup, to outlive us
        signals.append(signal.SIGHUP)

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise StopRequested

    before = {each: signal.signal(each, stop) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _refuse_taken_port(settings: Settings) -> None:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except (
            socket.gaierror,
            TypeError,
            UnicodeError,
        ) as error:  # no name that could be looked up
            raise UpError(
                f"cannot listen on {settings.host!r}: no such address. Correct --host or FAIRBOOK_HOST."
            ) from error
        except OSError as error:
            raise UpError(
                f"cannot listen on {settings.host}:{settings.port}: {error.strerror}. Choose another "
                'with --port (make up ARGS="--port 9000"), or with --host.'
            ) from error


def _programs(
    settings: Settings, servers: EmbeddedServers, secret: str, api_processes: int
) -> list[Program]:
    logs, environment = _surroundings(settings, servers, secret)
    shared = ["--reuse-port"] if api_processes > 1 else []
    names = ["api"] if api_processes == 1 else [f"api-{n + 1}" for n in range(api_processes)]
    return [
        *(Program(name, ["api", *shared], logs / f"{name}.log", environment) for name in names),
        Program("project", ["project"], logs / "project.log", environment),
    ]


def _handlers(settings: Settings, servers: EmbeddedServers, secret: str) -> list[Program]:
    logs, environment = _surroundings(settings, servers, secret)
    return [Program("handle", ["handle"], logs / "handle.log", environment)]


def _surroundings(
    settings: Settings, servers: EmbeddedServers, secret: str
) -> tuple[Path, dict[str, str]]:
    logs = settings.home / "logs"
    logs.mkdir(exist_ok=True)
    return logs, {
        **os.environ,
        **servers.urls.environment(),
        "FAIRBOOK_SECRET": secret,
        "FAIRBOOK_HOME": str(settings.home),
        "FAIRBOOK_HOST": settings.host,
        "FAIRBOOK_PORT": str(settings.port),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def _running(programs: list[Program], report: Callable[[str], None]) -> Iterator[None]:
    """Start the programs, and stop them at the end, before the servers that they use."""
    try:
        for program in programs:
            program.start()
            report(f"{program.name}: starting (pid {program.child.pid})")
        yield
    finally:
        report(f"stopping {', '.join(program.name for program in programs)}")
        for program in programs:
            program.child.ask_to_stop()
        for program in programs:
            program.child.wait_stopped(STOP_PATIENCE_SECONDS)


def _wait_ready(
    settings: Settings,
    servers: EmbeddedServers,
    programs: list[Program],
    report: Callable[[str], None],
) -> None:
    give_up_at = time.monotonic() + READY_PATIENCE_SECONDS
    while (answer := _ready_answer(settings)) is not None:
        _keep_up(servers, programs, report)
        if time.monotonic() > give_up_at:
            raise UpError(f"the API is not ready after {READY_PATIENCE_SECONDS:.0f} s: {answer}")
        time.sleep(READY_POLL_SECONDS)


def _ready_answer(settings: Settings) -> str | None:
    """None when the API says that it is ready; else what it says."""
    connection = http.client.HTTPConnection(_reachable_host(settings), settings.port, timeout=2)
    try:
        connection.request("GET", "/ready")
        response = connection.getresponse()
        body = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()
    return None if response.status == http.client.OK else f"{response.status} {body}"


def _keep_up(
    servers: EmbeddedServers, programs: list[Program], report: Callable[[str], None]
) -> None:
    try:
        servers.check()
    except ServerDied as death:
        report(f"{death}\nstarting {death.name} again")
        servers.start_again(death.name)
    for program in programs:
        program.keep_up(report)


def _announce(settings: Settings, secret: str, report: Callable[[str], None]) -> None:
    host = _reachable_host(settings)
    api = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    report("ready")
    _say(
        f"""
  API       {api}
  docs      {api}/schema
  metrics   {api}/metrics
  data      {settings.home} (logs in logs/)

  A token of an admin, valid for {TOKEN_TTL_SECONDS // 3_600} hours:

export TOKEN={mint(secret, "admin", "admin", TOKEN_TTL_SECONDS)}

  Try:  curl -H "Authorization: Bearer $TOKEN" {api}/v1/accounts
  Ctrl-C stops everything; the data stays.
"""
    )


def _reachable_host(settings: Settings) -> str:
    """A host that a client on this machine can connect to."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
