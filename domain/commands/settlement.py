"""What fairbook's own settlement process asks, never over HTTP."""

from uuid import UUID

from domain.commands.command import Command


class SettleBets(Command, frozen=True, kw_only=True):
    """Bring these bets to what the results say now: settled, settled otherwise, open again, or as they are.

    `generation` is the target market's that the caller works on, `after` the position of the last of these bets. The step
    is refused when the settlement has not come to position `since` yet: an earlier one failed.
    """

    bet_ids: list[UUID]
    generation: int = 1
    after: int = 0
    since: int = 0


class CompleteSettlement(Command, frozen=True, kw_only=True):
    """End the target market's settlement: every bet that touches it was visited in this generation, up to `since`."""

    generation: int = 1
    since: int = 0
