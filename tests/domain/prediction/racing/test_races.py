import msgspec
import pytest
from msgspec.structs import replace

from domain.prediction.racing.races import Race, Runner, card_from_json, check_race
from domain.refusals import InvalidInput
from tests.racing_maker import card_of, make_races

CARD = card_of(make_races(seasons=1, days=1)[0])
NAN = float("nan")


def with_runner(**changes: object) -> Race:
    return replace(CARD, runners=(replace(CARD.runners[0], **changes), *CARD.runners[1:]))


@pytest.mark.parametrize(
    ("race", "field"),
    [
        (replace(CARD, runners=CARD.runners[:1]), "runners"),
        (replace(CARD, runners=()), "runners"),
        (replace(CARD, runners=CARD.runners * 6), "runners"),
        (with_runner(horse=CARD.runners[1].horse), "horse"),
        (with_runner(horse=" "), "horse"),
        (with_runner(jockey=""), "jockey"),
        (with_runner(trainer="x" * 101), "trainer"),
        (with_runner(weight_lbs=NAN), "weight_lbs"),
        (with_runner(weight_lbs=20.0), "weight_lbs"),
        (with_runner(body_lbs=NAN), "body_lbs"),
        (with_runner(odds=NAN), "odds"),
        (with_runner(odds=0.9), "odds"),
        (with_runner(odds=float("inf")), "odds"),
        (with_runner(draw=0), "draw"),
        (with_runner(draw=CARD.runners[1].draw), "draw"),
        (replace(CARD, distance_m=100), "distance_m"),
        (replace(CARD, prize=NAN), "prize"),
        (replace(CARD, race_class=-1), "race_class"),
        (replace(CARD, venue=""), "race"),
    ],
)
def test_what_no_race_has_is_refused_by_name(race: Race, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_race(race)
    assert refused.value.field == field


def test_a_card_is_read_from_json_as_it_was_written() -> None:
    assert card_from_json(msgspec.json.encode(CARD)) == CARD


def test_a_card_needs_no_more_than_names_and_weights() -> None:
    runners = [
        {"horse": name, "jockey": "j", "trainer": "t", "weight_lbs": 120} for name in ("a", "b")
    ]
    card = {
        "race_id": "1",
        "day": "2026-11-25",
        "number": 1,
        "venue": "Happy Valley",
        "surface": "turf",
        "going": "good",
        "runners": runners,
    }
    found = card_from_json(msgspec.json.encode(card))
    assert found.runners[1] == Runner("b", "j", "t", 120.0)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"race_id": 1}'])
def test_what_is_no_card_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        card_from_json(content)
    assert refused.value.field == "card"


def test_a_race_without_a_winner_cannot_say_who_won() -> None:
    with pytest.raises(InvalidInput, match="no winner"):
        CARD.won()
