"""How alike names are: what is the same in other words, and what only looks so."""

from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.aliases import SAME
from domain.matching import SURE
from domain.names import (
    canonical,
    edit_distance,
    likeness,
    markers_of_competition,
    normalise,
    sport_of,
    thousandths,
)
from tests.domain.team_names import LEAGUES

SURE_LIKENESS = thousandths(SURE)

TEXT = "Manchester United Utd City FC 1. Köln II B (W) U21 under 21 St. Saint & and Ø İ ﬁ ß O'Neil A.C. x 04"
WORDS = st.sampled_from(TEXT.split())
NAMES = st.one_of(st.text(max_size=30), st.lists(WORDS, max_size=6).map(" ".join))


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("Man Utd", "man united"),
        ("1. FC Köln", "koln"),
        ("Bodø/Glimt", "bodo glimt"),
        ("Łódź", "lodz"),
        ("Beşiktaş JK", "besiktas jk"),
        ("Nott'm Forest", "forest nottm"),
        ("A.C. Milan", "milan"),
        ("St. Pauli", "pauli saint"),
        ("Bosnia & Herzegovina", "bosnia herzegovina"),
        ("Arsenal (W)", "arsenal women"),
        ("Chelsea Ladies", "chelsea women"),
        ("England U-21", "england u21"),
        ("England Under 21s", "england u21"),
        ("FC Barcelona B", "barcelona reserves"),
        ("Bayern München II", "bayern munich reserves"),
        ("FC", "fc"),
        ("", ""),
        ("!?", ""),
    ],
)
def test_a_name_is_normalised(name: str, same: str) -> None:
    assert normalise(name) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Man Utd", "Manchester United"),
        ("Spurs", "Tottenham Hotspur F.C."),
        ("Wolves", "Wolverhampton"),
        ("Bosnia & Herzegovina", "Bosnia-Herzegovina"),
        ("Bosnia and Herzegovina", "Bosnia"),
        ("USA", "United States"),
        ("South Korea", "Korea Republic"),
        ("Ivory Coast", "Côte d'Ivoire"),
        ("Ivory Coast", "Côte d’Ivoire"),
        ("Bayern", "FC Bayern München"),
        ("Ein Frankfurt", "Eintracht Frankfurt"),
        ("Ath Madrid", "Atlético Madrid"),
        ("Man City Women", "Manchester City WFC (W)"),
        ("Türkiye", "Turkey"),
        ("Czechia", "Czech Republic"),
    ],
)
def test_aliases_mean_the_same(one: str, other: str) -> None:
    assert likeness(one, other) == 1


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        ("Djokovic N.", "Novak Djokovic", "0.9"),
        ("Alcaraz", "Carlos Alcaraz", "0.6"),
        ("Fenerbahce", "Fenerbahçe SK", "1"),
        ("Galatasary", "Galatasaray", "0.9"),
        ("Sao Paulo", "Saopaulo", "0.9"),
        ("Plymouth", "Plymouth Argyle", "0.6"),
        ("Los Angeles Lakers", "LA Lakers", "0.5"),
        ("Hapoel Tel-Aviv", "Hapoel Tel Aviv FC", "1"),
    ],
)
def test_likeness_of_other_spellings(one: str, other: str, least: str) -> None:
    assert likeness(one, other) >= Decimal(least)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Manchester City", "Manchester United"),
        ("Man City", "Man Utd"),
        ("Sheffield United", "Sheffield Wednesday"),
        ("Bristol City", "Bristol Rovers"),
        ("Dundee", "Dundee United"),
        ("Real Madrid", "Atletico Madrid"),
        ("AC Milan", "Inter Milan"),
        ("Niger", "Nigeria"),
        ("Guinea", "Guinea-Bissau"),
        ("Guinea", "Equatorial Guinea"),
        ("Ireland", "Northern Ireland"),
        ("Austria", "Australia"),
        ("Slovakia", "Slovenia"),
        ("North Korea", "South Korea"),
        ("Iran", "Iraq"),
        ("Congo", "DR Congo"),
        ("Dominica", "Dominican Republic"),
        ("Arsenal", "Arsenal Women"),
        ("Arsenal", "Arsenal U21"),
        ("Arsenal U21", "Arsenal U19"),
        ("Barcelona", "Barcelona B"),
        ("Venus Williams", "Williams S."),
        ("PSV Eindhoven", "FC Eindhoven"),
        ("Paris FC", "Paris Saint-Germain"),
        ("Bayern Munich", "1860 Munich"),
        ("Nottingham Forest", "Notts County"),
        ("Espanyol de Barcelona", "FC Barcelona"),
        ("Queens Park Rangers", "Queen's Park"),
        ("Club Brugge", "Cercle Brugge"),
        ("Sparta Prague", "Slavia Prague"),
    ],
)
def test_different_sides_are_never_surely_the_same(one: str, other: str) -> None:
    assert likeness(one, other) < SURE_LIKENESS


