"""What a client may subscribe to."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal
from uuid import UUID

from domain.refusals import InvalidInput

FactTopic = Literal["accounts", "bets", "markets", "settlements"]

TOPICS_MAX: Final = 200
FIXTURE: Final = "odds.fixture."
MARKET: Final = "odds."
SIGNALS: Final = frozenset({"arbitrage", "value"})
FACT_TOPIC_OF_WORD: Final[Mapping[str, FactTopic]] = {
    "account": "accounts",
    "bet": "bets",
    "market": "markets",
    "settlement": "settlements",
    "withdrawal": "accounts",
}
"""Which topic shows a fact, by the first word of its ledger topic; prices have their own way."""
FACTS: Final = frozenset(FACT_TOPIC_OF_WORD.values())
OWNED: Final = frozenset({"accounts", "bets"})
"""Of these a trader sees what is their own, and the other roles everything, as in the lists of bets and accounts."""

_KNOWN: Final = "odds.<market_id>, odds.fixture.<fixture_id>, " + ", ".join(sorted(FACTS | SIGNALS))


def read_topics(names: Iterable[str]) -> tuple[str, ...]:
    """Give the topics of these names, each once, ids in their usual spelling; raises InvalidInput."""
    topics = tuple(dict.fromkeys(_topic(name.strip(" ")) for name in names))
    if not topics:
        raise InvalidInput(f"name at least one topic: {_KNOWN}", field="topics")
    if len(topics) > TOPICS_MAX:
        raise InvalidInput(f"at most {TOPICS_MAX} topics", field="topics")
    return topics


def _topic(name: str) -> str:
    if name in FACTS or name in SIGNALS:
        return name
    for prefix in (FIXTURE, MARKET):
        if name.startswith(prefix):
            try:
                return prefix + str(UUID(name.removeprefix(prefix)))
            except ValueError:
                break
    # What came in is not repeated at length: it may be anything.
    raise InvalidInput(f"{name[:60]!r} is no topic; there are {_KNOWN}", field="topics")


def is_prices(topic: str) -> bool:
    """Tell whether a topic is of prices."""
    return topic.startswith(MARKET)


def market_of(topic: str) -> UUID | None:
    """Give the market of a topic of one market's prices."""
    if not is_prices(topic) or topic.startswith(FIXTURE):
        return None
    return UUID(topic.removeprefix(MARKET))


def where_to_read(topic: str) -> str:
    """Give the address that shows what a topic tells of, for who has missed something."""
    if topic.startswith(FIXTURE):
        return "/v1/markets"
    if is_prices(topic):
        return f"/v1/markets/{topic.removeprefix(MARKET)}/odds"
    return {"settlements": "/v1/markets", "value": "/v1/value-signals"}.get(topic, f"/v1/{topic}")
