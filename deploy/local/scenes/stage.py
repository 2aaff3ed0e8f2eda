"""What every scene stands on: people with browsers and mailboxes, and everything published meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from deploy.local import walk
from deploy.local.browser import Answer, Browser
from deploy.local.cast import Town
from deploy.local.demo import OK, Demo, DemoError
from deploy.local.mails import Mail, Mailbox
from deploy.local.region import LocalRegion
from deploy.local.timeline import Seen, Watcher
from deploy.local.walk import Requester
from shared.events import Fact
from shared.events.intake import CrisisRaised, DirectAsked, RequestSubmitted
from shared.types import CaseId

F = TypeVar("F", bound=Fact)
BEGINNINGS = RequestSubmitted | CrisisRaised | DirectAsked

MoveClock = Callable[[timedelta], Awaitable[None]]


@dataclass(eq=False)
class Stage:
    """One running region. `move_clock` moves the region's clock, never the machine's; production has none to move."""

    region: LocalRegion
    demo: Demo
    mailbox: Mailbox
    watcher: Watcher
    move_clock: MoveClock
    cases: list[CaseId] = field(default_factory=list)

    @property
    def intake(self) -> str:
        """Where requesters ask."""
        return self.region.url("intake")

    async def ask(self, town: Town, **changes: object) -> tuple[Requester, CaseId]:
        """Somebody asks; returns them and their case."""
        requester = await walk.ask(self.intake, town.slug, **changes)
        case = await self._newest()
        self.cases.append(case)
        return requester, case

    async def _newest(self) -> CaseId:
        known = set(self.cases)

        async def found() -> CaseId | None:
            begun = (one for one in self.watcher.seen if isinstance(one.fact, BEGINNINGS))
            return next((CaseId(s.envelope.subject) for s in begun if s.envelope.subject not in known), None)

        return CaseId(await self.until(found, "a request on the bus"))

    async def sent(self, town: Town, **changes: object) -> Answer:
        """Somebody asks, whatever is answered."""
        return (await walk.sent(self.intake, town.slug, **changes))[0]

    async def said(self, kind: type[F], case: CaseId) -> F:
        """The first fact of this kind about a case; waits for it."""
        return (await self.watcher.first(kind, case=case))[1]

    def of(self, case: CaseId) -> list[Seen]:
        """Everything that was published about a case."""
        return self.watcher.of(case)

    def never(self, kind: type[Fact], case: CaseId) -> None:
        """Raise `DemoError` when this was ever said of a case."""
        self.expect(not any(isinstance(one.fact, kind) for one in self.of(case)), f"no {kind.__name__} in this case")

    def expect(self, held: bool, what: str) -> None:  # noqa: FBT001 - it reads as an assertion does
        """Raise `DemoError` when something is not as it should be."""
        if not held:
            raise DemoError(what, "otherwise")

    async def until(self, condition: Callable[[], Awaitable[Any]], what: str) -> Any:  # noqa: ANN401 - what it found
        """Wait until this finds something; returns it. Raises `DemoError`."""
        found: Any = None

        async def reached() -> bool:
            nonlocal found
            found = await condition()
            return bool(found)

        await walk.eventually(reached, what, lambda: "by nothing in time")
        return found

    async def mail(self, page: str, to: Sequence[str]) -> Mail:
        """The next mail to one of these that leads to a page."""
        return await self.mailbox.next(page, to)

    async def behind(self, mail: Mail) -> tuple[Browser, Answer]:
        """The page behind a link and the PIN."""
        return await walk.opened(mail.link, self.demo.pin)

    async def late(self, mail: Mail) -> str:
        """What somebody reads who follows a link when it is over."""
        return (await walk.opened_anyway(mail.link, self.demo.pin)).text

    async def answer(self, mail: Mail, verb: str) -> Answer:
        """Follow a link, give the PIN, press a button."""
        browser, page = await self.behind(mail)
        return await walk.press(browser, page, verb)

    async def write(self, mail: Mail, verb: str, **fields: str) -> Answer:
        """Follow a link, give the PIN, open the form of `verb`, fill it in and send it."""
        browser, page = await self.behind(mail)
        if not any("text" in form.names for form in page.forms):
            page = await browser.get(f"{mail.link}/{verb}")
        answer = await browser.submit(page.form(has="text"), fields)
        if answer.status != OK:
            raise DemoError.of(f"the form {verb}", answer)
        return answer

    async def supported(self, town: Town, **changes: object) -> tuple[Requester, CaseId, Mail]:
        """A case in which a peer has accepted; with the mail that leads the peer to it."""
        requester, case = await self.ask(town, **changes)
        offer = await self.mail("/m/", peers(town))
        await self.answer(offer, "accept")
        await requester.until("released")
        return requester, case, await self.mail("/w/", [offer.to])

    async def closed(self, requester: Requester) -> None:
        """The requester closes; the case goes its way to the purge."""
        self.expect((await requester.act("POST", "/close")).status == OK, "POST /v1/case/close")


def peers(town: Town) -> list[str]:
    """Where the peers of an agency get their mail."""
    return [one.contact for one in town.people if one.role == "peer"]


def clinicians(town: Town) -> list[str]:
    """Where its clinicians get theirs."""
    return [one.contact for one in town.people if one.role == "clinician"]


def coordinators(town: Town) -> list[str]:
    """Where its coordinators get theirs."""
    return [one.contact for one in town.people if one.role == "coordinator"]
