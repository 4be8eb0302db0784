"""Arbitrages and middles: what kind a set of bets is, what it is worth in whole money, and what to beware of.

Formulas: DOMAIN.md, "Arbitrage". Which bets to look at is for the search (application.arbitrage); what is reported is
decided here, exactly.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.events.arbitrage import ArbitrageKind, ArbitrageLeg, ArbitrageWarning, Opportunity
from domain.freshness import MaxAges
from domain.stakes import Book, PricedBet, make_book, unrounded_margin

MARGIN_STEP: Final = Decimal("0.000001")
DOUBTFUL_MARGIN: Final = Decimal("0.1")
"""A margin above this is almost always a stale price or a palpable error (DOMAIN.md)."""


class Offer(Struct, frozen=True):
    """A price that can be a leg: where it stands, when it was quoted, and how it pays.

    `rules` are tags of how its bookmaker settles what others may settle otherwise, such as `extra_time` or
    `void_if_abandoned`; offers with different tags do not match in every end of the fixture.
    """

    market_id: UUID
    selection_id: str
    quoted_at: datetime
    bet: PricedBet
    rules: frozenset[str] = frozenset()


class Situation(Struct, frozen=True):
    """What a set of bets is priced for: at most `total_minor` at risk; `max_ages` say when a leg counts as stale."""

    fixture_id: UUID
    total_minor: int
    currency: str
    now: datetime
    max_ages: MaxAges
    expires_at: datetime
    sequence: int
    least_profit_minor: int = 1


def price_arbitrage(
    offers: Sequence[Offer], shares: Sequence[Fraction], situation: Situation
) -> Opportunity | None:
    """Price an arbitrage; None when it is none, or whole stakes earn less than the least profit.

    `shares` of the money at risk are positive and sum to 1 (domain.stakes.to_shares). The legs are the offers in their
    order. Raises ValueError when two are of one bookmaker.
    """
    _check_bookmakers(offers)
    bets = [offer.bet for offer in offers]
    margin = unrounded_margin(bets, shares)
    # A few minor units can earn by rounding alone: that is no arbitrage.
    book = make_book(bets, shares, situation.total_minor) if margin > 0 else None
    if book is None or book.guaranteed_minor < max(1, situation.least_profit_minor):
        return None
    return _opportunity(kind_of(offers), offers, book, to_margin(margin), situation)


def price_middle(
    offers: tuple[Offer, Offer], situation: Situation
) -> tuple[Opportunity, Book] | None:
    """Price two bets that can both win, at stakes that lose the least outside; None when they are no middle.

    The opportunity's guaranteed profit is what is lost outside (negative); the book's profits say what is won inside.
    Raises ValueError when both are of one bookmaker.
    """
    _check_bookmakers(offers)
    bets = (offers[0].bet, offers[1].bet)
    if not is_middle(*bets):
        return None
    share = balance(bets[0].returns(), bets[1].returns())
    shares = (share, 1 - share)
    book = make_book(bets, shares, situation.total_minor) if 0 < share < 1 else None
    if book is None or max(book.profits_minor) <= 0:
        return None
    margin = to_margin(unrounded_margin(bets, shares))
    return _opportunity("middle", offers, book, margin, situation), book


def _opportunity(
    kind: ArbitrageKind,
    offers: Sequence[Offer],
    book: Book,
    margin: Decimal,
    situation: Situation,
) -> Opportunity:
    return Opportunity(
        kind=kind,
        fixture_id=situation.fixture_id,
        legs=_legs(offers, book),
        currency=situation.currency,
        outlay_minor=book.outlay_minor,
        guaranteed_profit_minor=book.guaranteed_minor,
        margin=margin,
        warnings=warnings_of(offers, margin, situation.now, situation.max_ages),
        expires_at=situation.expires_at,
        sequence=situation.sequence,
    )


def _check_bookmakers(offers: Sequence[Offer]) -> None:
    bookmakers = [offer.bet.bookmaker for offer in offers]
    if len(set(bookmakers)) < len(bookmakers):
        raise ValueError("a bookmaker has two legs")


def _legs(offers: Sequence[Offer], book: Book) -> tuple[ArbitrageLeg, ...]:
    return tuple(
        ArbitrageLeg(
            bookmaker=offer.bet.bookmaker,
            market_id=offer.market_id,
            selection_id=offer.selection_id,
            side=offer.bet.side,
            odds=offer.bet.odds,
            stake_minor=stake_minor,
            quoted_at=offer.quoted_at,
        )
        for offer, stake_minor in zip(offers, book.stakes_minor, strict=True)
    )


def kind_of(offers: Sequence[Offer]) -> ArbitrageKind:
    """Name the kind of an arbitrage: by its markets, its selections, and whether one of these is backed and laid."""
    if len({offer.market_id for offer in offers}) > 1:
        return "cross_market"
    selections = {offer.selection_id for offer in offers}
    if len(selections) == 1:
        return "back_lay"
    return "two_way" if len(selections) == 2 else "n_way"  # noqa: PLR2004  two ways are two


def is_middle(one: PricedBet, other: PricedBet) -> bool:
    """Tell whether both can win and never both lose: over 2.5 with under 3.5; its reverse is a Polish middle.

    A bet that gains anything in a state counts as won there, one that loses anything as lost.
    """
    pairs = list(zip(one.returns(), other.returns(), strict=True))
    both_win = any(a > 1 and b > 1 for a, b in pairs)
    return both_win and not any(a < 1 and b < 1 for a, b in pairs)


def balance(one: Sequence[Fraction], other: Sequence[Fraction]) -> Fraction:
    """Share of the money on the first of two bets for which the worst state is best.

    `one` and `other` are their returns in each state. The worst state is a concave function of the share, made of
    straight pieces: its top is at an end or where two states pay the same.
    """
    lines = set(zip(one, other, strict=True))
    at = {Fraction(0), Fraction(1)}
    for a, b in lines:
        for c, d in lines:
            if slope := (a - b) - (c - d):
                at.add((d - b) / slope)
    inside = [share for share in at if 0 <= share <= 1]
    return max(
        inside, key=lambda share: (min(share * a + (1 - share) * b for a, b in lines), -share)
    )


def to_margin(margin: Fraction) -> Decimal:
    """Give a margin as a decimal of 6 places, rounded down: never better than it is."""
    with localcontext(prec=40, rounding=ROUND_FLOOR):
        return (Decimal(margin.numerator) / Decimal(margin.denominator)).quantize(MARGIN_STEP)


def warnings_of(
    offers: Sequence[Offer], margin: Decimal, now: datetime, max_ages: MaxAges
) -> tuple[ArbitrageWarning, ...]:
    """Say what speaks against an opportunity, in the order of its words' list."""
    warnings: list[ArbitrageWarning] = []
    if margin > DOUBTFUL_MARGIN:
        warnings.append("margin_over_10_percent")
    if any(max_ages.is_stale(offer.bet.bookmaker, offer.quoted_at, now) for offer in offers):
        warnings.append("stale_leg")
    if len({offer.rules for offer in offers}) > 1:
        warnings.append("rules_differ")
    return tuple(warnings)
