"""The mailbox, read along: every mail once, and where its link leads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import aiohttp

from services.notify.actions.sending import PATHS
from shared.doors import keyed_hash
from tests.chaos import witness
from tests.chaos.history import Letter
from tests.chaos.witness import Eye

_LINK = re.compile(r"https?://[^\s<>\"']+/([a-z])/([A-Za-z0-9_-]+)")
LOOK_EVERY_S = 0.4
LATEST = 200
PURPOSES = {first: purpose for purpose, first in PATHS.items()}


Beginning = tuple[str, UUID, UUID]
"""The transaction in which an attempt began, and the person and the subject of its message."""


@dataclass(frozen=True)
class Opened:
    """A mail with a link: where it leads and what it is about. `made_in` is the transaction that made the link."""

    link: str
    purpose: str
    case: UUID | None
    person: UUID
    subject: UUID
    made_in: str


@dataclass(frozen=True)
class Came:
    """A mail as the mailbox has it; `number` is its link's secret, which no other mail has, or its own id."""

    mail: str
    at: float
    to: str
    number: str
    opened: Opened | None

    def letter(self, whose: Mapping[Beginning, UUID]) -> Letter:
        """The mail with the attempt that sent it, given the attempts by transaction, person and subject."""
        one = self.opened
        attempt = whose.get((one.made_in, one.person, one.subject)) if one else None
        return Letter(self.mail, self.at, self.to, self.number, attempt)


class Box:
    """Reads along; `came` holds everything so far."""

    def __init__(self, url: str, eye: Eye, pepper: bytes, tell: Callable[[Opened], None]) -> None:
        self._url, self._eye, self._pepper, self._tell = url, eye, pepper, tell
        self.came: dict[str, Came] = {}
        self._news = asyncio.Condition()

    async def read(self, http: aiohttp.ClientSession, latest: int = LATEST) -> None:
        """Take in what is new among the latest mails."""
        async with http.get(f"{self._url}/api/mails", params={"limit": latest}) as answer:
            rows = await answer.json()
        for row in reversed(rows):
            if row["id"] not in self.came:
                self.came[row["id"]] = one = await self._came(row)
                if one.opened is not None:
                    self._tell(one.opened)
        async with self._news:
            self._news.notify_all()

    async def about(self, case: UUID | None) -> None:
        """Return when there is a mail about this case."""
        async with self._news:
            await self._news.wait_for(lambda: any(one.opened and one.opened.case == case for one in self.came.values()))

    async def _came(self, row: Mapping[str, Any]) -> Came:
        at = datetime.fromisoformat(row["received_at"]).timestamp()
        found = _LINK.search(row["text"])
        to = row["to"][0] if row["to"] else ""
        if found is None or found[1] not in PURPOSES:
            return Came(row["id"], at, to, row["id"], None)
        purpose = PURPOSES[found[1]]
        made = await witness.link_of(self._eye, keyed_hash(self._pepper, f"link:{purpose}", found[2]))
        if made is None:
            return Came(row["id"], at, to, found[2], None)
        case = UUID(made["case"]) if made["case"] else None
        opened = Opened(found[0], purpose, case, UUID(made["person"]), UUID(made["subject"]), str(made["transaction"]))
        return Came(row["id"], at, to, found[2], opened)


@asynccontextmanager
async def reading(box: Box) -> AsyncIterator[aiohttp.ClientSession]:
    """Read along until the end of this."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:

        async def along() -> None:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError):
                    await box.read(http)
                await asyncio.sleep(LOOK_EVERY_S)

        task = asyncio.create_task(along())
        try:
            yield http
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
