"""Races: told apart by course, time and runners, whatever their titles."""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Final

from domain.events.market import Fixture
from domain.names import likeness_of_words, words
from domain.quotes import FeedEvent

_NO_COURSE: Final = re.compile(r"\d{1,2}[:.]\d{2}|\b\d+(?:st|nd|rd|th)?\b|\b(?:race|r\d+)\b")
_MONTHS: Final = frozenset(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec")
)
_NO_NAME: Final = re.compile(r"^\s*\d+\s*[.):-]?\s+|\s*\([^)]*\)\s*$")


def likeness_of_courses(event: FeedEvent, fixture: Fixture) -> int:
    """Compare names with names and with competitions: two competitions may both be no more than a country."""
    ours, theirs = course_of(fixture.name), course_of(event.name)
    pairs = (
        (theirs, ours),
        (theirs, course_of(fixture.competition)),
        (course_of(event.competition), ours),
    )
    return max((likeness_of_words(*pair) for pair in pairs if all(pair)), default=0)


@lru_cache(1 << 14)
def course_of(name: str) -> str:
    """Give what is left of a race's name without its time, date and number: "14:30 Ascot 2nd Jun" is "ascot"."""
    text = _NO_COURSE.sub(" ", name.casefold())
    return " ".join(word for word in words(text) if word not in _MONTHS)


def runner_of(name: str, runners: Iterable[str]) -> str | None:
    """Give the one of `runners` that a feed's runner is ("3. Frankel (GB)" is "Frankel"), None when none or several are."""
    asked = _plain(name)
    found = [each for each in runners if _plain(each) == asked]
    return found[0] if len(found) == 1 else None


def runners_in_common(ours: Collection[str], theirs: Collection[str]) -> float | None:
    """Give the share of the smaller field that is in the other, None where a field is not known."""
    one, other = set(map(_plain, ours)), set(map(_plain, theirs))
    if not one or not other:
        return None
    return len(one & other) / min(len(one), len(other))


@lru_cache(1 << 14)
def _plain(runner: str) -> str:
    return "".join(words(_NO_NAME.sub("", runner)))
