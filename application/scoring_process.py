"""The scoring process: what was predicted is held against results as they are declared, corrected and rolled back.

It keeps no state: what is due follows from the views, and the ledger scores each prediction of a market once for every
generation of its result. So it may be killed anywhere, started anywhere, and even run twice.
"""

import logging
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from application import answers
from application.ledger import Ledger
from domain.actors import MODELLER
from domain.commands.model import PredictedMarket, ScorePredictions

BATCH: Final = 500
NEWS_SECONDS: Final = 5.0
SEEN_SECONDS: Final = 5.0

_log = logging.getLogger("fairbook.scores")


class ScoringWork(Protocol):
    """What the scoring process needs of the views and of the log."""

    async def leads(self) -> bool:
        """Tell whether this process scores."""

    async def unscored(self, limit: int) -> Sequence[PredictedMarket]:
        """Give predicted markets whose score does not go by the result that stands now, as far as the views tell."""

    async def scores_seen(self, position: int, timeout_seconds: float) -> bool:
        """Wait until the view of predictions shows everything up to a position."""

    async def news(self, timeout_seconds: float) -> None:
        """Wait until there may be more to do, or for so long."""


class ScoringProcess:
    """Scores what is due, as long as this process leads."""

    def __init__(self, ledger: Ledger, work: ScoringWork) -> None:
        self._ledger = ledger
        self._work = work

    async def run(self) -> None:
        """Work until another process leads; raises LogUnavailable when the database is away."""
        while await self._work.leads():
            if not await self.score_what_is_due():
                await self._work.news(NEWS_SECONDS)

    async def score_what_is_due(self) -> int:
        """Score a batch, and give how many scores were new."""
        due = await self._work.unscored(BATCH)
        if not due:
            return 0
        receipt = await self._ledger.submit(ScorePredictions(predicted=tuple(due)), MODELLER)
        done = msgspec.json.decode(receipt.answer, type=answers.PredictionsScored)
        if done.scores:
            _log.info("%d predictions of markets were scored", done.scores)
            # Until the view shows them they would be found due again.
            await self._work.scores_seen(done.position, SEEN_SECONDS)
        return done.scores
