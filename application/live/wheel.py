"""One timer for all clients that wait for their next flush."""

import asyncio
import math
from collections.abc import Callable
from typing import Final

STEP_SECONDS: Final = 0.005


class Wheel:
    """Calls what waits at its time, up to STEP_SECONDS late, many at one turn."""

    def __init__(self) -> None:
        self._slots: dict[int, list[Callable[[], None]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Have `call` called once, at the loop's time `when`."""
        slot = math.ceil(when / STEP_SECONDS)
        self._slots.setdefault(slot, []).append(call)
        if self._timer is None or slot < self._next:
            self._wind(slot)

    def _wind(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = slot
        self._timer = asyncio.get_running_loop().call_at(slot * STEP_SECONDS, self._turn)

    def _turn(self) -> None:
        self._timer = None
        now = int(asyncio.get_running_loop().time() / STEP_SECONDS)
        # The timer may come a hair before its time; its own slot is due in any case.
        due = sorted(slot for slot in self._slots if slot <= max(now, self._next))
        for slot in due:
            for call in self._slots.pop(slot):
                call()
        if self._slots and self._timer is None:
            self._wind(min(self._slots))
