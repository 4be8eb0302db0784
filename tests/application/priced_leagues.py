"""Small leagues with prices: results drawn from a goals model, odds from a bookmaker who knows it and one who does not."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
from msgspec.structs import replace

from application.football.matches import MarketPrices, PricedMatch, season_of
from domain.events.market import Fixture
from domain.events.odds import Quote
from domain.outcomes import Proposition
from domain.prediction.goals_model import result_chances, worth
from domain.prediction.goals_table import PlayedMatch
from domain.prediction.score_chances import ScoreChances
from tests.builders import an_id
from tests.domain.prediction.leagues import HOME_AHEAD, league

TOTAL = Proposition("OU", Decimal("2.5"), ("over", "under"))
KNOWN_BEFORE = timedelta(hours=20)


def priced(
    match: PlayedMatch, odds: dict[str, dict[str, str]], *, name: str = "X0", season: int = 2023
) -> PricedMatch:
    """A match with 1X2 odds by bookmaker; keys such as `sharp` are opening, `sharp:close` closing prices."""
    title = f"{match.home} v {match.away}"
    fixture = Fixture(
        sport="football",
        competition=name,
        name=title,
        starts_at=match.played_at,
        fixture_id=an_id(f"{title}{match.played_at}"),
        home=match.home,
        away=match.away,
    )
    quotes = []
    for key, prices in odds.items():
        bookmaker, _, closing = key.partition(":")
        at = match.played_at - (timedelta() if closing else KNOWN_BEFORE)
        quotes += [
            Quote(bookmaker, selection, Decimal(price), at, closing=bool(closing))
            for selection, price in prices.items()
        ]
    market = MarketPrices(an_id(f"1X2{title}{match.played_at}"), "1X2", None, tuple(quotes))
    return PricedMatch(name, season, fixture, match, (market,))


def priced_league(seed: int = 3, name: str = "X0", teams: int = 6) -> list[PricedMatch]:
    """Two seasons: Pinnacle's odds are the truth less 3%, another's are wrong by chance less 5%."""
    rng = np.random.default_rng(seed)
    played, attack, defence = league(teams, 2, rng)
    matches = []
    for drawn in sorted(played, key=lambda match: match.played_at):
        # From August to the end of April, as seasons are.
        match = replace(drawn, played_at=drawn.played_at + timedelta(days=70))
        home, away = int(match.home[1:]), int(match.away[1:])
        rates = np.exp(
            [
                [0.1 + HOME_AHEAD + attack[home] - defence[away]],
                [0.1 + attack[away] - defence[home]],
            ]
        )
        scores = ScoreChances.of(rates[:1], rates[1:], np.zeros((1, 1)))
        truth = result_chances(scores)[0]
        wrong = truth * np.exp(rng.normal(0, 0.15, 3))
        found = priced(
            match,
            {
                "pinnacle": _odds(truth, 1.03),
                "other": _odds(wrong / wrong.sum(), 1.05),
                "pinnacle:close": _odds(truth, 1.02),
                "other:close": _odds(truth, 1.05),
            },
            name=name,
            season=season_of(match),
        )
        over = float(worth(scores, TOTAL, "over").win[0, 0])
        matches.append(_with_total(found, over))
    return matches


def _with_total(match: PricedMatch, over: float) -> PricedMatch:
    at = match.played.played_at - KNOWN_BEFORE
    quotes = [
        Quote("pinnacle", side, Decimal(price), at)
        for side, price in _odds(np.array([over, 1 - over]), 1.03, ("over", "under")).items()
    ]
    total = MarketPrices(
        an_id(f"OU{match.fixture.fixture_id}"), "OU", Decimal("2.5"), tuple(quotes)
    )
    return PricedMatch(
        match.league, match.season, match.fixture, match.played, (*match.markets, total)
    )


def _odds(
    chances: np.ndarray, booksum: float, names: tuple[str, ...] = ("home", "draw", "away")
) -> dict[str, str]:
    return {
        name: f"{max(1 / (booksum * chance), 1.01):.2f}"
        for name, chance in zip(names, chances.tolist(), strict=True)
    }
