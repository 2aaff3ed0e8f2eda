"""The requester's fifteen minutes: the code, sealed, in a cookie that nobody but this house can read."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.http.sessions import MAX_AGE_S

_NONCE = 12
_BOUND = b"intake:session:1"


@dataclass(frozen=True, repr=False)
class Session:
    """A code and the agency's page that it was entered at."""

    slug: str
    code: str


def sealed(key: bytes, session: Session, now: datetime) -> str:
    """What the cookie holds, good for fifteen minutes from `now` (the real time)."""
    until = now + timedelta(seconds=MAX_AGE_S)
    text = json.dumps([session.slug, session.code, until.timestamp()]).encode()
    nonce = secrets.token_bytes(_NONCE)
    return base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, text, _BOUND)).decode()


def opened(key: bytes, value: str, now: datetime) -> Session | None:
    """The session of a cookie; None when it is over, or was never ours."""
    try:
        raw = base64.urlsafe_b64decode(value.encode("ascii"))
        slug, code, until = json.loads(AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], _BOUND))
    except (InvalidTag, ValueError, binascii.Error):
        return None
    return Session(slug, code) if until > now.timestamp() else None
