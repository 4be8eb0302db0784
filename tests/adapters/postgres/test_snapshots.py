"""Snapshots of states: readable again, and of a shape that has a version."""

from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.postgres.snapshots import (
    SHAPES,
    SNAPSHOT_VERSION,
    decode_snapshot,
    encode_snapshot,
    shape_of,
)
from domain.account import Account
from domain.events.account import AccountLimits
from domain.liability import Liability, LiabilityBook, Sums
from domain.odds import HousePrices
from domain.streams import STATE_OF_FIRST_EVENT, State
from tests.builders import NOW, an_id, given_account, given_bet, given_market
from tests.domain.write_golden import shape

STATES: list[State] = [
    given_account(),
    Account(an_id("a"), 7, "Ålice", "EUR", 2**53 - 1, 12, 34),
    Account(an_id("a"), 7, "a", "EUR", limits=AccountLimits(5), withdrawing_minor=3),
    Liability(an_id("m"), 3),
    Liability(
        an_id("m"),
        9,
        {
            "EUR": LiabilityBook({"Ålesund": Sums(1, 2, 3)}, {"home": Sums(4, 5, 6)}),
            "GBP": LiabilityBook(others=Sums(7, 8, 2**60)),
        },
    ),
    HousePrices(0),
    HousePrices(
        9, {"home": (Decimal("2.50"), NOW), "Ålesund": (Decimal("1E+2"), NOW + timedelta(1e-6))}
    ),
]


@pytest.mark.parametrize("state", STATES, ids=repr)
def test_a_state_comes_back_as_it_was(state: State) -> None:
    kept_as = shape_of(state)
    assert kept_as in SHAPES
    assert decode_snapshot(kept_as, encode_snapshot(state)) == state


def test_streams_that_stay_short_have_no_snapshots() -> None:
    assert shape_of(given_bet()) is None
    assert shape_of(given_market()) is None
    assert {kind.__name__ for kind in set(STATE_OF_FIRST_EVENT.values())} >= {
        name.split(".")[0] for name in SHAPES
    }


def test_the_shape_of_a_state_changes_only_with_the_version_of_snapshots() -> None:
    """When this fails: raise SNAPSHOT_VERSION in adapters/postgres/snapshots.py, then write the new shape here."""
    limit = {"any of": ["int", "nil"]}
    assert (SNAPSHOT_VERSION, shape(Account), shape(HousePrices)) == (
        4,
        {
            "account_id": "UUID",
            "version": "int",
            "owner": "str",
            "currency": "str",
            "available_minor?": "int",
            "in_play_minor?": "int",
            "promised_minor?": "int",
            "commission?": {"any of": ["Decimal", "nil"]},
            "bonus_minor?": "int",
            "limits?": {
                "any of": [{"max_in_play_minor?": limit, "max_profit_minor?": limit}, "nil"]
            },
            "withdrawing_minor?": "int",
        },
        {"version": "int", "prices?": "dict"},
    )
    sums = {"bets?": "int", "stake_minor?": "int", "return_minor?": "int"}
    assert (shape(Liability), shape(LiabilityBook), shape(Sums)) == (
        {"market_id": "UUID", "version": "int", "books?": "dict"},
        {"backs?": "dict", "lays?": "dict", "others?": sums},
        sums,
    )
