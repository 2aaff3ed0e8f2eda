"""A question for advice says nothing of who it is about: what would tell is found here, by kind, and never repeated.

It finds what looks like a telephone number, a mail or web address or a badge number, and every word and number of how
to reach the requester. It cannot find everything: the page says so. Source: domain rule 1.3 (Fauquier fire-rescue).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

Telling = Literal["number", "mail", "web", "badge", "reach"]

_MAIL = re.compile(
    r"[^\s@]+@[^\s@]+|[\w.+-]+\s*[(\[{]\s*(?:at|arroba)\s*[)\]}]\s*\w"
    r"|[\w.+-]+\s+(?:at|arroba)\s+[\w-]+\s*(?:\.|[(\[{]?\s*(?:dot|punto)\s*[)\]}]?)\s*[a-z]{2,}"
)
_WEB = re.compile(
    r"\w+://|\bwww\.|\b[a-z0-9-]+\.(?:com|org|net|gov|edu|mil|us|mx|es|info|io|me|co|app|social)\b"
    r"|\b[\w-]+\s*[(\[]\s*(?:dot|punto)\s*[)\]]\s*\w"
)
_SEVEN_DIGITS = re.compile(r"\d(?:[\s().,\-/_·+*]*\d){6,}")
_CALLED_BADGE = re.compile(
    r"\b(?:badge|shield|star|serial|employee|personnel|unit|car|placa|insignia|chapa|matricula|empleado|unidad)\b"
    r"\s*(?:no|nr|num|number|numero|id|is|es)?\s*[.:#]?\s*(?:no|nr|num|number|numero)?\s*[.:#]?\s*"
    r"[a-z]{0,3}[\s-]?\d+"
)
_HASHED = re.compile(r"#\s*\d{2,}")
_CODED = re.compile(r"\b(?!19\d\d\b|20\d\d\b)(?:[a-z]{1,3}-?\d{3,6}|\d{4,6})\b(?!\s*(?:h|hrs|hours|horas)\b)")

_DIGITS = {
    word: str(digit)
    for digit, words in enumerate(
        (
            ("zero", "oh", "cero"),
            ("one", "uno"),
            ("two", "dos"),
            ("three", "tres"),
            ("four", "cuatro"),
            ("five", "cinco"),
            ("six", "seis"),
            ("seven", "siete"),
            ("eight", "ocho"),
            ("nine", "nueve"),
        )
    )
    for word in words
}
_TOKEN = re.compile(r"\d+|[^\W\d_]+")
_NO_NAME = frozenset({"com", "org", "net", "gov", "edu", "mil", "www", "the", "and", "mail", "gmail", "email"})
_WORD_MIN, _NUMBER_MIN, _JOINED_MIN, _SPELLED_MIN = 3, 4, 6, 7


def folded(text: str) -> str:
    """Without case, accents and characters that do not show, digits of every script as ASCII."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    kept = (one for one in plain if unicodedata.category(one) not in {"Mn", "Cf"})
    return "".join(str(unicodedata.digit(one)) if one.isdigit() and not one.isascii() else one for one in kept)


def telling(text: str, reach: Iterable[str]) -> tuple[Telling, ...]:
    """What in this text would tell who the requester is; `reach` is their address, and what to call them."""
    plain = folded(text)
    found: dict[Telling, bool] = {
        "number": _SEVEN_DIGITS.search(plain) is not None or _spelled(plain),
        "mail": _MAIL.search(plain) is not None,
        "web": _WEB.search(plain) is not None,
        "badge": any(shape.search(plain) for shape in (_CALLED_BADGE, _HASHED, _CODED)),
        "reach": _names(plain, [folded(part) for part in reach]),
    }
    return tuple(kind for kind, is_there in found.items() if is_there)


def _spelled(plain: str) -> bool:
    """Seven digits or more one after the other, some of them as words."""
    run = 0
    for token in _TOKEN.findall(plain):
        digits = token if token.isdigit() else _DIGITS.get(token, "")
        run = run + len(digits) if digits else 0
        if run >= _SPELLED_MIN:
            return True
    return False


def _names(plain: str, reach: Iterable[str]) -> bool:
    parts = [_TOKEN.findall(part) for part in reach]
    known = [one for part in parts for one in part]
    # A name may be written together in one place and apart in the other.
    whole = {"".join(one for one in part if not one.isdigit()) for part in parts}
    words = ({one for one in known if not one.isdigit() and len(one) >= _WORD_MIN} | whole) - _NO_NAME - {""}
    tokens = _TOKEN.findall(plain)
    if words & set(tokens):
        return True
    joined = "".join(one for one in tokens if not one.isdigit())
    if any(one in joined for one in words if len(one) >= _JOINED_MIN):
        return True
    digits = "".join(one for one in known if one.isdigit())
    return any(one in digits for one in tokens if one.isdigit() and len(one) >= _NUMBER_MIN)
