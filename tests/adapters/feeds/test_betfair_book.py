import bz2
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feeds.betfair_book import BetfairBook, Offer, RunnerBook
from adapters.feeds.betfair_messages import RunnerChange, decode_stream_message

DATA = Path(os.environ.get("FAIRBOOK_DATA", Path(__file__).parents[3] / "../shared/data"))
RECORDING = DATA / "betfair" / "horse_win_1.206064380.bz2"
REMOVED = DATA / "betfair" / "market_definition_runner_removed.json"
SIDES = ("atb", "atl", "trd")

Naive = dict[tuple[int, Decimal], dict[str, dict[Decimal, Decimal]]]


def naively(book: Naive, market: dict[str, Any]) -> Naive:
    """The book with each changed row's ladder made anew."""
    runners = {} if market.get("img") else book
    for change in market.get("rc", []):
        sides = runners.setdefault(
            (change["id"], Decimal(change.get("hc", 0))), {name: {} for name in SIDES}
        )
        for name in SIDES:
            for price, size in change.get(name, []):
                others = {each: sides[name][each] for each in sides[name] if each != price}
                sides[name] = {**others, price: size} if size != 0 else others
    return runners


@pytest.mark.skipif(not RECORDING.exists(), reason=f"no Betfair recording in {DATA}")
def test_a_recorded_races_book_is_that_of_a_naive_rebuild_at_every_message() -> None:
    book = BetfairBook("1.206064380")
    naive: Naive = {}
    messages = suspended = removed = 0
    with bz2.open(RECORDING) as lines:
        for line in lines:
            messages += 1
            changed: set[tuple[int, Decimal]] = set()
            for market in json.loads(line, parse_float=Decimal)["mc"]:
                naive = naively(naive, market)
                changed |= {
                    (each["id"], Decimal(each.get("hc", 0))) for each in market.get("rc", [])
                }
            # Every hundredth time all of it: nothing else may have changed.
            if messages % 100 == 0 or not changed:
                changed = set(naive)
            for change in decode_stream_message(line).mc:
                book.apply(change)
            assert book.runners.keys() == naive.keys()
            for key in changed:
                runner = book.runners[key]
                for name, ladder in naive[key].items():
                    assert getattr(runner, name) == ladder, (messages, key, name)
            suspended += not book.is_open
            assert book.definition is not None
            gone = {each.id for each in book.definition.runners if each.status == "REMOVED"}
            assert not gone & {each.id for each, _ in book.active()}
            removed += bool(gone)
    for key, sides in naive.items():
        back, lay = book.runners[key].best_back(), book.runners[key].best_lay()
        assert (back and (back.price, back.size)) == max(sides["atb"].items(), default=None)
        assert (lay and (lay.price, lay.size)) == min(sides["atl"].items(), default=None)
    assert messages == 18_793
    assert suspended > 0
    assert removed > 0
    assert book.definition is not None
    assert book.definition.status == "CLOSED"


@pytest.mark.skipif(not REMOVED.exists(), reason=f"no Betfair market definition in {DATA}")
def test_runners_that_the_definition_no_longer_names_offer_nothing() -> None:
    book = BetfairBook("1.185781457")
    for change in decode_stream_message(REMOVED.read_bytes()).mc:
        book.apply(change)
    assert {runner_id for runner_id, _ in book.runners} == {28460059, 28310582, 20689392}
    offered = {runner.id: ladders for runner, ladders in book.active()}
    assert offered.keys() == {17427522, 26706332, 28460059}
    ladders = offered[28460059]
    assert ladders is not None
    assert ladders.best_back() == Offer(Decimal("9.6"), Decimal("33.87"))
    assert ladders.best_lay() == Offer(Decimal(10), Decimal("45.91"))


ROWS = st.lists(
    st.tuples(
        st.sampled_from(
            [Decimal("1.01"), Decimal("1.5"), Decimal(2), Decimal("3.45"), Decimal(1000)]
        ),
        st.sampled_from([Decimal(0), Decimal("0.01"), Decimal(2), Decimal("1e6")]),
    ),
    max_size=12,
)


@given(st.lists(st.tuples(ROWS, ROWS), max_size=10))
def test_a_ladder_holds_the_last_size_of_each_price_and_nothing_that_was_deleted(
    changes: list[tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]],
) -> None:
    runner = RunnerBook()
    last: dict[Decimal, Decimal] = {}
    for backs, lays in changes:
        runner.apply(RunnerChange(id=1, atb=tuple(backs), atl=tuple(lays)))
        last |= dict(backs)
    offered = {price: size for price, size in last.items() if size}
    assert runner.atb == offered
    best = runner.best_back()
    assert (best and best.price) == max(offered, default=None)


def test_levels_replace_each_other_and_the_displayed_ones_speak_first() -> None:
    runner = RunnerBook()
    rows = ((1, Decimal(4), Decimal(9)), (0, Decimal(5), Decimal(2)))
    runner.apply(RunnerChange(id=1, batb=rows))
    assert runner.best_back() == Offer(Decimal(5), Decimal(2))
    runner.apply(RunnerChange(id=1, batb=((0, Decimal("4.5"), Decimal(3)),)))
    assert runner.best_back() == Offer(Decimal("4.5"), Decimal(3))
    runner.apply(RunnerChange(id=1, batb=((0, Decimal(0), Decimal(0)),)))
    assert runner.best_back() == Offer(Decimal(4), Decimal(9))
    runner.apply(RunnerChange(id=1, bdatb=((0, Decimal("4.6"), Decimal(1)),)))
    assert runner.best_back() == Offer(Decimal("4.6"), Decimal(1))


def test_handicaps_keep_runners_of_one_id_apart() -> None:
    book = BetfairBook("1.1")
    line = (
        b'{"op":"mcm","mc":[{"id":"1.1","rc":['
        b'{"id":7,"hc":-0.5,"atb":[[1.9,10]]},{"id":7,"hc":0.5,"atb":[[2.1,10]]}]}]}'
    )
    book.apply(decode_stream_message(line).mc[0])
    assert book.runners.keys() == {(7, Decimal("-0.5")), (7, Decimal("0.5"))}