@pytest.mark.parametrize("league", LEAGUES)
def test_short_names_mean_their_own_side_and_no_other_of_the_league(league: str) -> None:
    found = [
        (short, full)
        for short, _ in LEAGUES[league]
        for _, full in LEAGUES[league]
        if likeness(short, full) >= SURE_LIKENESS
    ]
    assert found == list(LEAGUES[league])


def test_no_two_leagues_share_a_side() -> None:
    for one, other in combinations(LEAGUES, 2):
        for short, _ in LEAGUES[one]:
            for _, full in LEAGUES[other]:
                assert likeness(short, full) < SURE_LIKENESS, (short, full)


def test_no_alias_stands_for_two_sides() -> None:
    sides: dict[str, str] = {}
    for line in SAME:
        for spelling in line:
            assert sides.setdefault(normalise(spelling), line[0]) == line[0], spelling


def test_a_division_is_no_reserve_team() -> None:
    assert markers_of_competition("Serie B") == frozenset()
    assert markers_of_competition("Bundesliga II") == frozenset()
    assert markers_of_competition("Reserve League") == {"reserves"}
    assert markers_of_competition("Barclays WSL") == {"women"}
    assert markers_of_competition("U21 Premier League") == {"u21"}


@pytest.mark.parametrize(
    ("name", "sport"),
    [
        ("Soccer", "football"),
        ("football", "football"),
        ("Horse Racing", "racing"),
        ("horse_racing", "racing"),
        ("American Football", "american football"),
        ("tennis", "tennis"),
    ],
)
def test_sports_go_by_several_names(name: str, sport: str) -> None:
    assert sport_of(name) == sport


@pytest.mark.parametrize(
    ("one", "other", "edits"), [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0)]
)
def test_edits_are_levenshteins(one: str, other: str, edits: int) -> None:
    assert edit_distance(one, other) == edit_distance(other, one) == edits


@given(NAMES)
@example("ŉ İ \N{LATIN SMALL LETTER LONG S} ﬃ")
@example("sub ٢١")
@example("B A")
def test_normalising_twice_is_normalising_once(name: str) -> None:
    assert normalise(normalise(name)) == normalise(name)
    assert canonical(canonical(name)) == canonical(name)


@given(NAMES, NAMES)
def test_likeness_is_symmetric_and_within_bounds(one: str, other: str) -> None:
    found = likeness(one, other)
    assert found == likeness(other, one)
    assert 0 <= found <= 1
    assert found == found.quantize(Decimal("0.001"))


@given(NAMES)
def test_a_name_is_wholly_like_itself(name: str) -> None:
    assert likeness(name, name) == 1


@given(
    st.lists(WORDS, max_size=6).flatmap(
        lambda words: st.tuples(st.just(words), st.permutations(words))
    )
)
def test_the_order_of_words_does_not_matter(both: tuple[list[str], list[str]]) -> None:
    one, other = ([word for word in words if word not in {"under", "21"}] for words in both)
    assert normalise(" ".join(one)) == normalise(" ".join(other))
