"""What the columns of football-data.co.uk mean: its own notes, as a table."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from domain.events.market import MarketType

COMPETITIONS: Mapping[str, str] = {
    "E0": "Premier League",
    "E1": "Championship",
    "E2": "League One",
    "E3": "League Two",
    "EC": "National League",
    "SC0": "Scottish Premiership",
    "SC1": "Scottish Championship",
    "SC2": "Scottish League One",
    "SC3": "Scottish League Two",
    "D1": "Bundesliga",
    "D2": "2. Bundesliga",
    "I1": "Serie A",
    "I2": "Serie B",
    "SP1": "La Liga",
    "SP2": "Segunda División",
    "F1": "Ligue 1",
    "F2": "Ligue 2",
    "N1": "Eredivisie",
    "B1": "Belgian Pro League",
    "P1": "Primeira Liga",
    "T1": "Süper Lig",
    "G1": "Super League Greece",
}

# Column prefix -> bookmaker. Max, Avg (and Betbrain's BbMx, BbAv) sum up others, so they are not here.
BOOKMAKERS: Mapping[str, str] = {
    "1XB": "1xbet",
    "B365": "bet365",
    "BF": "betfair",
    "BFD": "betfred",
    "BFE": "betfair_exchange",
    "BMGM": "betmgm",
    "BS": "blue_square",
    "BV": "betvictor",
    "BW": "bwin",
    "CL": "coral",
    "GB": "gamebookers",
    "IW": "interwetten",
    "LB": "ladbrokes",
    "P": "pinnacle",
    "PS": "pinnacle",
    "SB": "sportingbet",
    "SJ": "stan_james",
    "SO": "sporting_odds",
    "SY": "stanleybet",
    "VC": "vc_bet",
    "WH": "william_hill",
}

# Column suffix -> market type, selection id.
OUTCOMES: tuple[tuple[str, MarketType, str], ...] = (
    ("H", "1X2", "home"),
    ("D", "1X2", "draw"),
    ("A", "1X2", "away"),
    (">2.5", "OU", "over"),
    ("<2.5", "OU", "under"),
)
LINES: Mapping[MarketType, Decimal | None] = {"1X2": None, "OU": Decimal("2.5")}


class PriceColumn(Struct, frozen=True):
    """What a column of odds says: whose price, of what, and whether it is the last before kick-off."""

    name: str
    bookmaker: str
    type: MarketType
    selection_id: str
    closing: bool


PRICE_COLUMNS = tuple(
    PriceColumn(
        f"{prefix}{'C' if closing else ''}{suffix}", bookmaker, market_type, selection_id, closing
    )
    for prefix, bookmaker in BOOKMAKERS.items()
    for closing in (False, True)
    for suffix, market_type, selection_id in OUTCOMES
)
