"""How alike two names are, whoever wrote them: feeds spell, shorten and order the words of a side as they please.

All of it is exact: a likeness is a whole number of thousandths, the same on every machine.
"""

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from typing import Final

from domain.aliases import COMMON, DROPPED, LETTERS, SAME, SAME_WORDS, SPORTS

WHOLE: Final = 1000
"""The likeness of equal names, in thousandths."""

_LETTERS: Final = str.maketrans({pair[0]: pair[1:] for pair in LETTERS} | {"&": " and "})
_DOTTED: Final = re.compile(r"\b(?:[a-z]\.){2,}")
_AGE: Final = re.compile(r"\b(?:u|under|sub)[\s-]*([0-9]{2})s?\b")
_RESERVES: Final = re.compile(r"\breserves?\b", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W_]+")

_WORDS: Final = {spelling: line[0] for line in SAME_WORDS for spelling in line}
_MARKERS: Final = frozenset({"women", "reserves", "youth"}) | {f"u{age}" for age in range(12, 24)}
_WEIGHT, _COMMON_WEIGHT, _LITTLE_WEIGHT = 4, 2, 1
_PREFIX_MIN, _PREFIX_SHARE = 3, 3 / 5
_EDITED_MIN, _EDIT_SHARE = 5, 5
_ABBREVIATED: Final = 800
_JOINED: Final = 950
_OTHERS: Final = 300
"""The most that two names may be alike that are known to be different, or of different teams of a club."""
_CONTRARY: Final = 500


@lru_cache(1 << 16)
def words(name: str) -> tuple[str, ...]:
    """Give a name's words in their order: small letters without accents, each in its usual spelling, no "FC"."""
    text = _folded(_folded(name))
    text = _DOTTED.sub(lambda found: found[0].replace(".", "") + " ", text)
    text = _AGE.sub(r" u\1 ", text)
    every = [_WORDS.get(word, word) for word in _WORD.findall(text)]
    kept = [word for word in every if word not in DROPPED]
    return tuple(dict.fromkeys(kept or every))


def _folded(text: str) -> str:
    """Take case, accents and special letters away; a second turn takes what casefold has brought to light."""
    text = unicodedata.normalize("NFKD", text.translate(_LETTERS)).casefold()
    return "".join(letter for letter in text if not unicodedata.combining(letter))


@lru_cache(1 << 16)
def normalise(name: str) -> str:
    """Give what a name is called whatever its spelling and the order of its words; never asks the aliases."""
    return " ".join(sorted(words(name)))


def sport_of(name: str) -> str:
    """Give the sport that a name stands for."""
    text = " ".join(_WORD.findall(name.casefold()))
    return SPORTS.get(text, text)


def markers(name: str) -> frozenset[str]:
    """Give what sets a team apart from its club's first one: women, reserves, youth, an age."""
    return _MARKERS.intersection(words(name))


def markers_of_competition(name: str) -> frozenset[str]:
    """Give what a competition says of all its teams: a B or a II names a division there, no reserves."""
    found = markers(name)
    return found if _RESERVES.search(name) else found - {"reserves"}


_CANON: Final[dict[str, str]] = {
    normalise(spelling): normalise(line[0]) for line in SAME for spelling in line
}
_KNOWN: Final = frozenset(_CANON.values())


@lru_cache(1 << 16)
def canonical(name: str) -> str:
    """Give the normalised name that a name stands for by the table of aliases; a team's markers stay with it."""
    own = words(name)
    marked = [word for word in own if word in _MARKERS]
    plain = " ".join(sorted(word for word in own if word not in _MARKERS))
    return " ".join(sorted([*_CANON.get(plain, plain).split(), *marked]))


def _is_known(canon: str) -> bool:
    return " ".join(word for word in canon.split() if word not in _MARKERS) in _KNOWN


def likeness(one: str, other: str) -> Decimal:
    """Give how alike two names are, from 0 to 1 in steps of 0.001; symmetric, and 1 for equal names and aliases.

    Words are paired (equal, shortened, or with a letter wrong in five), and weighed: the sum of paired weights over the sum of all, as in
    Dice's coefficient.
    """
    return thousandths(likeness_of_words(one, other))


def thousandths(number: int) -> Decimal:
    """Give a number of thousandths as an exact decimal."""
    return Decimal(number).scaleb(-3)


def likeness_of_words(one: str, other: str) -> int:
    """Give the likeness in thousandths."""
    if one > other:
        one, other = other, one
    return _likeness(one, other)


@lru_cache(1 << 18)
def _likeness(one: str, other: str) -> int:
    first, second = canonical(one), canonical(other)
    if first == second:
        return WHOLE
    most = WHOLE
    left, right = set(first.split()), set(second.split())
    if left & _MARKERS != right & _MARKERS or (_is_known(first) and _is_known(second)):
        most = _OTHERS
    left, right = left - _MARKERS, right - _MARKERS
    total = sum(map(_weight, left)) + sum(map(_weight, right))
    if not total:
        return min(most, 0)
    if "".join(words(one)) == "".join(words(other)):
        return min(most, _JOINED)
    matched = 0
    for score, one_word, other_word in _pairs(left, right):
        if one_word in left and other_word in right:
            left.remove(one_word)
            right.remove(other_word)
            matched += score
    # "Williams S." is not "Venus Williams": an initial with no word of its own says so.
    if left and right and any(len(word) == 1 for word in left | right):
        most = min(most, _CONTRARY)
    return min(most, matched // total)


def _weight(word: str) -> int:
    if len(word) == 1 or word.isdigit():
        return _LITTLE_WEIGHT
    return _COMMON_WEIGHT if word in COMMON else _WEIGHT


def _pairs(left: set[str], right: set[str]) -> list[tuple[int, str, str]]:
    """Give the pairs of words that may mean the same, best first, in an order that does not tell left from right."""
    pairs = [
        (score * (_weight(one) + _weight(other)), one, other)
        for one in left
        for other in right
        if (score := _likeness_of_word(one, other))
    ]
    return sorted(pairs, key=lambda pair: (-pair[0], *sorted(pair[1:])))


@lru_cache(1 << 16)
def _likeness_of_word(one: str, other: str) -> int:
    if one == other:
        return WHOLE
    short, long = (one, other) if len(one) <= len(other) else (other, one)
    if long.startswith(short) and not short.isdigit():
        is_initial = len(short) == 1
        if is_initial or _PREFIX_MIN <= len(short) <= len(long) * _PREFIX_SHARE:
            return _ABBREVIATED
    if len(short) >= _EDITED_MIN and not long.isdigit():
        allowed = len(long) // _EDIT_SHARE
        # Letters that the other word lacks cost an edit each: most pairs need no further look.
        strange = max(len(set(short) - set(long)), len(set(long) - set(short)))
        if len(long) - len(short) <= allowed and strange <= allowed:
            edits = edit_distance(short, long)
            if edits <= allowed:
                return WHOLE - WHOLE * edits // len(long)
    return 0


def edit_distance(one: str, other: str) -> int:
    """Give how many letters must be put in, left out or changed to make one word of the other (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        diagonal, row[0] = row[0], at
        for to, against in enumerate(other, 1):
            changed = diagonal + (letter != against)
            diagonal = row[to]
            row[to] = min(changed, row[to] + 1, row[to - 1] + 1)
    return row[-1]
