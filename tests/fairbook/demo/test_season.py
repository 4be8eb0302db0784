from itertools import pairwise
from uuid import uuid4

from msgspec.structs import replace

from adapters.football_data import parse_season
from fairbook.demo.season import own_ids, rounds
from fairbook.demo.simulation import simulate_season

CSV = b"""Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,B365H,B365D,B365A,B365CH,B365CD,B365CA,P>2.5,P<2.5
E0,19/08/2023,15:00,Luton,Everton,1,2,2,3,4,2.1,3,4,1.9,1.9
E0,12/08/2023,15:00,Wolves,Fulham,1,2,2,3,4,2.1,3,4,1.9,1.9
E0,12/08/2023,12:30,Arsenal,Burnley,1,0,2,3,4,,,,1.9,1.9
E0,13/08/2023,12:30,Chelsea,Leeds,,,2,3,4,,,,1.9,1.9
E0,13/08/2023,12:30,Spurs,Brentford,0,0,,,,,,,,
"""


def test_rounds_are_in_date_order_and_leave_out_what_cannot_be_played() -> None:
    season = rounds(parse_season(CSV).matches)
    assert [[match.fixture.name for match in round_.matches] for round_ in season] == [
        ["Arsenal v Burnley", "Wolves v Fulham"],
        ["Luton v Everton"],
    ]


def test_a_rounds_phases_show_opening_prices_of_all_before_any_closing_price() -> None:
    opening, closing = rounds(parse_season(CSV).matches)[0].phases()
    assert [(s.market.type, len(s.market.quotes)) for s in opening] == [
        ("1X2", 3), ("OU", 2), ("1X2", 3), ("OU", 2),
    ]  # fmt: skip
    assert [s.market.type for s in closing] == ["1X2"]
    assert not any(quote.closing for s in opening for quote in s.market.quotes)
    assert all(quote.closing for s in closing for quote in s.market.quotes)


def test_a_simulated_season_has_weekly_rounds_whose_prices_move() -> None:
    season = rounds(simulate_season(seed=1, teams=6))
    assert len(season) == 10
    assert all(len(round_.matches) == 3 for round_ in season)
    assert all(a.opens_at < b.opens_at for a, b in pairwise(season))
    first, *_, last = season[0].phases()
    assert len(first) == len(last) == 6
    assert first[0].market.quotes != last[0].market.quotes


def test_a_run_gives_a_match_ids_of_its_own_and_changes_nothing_else() -> None:
    match = simulate_season(seed=1, teams=2)[0]
    run, other = uuid4(), uuid4()
    own = own_ids(match, run)
    assert own == own_ids(match, run) != own_ids(match, other)
    ids = [match.fixture.fixture_id, *(market.market_id for market in match.markets)]
    own_id_list = [own.fixture.fixture_id, *(market.market_id for market in own.markets)]
    assert not set(ids) & set(own_id_list)
    assert replace(own, fixture=match.fixture, markets=match.markets) == match
    assert [market.quotes for market in own.markets] == [market.quotes for market in match.markets]
