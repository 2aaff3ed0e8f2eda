"""The only place where the real clock is read and ids are made. Pure rooms get both as arguments."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7


def now() -> datetime:
    """The real time, in UTC. Business deadlines use the region's clock (`shared.db.Transaction.now`) instead."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that only go forward, for measuring."""
    return time.monotonic()


def random_id() -> UUID:
    """An id that tells nothing, not even when it was made (UUIDv4): cases, persons, offers."""
    return uuid4()


def ordered_id() -> UUID:
    """An id that sorts by the time it was made (UUIDv7): events, timers, attempts."""
    return uuid7()


def token() -> str:
    """256 random bits for a link, a session or a key, safe in a URL."""
    return secrets.token_urlsafe(32)
