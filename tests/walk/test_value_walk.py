"""Predictions once through, as a newcomer would: a season's results train a model, a feed is played, values are told, then judged."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.embedded import EmbeddedServers
from tests.fairbook.handlers import a_handle_process, environment
from tests.live import Sse, sse
from tests.service import CHECKOUT, SECRET, People, Service, a_service, until

SIDES = ("Ajax", "Bohemians", "Celta", "Dundee", "Elfsborg", "Fenix")
ODDS = ("PSH", "PSD", "PSA")
CLOSING = ("PSCH", "PSCD", "PSCA")
TEST_SECONDS = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("walk")


@pytest.fixture(scope="module")
def service(servers: EmbeddedServers, folder: Path) -> Iterator[Service]:
    with a_service(folder, servers, FAIRBOOK_ARTEFACTS=str(folder / "artefacts")) as running:
        variables = environment(
            running.database_url,
            servers.urls.nats,
            FAIRBOOK_ARTEFACTS=str(folder / "artefacts"),
            FAIRBOOK_QUOTE_MAX_AGE="default=3600",
        )
        with a_handle_process("outbox", "prices", "value", **variables):
            yield running


@pytest.fixture(scope="module")
def people(service: Service) -> Iterator[People]:
    people = People(service.url)
    yield people
    people.close()


def fairbook(service: Service, servers: EmbeddedServers, *words: str | Path) -> str:
    """Run a command as an operator would; gives what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "fairbook", *map(str, words)],
        cwd=CHECKOUT,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("FAIRBOOK_")},
            **servers.urls.environment(),
            "DATABASE_URL": service.database_url,
            "FAIRBOOK_SECRET": SECRET,
            "FAIRBOOK_ARTEFACTS": service.environment["FAIRBOOK_ARTEFACTS"],
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def a_season(file: Path, begins: date, matches: list[tuple[str, str]], **odds: str) -> Path:
    """Write results as football-data.co.uk does: the earlier in the alphabet, the stronger."""
    rng = np.random.default_rng(4)
    with file.open("w", newline="") as lines:
        names = ["Div", "Date", "Time", "HomeTeam", "AwayTeam", "FTHG", "FTAG", *odds]
        writer = csv.writer(lines)
        writer.writerow(names)
        for number, (home, away) in enumerate(matches):
            ahead = (SIDES.index(away) - SIDES.index(home)) / 5
            goals = rng.poisson(1.5 * 2**ahead), rng.poisson(1.2 * 2**-ahead)
            day = begins + timedelta(days=number // 3 * 4)
            writer.writerow(["E0", f"{day:%d/%m/%Y}", "15:00", home, away, *goals, *odds.values()])
    return file


async def told(stream: Sse, selection_id: str) -> Any:
    """Read the stream until a signal of this selection opens."""
    for number in count(1):
        for each in (await stream.first("value", number)).data["signals"]:
            if each["status"] == "open" and each["signal"]["selection_id"] == selection_id:
                return each
    return None


@pytest.mark.anyio
async def test_from_a_seasons_results_to_the_closing_line_value_of_a_signal(
    service: Service, servers: EmbeddedServers, people: People, folder: Path
) -> None:
    # A model learns from two seasons' files and speaks for the league.
    learned = [
        a_season(
            folder / f"E0_{year % 100}{year % 100 + 1}.csv",
            date(year, 8, 1),
            list(permutations(SIDES, 2)),
        )
        for year in (2023, 2024)
    ]
    fairbook(
        service, servers, "train", "football", "--scope", "E0", "--data", *learned, "--activate"
    )
    operator = people.operator
    (model,) = operator.get("/v1/models", active=True).ok()["items"]
    assert (model["kind"], model["scope"]) == ("football.goals", "Premier League")

    # A feed is played: one bookmaker is generous to the strongest side, and takes it back in the end.
    odds = dict(zip((*ODDS, *CLOSING), ("3.1", "3.2", "2.1", "1.05", "13", "41"), strict=True))
    match = a_season(folder / "played.csv", date(2025, 8, 1), [(SIDES[0], SIDES[-1])], **odds)
    async with sse(int(service.url.rpartition(":")[2]), "value", operator.token) as stream:
        await stream.first("subscribed")
        url = ("--url", service.url, "--nats", servers.urls.nats)
        fairbook(service, servers, "feed", "replay", match, "--speed", "0", *url)
        first = await told(stream, "home")
    signal = first["signal"]
    assert (signal["bookmaker"], signal["side"], signal["odds"]) == ("pinnacle", "back", 3.1)
    assert signal["model_id"] == model["model_id"]
    assert signal["low"] < signal["probability"] < signal["high"]
    assert signal["expected_value"] > 0.03
    assert 0 < signal["stake_share"] <= 0.02 < signal["kelly"]

    # It is in the list, for as long as the price was there.
    path = f"/v1/value-signals/{first['signal_id']}"
    until(lambda: operator.get(path).status == 200, TEST_SECONDS)
    shown = operator.get(path).ok()
    assert (shown["opened_odds"], shown["clv"]) == (3.1, None)
    until(lambda: operator.get(path).ok()["status"] == "closed", TEST_SECONDS)
    assert operator.get(path).ok()["end_reason"] == "price_moved"

    # The market closes, and the closing price says whether it was a good one.
    operator.post(f"/v1/markets/{shown['market_id']}/close").ok()
    until(lambda: operator.get(path).ok()["clv"] is not None, TEST_SECONDS)
    judged = operator.get(path).ok()
    assert judged["closing_odds"] == 1.05
    assert judged["clv"] == pytest.approx(3.1 / 1.05 - 1, abs=1e-6)
    assert judged["clv_fair"] > 0.5
