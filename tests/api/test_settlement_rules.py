"""Bets of every kind over HTTP, corrected and rolled back results, and what becomes of the money."""

from typing import Any

from tests.service import Client, Json, market_body, until

RUNNERS = [{"selection_id": each, "name": each.upper()} for each in ("x", "y", "z")]
TERMS = {"each_way_places": 3, "each_way_divisor": 4, "rule4": "traditional/1"}


def race(operator: Client, name: str = "Derby", **members: Any) -> str:
    fixture = market_body()["fixture"] | {"sport": "horse racing", "name": name}
    body = {"type": "WIN", "selections": RUNNERS, "terms": TERMS, "fixture": fixture}
    return operator.market(**(body | members))


def leg(market: str, odds: Any = 3, selection_id: str = "x") -> Json:
    return {"market_id": market, "selection_id": selection_id, "odds": odds}


def place(trader: Client, account: str, *legs: Json, stake: int = 100, **options: Any) -> Json:
    body = {"account_id": account, "legs": list(legs), "stake_minor": stake} | options
    return trader.post("/v1/bets", body).ok(201)


def results(x: str, y: str = "lost", z: str = "lost", **more: Any) -> Json:
    named = zip("xyz", (x, y, z), strict=True)
    return {"results": [{"selection_id": each, "result": how} for each, how in named]} | more


def settled(operator: Client, market: str, generation: int = 1) -> Json:
    """Wait until the market's settlement is completed in this generation of its results."""
    shown: dict[str, Any] = {}

    def is_completed() -> bool:
        answer = operator.get(f"/v1/markets/{market}/settlement")
        shown.update(answer.json)
        return bool(shown.get("completed") and shown["generation"] == generation)

    until(is_completed, seconds=60)
    return shown


def bet_after(trader: Client, operator: Client, market: str, placed: Json) -> Json:
    last = operator.get(f"/v1/markets/{market}").ok()["position"]
    return trader.get(f"/v1/bets/{placed['bet_id']}", after=last).ok()


def funds(trader: Client, account: str, operator: Client, market: str) -> Json:
    last = operator.get(f"/v1/markets/{market}").ok()["position"]
    return trader.get(f"/v1/accounts/{account}", after=last).ok()


def test_a_result_is_corrected_and_rolled_back(trader: Client, operator: Client) -> None:
    account, market = trader.account(1_000), race(operator)
    placed = place(trader, account, leg(market))
    path = f"/v1/markets/{market}/result"
    operator.post(path, results("won")).ok(202)
    settled(operator, market)
    trader.post(
        f"/v1/accounts/{account}/withdrawals", {"amount_minor": 1_200, "method": "bank"}
    ).ok(201)
    operator.post(path, results("lost", "won")).ok(202)
    assert settled(operator, market, 2)["totals"][0]["return_minor"] == 0
    owing = funds(trader, account, operator, market)
    assert (owing["available_minor"], owing["overdrawn"]) == (-300, True)
    refused = trader.post(
        "/v1/bets", {"account_id": account, "legs": [leg(race(operator))], "stake_minor": 1}
    )
    refused.problem(422, "account_overdrawn")
    listed = operator.get("/v1/accounts", overdrawn="true", limit=500).ok()["items"]
    assert account in [each["account_id"] for each in listed]
    rolled = operator.ask("DELETE", f"{path}?reason=wrong+race").ok(202)
    assert rolled["status"] == "closed"
    settled(operator, market, 3)
    assert bet_after(trader, operator, market, placed)["status"] == "open"
    operator.ask("DELETE", path).problem(409, "market_state_conflict")
    operator.post(path, results("won")).ok(202)
    settled(operator, market, 4)
    assert bet_after(trader, operator, market, placed)["return_minor"] == 300
    assert funds(trader, account, operator, market)["available_minor"] == 0


