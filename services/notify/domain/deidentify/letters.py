"""Letters as they are read: without case, accents, look-alikes and what does not show; and the words of a text.

NFKD takes accents off and brings full-width and styled letters home (Unicode Annex 15); it leaves letters whose stroke
or ligature is part of them, and letters of another script that look the same (the Latin part of Unicode's table of
confusables, UTS 39). Both tables are small enough to be read here; a transliteration would go by sound, not by looks.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_LEFT_BY_NFKD = {
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "ẞ": "SS", "æ": "ae", "œ": "oe", "ħ": "h",
    "ŧ": "t", "ŋ": "n", "\u0131": "i", "ɓ": "b", "ɗ": "d", "ƙ": "k", "ơ": "o", "ư": "u",
}  # fmt: skip
_LOOK_ALIKES = {
    "a": "0430 03B1", "c": "0441", "d": "0501", "e": "0435", "h": "04BB", "i": "0456 03B9", "j": "0458", "k": "03BA",
    "l": "04CF", "o": "043E 03BF", "p": "0440 03C1", "q": "051B", "s": "0455", "t": "03C4", "u": "03C5",
    "v": "0475 03BD", "w": "051D", "x": "0445 03C7", "y": "0443 03B3",
    "A": "0410 0391", "B": "0412 0392", "C": "0421", "E": "0415 0395", "H": "041D 0397", "I": "0406 0399", "J": "0408",
    "K": "041A 039A", "M": "041C 039C", "N": "039D", "O": "041E 039F", "P": "0420 03A1", "S": "0405", "T": "0422 03A4",
    "X": "0425 03A7", "Y": "0423 03A5", "Z": "0396",
}  # fmt: skip
"""The letters of Cyrillic and Greek that look like this one, by their code points."""
_TABLE = str.maketrans(
    {**_LEFT_BY_NFKD, **{one.upper(): to.capitalize() for one, to in _LEFT_BY_NFKD.items() if len(one.upper()) == 1}}
    | {chr(int(code, 16)): latin for latin, codes in _LOOK_ALIKES.items() for code in codes.split()}
)
_TOKEN = re.compile(r"\d+|[^\W\d_]+")
_ENDS_SENTENCE = re.compile(r"[.!?:;\n\"\u201c\u201d«»¿¡()]")
_SPREAD = re.compile(r"ae|oe|ue")
_SPREAD_MIN = 4


def plain(text: str) -> str:
    """The text without accents, look-alikes and characters that do not show, digits of every script as ASCII."""
    apart = unicodedata.normalize("NFKD", text)
    kept = (one for one in apart if unicodedata.category(one) not in {"Mn", "Cf"})
    digits = (str(unicodedata.digit(one)) if one.isdigit() and not one.isascii() else one for one in kept)
    return "".join(digits).translate(_TABLE)


def folded(text: str) -> str:
    """As `plain`, and without case."""
    return plain(text).casefold()


def spellings(word: str) -> set[str]:
    """A folded word, and as it is without an `e` that stands for two dots: Mueller is Müller."""
    narrow = _SPREAD.sub(lambda found: found.group()[0], word)
    return {word, narrow} if len(narrow) >= _SPREAD_MIN else {word}


@dataclass(frozen=True)
class Token:
    """A word or a number of a text. `capital`: it begins so where most others do not; `first`: of a sentence."""

    text: str
    capital: bool
    first: bool

    @property
    def is_number(self) -> bool:
        """It is written in digits."""
        return self.text.isdigit()


def tokens(text: str) -> list[Token]:
    """The words and numbers of a text, folded, in order."""
    shown = plain(text)
    letters = [one for one in shown if one.isalpha()]
    # Where everything is in capitals they tell nothing.
    shouting = sum(one.isupper() for one in letters) * 2 > len(letters)
    found: list[Token] = []
    end = 0
    for match in _TOKEN.finditer(shown):
        first = not found or _ENDS_SENTENCE.search(shown, end, match.start()) is not None
        word = match.group()
        found.append(Token(word.casefold(), word[0].isupper() and not shouting, first))
        end = match.end()
    return found
