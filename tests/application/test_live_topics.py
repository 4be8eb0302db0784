"""Names of topics."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.live.topics import (
    FACTS,
    SIGNALS,
    TOPICS_MAX,
    market_of,
    read_topics,
    where_to_read,
)
from domain.refusals import InvalidInput


@given(st.uuids())
def test_an_id_is_the_same_topic_however_it_is_spelled(id_: object) -> None:
    text = str(id_)
    spellings = [f"odds.{each}" for each in (text, text.upper(), text.replace("-", ""))]
    assert read_topics(spellings) == (f"odds.{text}",)
    assert str(market_of(f"odds.{text}")) == text


def test_topics_are_told_once_and_in_order() -> None:
    assert read_topics(["bets", " accounts", "bets"]) == ("bets", "accounts")


@given(st.text(max_size=80).filter(lambda name: name.strip(" ") not in FACTS | SIGNALS))
def test_any_other_name_is_refused_with_the_field_named(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_topics([name])
    assert refused.value.field == "topics"
    assert len(refused.value.detail) < 400


@pytest.mark.parametrize("names", [[], ["bets"] * 2 + [""], ["odds.fixture."]])
def test_none_at_all_or_an_empty_one_is_refused(names: list[str]) -> None:
    with pytest.raises(InvalidInput):
        read_topics(names)


def test_there_are_at_most_so_many() -> None:
    names = [f"odds.{UUID(int=number)}" for number in range(TOPICS_MAX + 1)]
    assert len(read_topics(names[1:])) == TOPICS_MAX
    with pytest.raises(InvalidInput, match="at most"):
        read_topics(names)


def test_every_topic_can_be_read_elsewhere() -> None:
    for topic in ("bets", "accounts", "markets", "settlements", "arbitrage", "value"):
        assert where_to_read(topic).startswith("/v1/")
