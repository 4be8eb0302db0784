"""What every command is, and the words that their fields are made of."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

PRINTABLE = r"^[^\x00-\x1f\x7f]+$(?!\n)"
Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
Slug = Annotated[str, Meta(min_length=1, max_length=100, pattern=PRINTABLE)]
Instant = Annotated[datetime, Meta(tz=True)]


class Command(
    Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """Base of everything that may be asked.

    What was left out stays out when a command is encoded, so that a field added later does not make an old request look
    like another one to the idempotency records.
    """
