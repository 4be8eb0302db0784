"""A goals model as bytes and back: what a registry keeps under the hash of these bytes.

MessagePack with a stated layout, nothing that runs when it is read. The same model gives the same bytes.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec
import numpy as np
from msgspec import Struct

from domain.prediction.goals_density import SHARED
from domain.prediction.goals_model import GoalsModel
from domain.refusals import InvalidInput

_FLOAT: Final = np.dtype("<f8")


class _Artefact(Struct, frozen=True, forbid_unknown_fields=True):
    """Draws are little-endian doubles, row after row."""

    kind: Literal["football.goals"]
    layout: Literal[1]
    teams: tuple[str, ...]
    as_of: datetime
    draws: bytes


def goals_to_bytes(model: GoalsModel) -> bytes:
    """Write a model down."""
    return msgspec.msgpack.encode(
        _Artefact(
            "football.goals", 1, model.teams, model.as_of, model.draws.astype(_FLOAT).tobytes()
        )
    )


def goals_from_bytes(content: bytes) -> GoalsModel:
    """Read a model; refuses (field `artefact`) bytes that are none."""
    try:
        found = msgspec.msgpack.decode(content, type=_Artefact)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"this is no goals model: {error}", field="artefact") from error
    columns = SHARED + 2 * len(found.teams)
    if not found.draws or len(found.draws) % (columns * _FLOAT.itemsize):
        raise InvalidInput("the model's draws do not fit its teams", field="artefact")
    draws = np.frombuffer(found.draws, _FLOAT).astype(np.float64).reshape(-1, columns)
    if not np.isfinite(draws).all() or len(set(found.teams)) < len(found.teams):
        raise InvalidInput(
            "the model has draws that are no numbers, or a team twice", field="artefact"
        )
    return GoalsModel(found.teams, draws, found.as_of)
