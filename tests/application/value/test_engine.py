"""The engine finds the same as a plain search does, and the same after it began anew anywhere."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.value.engine import ValueEngine
from domain.board import BoardQuote, to_microseconds
from domain.commands.value import ValueChange
from domain.events.value import ValueSignal
from domain.quotes import QuoteMessage
from domain.refusals import InvalidInput
from domain.value import ValueRules
from tests.application.value.desk import (
    MODEL,
    NOW,
    OTHER_MODEL,
    STARTS,
    THRESHOLDS,
    an_engine,
    market,
    message,
    priced,
)
from tests.application.value.plain import Plain

X2, OU, AH, DC, DNB, CS = (
    market("1X2"),
    market("OU", "2.5"),
    market("AH", "-0.25"),
    market("DC"),
    market("DNB"),
    market("CS"),
)
MARKETS = (X2, OU, AH, DC, DNB, CS)
BOOKMAKERS = ("alpha", "beta", "exchange", "hasty")
SECOND = timedelta(seconds=1)


@st.composite
def some_messages(draw: st.DrawFn) -> list[QuoteMessage]:
    """Messages a second apart or so, some late, of one market's prices around what the model finds fair."""
    found, at = [], NOW
    for _ in range(draw(st.integers(1, 15))):
        of = draw(st.sampled_from(MARKETS))
        side = draw(st.sampled_from(["back", "back", "lay"]))
        selections = draw(st.sets(st.sampled_from(of.selections), min_size=1))
        odds: dict[str, str | None] = {}
        for selection in sorted(selections):
            fair = 1 / float(priced(of).chances[of.selections.index(selection)].probability)
            times = draw(st.sampled_from([0.8, 0.95, 1.02, 1.04, 1.0401, 1.1, 1.3, None]))
            odds[selection] = None if times is None else f"{max(fair * times, 1.01):.2f}"
        at += draw(st.integers(0, 6)) * SECOND
        late = draw(st.sampled_from([0, 0, 0, 2, 30])) * SECOND
        found.append(
            message(of, draw(st.sampled_from(BOOKMAKERS)), odds, side=side, at=at - late)  # type: ignore[arg-type]
        )
    return found


some_rules = st.builds(
    ValueRules,
    min_value=st.sampled_from([Decimal("0.01"), Decimal("0.03"), Decimal("0.1")]),
    bound=st.sampled_from(["mean", "low"]),
    cap=st.sampled_from([0.02, 1.0]),
)


def clocks(messages: Iterable[QuoteMessage]) -> list[Any]:
    """When each message came: after all that were written before it."""
    latest = NOW
    return [latest := max(latest, each.at) for each in messages]


@given(messages=some_messages(), rules=some_rules)
@settings(max_examples=15, deadline=None)
def test_it_finds_what_a_plain_search_finds(
    messages: list[QuoteMessage], rules: ValueRules
) -> None:
    engine, plain = an_engine(MARKETS, rules), Plain(map(priced, MARKETS), rules)
    for number, (each, now) in enumerate(zip(messages, clocks(messages), strict=True), 1):
        assert engine.apply(each, number, now) == plain.apply(each, number, now)
    assert dict(open_in(engine)) == dict(plain.signals())


@given(messages=some_messages(), rules=some_rules, together=st.integers(1, 10))
@settings(max_examples=12, deadline=None)
def test_messages_that_are_taken_together_tell_what_each_of_them_would(
    messages: list[QuoteMessage], rules: ValueRules, together: int
) -> None:
    now = clocks(messages)[-1]
    one, many = an_engine(MARKETS, rules), an_engine(MARKETS, rules)
    told = [
        change for number, each in enumerate(messages, 1) for change in one.apply(each, number, now)
    ]
    found: list[ValueChange] = []
    for first in range(0, len(messages), together):
        some = messages[first : first + together]
        read = [(many.read(each, now), first + at) for at, each in enumerate(some, 1)]
        found += many.take(read, now)
    # Quotes that come too old are taken back with the next look at the clock, at the same sequence or a later one.
    found += many.expire(len(messages), now)
    told += one.expire(len(messages), now)
    assert sorted(map(shape, found)) == sorted(map(shape, told))
    assert sorted(open_in(many)) == sorted(open_in(one))


