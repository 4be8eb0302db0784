"""A goals model as bytes: the same again, and nothing else is read as one."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.prediction.goals_artefact import goals_from_bytes, goals_to_bytes
from domain.prediction.goals_fit import fit_goals
from domain.prediction.goals_model import GoalsModel, result_chances
from domain.refusals import InvalidInput
from tests.domain.prediction.leagues import small_table

TABLE = small_table()
FIT = fit_goals(TABLE)
MODEL = GoalsModel.of(TABLE, FIT.draw(np.random.default_rng(0).standard_normal((7, len(FIT.mode)))))


def test_a_model_read_back_says_the_same_to_the_last_bit() -> None:
    content = goals_to_bytes(MODEL)
    again = goals_from_bytes(content)
    assert (again.teams, again.as_of) == (MODEL.teams, MODEL.as_of)
    assert (again.draws == MODEL.draws).all()
    fixtures = [("T00", "T03"), ("T05", "T01")]
    assert (
        result_chances(again.chances(fixtures)) == result_chances(MODEL.chances(fixtures))
    ).all()
    assert goals_to_bytes(again) == content


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "football.magic"},
        {"layout": 2},
        {"draws": b""},
        {"draws": b"12345678"},
        {"draws": np.full(16, np.nan).tobytes()},
        {"teams": ["T00"] * 6},
        {"as_of": "yesterday"},
        {"more": 1},
    ],
)
def test_what_is_changed_is_refused_by_name(change: dict[str, object]) -> None:
    fields = msgspec.msgpack.decode(goals_to_bytes(MODEL))
    with pytest.raises(InvalidInput) as refused:
        goals_from_bytes(msgspec.msgpack.encode(fields | change))
    assert refused.value.field == "artefact"


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        goals_from_bytes(content)
