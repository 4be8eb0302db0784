"""Racing models beside final odds, walk-forward: `python -m benchmarks.racing_models`.

Reads Hong Kong's results (FAIRBOOK_DATA, the folder `racing` in it). `--until` leaves later races out of reading
altogether: settings are chosen on early seasons with it, and the last two are looked at once, for the figures told.
"""

import argparse
import os
import sys
import time
from datetime import date
from pathlib import Path

from adapters.hkjc import read_results
from adapters.learners.racing import racing_candidates, racing_learners
from application.racing.evaluation import evaluate_races
from domain.prediction.racing.form_logit import FormLogitLearner
from domain.prediction.racing.reading import FROM_ODDS
from fairbook.evaluate_racing import RESULTS_FILE, racing_text


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.racing_models", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("FAIRBOOK_DATA", "../shared/data"))
    )
    parser.add_argument(
        "--until", type=date.fromisoformat, default=None, help="leave out races from this day on"
    )
    parser.add_argument(
        "--no-past-odds",
        action="store_true",
        help="only the logit, without columns that use final odds of earlier days",
    )
    arguments = parser.parse_args()
    path = arguments.data / RESULTS_FILE
    if not path.is_file():
        parser.error(f"{path} is not there: name the folder of data with --data")
    began = time.perf_counter()
    results = read_results(path)
    races = [
        race for race in results.races if arguments.until is None or race.day < arguments.until
    ]
    print(
        f"{len(races)} races, {len(results.rejected)} rejected, {results.withdrawn} runners withdrawn",
        file=sys.stderr,
    )
    candidates, default = racing_candidates(), racing_learners()
    if arguments.no_past_odds:
        candidates = default = (FormLogitLearner(without=FROM_ODDS),)
    found = evaluate_races(
        races,
        candidates,
        [learner.name for learner in default],
        lambda what, share: print(f"{share:4.0%} {what}", file=sys.stderr),
    )
    print(racing_text(found))
    print(f"took {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
