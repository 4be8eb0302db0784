"""Racing's part of the evaluation."""

import argparse
from collections.abc import Callable

from msgspec import Struct

from fairbook.targets import Target


class RacingPart(Struct, frozen=True):
    """Racing's rows of the target table, and its own tables as lines of text."""

    targets: tuple[Target, ...]
    lines: tuple[str, ...]


def racing_part(
    arguments: argparse.Namespace,  # noqa: ARG001  (racing takes them)
    notes: list[str],
    progress: Callable[[str, float], None],  # noqa: ARG001  (the same)
) -> RacingPart | None:
    """Evaluate racing; None, and a note, where that cannot be."""
    notes.append("racing: not there yet")
    return None
