import numpy as np
import pytest

from adapters.learners.boosted import BoostedLearner
from adapters.learners.forest import ForestLearner
from adapters.learners.lightgbm_library import LearnerMissingError, lightgbm_module
from adapters.learners.network import NetworkLearner
from adapters.learners.racing import racing_candidates, racing_learners, racing_readers
from application.racing.members import Learner
from application.racing.model import racing_from_bytes, racing_to_bytes
from application.racing.training import train_racing
from domain.prediction.conditional_logit import Contests, pseudo_r2
from domain.prediction.racing.form_logit import FormLogitLearner
from domain.prediction.racing.race_stack import log_chances
from domain.prediction.racing.race_table import RaceTable, race_table, seasons_of
from domain.refusals import InvalidInput
from tests.racing_maker import card_of, make_races


def why_not() -> str:
    """Tell why LightGBM cannot be loaded here, empty when it can."""
    try:
        lightgbm_module()
    except LearnerMissingError as error:
        return str(error)
    return ""


WHY_NOT = why_not()
needs_lightgbm = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "LightGBM is here")

KINDS: dict[str, Learner] = {
    "logit": FormLogitLearner(),
    "logit_on_market": FormLogitLearner(
        name="logit_on_market", needs_market=True, ridge=300.0, place_weights=(1.0, 0.8, 0.6)
    ),
    "network": NetworkLearner(networks=2, epochs=6),
    "boosted": BoostedLearner(rounds=30, boosters=2, leaf_rows=40),
    "forest": ForestLearner(trees=10, forests=2, leaves=15, leaf_rows=30),
    "boosted_on_market": BoostedLearner(
        name="boosted_on_market", needs_market=True, rounds=5, boosters=2, leaf_rows=40
    ),
}
every_kind = pytest.mark.parametrize(
    "kind",
    [
        "logit",
        "logit_on_market",
        "network",
        *(
            pytest.param(kind, marks=needs_lightgbm)
            for kind in ("boosted", "forest", "boosted_on_market")
        ),
    ],
)


@pytest.fixture(scope="module")
def tables() -> tuple[RaceTable, RaceTable]:
    table, _ = race_table(make_races(seasons=3, days=14))
    seasons = seasons_of(table)
    return table.part(seasons < seasons.max()), table.part(seasons == seasons.max())


def chances_of(logs: np.ndarray[tuple[int, int], np.dtype[np.float64]], table: RaceTable) -> float:
    said = np.where(table.present, np.exp(log_chances(logs, table)), 0)
    return pseudo_r2(said, Contests(table.features, table.present, table.won))


def market_of(table: RaceTable) -> float:
    return pseudo_r2(table.market, Contests(table.features, table.present, table.won))


@every_kind
def test_a_member_forecasts_better_than_chance_and_reads_what_it_wrote(
    kind: str, tables: tuple[RaceTable, RaceTable]
) -> None:
    past, coming = tables
    learner = KINDS[kind]
    member = learner.fit(past, np.random.default_rng(1))
    logs = member.utilities(coming)
    assert chances_of(logs, coming) > (market_of(coming) - 0.05 if learner.needs_market else 0.02)
    versions = member.utility_versions(coming)
    assert len(versions) > 1
    np.testing.assert_allclose(versions.mean(0)[coming.present], logs[coming.present], atol=1e-9)
    content = member.to_bytes()
    again = learner.read(content)
    assert again.to_bytes() == content
    assert (again.utilities(coming) == logs).all()


@every_kind
def test_the_same_seed_gives_the_same_bytes(kind: str, tables: tuple[RaceTable, RaceTable]) -> None:
    past = tables[0].part(np.arange(len(tables[0].races)) < 50)
    one, other = (KINDS[kind].fit(past, np.random.default_rng(4)).to_bytes() for _ in range(2))
    assert one == other


@every_kind
@pytest.mark.parametrize("content", [b"", b"\x80", b"not a member", b"\x81\xa6layout\x01"])
def test_other_bytes_are_refused(kind: str, content: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        KINDS[kind].read(content)
    assert refused.value.field == "artefact"


@every_kind
def test_members_are_written_without_anything_that_runs_when_read(
    kind: str, tables: tuple[RaceTable, RaceTable]
) -> None:
    past = tables[0].part(np.arange(len(tables[0].races)) < 50)
    content = KINDS[kind].fit(past, np.random.default_rng(4)).to_bytes()
    # A pickle of any protocol from 2 on begins so, and MessagePack's maps do not.
    assert content[:1] != b"\x80"
    assert content[0] >> 4 in {8, 13}


@needs_lightgbm
def test_a_model_of_every_kind_goes_through_bytes_and_back() -> None:
    races = make_races(seasons=3, days=7)
    model = train_racing(races[:-4], tuple(KINDS.values()))
    content = racing_to_bytes(model)
    read = racing_from_bytes(content, racing_readers())
    card = card_of(races[-1])
    assert read.chances(card) == model.chances(card)
    assert read.without_market is not None
    assert not [name for name in read.without_market.members if "on_market" in name]
    assert sum(read.chances(card, with_market=False).win()) == pytest.approx(1)


def test_the_default_members_are_among_the_candidates() -> None:
    names = [learner.name for learner in racing_candidates()]
    assert {learner.name for learner in racing_learners()} <= set(names)
    assert set(racing_readers()) == set(names)
