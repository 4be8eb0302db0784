"""Old shapes of events, brought to today's: pure functions on the decoded mapping, keyed by topic and old version.

`UPCASTS["bet.placed", 1]` turns the data of version 1 into that of version 2, and so on up to the current version.
`ALIASES` maps a topic that was renamed to its name today.
"""

from collections.abc import Callable
from typing import Any, Final

Data = dict[str, Any]


def _same(data: Data) -> Data:
    """What was added since has a default."""
    return data


UPCASTS: Final[dict[tuple[str, int], Callable[[Data], Data]]] = {
    ("account.opened", 1): _same,
    ("account.opened", 2): _same,
    ("account.stake_settled", 1): _same,
    ("account.stake_settled", 2): _same,
    ("account.stake_resettled", 1): _same,
    ("account.stake_resettled", 2): _same,
    ("account.stake_reopened", 1): _same,
    ("bet.placed", 1): _same,
    ("bet.settled", 1): _same,
    ("bet.settled", 2): _same,
    ("bet.settled", 3): _same,
    ("bet.reopened", 1): _same,
    ("bet.resettled", 1): _same,
    ("bet.resettled", 2): _same,
    ("bet.placed", 2): _same,
    ("market.opened", 1): _same,
    ("market.opened", 2): _same,
    ("market.opened", 3): _same,
    ("odds.snapshot_taken", 1): _same,
    ("market.result_declared", 1): _same,
    ("market.result_declared", 2): _same,
    ("settlement.progressed", 1): _same,
    ("settlement.progressed", 2): _same,
    ("settlement.completed", 1): _same,
    ("settlement.completed", 2): _same,
}
ALIASES: Final[dict[str, str]] = {}


def upcast(topic: str, version: int, current: int, data: Data) -> Data:
    """Bring `data` from `version` to `current`; raises LookupError when a step is missing."""
    for step in range(version, current):
        if (topic, step) not in UPCASTS:
            raise LookupError(f"{topic} version {step} has no upcast to version {step + 1}")
        data = UPCASTS[topic, step](data)
    return data
