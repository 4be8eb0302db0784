"""A padded table of races as rows of runners, race after race, and back: what tree libraries take."""

import numpy as np
from msgspec import Struct

from domain.prediction.checks import Floats, Ints
from domain.prediction.racing.race_table import RaceTable


class RaceRows(Struct, frozen=True, eq=False):
    """`values` (rows, columns), and `races` (rows,): which race each row belongs to, in order."""

    values: Floats
    races: Ints
    table: RaceTable

    @classmethod
    def of(cls, table: RaceTable) -> "RaceRows":
        """Take those who are present."""
        return cls(table.features[table.present], np.nonzero(table.present)[0], table)

    def take(self, padded: Floats) -> Floats:
        """Give the rows of a padded array (races, runners)."""
        rows: Floats = padded[self.table.present]
        return rows

    def spread(self, rows: Floats) -> Floats:
        """Give a padded array (races, runners) of rows, 0 where nobody is present."""
        padded = np.zeros(self.table.present.shape)
        padded[self.table.present] = rows
        return padded
