"""What tracing costs: the API with its default sampling beside one that samples nothing, turn by turn.

Two services run side by side on one server, each with a database of its own, and are loaded in turn. Metrics are on in
both: there is no way to switch them off.
"""

import statistics
import sys
from typing import Final

from msgspec import Struct

from benchmarks import report, seeding, usage
from benchmarks.place_bets import Loads
from benchmarks.report import Outcome, beside, say
from benchmarks.service import Service, embedded_servers, new_database

ACCOUNTS: Final = 2_000
AIM: Final = 0.97
CPU_AIM: Final = 1.03


class Turn(Struct):
    """One turn of one service."""

    bets_per_second: float
    cpu_us_per_bet: float


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Load both in turn, in the order A B B A, so that whatever drifts hits both alike."""
    rounds, seconds = (4, 3.0) if short else (12, 5.0)
    default: list[Turn] = []
    none: list[Turn] = []
    with embedded_servers() as servers:
        urls = [new_database(servers, name) for name in ("with_traces", "without_traces")]
        seeds = [seeding.seed(url, ACCOUNTS) for url in urls]
        with (
            Service(servers, urls[0]) as traced,
            Service(servers, urls[1], {"FAIRBOOK_TRACE_RATIO": "0"}) as untraced,
        ):
            sides = [
                (traced, Loads(traced, seeds[0]), default),
                (untraced, Loads(untraced, seeds[1]), none),
            ]
            for number in range(rounds):
                for service, loads, turns in sides if number % 2 == 0 else reversed(sides):
                    turns.append(_turn(service, loads, seconds))
                say(
                    f"  default {default[-1].bets_per_second:,.0f}/s {default[-1].cpu_us_per_bet:.1f} µs, "
                    f"none {none[-1].bets_per_second:,.0f}/s {none[-1].cpu_us_per_bet:.1f} µs"
                )
    return Outcome(
        [
            beside(
                "bets with default sampling",
                statistics.median(each.bets_per_second for each in default),
                "bets/s",
                "no traces:",
                statistics.median(each.bets_per_second for each in none),
                at_least=AIM,
            ),
            beside(
                "  processor time of the API",
                statistics.median(each.cpu_us_per_bet for each in default),
                "µs/bet",
                "no traces:",
                statistics.median(each.cpu_us_per_bet for each in none),
                at_most=CPU_AIM,
            ),
        ],
        {"default": default, "none": none},
    )


def _turn(service: Service, loads: Loads, seconds: float) -> Turn:
    before = usage.cpu_seconds(service.pid("api"))
    figures = loads.single(seconds, warm_up=1.0)
    spent = usage.cpu_seconds(service.pid("api")) - before
    return Turn(figures.accepted_per_second, 1e6 * spent / figures.answers)


if __name__ == "__main__":
    sys.exit(report.main("telemetry", measure))
