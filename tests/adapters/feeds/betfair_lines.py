"""Messages of Betfair's stream for tests."""

from typing import Any

import msgspec

from adapters.feeds.betfair_messages import StreamMessage, decode_stream_message

PT = 1_781_265_600_000  # 2026-06-12 12:00:00 UTC
RACE = "1.1"

Json = dict[str, Any]


def runner(runner_id: int, priority: int, name: str | None = None, **more: Any) -> Json:
    named = {} if name is None else {"name": name}
    return {"id": runner_id, "sortPriority": priority, "status": "ACTIVE", **named, **more}


def definition(**more: Any) -> Json:
    """A football match's market; `more` says otherwise."""
    return {
        "status": "OPEN",
        "marketType": "MATCH_ODDS",
        "eventTypeId": "1",
        "eventId": "31",
        "marketTime": "2026-06-12T20:00:00.000Z",
        "eventName": "Reds v Blues",
        "runners": [runner(1, 1, "Reds"), runner(2, 2, "Blues"), runner(58805, 3, "The Draw")],
        **more,
    }


def race(**more: Any) -> Json:
    return definition(
        **{
            "marketType": "WIN",
            "eventTypeId": "7",
            "eventName": "Ascot 12th Jun",
            "runners": [runner(10, 1, "Comet"), runner(11, 2, "Nova")],
            **more,
        }
    )


def change(market_id: str = RACE, **more: Any) -> Json:
    return {"id": market_id, **more}


def line(*changes: Json, seconds: float = 0, clk: str = "AA", **more: Any) -> bytes:
    pt = PT + int(seconds * 1_000)
    message = {"op": "mcm", "id": 2, "clk": clk, "pt": pt, "mc": list(changes), **more}
    return msgspec.json.encode(message)


def message(*changes: Json, **more: Any) -> StreamMessage:
    return decode_stream_message(line(*changes, **more))
