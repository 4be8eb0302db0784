"""Time-ordered ids."""

import random
import time
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62
_random = random.SystemRandom()
_fast = random.Random(_random.getrandbits(128))  # noqa: S311  ids need to differ, not to be secret: every access is authorised


def new_id() -> UUID:
    """Give a UUIDv7 (RFC 9562): new rows land at the hot end of every index."""
    bits = _fast.getrandbits(74)
    high = (time.time_ns() // 1_000_000) << 80
    return UUID(
        int=high | _VERSION_7 | (bits >> 62) << 64 | _VARIANT | bits & 0x3FFF_FFFF_FFFF_FFFF
    )
