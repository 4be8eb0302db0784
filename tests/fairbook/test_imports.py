from decimal import Decimal

from adapters.football_data import parse_season
from fairbook.imports import open_market, record_odds

CSV = b"""Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,B365H,B365D,B365A,B365CH,B365CD,B365CA,P>2.5,P<2.5
E0,19/08/2023,15:00,Luton,Everton,1,2,2,3,4,2.1,3,4,1.9,1.95
"""
MATCH = parse_season(CSV).matches[0]


def test_markets_name_their_selections_after_the_contract_and_the_teams() -> None:
    match_odds, totals = (open_market(MATCH.fixture, market) for market in MATCH.markets)
    assert (match_odds.type, match_odds.line, match_odds.pricing) == ("1X2", None, "external")
    assert [(s.selection_id, s.name) for s in match_odds.selections] == [
        ("home", "Luton"),
        ("draw", "Draw"),
        ("away", "Everton"),
    ]
    assert (totals.type, totals.line) == ("OU", Decimal("2.5"))
    assert [(s.selection_id, s.name) for s in totals.selections] == [
        ("over", "Over 2.5"),
        ("under", "Under 2.5"),
    ]
    assert match_odds.fixture == totals.fixture


def test_closing_prices_are_posted_apart() -> None:
    opening = record_odds(MATCH.markets, closing=False).quotes
    closing = record_odds(MATCH.markets, closing=True).quotes
    assert (len(opening), len(closing)) == (5, 3)
    assert record_odds(MATCH.markets).quotes == [*opening[:3], *closing, *opening[3:]]
    assert {quote.closing for quote in closing} == {True}