def test_a_finishing_order_says_who_won_who_was_placed_and_who_shares(
    trader: Client, operator: Client
) -> None:
    account, market = trader.account(1_000), race(operator)
    placed = place(trader, account, leg(market, 3, "y"), kind="each_way")
    path = f"/v1/markets/{market}/result"
    operator.post(path, {"finish": [["x"], ["x"]]}).problem(422, "invalid_input")
    operator.post(path, {"finish": [["x"], ["y"]], "score": {"home": 1, "away": 0}}).problem(
        422, "invalid_input"
    )
    operator.post(path, {"finish": [["x", "y"]]}).ok(202)
    settled(operator, market)
    shown = bet_after(trader, operator, market, placed)
    assert shown["legs"][0]["result"] == "won"
    operator.post(path, {"finish": [["y"], ["x"]]}).ok(202)
    settled(operator, market, 2)
    assert bet_after(trader, operator, market, placed)["status"] == "won"


def test_a_double_ends_with_its_last_leg(trader: Client, operator: Client) -> None:
    account = trader.account(1_000)
    first, second = race(operator, "Derby"), race(operator, "Oaks")
    placed = place(trader, account, leg(first), leg(second, 2), kind="accumulator", each_way=True)
    assert (placed["total_stake_minor"], placed["potential_return_minor"]) == (200, 600 + 188)
    operator.post(f"/v1/markets/{first}/result", results("won")).ok(202)
    settled(operator, first)
    assert bet_after(trader, operator, first, placed)["status"] == "open"
    operator.post(f"/v1/markets/{second}/result", results("placed", "won")).ok(202)
    settled(operator, second)
    shown = bet_after(trader, operator, second, placed)
    assert (shown["status"], shown["return_minor"]) == ("part_won", 188)
    assert [each["result"] for each in shown["legs"]] == ["won", "placed"]
    assert shown["each_way"]


def test_a_double_is_lost_with_its_first_lost_leg(trader: Client, operator: Client) -> None:
    account = trader.account(1_000)
    first, second = race(operator, "Derby"), race(operator, "Oaks")
    placed = place(trader, account, leg(first), leg(second, 2), kind="accumulator")
    operator.post(f"/v1/markets/{second}/result", results("lost", "won")).ok(202)
    settled(operator, second)
    shown = bet_after(trader, operator, second, placed)
    assert (shown["status"], shown["return_minor"]) == ("lost", 0)
    assert [each.get("result") for each in shown["legs"]] == [None, "lost"]
    operator.ask("DELETE", f"/v1/markets/{second}/result").ok(202)
    settled(operator, second, 2)
    assert bet_after(trader, operator, second, placed)["status"] == "open"


def test_legs_that_depend_on_each_other_are_refused(trader: Client, operator: Client) -> None:
    account, market = trader.account(1_000), race(operator)
    body = {"account_id": account, "kind": "accumulator", "stake_minor": 1}
    body["legs"] = [leg(market), leg(market, 4, "y")]
    trader.post("/v1/bets", body).problem(422, "related_contingency")


def test_starting_prices_and_withdrawn_runners(trader: Client, operator: Client) -> None:
    account, market = trader.account(1_000), race(operator)
    at_start = place(trader, account, leg(market, "SP"))
    best = place(trader, account, leg(market, 3), best_odds=True)
    fixed = place(trader, account, leg(market, 3))
    gone = place(trader, account, leg(market, 5, "y"))
    out = {"selection_id": "y", "odds": 5}
    operator.post(f"/v1/markets/{market}/withdrawals", out).ok(202)
    settled(operator, market)
    assert bet_after(trader, operator, market, gone)["status"] == "void"
    later = place(trader, account, leg(market, 3))
    prices = [{"selection_id": "x", "odds": 4}]
    operator.post(
        f"/v1/markets/{market}/result", results("won", "void", starting_prices=prices)
    ).ok(202)
    settled(operator, market, 2)
    returns = [
        bet_after(trader, operator, market, each)["return_minor"]
        for each in (at_start, best, fixed, later)
    ]
    assert returns == [400, 400, 260, 300]
    shown = operator.get(f"/v1/markets/{market}").ok()["selections"]
    assert [each["starting_price"] for each in shown] == [4, None, None]
    assert shown[1]["withdrawn"]["odds"] == 5
    legs = bet_after(trader, operator, market, at_start)["legs"]
    assert legs[0]["odds"] is None


