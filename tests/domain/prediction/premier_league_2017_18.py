"""Results of the Premier League 2017/18: row at home, column away, in the order of the rows."""

from datetime import UTC, datetime

from domain.prediction.goals_table import PlayedMatch

RESULTS = """
Arsenal         --- 3-0 2-0 5-0 2-2 4-1 5-1 5-0 4-3 3-3 0-3 1-3 1-0 3-2 3-0 2-1 2-0 3-0 2-0 4-1
Bournemouth     2-1 --- 2-1 1-2 0-1 2-2 2-1 4-0 0-0 0-4 1-2 0-2 2-2 1-1 2-1 1-0 1-4 0-2 2-1 3-3
Brighton        2-1 2-2 --- 0-0 0-4 0-0 1-1 1-1 0-2 1-5 0-2 1-0 1-0 1-1 2-2 4-1 1-1 1-0 3-1 3-1
Burnley         0-1 1-2 0-0 --- 1-2 1-0 2-1 0-0 2-1 1-2 1-1 0-1 1-0 1-1 1-0 2-0 0-3 1-0 0-1 1-1
Chelsea         0-0 0-3 2-0 2-3 --- 2-1 2-0 1-1 0-0 1-0 0-1 1-0 3-1 1-0 5-0 1-0 1-3 4-2 3-0 1-1
Crystal Palace  2-3 2-2 3-2 1-0 2-1 --- 2-2 0-3 5-0 1-2 0-0 2-3 1-1 0-1 2-1 0-2 0-1 2-1 2-0 2-2
Everton         2-5 2-1 2-0 0-1 0-0 3-1 --- 2-0 2-1 0-0 1-3 0-2 1-0 1-1 1-0 3-1 0-3 3-2 1-1 4-0
Huddersfield    0-1 4-1 2-0 0-0 1-3 0-2 0-2 --- 1-1 0-3 1-2 2-1 1-0 0-0 1-1 0-0 0-4 1-0 1-0 1-4
Leicester       3-1 1-1 2-0 1-0 1-2 0-3 2-0 3-0 --- 2-3 0-2 2-2 1-2 0-0 1-1 1-1 2-1 2-0 1-1 0-2
Liverpool       4-0 3-0 4-0 1-1 1-1 1-0 1-1 3-0 2-1 --- 4-3 0-0 2-0 3-0 0-0 5-0 2-2 5-0 0-0 4-1
Man City        3-1 4-0 3-1 3-0 1-0 5-0 1-1 0-0 5-1 5-0 --- 2-3 3-1 2-1 7-2 5-0 4-1 3-1 3-0 2-1
Man United      2-1 1-0 1-0 2-2 2-1 4-0 4-0 2-0 2-0 2-1 1-2 --- 4-1 0-0 3-0 2-0 1-0 1-0 0-1 4-0
Newcastle       2-1 0-1 0-0 1-1 3-0 1-0 0-1 1-0 2-3 1-1 0-1 1-0 --- 3-0 2-1 1-1 0-2 0-3 0-1 3-0
Southampton     1-1 2-1 1-1 0-1 2-3 1-2 4-1 1-1 1-4 0-2 0-1 0-1 2-2 --- 0-0 0-0 1-1 0-2 1-0 3-2
Stoke           1-0 1-2 1-1 1-1 0-4 1-2 1-2 2-0 2-2 0-3 0-2 2-2 0-1 2-1 --- 2-1 1-2 0-0 3-1 0-3
Swansea         3-1 0-0 0-1 1-0 0-1 1-1 1-1 2-0 1-2 1-0 0-4 0-4 0-1 0-1 1-2 --- 0-2 1-2 1-0 4-1
Tottenham       1-0 1-0 2-0 1-1 1-2 1-0 4-0 2-0 5-4 4-1 1-3 2-0 1-0 5-2 5-1 0-0 --- 2-0 1-1 1-1
Watford         2-1 2-2 0-0 1-2 4-1 0-0 1-0 1-4 2-1 3-3 0-6 2-4 2-1 2-2 0-1 1-2 1-1 --- 1-0 2-0
West Brom       1-1 1-0 2-0 1-2 0-4 0-0 0-0 1-2 1-4 2-2 2-3 1-2 2-2 2-3 1-1 1-1 1-0 2-2 --- 0-0
West Ham        0-0 1-1 0-3 0-3 1-0 1-1 3-1 2-0 1-1 1-4 1-4 0-0 2-3 3-0 1-1 1-0 2-3 2-0 2-1 ---
"""
ENDED = datetime(2018, 5, 14, tzinfo=UTC)
PLAYED = datetime(2018, 5, 13, tzinfo=UTC)


def season() -> list[PlayedMatch]:
    """All 380 matches; the dates are not told here, so all are of the last day."""
    rows = {line[:15].strip(): line[15:].split() for line in RESULTS.strip().splitlines()}
    return [
        PlayedMatch(home, away, int(score.split("-")[0]), int(score.split("-")[1]), PLAYED)
        for home, scores in rows.items()
        for away, score in zip(rows, scores, strict=True)
        if home != away
    ]
