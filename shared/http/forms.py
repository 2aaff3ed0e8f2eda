"""Forms of pages that work without JavaScript, and the nonce that ties a form to the session it was shown in."""

from __future__ import annotations

import base64
import hashlib
import hmac
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.requests import Request

from shared.errors import Refused

MAX_FIELDS = 200
MAX_BYTES = 32 * 1024


async def read_form(
    request: Request, *, max_fields: int = MAX_FIELDS, max_bytes: int = MAX_BYTES
) -> dict[str, list[str]]:
    """The fields of a urlencoded form, each with its values in order.

    Raises `Refused`: 415 `form-expected`, 413 `body-too-large`, 400 `form-malformed` (too many fields, not UTF-8,
    or a NUL, which no text column can hold).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused("form-expected", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise Refused("body-too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return _fields(bytes(body), max_fields)


def _fields(body: bytes, max_fields: int) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=max_fields)
    except ValueError:
        raise Refused("form-malformed", HTTPStatus.BAD_REQUEST) from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            raise Refused("form-malformed", HTTPStatus.BAD_REQUEST)
        fields.setdefault(name, []).append(value)
    return fields


def nonce(secret: bytes, session_id: str, purpose: str) -> str:
    """What the hidden field of a form holds: bound to the session and to what the form is for, 256 bits."""
    # The length keeps ("ab", "c") and ("a", "bc") apart.
    bound = f"{len(session_id)}:{session_id}:{purpose}".encode()
    return base64.urlsafe_b64encode(hmac.new(secret, bound, hashlib.sha256).digest()).rstrip(b"=").decode()


def check_nonce(secret: bytes, session_id: str, purpose: str, given: str | None) -> bool:
    """Whether `given` is that nonce; takes the same time for every wrong one."""
    return hmac.compare_digest(nonce(secret, session_id, purpose).encode(), (given or "").encode())
