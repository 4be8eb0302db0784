"""Refusals: the class is the problem type, its docstring the title, its status the HTTP status (RFC 9457).

Raising one changes nothing: a decision that refuses records no event. `members` are further ones of the problem;
`replayed` says that it is a first answer given again.
"""

import builtins
import re
from typing import Any, ClassVar


class Refusal(Exception):  # noqa: N818  a refusal is a rule's answer, not a fault of the program
    """The request was refused."""

    status: ClassVar[int] = 422
    type: ClassVar[str] = "refused"
    title: ClassVar[str] = "The request was refused."
    by_type: ClassVar[dict[str, "builtins.type[Refusal]"]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.type = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        cls.title = (cls.__doc__ or cls.__name__).strip().splitlines()[0]
        Refusal.by_type[cls.type] = cls

    def __init__(
        self,
        detail: str = "",
        *,
        field: str | None = None,
        members: dict[str, str | int] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.field = field
        self.members = members
        self.replayed = False


class InvalidInput(Refusal):
    """A field of the request is not acceptable."""

    status = 422


class Forbidden(Refusal):
    """Your role does not allow this."""

    status = 403


class NotFound(Refusal):
    """There is no such thing, or it is not yours."""

    status = 404


class AccountNotFound(NotFound):
    """There is no such account, or it is not yours."""


class WithdrawalNotFound(NotFound):
    """There is no such withdrawal."""


class MarketNotFound(NotFound):
    """There is no such market."""


class OpportunityNotFound(NotFound):
    """There is no such arbitrage opportunity."""


class ModelNotFound(NotFound):
    """There is no such model."""


class ValueSignalNotFound(NotFound):
    """There is no such value signal."""


class PredictionNotFound(NotFound):
    """No model has said anything of this fixture."""


class ArtefactNotFound(NotFound):
    """The file that holds this model is not where it was put."""


class FeedNameNotFound(NotFound):
    """There is no such name of a feed."""


class FixtureNotFound(NotFound):
    """There is no such fixture."""


class BetNotFound(NotFound):
    """There is no such bet, or it is not yours."""


class RepricingNotFound(NotFound):
    """No such repricing of this bet waits for its approval."""


class SecondApproverNeeded(Forbidden):
    """Whoever proposed this does not decide about it: somebody else must."""


class Conflict(Refusal):
    """The request conflicts with what has already happened."""

    status = 409


class IdTaken(Conflict):
    """This id already names something else."""


class WithdrawalNotPending(Conflict):
    """The withdrawal has already been completed or rejected."""


class MarketStateConflict(Conflict):
    """The market's state does not allow this step."""


class BetStateConflict(Conflict):
    """The bet's state does not allow this step."""


class ResultAlreadyDeclared(Conflict):
    """This very result has already been declared for this market."""


class IdempotencyKeyReused(Refusal):
    """This idempotency key was used before with another request."""


class InsufficientFunds(Refusal):
    """The account's available funds do not cover this."""


class AccountOverdrawn(Refusal):
    """A corrected result has taken the account below zero: it takes no bets and no withdrawals."""


class LimitExceeded(Refusal):
    """A limit does not allow this."""


class MarketNotOpen(Refusal):
    """The market is not open for bets."""


class SelectionNotInMarket(Refusal):
    """The market has no such selection."""


class PriceChanged(Refusal):
    """The price is no longer the one that was asked for."""


class PriceStale(Refusal):
    """There is no price that is fresh enough."""


class CurrencyMismatch(Refusal):
    """The currencies do not match."""


class ResultNotDerivable(Refusal):
    """The result does not settle every selection of this market."""


class RelatedContingency(Refusal):
    """Legs of this bet depend on each other."""


class NotOffered(Refusal):
    """This kind of bet is not offered yet."""


class BatchRefused(Refusal):
    """The batch was refused as a whole because one of its bets was."""


class NoMatches(Refusal):
    """There are no matches to learn from."""


class UnknownTeam(Refusal):
    """The model has never seen this team."""


class FitFailed(Refusal):
    """No model fits these results."""


class ModelWorse(Refusal):
    """The model is worse than the active one, or nobody knows."""


class ArtefactMismatch(Refusal):
    """The file that holds this model is not what was put there: its hash is another."""


class PredictionTooLate(Refusal):
    """A prediction is made before its fixture starts, from what was known before it."""
