"""From a set of bets that was found to an opportunity that can be told: whole stakes, what is sure, what to beware of."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Final
from uuid import UUID

from msgspec import Struct

from application.detection.single import FIXTURE_KEY
from application.detection.thresholds import Thresholds
from domain.board import BoardQuote
from domain.events import (
    ArbitrageKind,
    ArbitrageLeg,
    ArbitrageWarning,
    MarketType,
    Opportunity,
)
from domain.money import MINOR_DIGITS
from domain.stakes import PricedBet, make_book, to_shares, unrounded_margin

_MARGIN_PLACES: Final = Decimal("0.000001")
_HIGH_MARGIN: Final = Fraction(1, 10)


class FoundBet(Struct, frozen=True):
    """A quote to bet on: its market's type, and what its back pays in each state, c0 + c1·o per unit staked."""

    quote: BoardQuote
    type: MarketType
    payoffs: tuple[tuple[float, float], ...]


def key_of(opportunity: Opportunity) -> str:
    """Name the proposition that an opportunity is about: there is at most one open opportunity for each."""
    legs = opportunity.legs
    markets = list(dict.fromkeys(leg.market_id for leg in legs))
    match opportunity.kind:
        case "back_lay":
            return f"back_lay:{markets[0]}:{legs[0].selection_id}"
        case "middle":
            return f"middle:{markets[0]}:{markets[-1]}"
        case "two_way" | "n_way" if all(leg.side == "back" for leg in legs):
            return f"market:{markets[0]}"
        case _:
            return f"{FIXTURE_KEY}{opportunity.fixture_id}"


def price(
    kind: ArbitrageKind,
    fixture_id: UUID,
    found: Sequence[FoundBet],
    shares: Sequence[float] | None,
    thresholds: Thresholds,
    sequence: int,
) -> Opportunity | None:
    """Price bets exactly; None when whole stakes under the limits leave no profit, or the margin is too small.

    `shares` are those of the money at risk, as a linear programme found them; None where each bet is to return the same
    if it wins, as the closed forms have it.
    """
    bets = [_bet(each, thresholds) for each in found]
    exact = to_shares(shares) if shares is not None else _even(bets)
    margin = unrounded_margin(bets, exact)
    is_middle = kind == "middle"
    if not is_middle and (margin <= 0 or margin < Fraction(thresholds.min_margin)):
        return None
    book = make_book(bets, exact, thresholds.max_outlay_minor)
    if book is None or (book.guaranteed_minor <= 0 and not is_middle):
        return None
    return Opportunity(
        kind=kind,
        fixture_id=fixture_id,
        legs=tuple(
            ArbitrageLeg(
                bookmaker=each.quote.bookmaker,
                market_id=each.quote.market_id,
                selection_id=each.quote.selection_id,
                side=each.quote.side,
                odds=each.quote.odds,
                stake_minor=stake,
                quoted_at=each.quote.at,
            )
            for each, stake in zip(found, book.stakes_minor, strict=True)
        ),
        currency=thresholds.currency,
        outlay_minor=book.outlay_minor,
        guaranteed_profit_minor=book.guaranteed_minor,
        margin=_rounded(margin),
        warnings=_warnings(found, margin, thresholds),
        expires_at=min(_expiry(each.quote, thresholds) for each in found),
        sequence=sequence,
    )


def _bet(found: FoundBet, thresholds: Thresholds) -> PricedBet:
    quote = found.quote
    terms = thresholds.terms(quote.bookmaker)
    odds = Fraction(quote.odds)
    caps: list[int] = []
    if terms.max_stake_minor is not None:
        caps.append(terms.max_stake_minor)
    if quote.size is not None:
        caps.append(int(quote.size * 10 ** MINOR_DIGITS.get(thresholds.currency, 2)))
    cap = min(caps, default=None)
    if cap is not None and quote.side == "lay":
        cap = int(cap * (odds - 1))
    return PricedBet(
        bookmaker=quote.bookmaker,
        odds=quote.odds,
        multipliers=tuple(Fraction(c0) + Fraction(c1) * odds for c0, c1 in found.payoffs),
        side=quote.side,
        commission=terms.commission,
        step_minor=thresholds.step_minor,
        cap_minor=cap,
    )


def _even(bets: Sequence[PricedBet]) -> tuple[Fraction, ...]:
    """Give shares in proportion to 1/o, o what the bet returns per unit at risk when it wins outright."""
    weights = [1 / max(bet.returns()) for bet in bets]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def _rounded(margin: Fraction) -> Decimal:
    exact = Decimal(margin.numerator) / Decimal(margin.denominator)
    return exact.quantize(_MARGIN_PLACES, rounding=ROUND_FLOOR)


def _warnings(
    found: Sequence[FoundBet], margin: Fraction, thresholds: Thresholds
) -> tuple[ArbitrageWarning, ...]:
    warnings: list[ArbitrageWarning] = []
    if margin > _HIGH_MARGIN:
        warnings.append("margin_over_10_percent")
    times = [each.quote.at for each in found]
    if (max(times) - min(times)).total_seconds() > thresholds.stale_leg_seconds:
        warnings.append("stale_leg")
    types = {each.type for each in found}
    if "ML" in types and len(types) > 1:
        # A two-way winner counts extra time, the other markets end with the ninety minutes.
        warnings.append("rules_differ")
    return tuple(warnings)


def _expiry(quote: BoardQuote, thresholds: Thresholds) -> datetime:
    """Tell until when a bet can be placed: its bookmaker takes a while to accept it."""
    terms = thresholds.terms(quote.bookmaker)
    age = timedelta(seconds=thresholds.max_ages.seconds(quote.bookmaker))
    return quote.at + age - timedelta(milliseconds=terms.latency_ms)
