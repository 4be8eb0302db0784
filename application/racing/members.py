"""What a member of the racing model can do: learn from past races, and say log chances of coming ones.

Kinds of members are plugged in by the composition root (`adapters/learners`); the plain logit needs no library.
"""

from typing import Protocol

import numpy as np

from domain.prediction.checks import Floats
from domain.prediction.racing.race_table import RaceTable


class Member(Protocol):
    """One that has learned. Log chances are up to a constant a race; what is said of absent runners is ignored."""

    def utilities(self, table: RaceTable) -> Floats:
        """Give log chances (races, runners)."""
        ...

    def utility_versions(self, table: RaceTable) -> Floats:
        """Give log chances by equally likely versions of the member (versions, races, runners): how sure it is."""
        ...

    def to_bytes(self) -> bytes:
        """Write it down in a stated layout; nothing in it runs when it is read."""
        ...


class Learner(Protocol):
    """A kind of member. `needs_market`: it begins with final odds, so it cannot speak of a race without odds."""

    @property
    def name(self) -> str:
        """Name the kind in tables and artefacts."""
        ...

    @property
    def needs_market(self) -> bool:
        """Tell whether it cannot do without odds."""
        ...

    def fit(self, table: RaceTable, rng: np.random.Generator) -> Member:
        """Learn from races that have been run."""
        ...

    def read(self, content: bytes) -> Member:
        """Read what a member wrote; refuses other bytes (InvalidInput, field `artefact`)."""
        ...
