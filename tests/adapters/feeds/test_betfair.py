from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.feeds.betfair import BetfairMarkets, MarketNames
from application.feeds import FeedHealth
from domain.quotes import QuoteBatch, QuoteLine
from tests.adapters.feeds.betfair_lines import change, definition, message, race, runner
from tests.adapters.feeds.clock import BEGINNING, HandClock

COMET, NOVA = 10, 11


def markets(**options: Any) -> BetfairMarkets:
    clock = HandClock(BEGINNING + timedelta(days=1))
    return BetfairMarkets(FeedHealth("betfair"), clock, **options)


def prices(batch: QuoteBatch) -> dict[tuple[str, str], str | None]:
    return {
        (each.selection_id, each.side): None if each.odds is None else str(each.odds)
        for each in batch.quotes
    }


def opened(read: BetfairMarkets, **more: Any) -> QuoteBatch:
    """Take a race with prices; its one batch."""
    rc = [
        {"id": COMET, "atb": [[3, 20], [2.9, 50]], "atl": [[3.1, 5]]},
        {"id": NOVA, "atb": [[1.5, 7]]},
    ]
    [batch] = read.take(
        message(change(img=True, marketDefinition=race(**more), rc=rc), ct="SUB_IMAGE")
    )
    return batch


def test_an_image_gives_the_best_back_and_lay_of_every_runner_with_what_may_be_staked() -> None:
    batch = opened(markets())
    assert (batch.bookmaker, batch.type, batch.line, batch.complete) == (
        "betfair",
        "WIN",
        None,
        True,
    )
    assert batch.at == datetime(2026, 6, 12, 12, 0, tzinfo=UTC)
    assert batch.selections == (("10", "Comet"), ("11", "Nova"))
    assert batch.quotes == (
        QuoteLine("10", Decimal(3), "back", Decimal(20)),
        QuoteLine("10", Decimal("3.1"), "lay", Decimal(5)),
        QuoteLine("11", Decimal("1.5"), "back", Decimal(7)),
    )


def test_each_race_of_a_meeting_is_a_fixture_of_its_own() -> None:
    event = opened(markets()).event
    assert (event.sport, event.name, event.home) == ("horse_racing", "20:00 Ascot 12th Jun", None)
    assert event.event_id == "31/2026-06-12T20:00Z"


def test_a_change_says_only_what_changed_and_none_for_a_price_that_is_gone() -> None:
    read = markets()
    opened(read)
    rc = [{"id": COMET, "atb": [[3, 0]], "atl": [[3.1, 0]]}]
    [batch] = read.take(message(change(rc=rc)))
    assert not batch.complete
    assert prices(batch) == {("10", "back"): "2.9", ("10", "lay"): None}


def test_a_change_below_the_best_price_says_nothing() -> None:
    read = markets()
    opened(read)
    assert read.take(message(change(rc=[{"id": COMET, "atb": [[2.9, 60]]}]))) == []


def test_an_image_replaces_the_book() -> None:
    read = markets()
    opened(read)
    [batch] = read.take(message(change(img=True, rc=[{"id": NOVA, "atl": [[1.6, 3]]}])))
    assert batch.complete
    assert prices(batch) == {("11", "lay"): "1.6"}


def test_a_removed_runner_withdraws_its_prices_though_the_stream_still_has_them() -> None:
    read = markets()
    opened(read)
    runners = [runner(COMET, 1, "Comet", status="REMOVED"), runner(NOVA, 2, "Nova")]
    [batch] = read.take(message(change(marketDefinition=race(runners=runners))))
    assert prices(batch) == {("10", "back"): None, ("10", "lay"): None}
    assert read.take(message(change(rc=[{"id": COMET, "atb": [[9, 9]]}]))) == []


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED", "INACTIVE"])
def test_a_market_that_is_not_open_withdraws_everything_and_says_it_once(status: str) -> None:
    read = markets()
    opened(read)
    [batch] = read.take(message(change(marketDefinition=race(status=status))))
    assert batch.suspended
    assert batch.quotes == ()
    assert read.take(message(change(rc=[{"id": NOVA, "atb": [[1.4, 7]]}]))) == []


def test_a_market_that_opens_again_says_everything() -> None:
    read = markets()
    opened(read)
    read.take(message(change(marketDefinition=race(status="SUSPENDED"))))
    [batch] = read.take(message(change(marketDefinition=race())))
    assert batch.complete
    assert len(batch.quotes) == 3


def test_a_stream_that_fell_behind_withdraws_until_it_has_caught_up() -> None:
    read = markets()
    opened(read)
    [withdrawn] = read.take(message(change(rc=[{"id": NOVA, "atb": [[1.4, 7]]}]), status=503))
    assert withdrawn.suspended
    assert read.take(message(change(rc=[{"id": NOVA, "atb": [[1.4, 8]]}]), status=503)) == []
    [again] = read.take(message())
    assert again.complete
    assert prices(again)["11", "back"] == "1.5"


