from collections import Counter
from decimal import Decimal

import pytest

from adapters.football_data import Match
from domain.money import check_odds
from fairbook.demo.simulation import MOVES, TOWNS, chances, price, simulate_season


@pytest.fixture(scope="module")
def season() -> list[Match]:
    return simulate_season(seed=1)


def test_everyone_plays_everyone_home_and_away(season: list[Match]) -> None:
    assert len(season) == 380
    pairs = Counter((match.fixture.home, match.fixture.away) for match in season)
    assert set(pairs) == {(home, away) for home in TOWNS for away in TOWNS if home != away}
    assert set(pairs.values()) == {1}


def test_no_side_plays_twice_in_a_round() -> None:
    matches = simulate_season(seed=1, teams=6)
    for start in range(0, len(matches), 3):
        sides = [s for m in matches[start : start + 3] for s in (m.fixture.home, m.fixture.away)]
        assert len(set(sides)) == 6


def test_the_seed_decides_everything() -> None:
    assert simulate_season(seed=7, teams=4) == simulate_season(seed=7, teams=4)
    assert simulate_season(seed=7, teams=4) != simulate_season(seed=8, teams=4)


@pytest.mark.parametrize("teams", [0, 1, 3, 22])
def test_an_impossible_number_of_teams_is_refused(teams: int) -> None:
    with pytest.raises(ValueError, match="even number"):
        simulate_season(seed=1, teams=teams)


def test_prices_move_close_at_kick_off_and_are_ones_that_the_ledger_takes() -> None:
    for match in simulate_season(seed=3, teams=6):
        for market in match.markets:
            assert len({quote.at for quote in market.quotes}) == len(MOVES)
            for quote in market.quotes:
                check_odds(quote.odds)
                assert quote.closing == (quote.at == match.fixture.starts_at)
        [first, *_, last] = sorted(match.markets[0].quotes, key=lambda q: (q.bookmaker, q.at))
        assert first.at < last.at


def test_every_bookmaker_keeps_a_margin() -> None:
    for match in simulate_season(seed=5, teams=6):
        for market in match.markets:
            books: dict[object, Decimal] = {}
            for quote in market.quotes:
                key = (quote.bookmaker, quote.at)
                books[key] = books.get(key, Decimal(0)) + 1 / quote.odds
            assert all(1 < overround < Decimal("1.2") for overround in books.values())


def test_chances_add_up_and_follow_the_goals() -> None:
    even = chances(1.3, 1.3)
    assert sum(even["1X2"].values()) == pytest.approx(1)
    assert sum(even["OU"].values()) == pytest.approx(1)
    assert even["1X2"]["home"] == pytest.approx(even["1X2"]["away"])
    # Poisson with mean 2.6: P(more than 2 goals) = 1 - e^-2.6 (1 + 2.6 + 3.38).
    assert even["OU"]["over"] == pytest.approx(0.4816, abs=1e-4)


@pytest.mark.parametrize(
    ("chance", "margin", "odds"),
    [
        (0.5, 0.0, "2"),
        (0.5, 0.05, "1.905"),
        (0.25, 0.05, "3.81"),
        (0.9999, 0.05, "1.01"),
        (1e-9, 0.0, "501"),
    ],
)
def test_a_price_is_the_chance_with_the_margin_on_top(
    chance: float, margin: float, odds: str
) -> None:
    assert price(chance, margin) == Decimal(odds)


def test_goals_are_football_like(season: list[Match]) -> None:
    scores = [match.score for match in season if match.score is not None]
    assert len(scores) == 380
    assert 2.2 < sum(score.home + score.away for score in scores) / 380 < 3.2
    assert sum(score.home for score in scores) > sum(score.away for score in scores)
