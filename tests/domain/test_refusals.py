"""Refusals name their problem type."""

import pytest

from domain.refusals import InsufficientFunds, NotFound, Refusal


def test_the_class_is_the_problem_type() -> None:
    assert (InsufficientFunds.type, InsufficientFunds.status) == ("insufficient_funds", 422)
    assert InsufficientFunds.title == "The account's available funds do not cover this."
    assert InsufficientFunds().detail == InsufficientFunds.title


@pytest.mark.parametrize("name", sorted(Refusal.by_type))
def test_every_refusal_can_be_made_again_from_its_type(name: str) -> None:
    kind = Refusal.by_type[name]
    refusal = kind("because", field="x")
    assert (refusal.type, refusal.detail, refusal.field) == (name, "because", "x")
    assert kind.title.endswith(".")
    assert kind.status in (403, 404, 409, 422)


def test_a_specific_refusal_is_also_its_general_one() -> None:
    assert issubclass(Refusal.by_type["account_not_found"], NotFound)
    assert Refusal.by_type["account_not_found"].status == 404
