"""The mails that really arrived, as the mailbox shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import aiohttp

from tests.harness.waiting import eventually

_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]")


@dataclass(frozen=True)
class Mail:
    """A mail as it came; `to` are the recipients of its envelope."""

    id: str
    to: tuple[str, ...]
    sender: str
    subject: str
    text: str
    received_at: str

    @property
    def link(self) -> str:
        """The one link in it."""
        found = _LINK.findall(self.text)
        assert len(found) == 1, f"{len(found)} links in {self.subject!r}"
        return str(found[0])


class Mailbox:
    """Reads the local mailbox. Tests use addresses of their own: the box is shared."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url, self._http = url, http
        self._read: set[str] = set()

    async def mails(self, *, to: str) -> list[Mail]:
        """All mails to an address, the oldest first."""
        async with self._http.get(f"{self._url}/api/mails", params={"to": to}) as answer:
            answer.raise_for_status()
            rows = await answer.json()
        return [Mail(**{**row, "to": tuple(row["to"])}) for row in reversed(rows)]

    async def next(self, address: str, *, within: float = 15.0) -> Mail:
        """The oldest mail to an address that was not yet read by this method."""

        async def unread() -> Mail | None:
            return next((mail for mail in await self.mails(to=address) if mail.id not in self._read), None)

        mail = await eventually(unread, within, what=f"a mail to {address}")
        self._read.add(mail.id)
        return mail
