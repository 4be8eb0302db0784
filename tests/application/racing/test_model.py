from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from application.racing.model import RacingModel, racing_from_bytes, racing_to_bytes
from application.racing.training import train_racing
from domain.prediction.racing.form_logit import FormLogitLearner
from domain.prediction.racing.races import Race
from domain.refusals import InvalidInput, NoMatches
from tests.racing_maker import card_of, make_races

RACES = make_races(seasons=4, days=9, races_a_day=4)
LEARNERS = (FormLogitLearner(),)
READERS = {learner.name: learner for learner in LEARNERS}


@pytest.fixture(scope="module")
def model() -> RacingModel:
    return train_racing(RACES[:-4], LEARNERS)


@pytest.fixture(scope="module")
def content(model: RacingModel) -> bytes:
    return racing_to_bytes(model)


CARD = card_of(RACES[-1])


def test_chances_sum_to_1_and_lie_within_their_intervals(model: RacingModel) -> None:
    found = model.chances(CARD)
    assert found.with_market
    for kind, places in (("win", 1), ("first_two", 2), ("first_three", 3)):
        chances = [getattr(runner, kind) for runner in found.runners]
        assert sum(chance.mean for chance in chances) == pytest.approx(places)
        assert all(0 <= one.low <= one.mean <= one.high <= 1 for one in chances)
        assert any(one.low < one.high for one in chances)


def test_training_twice_gives_the_same_bytes_and_the_same_answers(
    model: RacingModel, content: bytes
) -> None:
    assert racing_to_bytes(train_racing(RACES[:-4], LEARNERS)) == content
    read = racing_from_bytes(content, READERS)
    assert racing_to_bytes(read) == content
    assert read.chances(CARD) == model.chances(CARD)
    assert read.as_of() == RACES[-5].day


def test_the_order_in_which_races_are_given_changes_nothing(content: bytes) -> None:
    assert racing_to_bytes(train_racing(RACES[:-4][::-1], LEARNERS)) == content


def test_the_order_of_runners_changes_nothing(model: RacingModel) -> None:
    order = np.random.default_rng(2).permutation(len(CARD.runners))
    turned = replace(CARD, runners=tuple(CARD.runners[at] for at in order))
    found, same = model.chances(turned), model.chances(CARD)
    for at, runner in zip(order, found.runners, strict=True):
        assert runner.horse == same.runners[at].horse
        assert runner.win.mean == pytest.approx(same.runners[at].win.mean)
        assert runner.win.low == pytest.approx(same.runners[at].win.low)


def test_shorter_odds_raise_a_chance_and_without_the_market_they_do_not_count(
    model: RacingModel,
) -> None:
    outsider = max(range(len(CARD.runners)), key=lambda at: CARD.runners[at].odds or 0)
    runners = tuple(
        replace(runner, odds=1.2) if at == outsider else runner
        for at, runner in enumerate(CARD.runners)
    )
    shorter = replace(CARD, runners=runners)
    before, after = (model.chances(card).win()[outsider] for card in (CARD, shorter))
    assert after > before
    alone = model.chances(CARD, with_market=False)
    assert not alone.with_market
    assert model.chances(shorter, with_market=False) == alone
    no_odds = replace(CARD, runners=tuple(replace(runner, odds=None) for runner in CARD.runners))
    assert model.chances(no_odds, with_market=False) == alone


def test_form_tells_winners_from_losers(model: RacingModel) -> None:
    ranks = []
    for race in RACES[-4:]:
        win = model.chances(card_of(race), with_market=False).win()
        ranks.append(float(win @ race.won()))
    assert np.mean(ranks) > 1 / len(CARD.runners)


def test_strangers_are_newcomers(model: RacingModel) -> None:
    strangers = tuple(
        replace(runner, horse=f"new {at}", jockey="new", trainer="new")
        for at, runner in enumerate(CARD.runners)
    )
    found = model.chances(replace(CARD, runners=strangers), with_market=False)
    assert sum(found.win()) == pytest.approx(1)


def refused(model: RacingModel, card: Race) -> str | None:
    with pytest.raises(InvalidInput) as caught:
        model.chances(card)
    return caught.value.field


def test_bad_cards_are_refused_by_name(model: RacingModel) -> None:
    first = CARD.runners[0]
    assert refused(model, replace(CARD, runners=CARD.runners[:1])) == "runners"
    for change, field in (
        ({"odds": None}, "odds"),
        ({"odds": float("nan")}, "odds"),
        ({"weight_lbs": float("nan")}, "weight_lbs"),
    ):
        runners = (replace(first, **change), *CARD.runners[1:])
        assert refused(model, replace(CARD, runners=runners)) == field
    assert refused(model, RACES[-1]) == "finish"
    assert refused(model, replace(CARD, day=model.as_of())) == "day"
    assert refused(model, replace(CARD, day=date(2000, 1, 1))) == "day"


def test_a_missing_odds_names_the_horse(model: RacingModel) -> None:
    runners = (replace(CARD.runners[0], odds=None), *CARD.runners[1:])
    with pytest.raises(InvalidInput, match=CARD.runners[0].horse):
        model.chances(replace(CARD, runners=runners))


def test_races_without_odds_make_a_model_that_asks_for_none() -> None:
    bare = [
        replace(race, runners=tuple(replace(runner, odds=None) for runner in race.runners))
        for race in RACES[:-4]
    ]
    model = train_racing(bare, LEARNERS)
    assert model.with_market is None
    assert sum(model.chances(CARD, with_market=False).win()) == pytest.approx(1)
    assert refused(model, CARD) == "odds"
    assert racing_to_bytes(racing_from_bytes(racing_to_bytes(model), READERS)) == racing_to_bytes(
        model
    )


def test_fewer_than_three_seasons_are_too_few_to_learn_from() -> None:
    with pytest.raises(NoMatches, match="3 seasons"):
        train_racing(make_races(seasons=2), LEARNERS)
    with pytest.raises(NoMatches):
        train_racing([], LEARNERS)
    with pytest.raises(InvalidInput, match="each kind once"):
        train_racing(RACES, (*LEARNERS, *LEARNERS))


def test_progress_goes_from_0_to_1() -> None:
    heard: list[float] = []
    train_racing(RACES, LEARNERS, lambda _, share: heard.append(share))
    assert heard[0] == 0
    assert heard[-1] == 1
    assert heard == sorted(heard)


@settings(max_examples=40, deadline=None)
@given(cut=st.floats(0, 0.999))
def test_bytes_cut_short_are_no_model(content: bytes, cut: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        racing_from_bytes(content[: int(cut * len(content))], READERS)
    assert caught.value.field == "artefact"


def test_a_model_with_members_that_nobody_can_read_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="no such members: logit"):
        racing_from_bytes(content, {})


def test_a_card_may_be_of_any_later_day(model: RacingModel) -> None:
    later = replace(CARD, day=model.as_of() + timedelta(400))
    assert sum(model.chances(later).win()) == pytest.approx(1)