def test_a_runner_that_was_withdrawn_by_mistake_runs_after_all(
    trader: Client, operator: Client
) -> None:
    account, market = trader.account(1_000), race(operator)
    placed = place(trader, account, leg(market, 3))
    on_it = place(trader, account, leg(market, 5, "y"))
    path = f"/v1/markets/{market}"
    operator.post(f"{path}/withdrawals", {"selection_id": "y", "odds": 5}).ok(202)
    settled(operator, market)
    operator.post(f"{path}/result", results("won", "void")).ok(202)
    settled(operator, market, 2)
    assert bet_after(trader, operator, market, placed)["return_minor"] == 260
    mistake = {"selection_id": "y", "reason": "the wrong number"}
    trader.post(f"{path}/reinstatements", mistake).problem(403, "forbidden")
    assert operator.post(f"{path}/reinstatements", mistake).ok(202)["status"] == "part_resulted"
    operator.post(f"{path}/reinstatements", mistake).problem(409, "market_state_conflict")
    settled(operator, market, 3)
    assert bet_after(trader, operator, market, placed)["return_minor"] == 300
    assert bet_after(trader, operator, market, on_it)["status"] == "open"
    shown = operator.get(path).ok()
    assert [each["result"] for each in shown["selections"]] == ["won", None, "lost"]
    assert shown["selections"][1]["withdrawn"] is None
    rest = {"results": [{"selection_id": "y", "result": "lost"}], "partial": True}
    operator.post(f"{path}/result", rest).ok(202)
    settled(operator, market, 4)
    assert bet_after(trader, operator, market, on_it)["status"] == "lost"
    operator.post(f"{path}/withdrawals", {"selection_id": "z"}).ok(202)
    settled(operator, market, 5)
    assert operator.get(path).ok()["selections"][2]["withdrawn"]["odds"] is None


def test_an_abandoned_race_gives_back_what_was_bet_at_prices_that_nobody_returned(
    trader: Client, operator: Client
) -> None:
    account, market = trader.account(1_000), race(operator)
    placed = [place(trader, account, leg(market, "SP", each)) for each in "xy"]
    path = f"/v1/markets/{market}"
    prices = [{"selection_id": "z", "odds": 4}]
    operator.post(f"{path}/result", results("won", starting_prices=prices)).ok(202)
    settled(operator, market)
    shown = [bet_after(trader, operator, market, each)["status"] for each in placed]
    assert shown == ["open", "lost"]
    operator.post(f"{path}/abandon", {"reason": "no prices were returned"}).ok(202)
    settled(operator, market, 2)
    shown = [bet_after(trader, operator, market, each)["status"] for each in placed]
    assert shown == ["void", "lost"]
    selections = operator.get(path).ok()["selections"]
    assert [each["starting_price"] for each in selections] == [None, None, 4]
    again = operator.post(f"{path}/abandon", {"reason": "no prices were returned"})
    again.problem(409, "result_already_declared")


def test_only_the_text_sp_stands_for_the_starting_price(trader: Client, operator: Client) -> None:
    account, market = trader.account(1_000), race(operator)
    for odds in (None, "sp", "SP ", "2.5"):
        body = {"account_id": account, "legs": [leg(market, odds)], "stake_minor": 1}
        trader.post("/v1/bets", body).problem(400, "bad_request")
    bets = [{"account_id": account, "legs": [leg(market, "SP")], "stake_minor": 1}]
    assert trader.post("/v1/bets/batch", {"bets": bets}).ok()["results"][0]["status"] == "open"


def test_an_abandoned_market_and_the_first_half(trader: Client, operator: Client) -> None:
    account = trader.account(1_000)
    half, whole = operator.market(period="first_half"), operator.market()
    on_half, on_whole = (place(trader, account, leg(each, 3, "home")) for each in (half, whole))
    score = {"score": {"home": 0, "away": 1}, "half_time": {"home": 1, "away": 0}}
    operator.post(f"/v1/markets/{half}/result", score).ok(202)
    operator.post(f"/v1/markets/{whole}/abandon", {"reason": "floodlights"}).ok(202)
    settled(operator, half)
    settled(operator, whole)
    assert bet_after(trader, operator, half, on_half)["return_minor"] == 300
    assert bet_after(trader, operator, whole, on_whole)["status"] == "void"
    shown = operator.get(f"/v1/markets/{whole}").ok()
    assert (shown["abandoned"], shown["status"]) == ("floodlights", "settled")
    assert operator.get(f"/v1/markets/{half}").ok()["half_time"] == {"home": 1, "away": 0}


