"""Training: the same results give the same model, what comes later changes nothing, and what is worse is found out."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from msgspec.structs import replace

from application.football.predicting import Asked, known_side, predict, read_goals
from application.football.training import (
    Active,
    Learned,
    Lesson,
    digest_of,
    learn,
    new_sides,
    over_by,
)
from domain.events.market import Fixture, MarketType
from domain.events.model import Estimate
from domain.forecast import check_prediction
from domain.market import Market
from domain.model import Model, check_trained, model_id_of
from domain.outcomes import Proposition
from domain.prediction.goals_artefact import goals_from_bytes
from domain.prediction.goals_table import FINISHED_AFTER, PlayedMatch
from domain.refusals import (
    InvalidInput,
    NoMatches,
    NotOffered,
    PredictionTooLate,
    UnknownTeam,
)
from tests.builders import an_id, given

TEAMS = ("Arsenal", "Chelsea", "Wolves", "Man United", "Leeds", "Everton")
BEGIN = datetime(2023, 8, 5, 15, 0, tzinfo=UTC)
ROUNDS = 30


def season(seed: int = 1, rounds: int = ROUNDS) -> tuple[PlayedMatch, ...]:
    """Three matches every week; the first teams are better than the last ones."""
    rng = random.Random(seed)
    played = []
    for number in range(rounds):
        order = rng.sample(range(len(TEAMS)), len(TEAMS))
        for home, away in zip(order[::2], order[1::2], strict=True):
            goals = [rng.choices(range(5), (30, 34, 20, 10, 6))[0] for _ in range(2)]
            goals[0 if home < away else 1] += rng.choice((0, 1, 1))
            at = BEGIN + timedelta(days=7 * number)
            played.append(PlayedMatch(TEAMS[home], TEAMS[away], goals[0], goals[1], at))
    return tuple(played)


def lesson(matches: tuple[PlayedMatch, ...] = season(), **members: object) -> Lesson:
    return Lesson("Premier League", "ledger", matches, "0.1.0", **members)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def learned() -> Learned:
    return learn(lesson())


def registered(found: Learned) -> Model:
    state = given(model_id_of(found.trained), found.trained)
    assert isinstance(state, Model)
    return state


def fixture(home: str = "Arsenal", away: str = "Everton", days: int = 400) -> Fixture:
    return Fixture(
        "football",
        "Premier League",
        f"{home} v {away}",
        BEGIN + timedelta(days=days),
        an_id("coming"),
        home,
        away,
    )


def asked(market_type: MarketType, *selections: str, line: str | None = None) -> Asked:
    number = None if line is None else Decimal(line)
    return Asked(an_id(f"{market_type}{line}"), Proposition(market_type, number, selections))


MARKETS = [
    asked("1X2", "home", "draw", "away"),
    asked("OU", "over", "under", line="2.25"),
    asked("AH", "home", "away", line="-0.75"),
    asked("BTTS", "yes", "no"),
    asked("DC", "home_draw", "home_away", "draw_away"),
    asked("DNB", "home", "away"),
    asked("CS", "0-0", "1-0", "2-1"),
]


def test_a_model_says_what_it_learned_from(learned: Learned) -> None:
    trained = learned.trained
    check_trained(trained)
    matches = season()
    assert trained.data.rows == len(matches) == 90
    assert trained.data.since == BEGIN
    assert trained.data.until == matches[-1].played_at + FINISHED_AFTER
    assert trained.data.digest == digest_of(over_by(matches, None)[0])
    assert goals_from_bytes(learned.content).teams == tuple(sorted(TEAMS))
    assert learned.evaluations[0].matches == 45
    assert set(trained.metrics) == {"log_loss", "rps", "brier"}


def test_the_same_results_give_the_same_artefact_whatever_their_order(learned: Learned) -> None:
    shuffled = list(season())
    random.Random(2).shuffle(shuffled)
    assert learn(lesson(tuple(shuffled))) == learned


def test_results_of_the_future_change_neither_artefact_nor_prediction(learned: Learned) -> None:
    as_of = learned.trained.data.until
    future = tuple(
        replace(match, played_at=match.played_at + timedelta(days=365), home_goals=9)
        for match in season(3)
    )
    # One that is being played at that very moment, and cannot be known.
    running = PlayedMatch("Leeds", "Chelsea", 9, 0, as_of - FINISHED_AFTER + timedelta(seconds=1))
    again = learn(lesson((*future, running, *season()), as_of=as_of))
    assert again.content == learned.content
    assert again.trained == learned.trained
    one, other = (
        predict(registered(each), goals_from_bytes(each.content), fixture(), MARKETS)
        for each in (learned, again)
    )
    assert one == other


def test_an_earlier_moment_knows_less(learned: Learned) -> None:
    earlier = learn(lesson(as_of=learned.trained.data.until - timedelta(days=8)))
    assert earlier.trained.data.rows == 84
    assert earlier.trained.artefact != learned.trained.artefact
    with pytest.raises(NoMatches):
        learn(lesson(as_of=BEGIN))
    with pytest.raises(NoMatches):
        learn(lesson(()))


def test_every_market_that_scores_decide_is_predicted_as_the_ledger_takes_it(
    learned: Learned,
) -> None:
    model = registered(learned)
    horse = asked("WIN", "red", "green")
    found = predict(model, goals_from_bytes(learned.content), fixture(), [*MARKETS, horse])
    assert found.made is not None
    assert list(found.refused) == [horse.market_id]
    markets: dict[UUID, Market] = {
        market.market_id: Market(
            market.market_id,
            1,
            fixture(),
            market.proposition.type,
            market.proposition.line,
            dict.fromkeys(market.proposition.selections, ""),
            "external",
            None,
        )
        for market in MARKETS
    }
    check_prediction(found.made, model, markets, found.made.as_of)
    by_type = {each.type: {c.selection_id: c for c in each.chances} for each in found.made.markets}
    assert by_type["1X2"]["home"].probability > by_type["1X2"]["away"].probability
    assert by_type["1X2"]["home"].low < by_type["1X2"]["home"].probability
    assert by_type["DNB"]["home"].refund == pytest.approx(by_type["1X2"]["draw"].probability)
    assert by_type["OU"]["over"].refund > 0
    assert found.made.expected_goals is not None
    assert found.made.expected_goals.home.mean > found.made.expected_goals.away.mean


def test_a_side_is_known_by_another_name_only_beyond_doubt(learned: Learned) -> None:
    teams = goals_from_bytes(learned.content).teams
    assert known_side("Wolverhampton Wanderers", teams) == "Wolves"
    assert known_side("Manchester United", teams) == "Man United"
    for name in ("Manchester City", "Arsenal Women", "Norwich", ""):
        with pytest.raises(UnknownTeam, match="does not know"):
            known_side(name, teams)
    with pytest.raises(UnknownTeam):
        known_side("Wolverhampton", ("Wolves", "Wolverhampton Wanderers"))
    model = registered(learned)
    with pytest.raises(UnknownTeam, match="Norwich"):
        predict(model, read_goals(model, learned.content), fixture("Norwich"), MARKETS)


def test_a_fixture_that_had_begun_is_not_predicted(learned: Learned) -> None:
    model = registered(learned)
    goals = read_goals(model, learned.content)
    with pytest.raises(PredictionTooLate):
        predict(model, goals, fixture(days=100), MARKETS)
    with pytest.raises(InvalidInput):
        predict(model, goals, replace(fixture(), home=None), MARKETS)
    stack = replace(model, trained=replace(model.trained, kind="football.stack"))
    with pytest.raises(NotOffered, match="stack"):
        read_goals(stack, learned.content)


def test_a_coming_side_that_never_played_is_a_newcomer() -> None:
    found = learn(lesson(coming=("Norwich", "Arsenal")))
    assert set(goals_from_bytes(found.content).teams) == {*TEAMS, "Norwich"}


def test_a_coming_side_that_may_be_a_known_one_spelt_otherwise_is_no_newcomer() -> None:
    coming = ("Manchester United", "Manchester Utd FC", "Wolverhampton", "Chelsea", "Luton")
    assert new_sides(coming, season()) == ["Chelsea", "Luton"]
    found = learn(lesson(coming=coming, named=("Wolverhampton",)))
    assert set(goals_from_bytes(found.content).teams) == {*TEAMS, "Luton", "Wolverhampton"}


def active(found: Learned) -> Active:
    return Active(model_id_of(found.trained), found.trained, found.content)


def test_the_same_way_of_learning_is_no_worse_than_itself(learned: Learned) -> None:
    again = learn(lesson(active=active(learned)))
    assert again.content == learned.content
    alone, compared = again.evaluations
    assert alone == learned.evaluations[0]
    assert compared.against == model_id_of(learned.trained)
    assert compared.difference is not None
    assert compared.difference == Estimate(Decimal(0), Decimal(0), Decimal(0))
    assert compared.matches == 45


def test_an_active_model_is_held_against_what_it_has_not_seen(learned: Learned) -> None:
    early = learn(lesson(as_of=BEGIN + timedelta(days=7 * 15)))
    found = learn(lesson(active=active(early)))
    compared = found.evaluations[1]
    assert compared.since >= early.trained.data.until
    assert compared.matches == 45
    assert compared.difference is not None
    assert compared.difference.low <= compared.difference.mean <= compared.difference.high


def test_an_active_model_that_learned_elsewhere_is_judged_on_what_it_has_not_seen(
    learned: Learned,
) -> None:
    before = tuple(
        replace(match, played_at=match.played_at - timedelta(days=364)) for match in season(4)
    )
    found = learn(lesson(active=active(learn(lesson(before)))))
    assert found.content == learned.content
    compared = found.evaluations[1]
    assert compared.matches == 45
    assert compared.difference is not None
    assert compared.difference.low < compared.difference.high, "its own forecasts, not its way"


def test_progress_ends_at_the_whole(learned: Learned) -> None:
    shares: list[float] = []
    learn(lesson(active=active(learned)), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
