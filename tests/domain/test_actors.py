"""Who may do what."""

import pytest

from domain.actors import Actor, Role


@pytest.mark.parametrize(
    ("role", "own", "others"),
    [
        ("trader", True, False),
        ("operator", False, False),
        ("auditor", False, False),
        ("admin", True, True),
    ],
)
def test_who_moves_funds(role: Role, own: bool, others: bool) -> None:
    actor = Actor("alice", role)
    assert (actor.may_act_for("alice"), actor.may_act_for("bob")) == (own, others)


@pytest.mark.parametrize(
    ("role", "others"), [("trader", False), ("operator", True), ("auditor", True), ("admin", True)]
)
def test_who_sees_what_is_not_his(role: Role, others: bool) -> None:
    actor = Actor("alice", role)
    assert actor.may_see("alice")
    assert actor.may_see("bob") is others
