"""Telephone numbers as people read them. Pure; what is dialled stays as it is kept, in E.164."""

from __future__ import annotations

import re

_AMERICAN = re.compile(r"\+1([2-9]\d{2})([2-9]\d{2})(\d{4})")


def readable(number: str) -> str:
    """`+18015550142` as `801-555-0142`, as it is written where the country code is 1; anything else unchanged."""
    found = _AMERICAN.fullmatch(number)
    return "-".join(found.groups()) if found else number
