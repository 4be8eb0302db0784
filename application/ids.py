"""Time-ordered ids."""

import os
import random
import time
from uuid import UUID, SafeUUID

_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62
_LOW_62_BITS = (1 << 62) - 1
_entropy = random.SystemRandom()
_random = random.Random()  # noqa: S311  ids need to differ, not to be secret: every access is authorised
_make = object.__new__
_set = object.__setattr__
_UNKNOWN = SafeUUID.unknown  # asking an enum for a member takes as long as making an id


def _seed() -> None:
    _random.seed(_entropy.getrandbits(256))


_seed()
os.register_at_fork(after_in_child=_seed)  # else a forked child would make its parent's ids


def new_id() -> UUID:
    """Give a UUIDv7 (RFC 9562): new rows land at the hot end of every index.

    UUID's own constructor checks its arguments for longer than all the rest takes, so it is passed by.
    """
    bits = _random.getrandbits(74)
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | _VERSION_7 | (bits >> 62) << 64 | _VARIANT | bits & _LOW_62_BITS
    made = _make(UUID)
    _set(made, "int", number)
    _set(made, "is_safe", _UNKNOWN)
    return made