def test_what_does_not_change_is_said_again_after_a_while() -> None:
    read = markets()
    opened(read)
    assert read.take(message(seconds=29, ct="HEARTBEAT")) == []
    [batch] = read.take(message(seconds=31, ct="HEARTBEAT"))
    assert len(batch.quotes) == 3
    assert batch.at == datetime(2026, 6, 12, 12, 0, 31, tzinfo=UTC)
    assert read.take(message(seconds=60, ct="HEARTBEAT")) == []


def test_merged_updates_are_noted() -> None:
    health = FeedHealth("betfair")
    read = BetfairMarkets(health, HandClock())
    read.take(message(change(con=True, marketDefinition=race())))
    assert health.notes == {"merged updates": 1}


def test_an_image_in_parts_is_quoted_when_it_is_whole() -> None:
    read = markets()
    first = change("1.1", img=True, marketDefinition=race(), rc=[{"id": NOVA, "atb": [[2, 1]]}])
    second = change("1.2", img=True, marketDefinition=race(), rc=[{"id": NOVA, "atb": [[4, 1]]}])
    assert read.take(message(first, ct="SUB_IMAGE", segmentType="SEG_START")) == []
    assert read.take(message(ct="SUB_IMAGE", segmentType="SEG")) == []
    batches = read.take(message(second, ct="SUB_IMAGE", segmentType="SEG_END"))
    assert [prices(batch) for batch in batches] == [{("11", "back"): "2"}, {("11", "back"): "4"}]


@pytest.mark.parametrize("segments", [(None,), ("SEG_START", "SEG_END")])
def test_a_new_image_withdraws_the_markets_that_it_lacks(segments: tuple[str | None, ...]) -> None:
    read = markets()
    opened(read)
    other = change("1.2", img=True, marketDefinition=race(marketTime="2026-06-12T21:00:00Z"))
    batches: list[QuoteBatch] = []
    for segment in segments:
        mc = [other] if segment in {None, "SEG_END"} else []
        batches += read.take(message(*mc, ct="SUB_IMAGE", segmentType=segment))
    assert [(batch.event.name, batch.suspended) for batch in batches] == [
        ("20:00 Ascot 12th Jun", True),
        ("21:00 Ascot 12th Jun", False),
    ]


def test_after_a_new_connection_everything_is_said_again() -> None:
    read = markets()
    opened(read)
    read.resume()
    [batch] = read.take(message(change(rc=[{"id": NOVA, "atb": [[1.6, 1]]}]), ct="RESUB_DELTA"))
    assert batch.complete
    assert prices(batch)["11", "back"] == "1.6"
    assert len(batch.quotes) == 3


def test_absurd_prices_are_counted_and_withdraw_what_stood_there() -> None:
    health = FeedHealth("betfair")
    read = BetfairMarkets(health, HandClock(BEGINNING + timedelta(days=1)))
    opened(read)
    rc = [{"id": COMET, "atb": [[1e9, 2]]}, {"id": NOVA, "atb": [[1.5, 0], [0.5, 3]]}]
    [batch] = read.take(message(change(rc=rc)))
    assert prices(batch) == {("10", "back"): None, ("11", "back"): None}
    assert health.rejections.total == 2


def test_a_time_in_the_future_or_none_is_taken_for_now() -> None:
    health = FeedHealth("betfair")
    read = BetfairMarkets(health, HandClock())
    [batch] = read.take(message(change(marketDefinition=race()), seconds=10**9))
    assert batch.at == BEGINNING
    assert list(health.rejections.counts) == ["publish time lies in the future"]


# ---- which market it is


def match(
    market_type: str, runners: list[dict[str, Any]], rc: list[dict[str, Any]]
) -> list[QuoteBatch]:
    described = definition(marketType=market_type, runners=runners)
    return list(markets().take(message(change(marketDefinition=described, rc=rc))))


def test_match_odds_with_a_draw_are_1x2() -> None:
    read = markets()
    rc = [{"id": each, "atb": [[each % 7 + 2, 1]]} for each in (1, 2, 58805)]
    [batch] = read.take(message(change(marketDefinition=definition(), rc=rc)))
    assert (batch.type, batch.event.home, batch.event.away) == ("1X2", "Reds", "Blues")
    assert batch.selections == (("home", "Reds"), ("draw", "Draw"), ("away", "Blues"))
    assert prices(batch) == {("home", "back"): "3", ("away", "back"): "4", ("draw", "back"): "7"}


def test_match_odds_of_two_runners_are_two_way() -> None:
    [batch] = match("MATCH_ODDS", [runner(5, 1, "A"), runner(6, 2, "B")], [])
    assert batch.type == "ML"
    assert [each for each, _ in batch.selections] == ["home", "away"]


@pytest.mark.parametrize(
    ("market_type", "line"),
    [("OVER_UNDER_25", "2.5"), ("OVER_UNDER_05", "0.5"), ("OVER_UNDER_105", "10.5")],
)
def test_totals_have_their_line_and_under_comes_first_at_betfair(
    market_type: str, line: str
) -> None:
    runners = [runner(47972, 1, "Under"), runner(47973, 2, "Over")]
    [batch] = match(market_type, runners, [{"id": 47972, "atb": [[1.8, 3]]}])
    assert (batch.type, batch.line) == ("OU", Decimal(line))
    assert prices(batch) == {("under", "back"): "1.8"}


