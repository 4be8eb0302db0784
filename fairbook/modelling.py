"""The handler `models` of `fairbook handle`: active models speak of fixtures as these open, and learn anew on a schedule."""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from adapters.postgres.bell import LedgerBell
from adapters.postgres.leadership import Leadership
from application.football.training import Learned, Lesson, learn, over_by
from application.ledger import utc_now
from application.log import LogUnavailable
from domain.model import Model
from domain.refusals import ModelWorse, Refusal
from fairbook.model_desk import CODE_VERSION, Loaded, ModelDesk, by_fixture, model_desk
from fairbook.settings import Settings
from read_models import models, results

NEWS_SECONDS: Final = 5.0
VIEWS_SECONDS: Final = 0.1
"""The views show what rang a moment later."""

REST_SECONDS: Final = 1.0
"""From one look to the next: one serves all that rings meanwhile, and a busy ledger rings all the time."""

NICENESS: Final = 10

_log = logging.getLogger("fairbook.models")


class Modelling:
    """Keeps the active football models speaking and, every so often, learning."""

    def __init__(self, desk: ModelDesk, retrain_hours: float | None) -> None:
        self._desk = desk
        self._every = None if retrain_hours is None else timedelta(hours=retrain_hours)
        self._loaded: dict[UUID, Loaded] = {}
        self._spoilt: set[UUID] = set()
        # By model: markets that it can say nothing of, each said once in the log.
        self._passed_over: dict[UUID, set[UUID]] = {}
        self._looked: dict[UUID, datetime] = {}

    async def look(self, now: datetime) -> None:
        """Predict what has opened, then let models learn that are due."""
        active = [
            row for row in await models.active(self._desk.reader) if row.kind == "football.goals"
        ]
        for forgotten in self._loaded.keys() - {row.model_id for row in active}:
            del self._loaded[forgotten]
        for row in active:
            if row.model_id not in self._spoilt:
                await self._speak(row.model_id)
        if self._every is not None:
            for row in active:
                # Counted from the training, so that a restart changes nothing; a try that changed nothing counts too.
                last = max(row.trained_at, self._looked.get(row.model_id, row.trained_at))
                if now - last >= self._every:
                    self._looked[row.model_id] = now
                    await self._learn(await self._desk.model(row.model_id), now)

    async def _speak(self, model_id: UUID) -> None:
        """Predict the markets of coming fixtures that the model has not predicted."""
        try:
            loaded = await self._of(model_id)
        except Refusal as refusal:
            self._spoilt.add(model_id)  # said once, not with every look
            _log.error("model %s cannot be used: %s", model_id, refusal.detail)
            return
        trained = loaded.model.trained
        passed_over = self._passed_over.setdefault(model_id, set())
        found = await results.to_predict(
            self._desk.reader, model_id, trained.scope, trained.data.until, list(passed_over)
        )
        recorded = 0
        for fixture, its in by_fixture(found):
            try:
                said = self._desk.predict(loaded, fixture, its)
                recorded += await self._desk.record([said.made] if said.made else [])
                refused = said.refused
            except Refusal as refusal:
                refused = {each.market_id: refusal.detail for each in its}
            for market_id, why in refused.items():
                _log.warning("market %s of %s is not predicted: %s", market_id, fixture.name, why)
            passed_over.update(refused)
        if recorded:
            _log.info("model %s has predicted %d fixtures", model_id, recorded)

    async def _of(self, model_id: UUID) -> Loaded:
        if model_id not in self._loaded:
            self._loaded[model_id] = self._desk.load(await self._desk.model(model_id))
        return self._loaded[model_id]

    async def _learn(self, active: Model, now: datetime) -> None:
        """Let a slot's model learn from the ledger's results of now, and activate it unless it is worse."""
        scope = active.trained.scope
        try:
            matches = await results.played(self._desk.reader, scope, now)
            if not matches:
                _log.info("no results of %s are in the ledger: nothing to learn", scope)
                return
            _, as_of = over_by(matches, None)
            if as_of <= active.trained.data.until:
                _log.info("nothing new of %s since its model learned", scope)
                return
            lesson = Lesson(
                scope=scope,
                source="ledger",
                matches=tuple(matches),
                code_version=CODE_VERSION,
                coming=tuple(await results.coming_sides(self._desk.reader, scope, as_of)),
                half_life_days=float(active.trained.parameters["half_life_days"]),
                active=await self._desk.active_artefact(active.trained.kind, scope),
            )
            learned = await _learned(lesson)
            model_id = await self._desk.keep_learned(learned)
            used = await self._desk.activate(model_id)
        except ModelWorse as refusal:
            _log.warning("the new model of %s is not activated: %s", scope, refusal.detail)
        except Refusal as refusal:
            _log.error("no new model of %s: %s", scope, refusal.detail)
        except BrokenProcessPool:
            _log.exception("learning of %s was broken off", scope)
        else:
            _log.info("model %s of %s is active, before %s", model_id, scope, used.before)


async def _learned(lesson: Lesson) -> Learned:
    """Learn in a process of its own: it computes for seconds, and prices do not wait."""
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, spawn, initializer=os.nice, initargs=(NICENESS,))
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, learn, lesson)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def handle_models(settings: Settings) -> None:
    """Work as the leader, or wait to become it; raises when the database goes away."""
    database_url = settings.require_database_url()
    async with contextlib.AsyncExitStack() as stack:
        lead = Leadership(database_url, "models")
        stack.push_async_callback(lead.release)
        await lead.won()
        desk = await stack.enter_async_context(model_desk(settings))
        bell = await stack.enter_async_context(LedgerBell(database_url))
        modelling = Modelling(desk, settings.retrain_hours)
        async for _ in _news(lead, bell):
            await modelling.look(utc_now())
    raise LogUnavailable("another process has taken the lead")


async def _news(lead: Leadership, bell: LedgerBell) -> AsyncIterator[None]:
    """Give a turn whenever there may be more to do, while this process leads."""
    while await lead.held():
        looked_at = time.monotonic()
        yield
        await bell.wait(NEWS_SECONDS)
        rested = time.monotonic() - looked_at
        await asyncio.sleep(max(VIEWS_SECONDS, REST_SECONDS - rested))