@given(messages=some_messages(), rules=some_rules)
@settings(max_examples=12, deadline=None)
def test_a_batch_of_quotes_ends_as_if_they_had_come_one_by_one(
    messages: list[QuoteMessage], rules: ValueRules
) -> None:
    now = clocks(messages)[-1]
    one, many = an_engine(MARKETS, rules), an_engine(MARKETS, rules)
    quotes = []
    for number, each in enumerate(messages, 1):
        one.apply(each, number, now)
        column = many.board.column(each.bookmaker)
        for line in each.quotes:
            row = many.board.row(each.market_id, line.selection_id, line.side)
            quotes.append((row, column, int((line.odds or 0) * 1000), to_microseconds(each.at)))
    many._fit()
    rows, columns, odds, at = np.array(quotes, np.int64).T
    many.apply_many(rows, columns, odds, at, 1, now)
    assert worth_in(many) == worth_in(one)


@given(
    messages=some_messages(),
    rules=some_rules,
    crash=st.integers(0, 15),
    done=st.integers(0, 15),
    ahead=st.integers(0, 15),
)
@settings(max_examples=25, deadline=None)
def test_wherever_it_ends_the_next_one_tells_the_rest_as_if_nothing_had_happened(
    messages: list[QuoteMessage], rules: ValueRules, crash: int, done: int, ahead: int
) -> None:
    # In the order of their times: of what came late nobody knows any more what it came after.
    messages = sorted(messages, key=lambda each: each.at)
    crash, now = min(crash, len(messages)), messages[-1].at
    done = min(done, crash)  # all prices up to here are kept, and perhaps more
    ahead = max(done, min(ahead, len(messages)))
    undisturbed = an_engine(MARKETS, rules)
    expected = [
        change
        for number, each in enumerate(messages, 1)
        for change in undisturbed.apply(each, number, now)
    ]
    before, kept = an_engine(MARKETS, rules), an_engine(MARKETS, rules)
    told: list[ValueChange] = []
    for number, each in enumerate(messages[:crash], 1):
        told += before.apply(each, number, now)
    for number, each in enumerate(messages[:ahead], 1):
        kept.apply(each, number, now)
    prices = [quote for each in MARKETS for quote in kept.board.quotes(each.market_id)]
    is_open: dict[UUID, ValueSignal] = {}
    for change in told:
        is_open.pop(change.signal_id, None)
        if change.signal is not None:
            is_open[change.signal_id] = change.signal

    after = an_engine(MARKETS, rules)
    through = max((each.sequence for each in told), default=0)
    after.restore(is_open.items(), through)
    settled = False
    last = max(ahead, crash)  # what the stream held when it began anew
    for number, each in enumerate(messages[done:], done + 1):
        if number > last and not settled:
            told += after.settle(number - 1, prices, now)
            settled = True
        told += after.apply(each, number, now)
    if not settled:
        told += after.settle(len(messages), prices, now)
    assert [shape(each) for each in told] == [shape(each) for each in expected]


def shape(change: ValueChange) -> tuple[Any, ...]:
    signal = change.signal
    return (
        str(change.signal_id),
        change.sequence,
        change.ended or "",
        None if signal is None else (signal.odds, signal.expected_value, signal.stake_share),
    )


def open_in(engine: ValueEngine) -> list[tuple[UUID, ValueSignal]]:
    return [(each.signal_id, each.told) for each in engine.open.values()]


def worth_in(engine: ValueEngine) -> dict[tuple[str, ...], tuple[Decimal, ...]]:
    """What is open, by price, as near as the tolerance lets it be told."""
    return {
        (str(told.market_id), told.selection_id, told.side, told.bookmaker): (told.probability,)
        for _, told in open_in(engine)
    }


# ---- single prices


def test_a_signal_opens_changes_and_closes_under_one_id() -> None:
    engine = an_engine([X2])
    fair = 1 / float(priced(X2).chances[0].probability)
    assert engine.apply(message(X2, "alpha", {"home": f"{fair:.2f}"}), 1, NOW) == []
    odds = Decimal(f"{fair * 1.05:.2f}")
    [opened] = engine.apply(message(X2, "alpha", {"home": str(odds)}), 2, NOW)
    hardly = message(X2, "alpha", {"home": str(odds + Decimal("0.001"))})
    assert engine.apply(hardly, 3, NOW) == []
    [changed] = engine.apply(message(X2, "alpha", {"home": f"{fair * 1.08:.2f}"}), 4, NOW)
    [closed] = engine.apply(message(X2, "alpha", {"home": f"{fair:.2f}"}), 5, NOW)
    assert opened.signal is not None
    assert opened.opens
    assert changed.signal is not None
    assert changed.signal.expected_value > opened.signal.expected_value
    assert closed.ended == "price_moved"
    assert opened.signal_id == changed.signal_id == closed.signal_id
    assert [each.sequence for each in (opened, changed, closed)] == [2, 4, 5]
    assert engine.open == {}


