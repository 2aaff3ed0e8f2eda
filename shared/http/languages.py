"""The languages that a browser asks for, the dearest first. Source: RFC 9110, section 12.5.4."""

from __future__ import annotations

import re

from starlette.requests import Request

MOST = 10
_ONE = re.compile(r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)(?:\s*;\s*q=([01](?:\.\d{0,3})?))?")


def accepted(request: Request) -> list[str]:
    """The tags of `Accept-Language` in the order of their weight; what is malformed or unwanted is left out."""
    found: list[tuple[float, str]] = []
    for part in request.headers.get("accept-language", "").split(",")[:MOST]:
        one = _ONE.fullmatch(part.strip())
        if one is not None and (weight := float(one[2] or 1)) > 0:
            found.append((weight, one[1]))
    return [tag for _, tag in sorted(found, key=lambda pair: -pair[0])]