def test_a_free_bet_is_paid_from_the_bonus(trader: Client, operator: Client) -> None:
    account, market = trader.account(), race(operator)
    grant = {"amount_minor": 150, "reason": "welcome"}
    operator.post(f"/v1/accounts/{account}/bonus", grant).ok(201)
    placed = place(trader, account, leg(market), free=True)
    assert (placed["total_stake_minor"], placed["potential_return_minor"]) == (0, 200)
    body = {"account_id": account, "legs": [leg(market)], "stake_minor": 51, "free": True}
    trader.post("/v1/bets", body).problem(422, "insufficient_funds")
    path = f"/v1/markets/{market}/result"
    for generation, (result, available, bonus) in enumerate(
        [("won", 200, 50), ("void", 0, 150), ("lost", 0, 50)], 1
    ):
        operator.post(path, results(result)).ok(202)
        settled(operator, market, generation)
        shown = funds(trader, account, operator, market)
        assert (shown["available_minor"], shown["bonus_minor"]) == (available, bonus)
    assert bet_after(trader, operator, market, placed)["free"]


def test_a_lay_wins_what_the_back_loses(trader: Client, operator: Client) -> None:
    account, market = trader.account(1_000), race(operator)
    placed = place(trader, account, leg(market), side="lay")
    assert (placed["total_stake_minor"], placed["available_minor"]) == (200, 800)
    operator.post(f"/v1/markets/{market}/result", results("lost", "won")).ok(202)
    settled(operator, market)
    shown = bet_after(trader, operator, market, placed)
    assert (shown["status"], shown["return_minor"]) == ("won", 300)
    assert funds(trader, account, operator, market)["available_minor"] == 1_100


def test_a_bet_made_void_stays_void(trader: Client, operator: Client) -> None:
    body = {"currency": "EUR", "name": "exchange", "commission": 0.05}
    account, market = trader.post("/v1/accounts", body).ok(201)["account_id"], race(operator)
    trader.deposit(account, 1_000).ok(201)
    won, open_one = (place(trader, account, leg(market)), place(trader, account, leg(market)))
    path = f"/v1/bets/{open_one['bet_id']}/void"
    voided = operator.post(path, {"reason": "placed twice"}).ok()
    assert (voided["status"], voided["return_minor"]) == ("void", 100)
    assert voided["available_minor"] == 900
    operator.post(path, {"reason": "placed twice"}).problem(409, "bet_state_conflict")
    trader.post(path, {"reason": "mine"}).problem(403, "forbidden")
    operator.post(f"/v1/markets/{market}/result", results("won")).ok(202)
    settled(operator, market)
    assert bet_after(trader, operator, market, open_one)["status"] == "void"
    assert funds(trader, account, operator, market)["available_minor"] == 1_200 - 10
    path = f"/v1/bets/{won['bet_id']}/void"
    voided = operator.post(path, {"reason": "palpable error"}).ok()
    assert voided["available_minor"] == 1_000  # the commission of 10 is given back too
    operator.ask("DELETE", f"/v1/markets/{market}/result").ok(202)
    operator.post(f"/v1/markets/{market}/result", results("won")).ok(202)
    settled(operator, market, 3)
    for each in (won, open_one):
        shown = bet_after(trader, operator, market, each)
        assert (shown["status"], shown["return_minor"]) == ("void", 100)
    assert funds(trader, account, operator, market)["available_minor"] == 1_000


def test_a_market_made_void_gives_every_stake_back(trader: Client, operator: Client) -> None:
    account, market = trader.account(1_000), race(operator)
    won, lost = (place(trader, account, leg(market, 3, each)) for each in "xy")
    operator.post(f"/v1/markets/{market}/result", results("won")).ok(202)
    settled(operator, market)
    operator.post(f"/v1/markets/{market}/void", {"reason": "wrong distance"}).ok(202)
    settled(operator, market, 2)
    assert operator.get(f"/v1/markets/{market}").ok()["abandoned"] == "wrong distance"
    for each in (won, lost):
        shown = bet_after(trader, operator, market, each)
        assert (shown["status"], shown["return_minor"]) == ("void", 100)
    assert funds(trader, account, operator, market)["available_minor"] == 1_000
