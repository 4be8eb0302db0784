"""Racing's part of the evaluation: its rows of the target table, its tables, its reliability."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from adapters.hkjc import HkjcError
from adapters.learners.lightgbm_library import LearnerMissingError
from application.football.comparison import Bin, share_interval
from application.racing.evaluation import RacingEvaluation
from domain.refusals import Refusal
from fairbook.evaluate_racing import evaluate_racing, racing_text
from fairbook.targets import Target, interval


class RacingPart(Struct, frozen=True):
    """What was found, and its rows of the target table."""

    targets: tuple[Target, ...]
    found: RacingEvaluation

    @property
    def lines(self) -> tuple[str, ...]:
        """The tables as lines of text."""
        return tuple(racing_text(self.found).splitlines())

    @property
    def reliability(self) -> tuple[Bin, ...]:
        """How often runners won whose chance was about the same."""
        return tuple(
            Bin(row.said, row.happened, *share_interval(row.happened, row.runners), row.runners)
            for row in self.found.reliability
            if row.runners
        )


def racing_part(
    folder: Path, notes: list[str], progress: Callable[[str, float], None]
) -> RacingPart | None:
    """Evaluate racing on the data in `folder`; None, and a note, where that cannot be."""
    try:
        found = evaluate_racing(folder, lambda _, share: progress("racing", share))
    except (HkjcError, ImportError, LearnerMissingError, OSError, Refusal) as error:
        notes.append(f"racing was not evaluated: {error}")
        return None
    return RacingPart(
        tuple(
            Target(
                f"racing: {row.name}",
                f"{row.reference} {row.reference_figure:.4f}",
                row.aim,
                f"{row.figure:.4f}: {interval(row.difference)} of {row.races:,} races",
                bool(row.reached),
            )
            for row in found.rows
        ),
        found,
    )
