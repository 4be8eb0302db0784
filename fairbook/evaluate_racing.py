"""The racing half of the evaluation: a results file in, figures beside their references out."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from adapters.hkjc import read_results
from adapters.learners.racing import racing_candidates, racing_learners
from application.racing.evaluation import RacingEvaluation, evaluate_races

RESULTS_FILE: Final = Path("racing/hkjc_2016_2024.csv.gz")
"""Where a folder of data keeps Hong Kong's results."""


def evaluate_racing(
    data_path: Path, on_progress: Callable[[str, float], None] | None = None
) -> RacingEvaluation:
    """Judge racing models on a results file, or on the one in a folder of data; minutes on one core.

    `on_progress` hears what is being done and which share is done. Raises FileNotFoundError, HkjcError, NoMatches, and
    LearnerMissingError when LightGBM is missing.
    """
    path = data_path / RESULTS_FILE if data_path.is_dir() else data_path
    default = [learner.name for learner in racing_learners()]
    return evaluate_races(read_results(path).races, racing_candidates(), default, on_progress)


def racing_text(found: RacingEvaluation) -> str:
    """Give the evaluation as tables of plain text."""
    lines = [f"Racing, held out: {', '.join(found.held_out)}. {found.note}", ""]
    lines.append(
        f"{'':44} {'reference':>22} {'figure':>8} {'difference (95%)':>28} {'races':>6}  aim"
    )
    for row in found.rows:
        gap = row.difference
        lines.append(
            f"{row.name:44} {row.reference + ' ' + format(row.reference_figure, '.4f'):>22} {row.figure:8.4f} "
            f"{gap.value:+9.4f} [{gap.low:+.4f}, {gap.high:+.4f}] {row.races:>6}  {row.aim}: "
            f"{'reached' if row.reached else 'missed'}"
        )
    lines += ["", f"{'season':10} {'forecaster':10} {'races':>6} {'pseudo-R²':>10} {'top-1':>7}"]
    lines += [
        f"{row.season:10} {row.forecaster:10} {row.races:>6} {row.pseudo_r2:10.4f} {row.top:7.3f}"
        for row in found.seasons
    ]
    for title, rows in (
        ("Ablation, seasons before those held out", found.ablation),
        ("Ablation, held out", found.ablation_held_out),
    ):
        lines += ["", title]
        lines += [
            f"{row.members:36} {row.pseudo_r2:7.4f}  against {row.than:14} "
            f"{row.gain.value:+.4f} [{row.gain.low:+.4f}, {row.gain.high:+.4f}]"
            for row in rows
        ]
    lines += ["", f"{'chance to win':16} {'runners':>8} {'said':>7} {'won':>7}"]
    lines += [
        f"{row.low:5.2f} to {row.high:5.2f}   {row.runners:>8} {row.said:7.4f} {row.happened:7.4f}"
        for row in found.reliability
    ]
    lines += ["", f"Powers of second and third place: {found.powers[0]:.3f}, {found.powers[1]:.3f}"]
    lines += [
        f"first {row.places}: log loss a runner {row.powers:.4f}, Harville {row.harville:.4f}, difference "
        f"{row.difference.value:+.4f} [{row.difference.low:+.4f}, {row.difference.high:+.4f}]"
        for row in found.places
    ]
    weights = ", ".join(f"{name} {weight:.3f}" for name, weight in found.weights.items())
    lines += ["", f"Weights: {weights}. Covered part: top chance from {found.threshold:.3f}."]
    return "\n".join(lines)
