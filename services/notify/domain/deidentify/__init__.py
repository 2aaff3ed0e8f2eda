"""A question for advice says nothing of who it is about: what would tell is found here, by kind, and never repeated.

It finds what looks like a telephone number, a mail or web address or a badge number, in digits or in words, and every
word and number of how to reach the requester. It cannot find everything: the page says so. Sources: domain rule 1.3
(Fauquier fire-rescue); 45 CFR 164.514(b)(2)(i), the identifiers that HIPAA's safe harbour takes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from services.notify.domain.deidentify import names, numbers
from services.notify.domain.deidentify.letters import folded, tokens

Telling = Literal["number", "mail", "web", "badge", "reach"]

_MAIL = re.compile(
    r"[^\s@]+@[^\s@]+|[\w.+-]+\s*[(\[{]\s*(?:at|arroba)\s*[)\]}]\s*\w"
    r"|[\w.+-]+\s+(?:at|arroba)\s+[\w-]+(?:\.|\s+\.\s+|\s*[(\[{]?\s*(?:dot|punto)\s*[)\]}]?\s*)[a-z]{2,}"
    r"|[\w.+-]+\s+(?:at|arroba)\s+(?:g\s?mail|googlemail|hotmail|outlook|yahoo|icloud|proton\s?mail|aol|gmx)\b"
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


def telling(text: str, reach: Iterable[str]) -> tuple[Telling, ...]:
    """What in this text would tell who the requester is; `reach` are their addresses, and what to call them."""
    plain, found, own = folded(text), tokens(text), tuple(reach)
    told = numbers.spoken(found)
    digits = "".join(one for part in own for one in folded(part) if one.isdigit())
    tells: dict[Telling, bool] = {
        "number": _SEVEN_DIGITS.search(plain) is not None or numbers.is_phone(told),
        "mail": _MAIL.search(plain) is not None,
        "web": _WEB.search(plain) is not None,
        "badge": any(one.search(plain) for one in (_CALLED_BADGE, _HASHED, _CODED)) or numbers.is_badge(told),
        "reach": names.are_told(found, names.known(own)) or numbers.is_part_of(told, digits),
    }
    return tuple(kind for kind, is_there in tells.items() if is_there)


__all__ = ["Telling", "folded", "telling"]
