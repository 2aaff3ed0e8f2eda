"""A POST that comes again with its Idempotency-Key: for how long it is known, and what it may not be."""

from __future__ import annotations

import hmac
from datetime import timedelta

from shared.errors import Problem, Refused

REPLAYED_FOR = timedelta(hours=24)
"""How long the POST that made a key is answered again with the same key."""


def require_same(*, stored: bytes, given: bytes) -> None:
    """The key was seen before, with the digest `stored`. Raises `Refused` 422 `idempotency-key-reused` for another."""
    if not hmac.compare_digest(stored, given):
        raise Refused("idempotency-key-reused", 422, (Problem("/header/idempotency-key", "reused"),))
