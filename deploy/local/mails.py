"""The local mailbox as its owners read it: the newest mail with a link, waited for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from deploy.local.browser import Browser
from deploy.local.errors import LocalError

_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]")
POLL_S = 0.1


class NoMailError(LocalError):
    """A mail that should have come did not."""

    def __init__(self, page: str, within_s: float) -> None:
        """Say what was waited for, not for whom."""
        super().__init__(
            f"No mail with a link to {page} arrived within {within_s:.0f} s: read notify's log for the cause."
        )


@dataclass(frozen=True)
class Mail:
    """A mail with a link: whose it is, what its subject says, and where it leads."""

    id: str
    to: str
    subject: str
    link: str

    def leads_to(self, page: str) -> bool:
        """Whether its link is to this page, such as `/m/`."""
        return urlsplit(self.link).path.startswith(page)


@dataclass
class Mailbox:
    """Reads mails over the mailbox's JSON; each is handed out once.

    `links_to` is where the pages of this region answer: other regions may share the box.
    """

    url: str
    links_to: str
    _read: set[str] = field(default_factory=set)

    async def all(self, address: str = "") -> list[Mail]:
        """Every mail with a link to this region, the newest first; of one recipient if given."""
        asked = f"?to={quote(address)}" if address else ""
        answer = await Browser().api("GET", f"{self.url}/api/mails{asked}")
        found = []
        for row in answer.json():
            links = _LINK.findall(row["text"])
            if links and row["to"] and links[0].startswith(f"{self.links_to}/"):
                found.append(Mail(row["id"], row["to"][0], row["subject"], links[0]))
        return found

    async def forget_present(self) -> None:
        """Only what comes from now on is handed out."""
        self._read |= {mail.id for mail in await self.all()}

    async def unread(self) -> list[Mail]:
        """Mails with a link that were not handed out yet, the newest first."""
        return [mail for mail in await self.all() if mail.id not in self._read]

    async def next(self, page: str, among: Collection[str], *, within_s: float = 30.0) -> Mail:
        """The newest unread mail to one of these addresses that leads to a page; waits for it. Raises `NoMailError`."""
        wanted = {address.casefold() for address in among}
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for mail in await self.unread():
                        if mail.to.casefold() in wanted and mail.leads_to(page):
                            self._read.add(mail.id)
                            return mail
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise NoMailError(page, within_s) from None