def test_a_signal_says_what_the_price_is_worth() -> None:
    engine = an_engine([X2])
    chance = priced(X2).chances[0]
    odds = (1 / chance.probability * Decimal("1.1")).quantize(Decimal("0.01"))
    [opened] = engine.apply(message(X2, "alpha", {"home": str(odds)}), 1, NOW)
    told = opened.signal
    assert told is not None
    assert (told.probability, told.low, told.high) == (chance.probability, chance.low, chance.high)
    assert told.low < told.probability < told.high
    assert told.expected_value == (chance.probability * odds - 1).quantize(Decimal("0.000001"))
    assert told.edge == (chance.probability - 1 / odds).quantize(Decimal("0.000001"))
    kelly = (chance.probability * odds - 1) / (odds - 1)
    assert abs(told.kelly - kelly) < Decimal("0.000002")
    assert told.stake_share == Decimal("0.02")  # a quarter of Kelly's is more than the cap
    assert (told.quoted_at, told.expires_at) == (NOW, NOW + timedelta(seconds=300))


def test_a_commission_and_the_time_to_accept_a_bet_count() -> None:
    engine = an_engine([X2])
    fair = 1 / float(priced(X2).chances[0].probability)
    assert engine.apply(message(X2, "exchange", {"home": f"{fair * 1.04:.2f}"}), 1, NOW) == []
    [opened] = engine.apply(message(X2, "exchange", {"home": f"{fair * 1.1:.2f}"}), 2, NOW)
    assert opened.signal is not None
    assert opened.signal.expires_at == NOW + timedelta(seconds=298)


def test_what_is_too_dear_is_laid() -> None:
    engine = an_engine([X2])
    chance = priced(X2).chances[2]
    odds = (1 / chance.probability * Decimal("0.8")).quantize(Decimal("0.01"))
    [opened] = engine.apply(message(X2, "alpha", {"away": str(odds)}, side="lay"), 1, NOW)
    told = opened.signal
    assert told is not None
    assert told.edge == (1 / odds - chance.probability).quantize(Decimal("0.000001"))
    risk = odds - 1
    earned = (1 - chance.probability) / risk - chance.probability
    assert told.expected_value == earned.quantize(Decimal("0.000001"))
    assert engine.apply(message(X2, "alpha", {"away": None}, side="lay"), 2, NOW)[0].ended == (
        "price_moved"
    )


def test_values_of_outcomes_that_exclude_each_other_share_a_bankroll() -> None:
    rules = ValueRules(fraction=1.0, cap=1.0, market_cap=1.0)
    engine = an_engine([X2], rules)
    fair = [1 / float(each.probability) for each in priced(X2).chances]
    [alone] = engine.apply(message(X2, "alpha", {"home": f"{fair[0] * 1.2:.2f}"}), 1, NOW)
    both = engine.apply(message(X2, "beta", {"away": f"{fair[2] * 1.2:.2f}"}), 2, NOW)
    assert len(both) == 2
    assert alone.signal is not None
    again = next(each for each in both if each.signal_id == alone.signal_id)
    assert again.signal is not None
    assert again.signal.kelly != alone.signal.kelly
    assert again.signal.expected_value == alone.signal.expected_value


@pytest.mark.parametrize("bound", ["mean", "low"])
def test_with_the_low_bound_the_interval_must_pay_too(bound: Any) -> None:
    engine = an_engine([X2], ValueRules(bound=bound))
    chance = priced(X2).chances[0]
    between = 1 / ((float(chance.probability) + float(chance.low)) / 2) * 1.03
    told = engine.apply(message(X2, "alpha", {"home": f"{between:.2f}"}), 1, NOW)
    assert len(told) == (bound == "mean")
    beyond = 1.04 / float(chance.low)
    assert engine.apply(message(X2, "alpha", {"home": f"{beyond:.2f}"}), 2, NOW) != []


def test_a_price_that_nobody_repeats_ends_and_one_that_is_repeated_is_told_anew() -> None:
    engine = an_engine([X2])
    generous = message(X2, "hasty", {"home": "9"})
    [opened] = engine.apply(generous, 1, NOW)
    assert engine.next_expiry() == NOW + 10 * SECOND
    again = message(X2, "hasty", {"home": "9"}, at=NOW + 6 * SECOND)
    assert engine.apply(again, 2, NOW + 6 * SECOND) == []
    [renewed] = engine.expire(2, NOW + 10 * SECOND)
    assert renewed.signal is not None
    assert renewed.signal_id == opened.signal_id
    assert renewed.signal.expires_at == NOW + 16 * SECOND
    [ended] = engine.expire(2, NOW + 17 * SECOND)
    assert (ended.signal_id, ended.ended) == (opened.signal_id, "expired")


