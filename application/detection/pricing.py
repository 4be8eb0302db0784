"""From a set of bets that was found to an opportunity that can be told; the money is `domain.arbitrage`'s."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from application.detection.thresholds import Thresholds
from domain.arbitrage import Offer, Situation, price_arbitrage, price_middle
from domain.board import BoardQuote
from domain.events.arbitrage import Opportunity
from domain.events.market import MarketType
from domain.money import MINOR_DIGITS
from domain.stakes import PricedBet, to_shares

_WITH_EXTRA_TIME: Final = frozenset({"extra_time"})


class FoundBet(Struct, frozen=True):
    """A quote to bet on: its market's type, and what its back pays in each state, c0 + c1·o per unit staked."""

    quote: BoardQuote
    type: MarketType
    payoffs: tuple[tuple[float, float], ...]


def key_of(opportunity: Opportunity) -> str:
    """Name the proposition that an opportunity within one market, or a middle, is about; empty for any other."""
    legs = opportunity.legs
    first, last = legs[0].market_id, legs[-1].market_id
    match opportunity.kind:
        case "back_lay":
            return f"back_lay:{first}:{legs[0].selection_id}"
        case "middle":
            return f"middle:{first}:{last}"
        case "cross_market":
            return ""
        case _:
            return f"market:{first}" if all(leg.side == "back" for leg in legs) else ""


def price(
    fixture_id: UUID,
    found: Sequence[FoundBet],
    shares: Sequence[float] | None,
    thresholds: Thresholds,
    sequence: int,
    *,
    is_middle: bool,
) -> Opportunity | None:
    """Price bets exactly; None when whole stakes under the limits leave no profit, or the margin is too small.

    `shares` are those of the money at risk, as a linear programme found them; None where each bet is to return the same
    if it wins, as the closed forms have it.
    """
    offers = [_offer(each, thresholds) for each in found]
    newest = max(offer.quoted_at for offer in offers)
    situation = Situation(
        fixture_id=fixture_id,
        total_minor=thresholds.max_outlay_minor,
        currency=thresholds.currency,
        now=newest,
        max_ages=thresholds.max_ages,
        expires_at=min(_expiry(each.quote, thresholds) for each in found),
        sequence=sequence,
    )
    if is_middle:
        middle = price_middle((offers[0], offers[1]), situation)
        return middle[0] if middle else None
    exact = to_shares(shares) if shares is not None else _even([offer.bet for offer in offers])
    priced = price_arbitrage(offers, exact, situation)
    if priced is None or priced.margin < thresholds.min_margin:
        return None
    apart = newest - min(offer.quoted_at for offer in offers)
    if apart.total_seconds() > thresholds.stale_leg_seconds and "stale_leg" not in priced.warnings:
        return replace(priced, warnings=(*priced.warnings, "stale_leg"))
    return priced


def _offer(found: FoundBet, thresholds: Thresholds) -> Offer:
    quote = found.quote
    return Offer(
        market_id=quote.market_id,
        selection_id=quote.selection_id,
        quoted_at=quote.at,
        bet=_bet(found, thresholds),
        # A two-way winner counts extra time, the other markets end with the ninety minutes.
        rules=_WITH_EXTRA_TIME if found.type == "ML" else frozenset(),
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
        multipliers=tuple(
            _exact(c0) + _exact(c1) * odds if c1 else _exact(c0) for c0, c1 in found.payoffs
        ),
        side=quote.side,
        commission=terms.commission,
        step_minor=thresholds.step_minor,
        cap_minor=cap,
    )


@lru_cache(64)
def _exact(coefficient: float) -> Fraction:
    """Give a payoff's coefficient, a quarter or a whole, as it is."""
    return Fraction(coefficient)


def _even(bets: Sequence[PricedBet]) -> tuple[Fraction, ...]:
    """Give shares in proportion to 1/o, o what the bet returns per unit at risk when it wins outright."""
    weights = [1 / max(bet.returns()) for bet in bets]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def _expiry(quote: BoardQuote, thresholds: Thresholds) -> datetime:
    """Tell until when a bet can be placed: its bookmaker takes a while to accept it."""
    terms = thresholds.terms(quote.bookmaker)
    age = timedelta(seconds=thresholds.max_ages.seconds(quote.bookmaker))
    return quote.at + age - timedelta(milliseconds=terms.latency_ms)
