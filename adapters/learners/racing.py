"""Which members the racing model has, and who can read the members of an artefact."""

from application.racing_members import Learner
from domain.prediction.racing.form_logit import FormLogitLearner


def racing_learners() -> tuple[Learner, ...]:
    """Give the members of the default model: those that pay in the ablation table (docs/predictions-racing.md)."""
    return (FormLogitLearner(),)


def racing_readers() -> dict[str, Learner]:
    """Give every kind of member by name, as `racing_from_bytes` needs them."""
    return {learner.name: learner for learner in racing_learners()}
