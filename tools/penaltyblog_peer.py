"""What penaltyblog's Dixon–Coles says of the same matches: JSON in, JSON out. Runs in a venv of its own (tools/compare.sh).

In: `{"xi": 0.0018, "leagues": {"E0": {"matches": [[home, away, goals, goals, "2021-08-13T19:00:00"], …],
"days": [["2022-08-05T00:00:00", known, [[home, away], …]], …]}}, "fits": {"league": "E0", "rounds": 9}}`, where `known` of
the matches, from the first on, were over when the day began. Out: chances by league (null where it does not know a side, or finds no probabilities),
and the processor seconds of fits to all matches of a league. Progress: a line a day on stderr.
"""

import json
import sys
import time
import warnings
from datetime import datetime

import numpy as np
import penaltyblog


def _fitted(matches, as_of, xi):
    model = penaltyblog.models.DixonColesGoalModel(
        np.array([match[2] for match in matches]),
        np.array([match[3] for match in matches]),
        np.array([match[0] for match in matches]),
        np.array([match[1] for match in matches]),
        penaltyblog.models.dixon_coles_weights(
            [datetime.fromisoformat(match[4]) for match in matches], xi, base_date=as_of
        ),
    )
    model.fit()
    return model


def _forecasts(league, xi, name):
    said = []
    for number, (day, known, fixtures) in enumerate(league["days"]):
        past = league["matches"][:known]
        sides = {team for match in past for team in match[:2]}
        model = _fitted(past, datetime.fromisoformat(day), xi)
        for home, away in fixtures:
            known_sides = home in sides and away in sides
            said.append(_said(model, home, away) if known_sides else None)
        sys.stderr.write(json.dumps([name, (number + 1) / len(league["days"])]) + "\n")
        sys.stderr.flush()
    return said


def _said(model, home, away):
    try:
        return [float(each) for each in model.predict(home, away).home_draw_away]
    except (
        ValueError
    ):  # "goal_matrix contains negative probabilities": a side of one or two matches, fitted freely
        return None


def _seconds(league, xi, rounds):
    matches = league["matches"]
    as_of = datetime.fromisoformat(matches[-1][4])
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        _fitted(matches, as_of, xi)
        seconds.append(time.process_time() - began)
    return seconds


def main():
    """Answer what stdin asks for."""
    warnings.simplefilter("ignore")
    asked = json.load(sys.stdin)
    leagues, xi = asked["leagues"], asked["xi"]
    answer = {"version": penaltyblog.__version__, "chances": {}, "seconds": []}
    for name, league in leagues.items():
        answer["chances"][name] = _forecasts(league, xi, name)
    if asked.get("fits"):
        fits = asked["fits"]
        answer["seconds"] = _seconds(leagues[fits["league"]], xi, fits["rounds"])
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
