"""Who asks: a user with one role."""

from typing import Literal

from msgspec import Struct

Role = Literal["trader", "operator", "auditor", "admin"]


class Actor(Struct, frozen=True, gc=False):
    """The user and role behind a command; `system` users are fairbook's own processes."""

    user: str
    role: Role

    def may_act_for(self, owner: str) -> bool:
        """Tell whether this actor may move the funds of `owner`'s accounts."""
        return self.role == "admin" or (self.role == "trader" and self.user == owner)

    def may_see(self, owner: str) -> bool:
        """Tell whether this actor may read `owner`'s accounts and bets."""
        return self.role != "trader" or self.user == owner


SETTLER = Actor(user="fairbook-settlement", role="operator")
PRICE_HANDLER = Actor(user="fairbook-prices", role="operator")
"""Keeps prices and arbitrages in the ledger."""
MODELLER = Actor(user="fairbook-models", role="operator")
"""Trains models, activates those that are no worse, predicts and keeps the scores."""
VALUE_HANDLER = Actor(user="fairbook-value", role="operator")
"""Keeps value signals in the ledger."""
