"""A football model in the ledger: its artefact in a folder, registered and active."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from msgspec.structs import replace

from adapters.artefacts import ArtefactFolder
from domain.actors import MODELLER
from domain.commands.model import ActivateModel, RegisterModel
from domain.events.model import ModelTrained
from domain.model import model_id_of
from domain.prediction.goals_artefact import goals_to_bytes
from domain.prediction.goals_model import GoalsModel
from tests.application.desk import Desk
from tests.predicting import trained


async def activate(desk: Desk, folder: Path, goals: GoalsModel, scope: str) -> UUID:
    """Let this model speak for a competition from now on, whatever spoke for it before."""
    content = goals_to_bytes(goals)
    model: ModelTrained = replace(
        trained(scope=scope, until=goals.as_of - timedelta(days=1)),
        artefact=ArtefactFolder(folder).put(content),
        artefact_bytes=len(content),
        metrics={"log_loss": Decimal(1)},
    )
    model_id = model_id_of(model)
    await desk.ask(RegisterModel(trained=model), MODELLER)
    forced = ActivateModel(force=True, reason="a test")
    await desk.ask(forced, MODELLER, target=model_id)
    return model_id
