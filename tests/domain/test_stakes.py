"""Stakes in whole money: published cases, guarantees after rounding, limits and steps."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.closed_forms import lay_stake, n_way_cost
from domain.stakes import Book, PricedBet, make_book, to_shares, unrounded_margin

WON, LOST = True, False


def bet(odds: str, *wins: bool, **terms: object) -> PricedBet:
    multipliers = tuple(Fraction(odds) if win else Fraction(0) for win in wins)
    return PricedBet("anyone", Decimal(odds), multipliers, **terms)  # type: ignore[arg-type]


def n_way(*odds: str, **terms: object) -> list[PricedBet]:
    return [bet(o, *(i == j for j in range(len(odds))), **terms) for i, o in enumerate(odds)]


def fair_shares(bets: list[PricedBet]) -> tuple[Fraction, ...]:
    cost = n_way_cost(Fraction(b.odds) for b in bets)
    return tuple(1 / Fraction(b.odds) / cost for b in bets)


def in_words(bet: PricedBet, stake: int, state: int) -> Decimal:
    """Profit of a bet in a state by another way: decimals, one comparison a case."""
    with_stake = (
        Decimal(stake) * bet.multipliers[state].numerator / bet.multipliers[state].denominator
    )
    whole = int(with_stake)
    returned = whole + 1 if with_stake - whole >= Decimal("0.5") else whole
    profit = returned - stake if bet.side == "back" else stake - returned
    if profit <= 0:
        return Decimal(profit)
    kept = profit * (1 - bet.commission)
    return Decimal(int(kept) + (kept - int(kept) >= Decimal("0.5")))


def check(book: Book, bets: list[PricedBet], total_minor: int) -> None:
    """Everything that a book claims, computed again."""
    assert all(
        stake > 0 and stake % b.step_minor == 0
        for stake, b in zip(book.stakes_minor, bets, strict=True)
    )
    outlay = 0
    for stake, b in zip(book.stakes_minor, bets, strict=True):
        risk = Decimal(stake) if b.side == "back" else stake * (b.odds - 1)
        at_risk = int(risk) + (risk != int(risk))
        assert b.cap_minor is None or at_risk <= b.cap_minor
        outlay += at_risk
    assert book.outlay_minor == outlay <= total_minor
    for state, profit in enumerate(book.profits_minor):
        paid = sum(in_words(b, s, state) for b, s in zip(bets, book.stakes_minor, strict=True))
        assert paid == profit >= book.guaranteed_minor


def test_back_and_lay_of_domain_md() -> None:
    back = bet("3.0", WON, LOST)
    lay = bet("3.0", WON, LOST, side="lay", commission=Decimal("0.05"))
    stake = lay_stake(Fraction(1000), Fraction(3), Fraction(3), Fraction("0.05"))
    assert round(stake) == 1017
    assert lay.at_risk_minor(1017) == 2034
    either_way = zip(back.profits_minor(1000), lay.profits_minor(1017), strict=True)
    assert [a + b for a, b in either_way] == [-34, -34]


def test_smarkets_dead_heat_lay_of_domain_md() -> None:
    lay = PricedBet("smarkets", Decimal(4), (Fraction(4, 3),), side="lay")
    assert lay.profits_minor(2000) == (-667,)


def test_two_odds_of_2_1_pay_five_percent() -> None:
    bets = n_way("2.1", "2.1")
    book = make_book(bets, to_shares([0.5, 0.49999999999999994]), 10_000)
    assert book == Book((5000, 5000), 10_000, (500, 500))
    assert unrounded_margin(bets, to_shares([0.5, 0.5])) == Fraction(1, 20)


def test_a_commission_can_undo_an_arbitrage() -> None:
    bets = n_way("2.1", "2.1", commission=Decimal("0.1"))
    assert unrounded_margin(bets, (Fraction(1, 2), Fraction(1, 2))) < 0


def test_steps_are_kept_and_their_cost_is_small() -> None:
    bets = n_way("2.2", "3.9", "5.1", step_minor=100)
    book = make_book(bets, fair_shares(bets), 100_000)
    assert book is not None
    check(book, bets, 100_000)
    best = 100_000 * unrounded_margin(bets, fair_shares(bets))
    assert best - 3 * 300 < book.guaranteed_minor <= best + 2


def test_a_limit_lowers_the_whole_book() -> None:
    bets = n_way("2.1", "2.1")
    limited = [
        PricedBet(b.bookmaker, b.odds, b.multipliers, cap_minor=cap)
        for b, cap in zip(bets, (1_000, None), strict=True)
    ]
    book = make_book(limited, fair_shares(limited), 1_000_000)
    assert book == Book((1_000, 1_000), 2_000, (100, 100))


def test_a_lays_limit_is_on_its_liability() -> None:
    back = bet("5.2", WON, LOST)
    lay = bet("5.0", WON, LOST, side="lay", cap_minor=4_000)
    shares = (Fraction(5, 26), Fraction(21, 26))
    book = make_book([back, lay], shares, 10**6)
    assert book is not None
    check(book, [back, lay], 10**6)
    assert book.stakes_minor[1] <= 1_000


@pytest.mark.parametrize(("total", "step"), [(1, 1), (150, 100), (0, 1)])
def test_what_no_step_fits_into_is_no_book(total: int, step: int) -> None:
    bets = n_way("2.1", "2.1", step_minor=step)
    assert make_book(bets, fair_shares(bets), total) is None


def test_small_shares_are_kept() -> None:
    shares = to_shares([1e-12, 1 - 1e-12])
    assert all(share > 0 for share in shares)
    assert sum(shares) == 1


# ---- properties

ODDS = st.decimals("1.01", "60", places=2)
STEPS = st.sampled_from([1, 5, 50, 100, 500])


@given(st.lists(st.tuples(ODDS, STEPS), min_size=2, max_size=5), st.integers(1_000, 10**7))
def test_rounding_never_costs_more_than_the_steps(
    terms: list[tuple[Decimal, int]], total: int
) -> None:
    bets = [
        bet(str(odds), *(i == j for j in range(len(terms))), step_minor=step)
        for i, (odds, step) in enumerate(terms)
    ]
    cost = n_way_cost(Fraction(b.odds) for b in bets)
    steps = sum(b.step_minor for b in bets)
    assume(total > 2 * steps)
    book = make_book(bets, fair_shares(bets), total)
    certain = (total - steps) / cost
    # A stake may not fall below its step, and each return is rounded by half a minor unit at the most.
    if all(certain / Fraction(b.odds) >= b.step_minor for b in bets):
        assert book is not None
        assert book.guaranteed_minor >= certain * (1 - cost) - steps - Fraction(len(bets), 2)
    if book is not None:
        check(book, bets, total)


MULTIPLES = st.sampled_from(
    [(Fraction(0), Fraction(0)), (Fraction(0), Fraction(1)), (Fraction(1), Fraction(0)),
     (Fraction(1, 2), Fraction(1, 2)), (Fraction(1, 2), Fraction(0))]
)  # fmt: skip


@st.composite
def any_bets(draw: st.DrawFn) -> list[PricedBet]:
    states = draw(st.integers(1, 5))
    bets = []
    for _ in range(draw(st.integers(1, 4))):
        odds = draw(ODDS)
        multiples = draw(st.lists(MULTIPLES, min_size=states, max_size=states))
        bets.append(
            PricedBet(
                "anyone",
                odds,
                tuple(c0 + c1 * Fraction(odds) for c0, c1 in multiples),
                side=draw(st.sampled_from(["back", "lay"])),
                commission=draw(st.sampled_from([Decimal(0), Decimal("0.02"), Decimal("0.05")])),
                step_minor=draw(STEPS),
                cap_minor=draw(st.none() | st.integers(1, 10**6)),
            )
        )
    return bets


@given(any_bets(), st.integers(1, 10**7), st.data())
def test_every_claim_of_a_book_holds(
    bets: list[PricedBet], total: int, data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.integers(1, 1000), min_size=len(bets), max_size=len(bets)))
    shares = tuple(Fraction(w, sum(weights)) for w in weights)
    book = make_book(bets, shares, total)
    if book is not None:
        check(book, bets, total)
        whole = len(bets)
        ideal = sum(
            (share * r for share, r in zip(shares, (b.returns()[0] for b in bets), strict=True)),
            Fraction(0),
        )
        assert ideal >= 0
        assert whole == len(book.stakes_minor)


@given(any_bets())
def test_returns_are_what_large_stakes_pay(bets: list[PricedBet]) -> None:
    stake = 10**9
    for b in bets:
        for exact, paid in zip(b.returns(), b.profits_minor(stake), strict=True):
            assert abs(b.at_risk_minor(stake) * (exact - 1) - paid) <= 2
