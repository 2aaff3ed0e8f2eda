"""The requester's own name, found in a question however it is written, without refusing ordinary words.

A name counts wherever it stands: as it is, as a family (the Smiths), letter by letter, in two parts, inside of a longer
word. One that is a word as well (May, Will, Young, An) counts only where it stands as a name: with a capital that
begins no sentence and is no month's, before what is theirs, or before what somebody does.
Sources for what has to be found: NIST IR 8053, 4 (direct identifiers); 45 CFR 164.514(b)(2)(i)(A) and (D)-(G).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.notify.domain.deidentify.letters import Token, spellings, tokens
from services.notify.domain.deidentify.words import DOERS, FUNCTION, MODAL, MONTHS, NO_NAME, TIMELY, WORDS

_NAME = re.compile(r"[^\d@_]*")
_NAME_MIN, _ADDRESS_MIN, _PLURAL_MIN, _LONG = 2, 3, 4, 6
_LETTERS_MIN = 2
_ARTICLES = frozenset({"the", "los", "las"})
_DOES_TOO = DOERS | {"no", "drinks", "sleeps", "works", "feels", "wants", "needs"}


@dataclass(frozen=True)
class Known:
    """The words that would tell who the requester is; `handles` are those that people write as one: ana.lopez@..."""

    words: frozenset[str]
    handles: frozenset[str]


def known(reach: Iterable[str]) -> Known:
    """The words of addresses and names."""
    words: set[str] = set()
    handles: set[str] = set()
    for one in reach:
        is_name = _NAME.fullmatch(one) is not None
        parts = _words(one)
        words |= {part for part in parts if len(part) >= (_NAME_MIN if is_name else _ADDRESS_MIN)}
        joined = "".join(parts if is_name else _words(one.partition("@")[0]))
        words |= {joined} if len(joined) >= _ADDRESS_MIN else set()
        handles |= set() if is_name else {joined}
    return Known(frozenset(words - NO_NAME), frozenset(one for one in handles if len(one) >= _LONG))


def _words(text: str) -> list[str]:
    return [token.text for token in tokens(text) if not token.is_number]


def are_told(found: Sequence[Token], who: Known) -> bool:
    """Whether any of it stands in the text."""
    places = range(len(found))
    return (
        any(_is_there(found, place, word) for place in places for word in who.words)
        or any(_in_letters(letters, who.words) for letters in _letter_by_letter(found))
        or any(_in_parts(found, place, who) for place in places)
    )


def _is_there(found: Sequence[Token], place: int, word: str) -> bool:
    token = found[place]
    if spellings(token.text) & spellings(word):
        return word not in FUNCTION | WORDS or _is_meant(found, place)
    if token.text in FUNCTION:
        return False
    if token.text in {f"{word}s", f"{word}es"}:
        return _is_family(found, place, word)
    return len(word) >= _LONG and word not in WORDS and word in token.text


def _is_family(found: Sequence[Token], place: int, word: str) -> bool:
    """Of a short name after an article, of a name that is a word with a capital, of any other always."""
    if _has_capital_of_name(found, place):
        return True
    if word in FUNCTION | WORDS:
        return False
    return len(word) >= _PLURAL_MIN or _text(found, place - 1) in _ARTICLES


def _is_meant(found: Sequence[Token], place: int) -> bool:
    """A word that is a name as well is meant as the name here."""
    token, after = found[place], _text(found, place + 1)
    if _has_capital_of_name(found, place):
        return True
    if token.text in FUNCTION:
        return False
    return after == "s" or (token.first and after in (DOERS if token.text in MODAL else _DOES_TOO))


def _has_capital_of_name(found: Sequence[Token], place: int) -> bool:
    token = found[place]
    if not token.capital or token.first:
        return False
    around = [*found[max(place - 1, 0) : place], *found[place + 1 : place + 2]]
    timely = _text(found, place - 1) in TIMELY or any(one.is_number for one in around)
    return not (token.text in MONTHS and timely)


def _text(found: Sequence[Token], place: int) -> str:
    return found[place].text if 0 <= place < len(found) else ""


def _letter_by_letter(found: Sequence[Token]) -> list[str]:
    """What is written in single letters."""
    marked = "".join(token.text if len(token.text) == 1 and not token.is_number else " " for token in found)
    return [letters for letters in marked.split() if len(letters) >= _LETTERS_MIN]


def _in_letters(letters: str, words: Iterable[str]) -> bool:
    return any(word == letters if len(word) == _LETTERS_MIN else word in letters for word in words)


def _in_parts(found: Sequence[Token], place: int, who: Known) -> bool:
    """A long name in two parts or more, the first with a capital; or the words of an address, whatever their case."""
    longest = max((len(one) for one in who.words), default=0)
    joined, plain = "", True
    for token in found[place:]:
        joined, plain = joined + token.text, plain and token.text in FUNCTION
        if len(joined) > longest:
            return False
        apart = joined != token.text and not plain and len(joined) >= _LONG
        if apart and joined in who.words and joined not in WORDS and (found[place].capital or joined in who.handles):
            return True
    return False
