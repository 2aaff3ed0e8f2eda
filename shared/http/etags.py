"""`ETag` and `If-Match`: nobody overwrites what they have not read. Source: RFC 9110 section 13, RFC 6585 section 3."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from starlette.requests import Request

from shared.errors import Problem, Refused

_TAGS = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')

DESCRIBED: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "description": "The `ETag` that was read; refused with 412 when something newer stands, with 428 without.",
            "schema": {"type": "string"},
        },
        {
            "name": "If-None-Match",
            "in": "header",
            "description": "`*`, instead, where nothing stands yet.",
            "schema": {"type": "string", "const": "*"},
        },
    ]
}
"""What the OpenAPI document says of a door that calls `require_match`."""


def etag_of(revision: int | bytes) -> str:
    """The strong entity tag of a revision (a number that grows, or a digest)."""
    return f'"{revision.hex() if isinstance(revision, bytes) else revision}"'


def require_match(request: Request, current: str | None) -> None:
    """Return when the caller has read what stands (`current`, None where nothing stands yet).

    The first is written with `If-None-Match: *`, a later one with `If-Match` and the tag read (or `*`).
    Raises `Refused` 428 `precondition-required` without either, 412 `precondition-failed` when it has moved on.
    """
    match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    if match is None and (none_match is None or none_match.strip() != "*"):
        wanted = "if-none-match" if current is None else "if-match"
        problem = Problem(f"/header/{wanted}", "missing")
        raise Refused("precondition-required", HTTPStatus.PRECONDITION_REQUIRED, (problem,))
    if match is not None and not _matches(match, current):
        raise Refused("precondition-failed", HTTPStatus.PRECONDITION_FAILED, (Problem("/header/if-match", "stale"),))
    if none_match is not None and none_match.strip() == "*" and current is not None:
        problem = Problem("/header/if-none-match", "exists")
        raise Refused("precondition-failed", HTTPStatus.PRECONDITION_FAILED, (problem,))


def unchanged(request: Request, current: str) -> bool:
    """Whether a GET may be answered 304: the caller already has `current` (compared weakly)."""
    given = request.headers.get("if-none-match", "")
    return given.strip() == "*" or current in {tag.removeprefix("W/") for tag in _TAGS.findall(given)}


def _matches(given: str, current: str | None) -> bool:
    if current is None:
        return False
    # Weak tags never match here: they say "about the same", which is not enough to overwrite.
    return given.strip() == "*" or current in _TAGS.findall(given)