@pytest.mark.parametrize(
    ("market_type", "ours", "selections"),
    [
        ("BOTH_TEAMS_TO_SCORE", "BTTS", ["yes", "no"]),
        ("DRAW_NO_BET", "DNB", ["home", "away"]),
        ("DOUBLE_CHANCE", "DC", ["home_draw", "draw_away", "home_away"]),
    ],
)
def test_other_markets_of_a_match_follow_betfairs_order(
    market_type: str, ours: str, selections: list[str]
) -> None:
    runners = [runner(at, at) for at in range(1, len(selections) + 1)]
    rc = [{"id": each["id"], "atb": [[each["id"] + 1, 1]]} for each in runners]
    [batch] = match(market_type, runners, rc)
    assert batch.type == ours
    assert [each.selection_id for each in batch.quotes] == selections


@pytest.mark.parametrize(
    ("market_type", "names"),
    [
        ("OVER_UNDER_25", ["Over 2.5 Goals", "Under 2.5 Goals"]),
        ("BOTH_TEAMS_TO_SCORE", ["No", "Yes"]),
        ("MATCH_ODDS", ["Reds", "The Draw", "Blues"]),
        ("DOUBLE_CHANCE", ["Home or Draw", "Home or Away", "Draw or Away"]),
    ],
)
def test_runners_whose_names_contradict_their_order_are_never_quoted(
    market_type: str, names: list[str]
) -> None:
    runners = [runner(at, at, name) for at, name in enumerate(names, 1)]
    assert match(market_type, runners, [{"id": 1, "atb": [[2, 1]]}]) == []


def test_an_asian_handicap_market_is_one_of_ours_for_each_line_of_the_home_side() -> None:
    runners = [
        runner(1, 1, "Reds", hc=-0.5),
        runner(2, 2, "Blues", hc=0.5),
        runner(1, 3, "Reds", hc=0.0),
        runner(2, 4, "Blues", hc=0.0),
        runner(1, 5, "Reds", hc=0.25),
        runner(2, 6, "Blues", hc=-0.25),
    ]
    rc = [
        {"id": 1, "hc": -0.5, "atb": [[2.1, 1]]},
        {"id": 2, "hc": 0.5, "atl": [[1.9, 1]]},
        {"id": 2, "hc": -0.25, "atb": [[2.2, 1]]},
    ]
    batches = match("ASIAN_HANDICAP", runners, rc)
    assert [(batch.type, str(batch.line), prices(batch)) for batch in batches] == [
        ("AH", "-0.5", {("home", "back"): "2.1", ("away", "lay"): "1.9"}),
        ("AH", "0", {}),
        ("AH", "0.25", {("away", "back"): "2.2"}),
    ]
    assert batches[0].selections == (("home", "Reds -0.5"), ("away", "Blues +0.5"))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"marketType": "CORRECT_SCORE"}, "market type is not read"),
        ({"marketType": "OVER_UNDER_X"}, "market type is not read"),
        ({"eventName": None}, "event's name is missing"),
        ({"eventName": "Winner 2026"}, "market's event does not name two sides"),
        ({"marketTime": None}, "market time is missing"),
        ({"runners": []}, "market has another number of runners than its type"),
        (
            {"marketType": "ASIAN_HANDICAP", "runners": []},
            "market has another number of runners than its type",
        ),
    ],
)
def test_a_market_that_fairbook_does_not_have_is_counted_and_quoted_never(
    more: dict[str, Any], reason: str
) -> None:
    health = FeedHealth("betfair")
    read = BetfairMarkets(health, HandClock())
    rc = [{"id": 1, "atb": [[2, 1]]}]
    assert read.take(message(change(marketDefinition=definition(**more), rc=rc))) == []
    assert health.rejections.counts == {reason: 1}


def test_prices_before_a_definition_are_counted() -> None:
    health = FeedHealth("betfair")
    read = BetfairMarkets(health, HandClock())
    assert read.take(message(change(rc=[{"id": 1, "atb": [[2, 1]]}]))) == []
    assert health.rejections.counts == {"prices before the market's definition": 1}


def test_a_live_market_waits_for_its_names() -> None:
    read = markets(withhold_unnamed=True)
    nameless = race(eventName=None, runners=[runner(COMET, 1), runner(NOVA, 2)], venue="Ascot")
    rc = [{"id": COMET, "atb": [[2, 1]]}]
    assert read.take(message(change(marketDefinition=nameless, rc=rc))) == []
    assert read.unnamed == {"1.1"}
    read.named(
        {"1.1": MarketNames("Ascot 12th Jun", "Royal Ascot", {COMET: "Comet", NOVA: "Nova"})}
    )
    [batch] = read.take(message(ct="HEARTBEAT"))
    assert batch.selections == (("10", "Comet"), ("11", "Nova"))
    assert batch.event.competition == "Royal Ascot"
    assert read.unnamed == set()
