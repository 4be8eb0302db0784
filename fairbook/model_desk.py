"""Models as commands and handlers work with them: a ledger of their own, the views, and the folder of artefacts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from adapters.artefacts import ArtefactFolder
from adapters.postgres.reader import Reader
from adapters.postgres.settings import ledger_environment
from application import answers
from application.artefacts import Artefacts
from application.football.predicting import Asked, Prediction, predict, read_goals
from application.football.training import Active, Learned
from application.ledger import Ledger
from domain.actors import MODELLER
from domain.commands.command import Command
from domain.commands.model import ActivateModel, EvaluateModel, RecordPredictions, RegisterModel
from domain.events.market import Fixture
from domain.events.model import ModelEvaluated, ModelKind, ModelTrained
from domain.events.prediction import PredictionMade
from domain.market import Market
from domain.model import Model, Slot, model_id_of, slot_id
from domain.prediction.goals_model import GoalsModel
from domain.refusals import ArtefactMismatch, ModelNotFound
from fairbook.database import answering_database_url
from fairbook.settings import Settings
from read_models.results import MarketToPredict

CODE_VERSION: Final = "0.1.0"
"""Kept with every model, so that it is known what made it: raise it with what models are made of."""

A = TypeVar("A")


class Loaded(Struct, frozen=True):
    """A registered football model, read from its artefact."""

    model: Model
    goals: GoalsModel


class ModelDesk:
    """Short words for what is done with models."""

    def __init__(self, ledger: Ledger, reader: Reader, artefacts: Artefacts) -> None:
        self.reader = reader
        self.artefacts = artefacts
        self._ledger = ledger

    async def model(self, model_id: UUID) -> Model:
        """Give a registered model; raises ModelNotFound."""
        state = await self._ledger.state(model_id)
        if not isinstance(state, Model):
            raise ModelNotFound(f"there is no model {model_id}: `fairbook models` lists them")
        return state

    async def market(self, market_id: UUID) -> Market | None:
        """Give a market as the ledger has it, None when there is no such."""
        state = await self._ledger.state(market_id)
        return state if isinstance(state, Market) else None

    async def active(self, kind: ModelKind, scope: str) -> Model | None:
        """Give the model that speaks for a slot, None while none does."""
        slot = await self._ledger.state(slot_id(kind, scope))
        return await self.model(slot.model_id) if isinstance(slot, Slot) else None

    async def active_artefact(self, kind: ModelKind, scope: str) -> Active | None:
        """Give the active model with its artefact; raises ArtefactNotFound, ArtefactMismatch."""
        model = await self.active(kind, scope)
        if model is None:
            return None
        return Active(model.model_id, model.trained, self.artefacts.get(model.trained.artefact))

    def load(self, model: Model) -> Loaded:
        """Read a football model; raises ArtefactNotFound, ArtefactMismatch, NotOffered for another kind."""
        content = self.artefacts.get(model.trained.artefact)
        return Loaded(model, read_goals(model, content))

    async def keep(
        self, content: bytes, trained: ModelTrained, evaluations: Sequence[ModelEvaluated]
    ) -> UUID:
        """Put the artefact where it stays, then register the model with its evaluations; give its id."""
        if self.artefacts.put(content) != trained.artefact:
            raise ArtefactMismatch("the model names another artefact than the one it came with")
        await self._ask(RegisterModel(trained=trained), answers.ModelKept)
        model_id = model_id_of(trained)
        for each in evaluations:
            if each.against != model_id:
                await self._ask(EvaluateModel(evaluation=each), answers.ModelKept, model_id)
        return model_id

    async def keep_learned(self, learned: Learned) -> UUID:
        """Keep what a football lesson gave."""
        return await self.keep(learned.content, learned.trained, learned.evaluations)

    async def activate(
        self, model_id: UUID, *, force: bool = False, reason: str | None = None
    ) -> answers.ModelInUse:
        """Let a model speak for its slot; raises ModelWorse, ModelNotFound, and what is wrong with its artefact."""
        self.artefacts.get((await self.model(model_id)).trained.artefact)
        command = ActivateModel(force=force, reason=reason)
        return await self._ask(command, answers.ModelInUse, model_id)

    def predict(
        self, loaded: Loaded, fixture: Fixture, markets: Sequence[MarketToPredict]
    ) -> Prediction:
        """Say what a model gives a fixture's markets; raises UnknownTeam, PredictionTooLate, InvalidInput."""
        asked = [Asked(each.market_id, each.proposition) for each in markets]
        return predict(loaded.model, loaded.goals, fixture, asked)

    async def record(self, made: Sequence[PredictionMade]) -> int:
        """Keep predictions; give how many said something new."""
        command = RecordPredictions(predictions=tuple(made))
        return (await self._ask(command, answers.PredictionsRecorded)).predictions

    async def _ask(self, command: Command, answer: type[A], target: UUID | None = None) -> A:
        receipt = await self._ledger.submit(command, MODELLER, target=target)
        return msgspec.json.decode(receipt.answer, type=answer)


@contextlib.asynccontextmanager
async def model_desk(settings: Settings) -> AsyncIterator[ModelDesk]:
    """Open it on the database of the environment or the data folder; raises SettingsError, LogUnavailable."""
    database_url = await asyncio.to_thread(answering_database_url, settings)
    async with contextlib.AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(Ledger(ledger_environment(database_url)))
        reader = Reader(database_url, pool_size=1)
        stack.push_async_callback(reader.close)
        await reader.open()
        yield ModelDesk(ledger, reader, ArtefactFolder(settings.artefacts))


def by_fixture(markets: Sequence[MarketToPredict]) -> list[tuple[Fixture, list[MarketToPredict]]]:
    """Sort markets by the fixture that they are on, in the order in which fixtures come first."""
    found: dict[UUID | None, tuple[Fixture, list[MarketToPredict]]] = {}
    for market in markets:
        found.setdefault(market.fixture.fixture_id, (market.fixture, []))[1].append(market)
    return list(found.values())