def test_nothing_is_told_of_a_fixture_that_has_begun() -> None:
    engine = an_engine([X2], starts_at=NOW + 20 * SECOND)
    [opened] = engine.apply(message(X2, "alpha", {"home": "9"}), 1, NOW)
    assert opened.signal is not None
    assert opened.signal.expires_at == NOW + 20 * SECOND
    [ended] = engine.expire(1, NOW + 20 * SECOND)
    assert ended.ended == "expired"
    late = message(X2, "alpha", {"home": "12"}, at=NOW + 21 * SECOND)
    assert engine.apply(late, 2, NOW + 21 * SECOND) == []
    assert engine.reopen(X2.market_id, 2, NOW + 21 * SECOND) == []


def test_it_ends_while_its_market_takes_no_bets() -> None:
    engine = an_engine([X2])
    [opened] = engine.apply(message(X2, "alpha", {"home": "9"}), 1, NOW)
    [ended] = engine.close(X2.market_id, 1, NOW)
    assert (ended.signal_id, ended.ended) == (opened.signal_id, "not_open")
    assert engine.apply(message(X2, "alpha", {"home": "10"}), 2, NOW) == []
    [again] = engine.reopen(X2.market_id, 2, NOW)
    assert again.opens
    assert again.signal_id != opened.signal_id


def test_it_opens_under_another_id_each_time_also_at_one_message() -> None:
    engine = an_engine([X2])
    engine.apply(message(X2, "alpha", {"home": "9"}), 1, NOW)
    told = []
    for _ in range(3):
        engine.close(X2.market_id, 1, NOW)
        told += engine.reopen(X2.market_id, 1, NOW)
    ids = {each.signal_id for each in told}
    assert len(ids) == 3
    # The next one knows from the ledger which of them ended there.
    after = an_engine([X2])
    after.restore([], 1, ids)
    [again] = after.settle(1, prices_of(engine), NOW)
    assert again.signal_id not in ids


def test_another_model_closes_what_it_finds_fair_and_tells_the_others_anew() -> None:
    engine = an_engine([X2, OU])
    told = engine.apply(message(X2, "alpha", {"home": "2.00"}), 1, NOW)
    told += engine.apply(message(OU, "alpha", {"over": "9"}), 2, NOW)
    signals = {each.signal_id: each.signal for each in told if each.signal}
    assert len(signals) == 2
    after = ValueEngine(ValueRules(), THRESHOLDS)
    other = priced(X2, 2, OTHER_MODEL)
    dull = tuple(
        type(each)(each.selection_id, Decimal("0.333333"), Decimal("0.3"), Decimal("0.4"))
        for each in other.chances
    )
    after.describe(X2, STARTS, type(other)(X2, OTHER_MODEL, dull, other.endings))
    after.describe(OU, STARTS, priced(OU, 2, OTHER_MODEL))
    after.restore(signals.items(), 2)
    closed, changed = sorted(
        after.settle(2, prices_of(engine), NOW), key=lambda each: each.signal is not None
    )
    assert closed.ended == "prediction_changed"
    assert changed.signal is not None
    assert changed.signal.model_id == OTHER_MODEL
    assert signals[changed.signal_id].model_id == MODEL


def test_what_no_model_prices_any_more_is_closed() -> None:
    engine = an_engine([X2, OU])
    told = engine.apply(message(X2, "alpha", {"home": "9"}), 1, NOW)
    told += engine.apply(message(OU, "alpha", {"over": "9"}), 2, NOW)
    after = ValueEngine(ValueRules(), THRESHOLDS)
    after.describe(X2, STARTS, None)  # and the other market is gone altogether
    after.restore([(each.signal_id, each.signal) for each in told if each.signal], 2)
    ended = {each.signal_id: each.ended for each in after.settle(2, [], NOW)}
    assert ended == {told[0].signal_id: "prediction_changed", told[1].signal_id: "not_open"}


@pytest.mark.parametrize(
    "rules",
    [
        ValueRules(min_value=Decimal(0)),
        ValueRules(min_value=Decimal(2)),
        ValueRules(fraction=0),
        ValueRules(cap=1.5),
        ValueRules(market_cap=-0.1),
    ],
)
def test_rules_that_nobody_can_mean_are_refused(rules: ValueRules) -> None:
    with pytest.raises(InvalidInput):
        an_engine([X2], rules)


def prices_of(engine: ValueEngine) -> list[BoardQuote]:
    return [quote for each in MARKETS for quote in engine.board.quotes(each.market_id)]
