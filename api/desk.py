"""What the routes have in hand: the ledger for commands, the database for reads."""

from decimal import Decimal
from typing import Annotated, Any, Final, Protocol, TypeVar, cast
from uuid import UUID

from litestar import Request, Response
from litestar.params import HeaderParameter, QueryParameter

from api.problems import StaleView
from application.arbitrage import Solver
from application.board_cache import BoardCache
from application.ledger import Ledger
from application.live.hub import Hub
from application.log import EventFeed
from domain.actors import Actor
from domain.cash_out import MARGIN, TOLERANCE
from domain.commands.command import Command
from domain.freshness import MaxAges
from read_models.db import Db

FRESHNESS_SECONDS: Final = 2.0
LIMIT_MAX: Final = 500

A = TypeVar("A")
Asked = Request[Actor, Any, Any]
Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Makes the command take effect once: sent again, it gets the first answer",
    ),
]
After = Annotated[
    int | None,
    QueryParameter(
        ge=0, le=2**62, description="Answer from a view at least as fresh as this position"
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX, description="Most items to give")]
Cursor = Annotated[
    str | None,
    QueryParameter(max_length=500, description="`next_cursor` of the page before"),
]


class Views(Db, Protocol):
    """The read models, and a way to wait until one has seen a position."""

    async def wait_for(self, model: str, position: int, timeout_seconds: float) -> bool:
        """Wait until a model shows every event up to `position`; False when it takes too long."""

    async def head(self) -> int:
        """Give the position of the last event of the log."""


class Desk:
    """The ledger, the read models and the log, as one dependency of every route.

    `board` is the live odds board, where processes share one; `max_ages` say which prices are stale; `live` is the hub
    of live streams, where there is NATS; `solver` solves the linear programmes of arbitrages.
    """

    def __init__(
        self,
        ledger: Ledger,
        db: Views,
        feed: EventFeed,
        *,
        board: BoardCache | None = None,
        max_ages: MaxAges | None = None,
        live: Hub | None = None,
        solver: Solver,
        cash_out_margin: Decimal = MARGIN,
        cash_out_tolerance: Decimal = TOLERANCE,
    ) -> None:
        self.ledger = ledger
        self.db = db
        self.feed = feed
        self.board = board
        self.max_ages = max_ages or MaxAges()
        self.solver = solver
        self.cash_out_margin = cash_out_margin
        self.cash_out_tolerance = cash_out_tolerance
        self.live = live

    async def command(
        self,
        request: Asked,
        command: Command,
        key: str | None,
        answer: type[A],
        *,
        target: UUID | None = None,
        status: int = 201,
    ) -> Response[A]:
        """Submit a command for whoever asks, and answer with its receipt: an `answer` that is JSON already."""
        receipt = await self.ledger.submit(
            command,
            request.user,
            target=target,
            key=key,
            trace=cast("str | None", request.scope.get("fairbook.trace")),
        )
        headers = {"Idempotency-Replayed": "true"} if receipt.replayed else None
        del answer  # names the shape for the type checker and the OpenAPI document
        return Response(
            cast("A", receipt.answer),
            status_code=status,
            media_type="application/json",
            headers=headers,
        )

    async def fresh(self, model: str, after: int | None) -> None:
        """Wait until a view has reached a position; raises StaleView after two seconds."""
        if after is not None and not await self.db.wait_for(model, after, FRESHNESS_SECONDS):
            raise StaleView


def owner_seen_by(actor: Actor, asked: str | None = None) -> str | None:
    """Give whose things a list shows: a trader's own, else whose is asked for, else (None) everybody's."""
    return actor.user if actor.role == "trader" else asked
