"""When the mail server took each offer: what a requester's wait ends with, as far as this side can see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import aiohttp
import asyncpg

from services.notify.actions.sending import PATHS
from shared.doors import keyed_hash

_LINK = re.compile(rf"/{PATHS['offer']}/([A-Za-z0-9_-]{{20,}})")
_CASES = "SELECT hash, key FROM notify.doors WHERE hash = ANY ($1::bytea[])"


async def accepted(mailbox: str, connection: asyncpg.Connection, pepper: bytes) -> Mapping[UUID, float]:
    """When the mailbox at this address took the first mail with an offer of each case, by the machine's clock.

    The moment is that of the whole message having been read, just before it is kept and answered with 250.
    """
    async with aiohttp.ClientSession(mailbox) as http, http.get("/api/mails") as answer:
        mails = await answer.json()
    taken: dict[bytes, float] = {}
    for mail in mails:
        if link := _LINK.search(mail["text"]):
            hashed = keyed_hash(pepper, "link:offer", link.group(1))
            taken[hashed] = datetime.fromisoformat(mail["received_at"]).timestamp()
    found: dict[UUID, float] = {}
    for row in await connection.fetch(_CASES, list(taken)):
        found[row["key"]] = min(found.get(row["key"], taken[row["hash"]]), taken[row["hash"]])
    return found
