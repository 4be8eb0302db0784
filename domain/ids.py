"""Ids of streams: those that clients may choose, and those that follow from another stream's id."""

from typing import Final
from uuid import UUID, uuid5

from domain.refusals import InvalidInput

_NAMESPACE: Final = UUID("6f1c3f0e-6b1f-5c3e-9a64-0d9f3a5f4c11")
_VERSION_MASK: Final = 0xF << 76
_VERSION_8: Final = 0x8 << 76


def derived_id(name: str) -> UUID:
    """Give the id that a name stands for: a UUID of version 8, which no client may choose."""
    return UUID(int=uuid5(_NAMESPACE, name).int & ~_VERSION_MASK | _VERSION_8)


def check_chosen(chosen_id: UUID) -> None:
    """Refuse an id that could be a derived one: a stream begun under it would block what it belongs to."""
    if chosen_id.int & _VERSION_MASK == _VERSION_8:
        raise InvalidInput(
            f"{chosen_id}: ids of UUID version 8 are the ledger's own; choose another version"
        )
