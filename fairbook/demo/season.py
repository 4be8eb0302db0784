"""A season as the demo plays it: rounds of matches, each with prices that move until kick-off."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from adapters.football_data import Match, PricedMarket


class Snapshot(Struct, frozen=True):
    """A market's prices at one moment; `quotes` of the market hold nothing else."""

    at: datetime
    market: PricedMarket


class Round(Struct, frozen=True):
    """Matches whose first prices came at the same time, in order of kick-off."""

    opens_at: datetime
    matches: tuple[Match, ...]

    def phases(self) -> list[list[Snapshot]]:
        """Give the round's prices in the order in which they are seen: every market's first, every market's second, and so on."""
        moves = [snapshots(market) for match in self.matches for market in match.markets]
        longest = max((len(move) for move in moves), default=0)
        return [[move[n] for move in moves if n < len(move)] for n in range(longest)]


def snapshots(market: PricedMarket) -> list[Snapshot]:
    """Split a market's quotes by the moment at which they were seen."""
    ordered = sorted(market.quotes, key=lambda quote: quote.at)
    return [
        Snapshot(at, replace(market, quotes=tuple(quotes)))
        for at, quotes in groupby(ordered, key=lambda quote: quote.at)
    ]


def rounds(matches: Iterable[Match]) -> list[Round]:
    """Put played matches into rounds, in date order; matches without a score or a price are left out."""
    priced = [
        (min(quote.at for market in match.markets for quote in market.quotes), match)
        for match in matches
        if match.score is not None and any(market.quotes for market in match.markets)
    ]
    priced.sort(key=lambda pair: (pair[0], pair[1].fixture.starts_at, pair[1].fixture.name))
    return [
        Round(opens_at, tuple(match for _, match in group))
        for opens_at, group in groupby(priced, key=lambda pair: pair[0])
    ]


def own_ids(match: Match, run_id: UUID) -> Match:
    """Give the match ids of this run, so that a season can be played any number of times on one ledger."""
    return replace(
        match,
        fixture=replace(match.fixture, fixture_id=uuid5(run_id, str(match.fixture.fixture_id))),
        markets=tuple(
            replace(market, market_id=uuid5(run_id, str(market.market_id)))
            for market in match.markets
        ),
    )
