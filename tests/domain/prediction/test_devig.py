"""What odds say without their margin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.prediction.devig import METHODS, Method, without_margin
from domain.refusals import InvalidInput

# Values that the R package `implied` (Lindstrøm) prints for these odds.
PUBLISHED_ODDS = (4.20, 3.70, 1.95)
PUBLISHED: dict[Method, tuple[float, float, float]] = {
    "multiplicative": (0.2331556, 0.2646631, 0.5021813),
    "shin": (0.2315720, 0.2635745, 0.5048535),
    "odds_ratio": (0.2320045, 0.2636413, 0.5043542),
    "power": (0.2311410, 0.2630641, 0.5057949),
}
by_method = pytest.mark.parametrize("method", METHODS)


@st.composite
def markets(draw: st.DrawFn) -> list[float]:
    """Odds of 2 to 40 outcomes with a margin from −5% to 40%."""
    weights = draw(st.lists(st.floats(0.01, 1), min_size=2, max_size=40))
    booksum = draw(st.floats(0.95, 1.4))
    shares = np.array(weights) / sum(weights)
    implied = np.minimum(shares * booksum, 0.999)
    return [float(odds) for odds in 1 / implied]


@pytest.mark.parametrize("method", PUBLISHED)
def test_a_published_market_comes_out_as_published(method: Method) -> None:
    assert without_margin(PUBLISHED_ODDS, method) == pytest.approx(PUBLISHED[method], abs=2e-6)


def test_each_method_solves_its_equation() -> None:
    implied = 1 / np.array(PUBLISHED_ODDS)
    power = without_margin(PUBLISHED_ODDS, "power")
    assert np.ptp(np.log(power) / np.log(implied)) < 1e-9
    ratio = without_margin(PUBLISHED_ODDS, "odds_ratio")
    assert np.ptp(ratio / (1 - ratio) / (implied / (1 - implied))) < 1e-9
    # Shin's bookmaker prices a share z of insiders: π ∝ √(z·p + (1 − z)·p²), for one z.
    shin = without_margin(PUBLISHED_ODDS, "shin")
    z = 0.0105473  # as `implied` prints it
    priced = np.sqrt(z * shin + (1 - z) * shin**2)
    assert priced / priced.sum() == pytest.approx(implied / implied.sum(), abs=1e-4)


@by_method
@given(odds=markets())
def test_probabilities_sum_to_1_and_keep_the_order_of_the_prices(
    method: Method, odds: list[float]
) -> None:
    probabilities = without_margin(odds, method)
    assert probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert (probabilities > 0).all()
    assert (np.diff(probabilities[np.argsort(odds)]) <= 1e-12).all()


@given(odds=markets())
def test_all_but_the_plain_one_take_more_margin_off_longer_prices(odds: list[float]) -> None:
    prices = np.sort(odds)
    if (1 / prices).sum() <= 1:
        return
    plain = without_margin(prices, "multiplicative")
    for method in METHODS[1:]:
        assert without_margin(prices, method)[0] >= plain[0] - 1e-9


@by_method
def test_equal_prices_are_equal_chances(method: Method) -> None:
    for outcomes in (2, 3, 40):
        even = without_margin([outcomes * 0.93] * outcomes, method)
        assert even == pytest.approx([1 / outcomes] * outcomes)


@by_method
def test_a_fair_book_is_left_as_it_is(method: Method) -> None:
    assert without_margin([2.0, 4.0, 4.0], method) == pytest.approx([0.5, 0.25, 0.25])


@by_method
def test_many_markets_at_once_are_each_by_itself(method: Method) -> None:
    many = [[1.01, 21.0, 1000.0], [2.1, 3.4, 3.9], [3.2, 3.3, 3.4]]
    together = without_margin(many, method)
    assert together.shape == (3, 3)
    for odds, row in zip(many, together, strict=True):
        assert without_margin(odds, method) == pytest.approx(row)


@pytest.mark.parametrize(
    "odds",
    [[], 2.0, [2.0], [2.0, 1.0], [2.0, 0.0], [2.0, -3.0], [2.0, float("nan")], [2.0, float("inf")],
     [[2.0, 2.0], [2.0]], ["x", "y"], [2.0, None], [2.0, 1e9]],
)  # fmt: skip
@by_method
def test_what_is_no_price_is_refused_by_name(method: Method, odds: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        without_margin(odds, method)  # type: ignore[arg-type]
    assert refused.value.field == "odds"


def test_an_unknown_method_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="one of multiplicative, power, shin") as refused:
        without_margin([2.0, 2.0], "magic")  # type: ignore[arg-type]
    assert refused.value.field == "method"
