"""Which members the racing model has, and who can read the members of an artefact."""

from adapters.learners.boosted import BoostedLearner
from adapters.learners.forest import ForestLearner
from adapters.learners.network import NetworkLearner
from application.racing.members import Learner
from domain.prediction.racing.form_logit import FormLogitLearner


def racing_learners() -> tuple[Learner, ...]:
    """Give the members of the default model: those that pay in the ablation table (docs/predictions-racing.md)."""
    return (FormLogitLearner(), logit_on_market())


def logit_on_market() -> FormLogitLearner:
    """Give the logit that begins with odds; its ridge was chosen on seasons up to 2021/22."""
    return FormLogitLearner(
        name="logit_on_market", needs_market=True, ridge=300.0, place_weights=(1.0, 0.8, 0.6)
    )


def racing_candidates() -> tuple[Learner, ...]:
    """Give every kind of member, those that did not pay included: what the ablation compares."""
    return (
        FormLogitLearner(),
        logit_on_market(),
        NetworkLearner(),
        BoostedLearner(boosters=2),
        ForestLearner(forests=2),
        BoostedLearner(
            name="boosted_on_market",
            needs_market=True,
            rounds=60,
            boosters=2,
            learning_rate=0.025,
        ),
    )


def racing_readers() -> dict[str, Learner]:
    """Give every kind of member by name, as `racing_from_bytes` needs them."""
    return {learner.name: learner for learner in racing_candidates()}
