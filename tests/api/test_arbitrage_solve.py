"""POST /v1/arbitrage/solve: bets in, stakes out, whatever is wrong with them named."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec
import pytest

from tests.service import Client, Json, People, Service

PATH: Final = "/v1/arbitrage/solve"
Raw = msgspec.Raw


def bet(bookmaker: str, odds: object, kind: str, selection: str, **more: Any) -> Json:
    return {"bookmaker": bookmaker, "odds": odds, "type": kind, "selection_id": selection, **more}


def raw(bookmaker: str, odds: object, *payoffs: object, **more: Any) -> Json:
    return {"bookmaker": bookmaker, "odds": odds, "payoffs": list(payoffs), **more}


def body(*bets: Json, total: object = 100_000, **more: Any) -> Json:
    return {"bets": list(bets), "total_stake_minor": total, **more}


TWO_WAY: Final = (
    bet("a", 2.1, "OU", "over", line=2.5),
    bet("b", 2.1, "OU", "under", line=2.5),
)


def solve(client: Client, *bets: Json, **more: Any) -> Json:
    solved = client.post(PATH, body(*bets, **more)).ok()
    check(solved, bets)
    return solved


def check(solved: Json, bets: tuple[Json, ...]) -> None:
    """What every answer holds."""
    assert solved["guaranteed_profit_minor"] == min(s["profit_minor"] for s in solved["states"])
    assert solved["outlay_minor"] == sum(leg["at_risk_minor"] for leg in solved["legs"])
    assert len(solved["state_prices"]) == len(solved["states"])
    assert sum(solved["state_prices"]) == pytest.approx(1)
    bookmakers = [leg["bookmaker"] for leg in solved["legs"]]
    assert len(bookmakers) == len(set(bookmakers))
    for leg in solved["legs"]:
        asked = bets[leg["index"]]
        assert (leg["bookmaker"], leg["odds"]) == (asked["bookmaker"], asked["odds"])
    assert solved["is_arbitrage"] == (
        solved["margin"] > 0 and solved["guaranteed_profit_minor"] > 0
    )


# ---- what is found


def profits(solved: Json) -> dict[str, int]:
    return {state["name"]: state["profit_minor"] for state in solved["states"]}


def test_a_two_way_arbitrage_is_found_for_everybody_who_is_signed_in(people: People) -> None:
    for client in (people.trader(), people.operator, people.auditor, people.admin):
        solved = solve(client, *TWO_WAY, currency="EUR")
        assert profits(solved) == {"0 to 2 goals": 5_000, "3 or more goals": 5_000}
        del solved["states"]
        leg = {"side": "back", "odds": 2.1, "stake_minor": 50_000, "at_risk_minor": 50_000}
        assert solved == {
            "is_arbitrage": True,
            "margin": 0.05,
            "guaranteed_profit_minor": 5_000,
            "outlay_minor": 100_000,
            "currency": "EUR",
            "legs": [{"index": 0, "bookmaker": "a"} | leg, {"index": 1, "bookmaker": "b"} | leg],
            "state_prices": [0.5, 0.5],
            "warnings": [],
        }


def test_where_there_is_none_the_least_loss_says_how_far(trader: Client) -> None:
    solved = solve(trader, bet("a", 1.9, "ML", "home"), bet("b", 1.9, "ML", "away"))
    assert not solved["is_arbitrage"]
    assert solved["margin"] == -0.05
    assert solved["guaranteed_profit_minor"] == -5_000
    assert [leg["stake_minor"] for leg in solved["legs"]] == [50_000, 50_000]
    assert solved["warnings"] == []


def test_markets_are_combined(trader: Client) -> None:
    """Home, draw and away at level: 1/a + 1/b + (1 − 1/b)/x of DOMAIN.md is 0.9537."""
    bets = (
        bet("a", 2.5, "1X2", "home"),
        bet("b", 4.0, "1X2", "draw"),
        bet("c", 2.35, "AH", "away", line=0),
        bet("d", 1.2, "DC", "home_draw"),
    )
    solved = solve(trader, *bets)
    cost = 1 / 2.5 + 1 / 2.35 + (1 - 1 / 2.35) / 4
    assert solved["is_arbitrage"]
    assert solved["margin"] == pytest.approx(1 / cost - 1, abs=1e-6)
    assert profits(solved).keys() == {"home", "draw", "away"}
    assert {leg["index"] for leg in solved["legs"]} == {0, 1, 2}
    assert solved["guaranteed_profit_minor"] == pytest.approx(100_000 * (1 / cost - 1), abs=2)


def test_back_and_lay_with_commission(trader: Client) -> None:
    back = bet("a", 3.2, "1X2", "home", max_stake_minor=1_000)
    lay = bet("x", 3.0, "1X2", "home", side="lay", commission=0.05)
    solved = solve(trader, back, lay, total=10_000)
    stakes = {leg["side"]: leg["stake_minor"] for leg in solved["legs"]}
    assert stakes["lay"] == pytest.approx(stakes["back"] * 3.2 / 2.95, abs=2)
    assert stakes["back"] <= 1_000
    assert solved["is_arbitrage"]
    assert profits(solved).keys() == {"home", "draw", "away"}


def test_payoffs_may_be_given_as_they_are(trader: Client) -> None:
    bets = (raw("a", 2.5, None, 0, 0), raw("b", 4, 0, None, 0), raw("c", 2.35, 0, 1, None))
    solved = solve(trader, *bets, states=["home", "draw", "away"])
    same = solve(
        trader,
        bet("a", 2.5, "1X2", "home"),
        bet("b", 4, "1X2", "draw"),
        bet("c", 2.35, "AH", "away", line=0),
    )
    assert solved == same
    assert profits(solve(trader, *bets)).keys() == {"state 1", "state 2", "state 3"}
    assert solve(trader, raw("a", 2.15, 2.15, 0), raw("b", 2.15, 0, 2.15))["margin"] == 0.075


def test_races_and_scores_name_what_else_can_happen(trader: Client) -> None:
    runners = ["1", "2", "3"]
    bets = tuple(bet(name, 3.3, "WIN", name) for name in runners)
    assert solve(trader, *bets, runners=runners)["margin"] == 0.1
    assert not solve(trader, *bets, runners=[*runners, "4"])["is_arbitrage"]
    scores = (bet("a", 12, "CS", "0-0"), bet("b", 1.2, "CS", "other"))
    assert solve(trader, *scores, scores=["0-0"])["is_arbitrage"]
    assert not solve(trader, *scores, scores=["0-0", "1-0"])["is_arbitrage"]


def test_a_bookmaker_gives_one_bet(trader: Client) -> None:
    bets = tuple(each | {"bookmaker": name} for each, name in zip(TWO_WAY, "Aa", strict=True))
    solved = solve(trader, *bets)
    assert not solved["is_arbitrage"]
    assert solved["warnings"] == ["only_with_two_bets_of_one_bookmaker"]
    worse = bet("c", 2.0, "OU", "under", line=2.5)
    solved = solve(trader, *bets, worse)
    assert [leg["index"] for leg in solved["legs"]] == [0, 2]
    assert solved["margin"] == pytest.approx(1 / (1 / 2.1 + 1 / 2) - 1, abs=1e-6)


def test_steps_and_limits_hold(trader: Client) -> None:
    one, other = TWO_WAY
    solved = solve(trader, one, other, step_minor=1_000, total=99_999)
    assert [leg["stake_minor"] for leg in solved["legs"]] == [49_000, 49_000]
    solved = solve(
        trader, one | {"step_minor": 500}, other | {"max_stake_minor": 10_050}, step_minor=50
    )
    assert solved["legs"][0]["stake_minor"] % 500 == 0
    assert solved["legs"][1]["at_risk_minor"] <= 10_050
    third = bet("c", 2.05, "OU", "under", line=2.5)
    filled = solve(trader, one, other | {"max_stake_minor": 10_050}, third)
    assert filled["guaranteed_profit_minor"] > solved["guaranteed_profit_minor"]
    assert len(filled["legs"]) == 3


def test_what_rounding_undoes_is_no_arbitrage(trader: Client) -> None:
    one, other = (each | {"odds": 2.001} for each in TWO_WAY)
    solved = solve(trader, one, other, total=20)
    assert (solved["is_arbitrage"], solved["warnings"]) == (False, ["rounding_eats_the_profit"])
    solved = solve(trader, *TWO_WAY, total=1_000, step_minor=600)
    assert (solved["legs"], solved["outlay_minor"]) == ([], 0)
    assert solved["warnings"] == ["stakes_do_not_fit"]


def test_a_margin_too_good_to_be_true_is_doubted(trader: Client) -> None:
    one, other = (each | {"odds": 2.3} for each in TWO_WAY)
    assert solve(trader, one, other)["warnings"] == ["margin_over_10_percent"]


def test_solving_changes_nothing(trader: Client, service: Service) -> None:
    before = service.head()
    solve(trader, *TWO_WAY)
    assert service.head() == before


def test_many_ask_at_once_and_large_sets_are_answered(people: People) -> None:
    large = body(
        *(
            bet(f"b{n % 40}", 1.5 + (n * 7919 % 97) / 20, kind, side, line=line)
            for n in range(100)
            for kind, side, line in [
                ("AH", ("home", "away")[n % 2], n % 9 - 4),
                ("OU", ("over", "under")[n % 2], n % 7 + 0.5),
            ]
        )
    )

    def ask(number: int) -> Json:
        client = people.trader()
        sent = large if number % 4 == 0 else body(*TWO_WAY)
        return client.post(PATH, sent).ok()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(16)))
    assert all(answer["margin"] == 0.05 for n, answer in enumerate(answers) if n % 4)
    assert len({msgspec.json.encode(answer) for answer in answers[::4]}) == 1


# ---- what is refused

ONE, OTHER = TWO_WAY


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        (body(), 400, "bets"),
        (body(*(ONE for _ in range(201))), 400, "bets"),
        (body(ONE, total=0), 400, "total_stake_minor"),
        (body(ONE, total=1.5), 400, "total_stake_minor"),
        (body(ONE, total=10**15 + 1), 400, "total_stake_minor"),
        ({"bets": [ONE]}, 400, "body"),
        (body(ONE, step_minor=0), 400, "step_minor"),
        (body(ONE, currency="eur"), 400, "currency"),
        (body(ONE, currency="XXX"), 422, "currency"),
        (body(ONE, stake=3), 400, "stake"),
        (body(ONE | {"odds": "2.1"}), 400, "odds"),
        (body(ONE | {"odds": 1}), 422, "bets[0].odds"),
        (body(ONE, OTHER | {"odds": Raw(b"2.0001")}), 422, "bets[1].odds"),
        (body(ONE | {"odds": Raw(b"1e99999")}), 422, "bets[0].odds"),
        (body(ONE | {"commission": 1}), 422, "bets[0].commission"),
        (body(ONE | {"commission": -0.01}), 422, "bets[0].commission"),
        (body(ONE | {"commission": "0.05"}), 400, "commission"),
        (body(ONE | {"commission": Raw(b"1e-999999")}), 422, "bets[0].commission"),
        (body(ONE | {"max_stake_minor": 0}), 400, "bets[0].max_stake_minor"),
        (body(ONE | {"side": "both"}), 400, "bets[0].side"),
        (body(ONE | {"type": "XYZ"}), 400, "bets[0].type"),
        (body(ONE | {"type": "EW", "line": None}), 422, "bets[0].type"),
        (body(ONE | {"line": None}), 422, "bets[0].line"),
        (body(ONE | {"line": 2.3}), 422, "bets[0].line"),
        (body(ONE, OTHER | {"line": Raw(b"1e999")}), 422, "bets[1].line"),
        (body(bet("a", 2, "1X2", "home", line=1)), 422, "bets[0].line"),
        (body(ONE, bet("a", 2, "1X2", "nobody")), 422, "bets[1].selection_id"),
        (body(bet("a", 2, "CS", "2:1")), 422, "bets[0].selection_id"),
        (body({"bookmaker": "a", "odds": 2, "type": "ML"}), 422, "bets[0].selection_id"),
        (body({"bookmaker": "a", "odds": 2}), 422, "bets[0].type"),
        (body(bet("a", 2, "WIN", "1")), 422, "runners"),
        (body(bet("a", 2, "WIN", "1"), runners=["2"]), 422, "bets[0].selection_id"),
        (body(bet("a", 2, "CS", "other")), 422, "scores"),
        (body(ONE, states=["home"]), 422, "states"),
        (body(raw("a", 2, None, 0), ONE), 422, "bets[1].payoffs"),
        (body(ONE, raw("a", 2, None, 0)), 422, "bets[1].payoffs"),
        (body(raw("a", 2, None, 0), raw("b", 2, 0)), 422, "bets[1].payoffs"),
        (body(raw("a", 2, None, 0) | {"type": "ML"}), 422, "bets[0].payoffs"),
        (body(raw("a", 2, None, 0), states=["one"]), 422, "states"),
        (body(raw("a", 2)), 400, "bets[0].payoffs"),
        (body(raw("a", 2, -1)), 400, "bets[0].payoffs[0]"),
        (body(raw("a", 2, "2")), 400, "bets[0].payoffs[0]"),
        (body(raw("a", 2, Raw(b"1e400"))), 400, "bets[0].payoffs[0]"),
        (body(raw("a", 2, 3, 0, side="lay")), 422, "bets[0].payoffs"),
        (body(*(raw("a", 2, *[0.5] * 150) for _ in range(200))), 422, "bets"),
        (body(raw("a", 100_000, None, 0), raw("b", 100_000, 0, None), total=10**15), 422, "total_stake_minor"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(trader: Client, sent: Json, status: int, field: str) -> None:
    answer = trader.post(PATH, sent)
    answer.problem(status)
    assert answer.fields == {field}


def test_lines_without_end_are_refused(trader: Client) -> None:
    bets = [bet(f"b{n}", 2, "AH", "home", line=n * 50) for n in range(100)]
    bets += [bet(f"c{n}", 2, "OU", "over", line=n * 50 + 25) for n in range(100)]
    answer = trader.post(PATH, body(*bets))
    answer.problem(422, "limit_exceeded")


def test_the_document_tells_the_body(people: People) -> None:
    document = people.nobody.get("/schema/openapi.json").json
    operation = document["paths"][PATH]["post"]
    assert {"200", "400", "401", "413", "415", "422", "503"} <= operation["responses"].keys()
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    shape = document["components"]["schemas"][reference.rpartition("/")[2]]
    assert shape["properties"].keys() == {
        "bets", "total_stake_minor", "step_minor", "currency", "runners", "scores", "states",
    }  # fmt: skip
    assert set(shape["required"]) == {"bets", "total_stake_minor"}
