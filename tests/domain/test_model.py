"""Models: what may be said of them, and which one speaks for a slot."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from domain.events.model import Estimate, ModelActivated, ModelEvaluated, ModelTrained
from domain.model import Model, Slot, activate, check_trained, model_id_of, slot_id
from domain.refusals import InvalidInput, ModelWorse
from tests.builders import NOW, an_id, given
from tests.predicting import evaluated, trained

ONE, OTHER = model_id_of(trained("one")), model_id_of(trained("other"))


def a_model(*events: ModelEvaluated, name: str = "one") -> Model:
    model = trained(name)
    state = given(model_id_of(model), model, *events)
    assert isinstance(state, Model)
    return state


def a_slot(active: UUID = OTHER) -> Slot:
    state = given(slot_id("football.goals", "E0"), ModelActivated(model_id=active))
    assert isinstance(state, Slot)
    return state


def test_the_same_artefact_is_the_same_model_and_another_one_is_not() -> None:
    again = replace(trained("one"), code_version="9", metrics={})
    assert model_id_of(again) == ONE
    assert ONE.version == 8
    for other in (
        trained("other"),
        trained("one", scope="E1"),
        trained("one", kind="football.stack"),
    ):
        assert model_id_of(other) != ONE


def test_all_football_models_of_a_scope_share_a_slot() -> None:
    assert slot_id("football.goals", "E0") == slot_id("football.stack", "E0")
    slots = {
        slot_id("football.goals", "E0"),
        slot_id("football.goals", "E1"),
        slot_id("racing.logit", "E0"),
    }
    assert len(slots) == 3


@pytest.mark.parametrize(
    ("field", "members"),
    [
        ("artefact", {"artefact": "AB" * 32}),
        ("artefact", {"artefact": "ab" * 31}),
        ("scope", {"scope": ""}),
        ("scope", {"scope": "E0\n"}),
        ("data.rows", {"artefact_bytes": 0}),
        ("metrics.log_loss", {"metrics": {"log_loss": Decimal("NaN")}}),
        ("metrics.log_loss", {"metrics": {"log_loss": Decimal("Infinity")}}),
        ("metrics.log_loss", {"metrics": {"log_loss": Decimal("0.1234567")}}),
        ("parameters", {"parameters": {"x": "y" * 201}}),
        ("data.digest", {"data": replace(trained().data, digest="")}),
        ("data.since", {"data": replace(trained().data, since=NOW + timedelta(days=1))}),
        ("data.until", {"data": replace(trained().data, until=NOW.replace(year=1))}),
        ("data.rows", {"data": replace(trained().data, rows=0)}),
    ],
)
def test_what_no_training_can_say_is_refused_by_name(field: str, members: dict[str, Any]) -> None:
    model: ModelTrained = replace(trained(), **members)
    with pytest.raises(InvalidInput) as refused:
        check_trained(model)
    assert refused.value.field == field


def test_an_evaluation_is_kept_once_and_the_latest_counts() -> None:
    better, worse = evaluated(OTHER), evaluated(OTHER, low="0.01", high="0.02")
    model = a_model(better)
    assert model.evaluate(better) is None
    assert model.evaluate(worse) is worse
    assert model.evaluate(evaluated()) == evaluated()
    assert a_model(better, worse, evaluated()).verdicts == {OTHER: worse, None: evaluated()}


@pytest.mark.parametrize(
    "evaluation",
    [
        evaluated(ONE),
        evaluated(OTHER, matches=0),
        replace(evaluated(OTHER), difference=None),
        replace(evaluated(), difference=Estimate(Decimal(0), Decimal(0), Decimal(0))),
        replace(evaluated(OTHER), difference=Estimate(Decimal(2), Decimal(0), Decimal(1))),
        replace(evaluated(), until=NOW - timedelta(days=400)),
        replace(evaluated(), metrics={"rps": Decimal("NaN")}),
    ],
)
def test_what_no_evaluation_can_say_is_refused(evaluation: ModelEvaluated) -> None:
    with pytest.raises(InvalidInput):
        a_model().evaluate(evaluation)


def test_the_first_model_of_a_slot_needs_no_evaluation() -> None:
    assert activate(a_model(), None, force=False, reason=None) == ModelActivated(model_id=ONE)


def test_the_active_model_is_not_activated_again() -> None:
    assert activate(a_model(), a_slot(ONE), force=False, reason=None) is None


@pytest.mark.parametrize(("low", "high"), [("-0.02", "-0.01"), ("-0.01", "0.01"), ("0", "0.02")])
def test_a_model_that_is_not_worse_is_activated(low: str, high: str) -> None:
    model = a_model(evaluated(OTHER, low=low, high=high))
    found = activate(model, a_slot(), force=False, reason=None)
    assert found == ModelActivated(model_id=ONE, before=OTHER)


@pytest.mark.parametrize(
    "events",
    [
        (),
        (evaluated(),),
        (evaluated(an_id("a third one")),),
        (evaluated(OTHER), evaluated(OTHER, low="0.000001", high="0.02")),
    ],
)
def test_a_worse_model_and_one_that_was_not_compared_are_not_activated_by_themselves(
    events: tuple[ModelEvaluated, ...],
) -> None:
    model = a_model(*events)
    with pytest.raises(ModelWorse, match="active"):
        activate(model, a_slot(), force=False, reason=None)
    forced = activate(model, a_slot(), force=True, reason="why")
    assert forced == ModelActivated(model_id=ONE, before=OTHER, forced=True, reason="why")


def test_force_needs_a_reason_and_is_kept_only_where_it_was_needed() -> None:
    model = a_model(evaluated(OTHER))
    with pytest.raises(InvalidInput) as refused:
        activate(model, a_slot(), force=True, reason=None)
    assert refused.value.field == "reason"
    found = activate(model, a_slot(), force=True, reason="why")
    assert found is not None
    assert not found.forced


def test_a_slot_follows_its_activations() -> None:
    state = a_slot().evolve(ModelActivated(model_id=ONE, before=OTHER))
    assert (state.model_id, state.version) == (ONE, 2)


def test_a_model_is_trained_once() -> None:
    with pytest.raises(ValueError, match="once"):
        a_model().evolve(trained("one"))
