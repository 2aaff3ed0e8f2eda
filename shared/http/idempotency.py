"""The rules of `Idempotency-Key`: a repeated POST is answered as the first one was, for 24 hours. Nothing is kept here.

Source: draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hmac
import re
from http import HTTPStatus
from typing import Any

from starlette.requests import Request

from shared.errors import Problem, Refused

_KEY = re.compile(r"[A-Za-z0-9._:~+/=-]{8,128}")
_POINTER = "/header/idempotency-key"


def described(*, needed: bool = True) -> dict[str, Any]:
    """What the OpenAPI document says of a door that calls `key_of`."""
    key = {"type": "string", "minLength": 8, "maxLength": 128}
    what = "Of your making; a repeat with the same key and body is answered as the first was, for 24 hours."
    return {
        "parameters": [
            {"name": "Idempotency-Key", "in": "header", "required": needed, "description": what, "schema": key}
        ]
    }


def checked_key(value: str | None) -> str:
    """A key as it may be: 8 to 128 characters of letters, digits and `._:~+/=-`, with or without quotes around.

    Raises `Refused` 400, `idempotency-key-missing` or `idempotency-key-malformed`.
    """
    if not value:
        problem = Problem(_POINTER, "missing")
        raise Refused("idempotency-key-missing", HTTPStatus.BAD_REQUEST, (problem,))
    bare = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if not _KEY.fullmatch(bare):
        raise Refused("idempotency-key-malformed", HTTPStatus.BAD_REQUEST, (Problem(_POINTER, "malformed"),))
    return bare


def key_of(request: Request) -> str:
    """The request's one `Idempotency-Key`. Raises as `checked_key`; two headers are malformed."""
    given = request.headers.getlist("idempotency-key")
    return checked_key(",".join(given).strip())


def digest(pepper: bytes, body: bytes) -> bytes:
    """HMAC-SHA256 of a body: tells whether two are the same, and nothing of them without the pepper."""
    return hmac.digest(pepper, body, "sha256")
