"""What Betfair's Exchange Stream API sends, as far as fairbook reads it.

Source: Betfair developer documentation, "Exchange Stream API"; fields in its own words, in snake case.
"""

from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import Struct

PriceSize = tuple[Decimal, Decimal]
LevelPriceSize = tuple[int, Decimal, Decimal]


class RunnerChange(Struct, frozen=True):
    """What changed in one runner's prices: rows (price, size), or (level, price, size); a size of 0 deletes.

    `atb` and `atl` are the whole ladders available to back and to lay, `batb` and `batl` their best levels, `bdatb`
    and `bdatl` the best as the website shows them (with virtual ones), `trd` what was traded.
    """

    id: int
    hc: Decimal | None = None
    atb: tuple[PriceSize, ...] = ()
    atl: tuple[PriceSize, ...] = ()
    trd: tuple[PriceSize, ...] = ()
    batb: tuple[LevelPriceSize, ...] = ()
    batl: tuple[LevelPriceSize, ...] = ()
    bdatb: tuple[LevelPriceSize, ...] = ()
    bdatl: tuple[LevelPriceSize, ...] = ()
    ltp: Decimal | None = None
    tv: Decimal | None = None


class RunnerDefinition(Struct, frozen=True, rename="camel"):
    """A runner: ACTIVE, REMOVED, WINNER, LOSER, PLACED, HIDDEN …; recordings also name it."""

    id: int
    status: str = "ACTIVE"
    sort_priority: int = 0
    hc: Decimal | None = None
    adjustment_factor: Decimal | None = None
    removal_date: datetime | None = None
    name: str | None = None


class MarketDefinition(Struct, frozen=True, rename="camel"):
    """A market: INACTIVE, OPEN, SUSPENDED or CLOSED, with all its runners; recordings also name the event."""

    status: str
    market_type: str = ""
    market_time: datetime | None = None
    event_id: str = ""
    event_type_id: str = ""
    in_play: bool = False
    runners: tuple[RunnerDefinition, ...] = ()
    venue: str | None = None
    country_code: str | None = None
    name: str | None = None
    event_name: str | None = None
    competition_name: str | None = None


class MarketChange(Struct, frozen=True):
    """What changed in one market; `img` when it replaces all that was known, `con` when updates were merged into one."""

    id: str
    img: bool = False
    con: bool = False
    market_definition: MarketDefinition | None = msgspec.field(
        name="marketDefinition", default=None
    )
    rc: tuple[RunnerChange, ...] = ()


class StreamMessage(Struct, frozen=True, rename="camel"):
    """One line of the stream: `op` is mcm (market changes), status or connection.

    `ct` is SUB_IMAGE, RESUB_DELTA, HEARTBEAT or absent (a change); `status` 503 says that prices may lag behind.
    """

    op: str
    id: int | None = None
    clk: str | None = None
    initial_clk: str | None = None
    pt: int | None = None
    ct: str | None = None
    status: int | None = None
    segment_type: str | None = None
    mc: tuple[MarketChange, ...] = ()
    status_code: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    connection_closed: bool = False


decode_stream_message = msgspec.json.Decoder(StreamMessage).decode
"""Decode one line; numbers are read exactly. Raises msgspec's errors, UnicodeDecodeError."""
