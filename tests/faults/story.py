"""One case from request to purge, through the real doors, by people who try again when nobody answers."""

from __future__ import annotations

import http.client
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from deploy.local import walk
from deploy.local.demo import DemoError
from deploy.local.mails import Mail
from deploy.local.walk import Requester
from shared.events.intake import CaseClosed
from shared.events.matching import OfferMade, PeerAssigned
from shared.events.notify import IntentSettled
from shared.events.referral import LadderAcknowledged
from shared.migrate import SERVICES
from shared.types import CaseId
from tests.faults import proof
from tests.faults.kills import Course, Kill, Step
from tests.faults.ledger import Entry
from tests.faults.stand import Letter, Stand
from tests.harness.waiting import eventually

T = TypeVar("T")

UNANSWERED = (OSError, http.client.HTTPException)
"""What a browser sees when the process that it speaks to dies."""
REACH = {"channel": "call", "address": "801-555-0142", "safe_times": "after 18:00", "leave_message": False}
EXPIRY_GRACE = timedelta(seconds=31)


@dataclass
class Story:
    """Walks one case along a course, and has a service die on the way."""

    stand: Stand
    course: Course
    code: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    letters: list[Letter] = field(default_factory=list)
    _case: UUID | None = None

    @property
    def case(self) -> UUID:
        assert self._case is not None
        return self._case

    async def told(self) -> None:
        """The whole of it. At the end the case is purged, everything is at rest, and nothing happened twice."""
        # What is left of an earlier case leads nowhere any more.
        await self.stand.town.mailbox.forget_present()
        requester = await self.asked(**({"urgency": "emergency"} if self.course.emergency else {}))
        if "expire" in self.course.steps:
            await self._step("expire", self._pending, self._silence)
        if self.course.emergency:
            await self._step("acknowledge", self._page, lambda mail: self.press(mail, "acknowledge"))
            await self.stand.ledger.said(self.case, LadderAcknowledged)
        await self._step("accept", self.offer, lambda mail: self.press(mail, "accept"))
        await requester.until("released")
        second = await self.stand.town.mail("/w/", self.stand.agency.contacts)
        await self._step("contacted", self._nothing, lambda _: self.press(second, "contacted"))
        await requester.until("in_contact")
        await self.counted()
        await self._step("close", self._nothing, lambda _: self._close(second))
        await self.ended()

    async def counted(self) -> None:
        """Count the mails about the case, before its end makes their links lead nowhere."""
        self.letters = await self.stand.letters(self.case)

    async def _step(self, name: Step, before: Callable[[], Awaitable[T]], do: Callable[[T], Awaitable[None]]) -> None:
        found = await before()
        kill = self.course.steps.get(name)
        if kill is None:
            await do(found)
        else:
            await survived(self.stand, kill, lambda: do(found), self._known)

    async def _known(self) -> UUID:
        """The case's id: intake has one case at a time here."""
        if self._case is None:
            sql = await self.stand.sql()
            self._case = await eventually(lambda: sql.fetchval("SELECT case_id FROM intake.requests"), what="the case")
        return self.case

    async def asked(self, **changes: object) -> Requester:
        """Somebody asks; the device sends the same again when nobody answers."""
        stand = self.stand
        body = await stand.town.body(stand.agency, self.code, **({"reach": REACH} | changes))

        async def send(_: None) -> None:
            answer = await stand.town.send(stand.agency, body)
            assert answer.status in {200, 201}, answer.status

        await self._step("ask", self._nothing, send)
        await self._known()
        return Requester(stand.town.intake, self.code, "")

    async def _nothing(self) -> None:
        return None

    async def offer(self) -> Mail:
        """The mail of an offer. One whose outcome is unknown is not sent again: its time passes, the next is asked."""
        while True:
            offer = self.stand.ledger.facts(self.case, OfferMade)
            made = offer[-1] if offer else await self.stand.ledger.said(self.case, OfferMade)
            settled = await self.stand.ledger.said(self.case, IntentSettled, subject=made.offer)
            mail = await self.stand.arrived(
                "/m/", self.stand.agency.contacts, 10 if settled.outcome == "accepted" else 0.3
            )
            if mail is not None:
                return mail
            assert settled.outcome == "unknown"
            await self._silence(made)

    async def _pending(self) -> OfferMade:
        mail = await self.offer()
        assert mail is not None
        return self.stand.ledger.facts(self.case, OfferMade)[-1]

    async def _silence(self, made: OfferMade) -> None:
        """The time of an offer passes without an answer."""
        now = await (await self.stand.sql()).fetchval("SELECT region.now()")
        await self.stand.region.move_clock(made.expires - now + EXPIRY_GRACE)

        def another() -> bool:
            return len(self.stand.ledger.facts(self.case, OfferMade)) > 1

        if "expire" not in self.course.steps:
            await eventually(another, 30, what="another offer")

    async def _page(self) -> Mail:
        return await self.stand.town.mail("/p/", self.stand.on_call)

    async def press(self, mail: Mail, verb: str) -> None:
        """Follow the link, give the PIN, press the button; nothing when an answer was taken before."""
        browser, page = await walk.opened(mail.link, self.stand.agency.pin)
        if any(form.button(verb) for form in page.forms):
            await walk.press(browser, page, verb)

    async def _close(self, mail: Mail) -> None:
        """Press "close"; nothing when the case is over already, and its link leads nowhere."""
        with suppress(DemoError):
            await self.press(mail, "close")

    async def ended(self) -> None:
        stand = self.stand
        await stand.ledger.said(self.case, CaseClosed)
        await walk.purged(stand.region.local, CaseId(self.case))
        await stand.at_rest()
        await self._nothing_twice()
        await self._nothing_left()
        stand.spoiled = False

    async def _nothing_twice(self) -> None:
        """One accepted peer, no fact said twice, and one mail about each thing, as far as anybody knows."""
        facts = self.stand.ledger.facts
        assert len(facts(self.case, PeerAssigned)) == 1
        said = Counter(f"{one.fact.type} {one.fact.model_dump_json()}" for one in self._once())
        assert [text for text, times in said.items() if times > 1] == []
        outcomes = {one.subject: one.outcome for one in facts(self.case, IntentSettled)}
        copies = Counter((one.purpose, one.subject, one.person) for one in self.letters)
        for offer in facts(self.case, OfferMade):
            seen = copies["offer", offer.offer, offer.person]
            assert seen == 1 if outcomes[offer.offer] == "accepted" else seen <= 1
        assert {times for (purpose, *_), times in copies.items() if purpose != "page"} == {1}
        assert (
            max((times for (purpose, *_), times in copies.items() if purpose == "page"), default=1)
            <= self.course.copies
        )

    def _once(self) -> list[Entry]:
        return list({one.event_id: one for one in self.stand.ledger.of(self.case)}.values())

    async def _nothing_left(self) -> None:
        """The key is destroyed, and no service waits for anything about the case."""
        sql = await self.stand.sql()
        key = "SELECT destroyed_at FROM vault.data_keys WHERE kind = 'case' AND subject_id = $1"
        assert await sql.fetchval(key, self.case)
        for service in SERVICES:
            assert not await sql.fetchval(f"SELECT count(*) FROM {service}.timers WHERE key = $1", self.case)  # noqa: S608
            assert await sql.fetchval(f"SELECT closed FROM {service}.tombstones WHERE case_id = $1", self.case)  # noqa: S608


async def nobody() -> None:
    """What a death is about when it is about no case."""


async def survived(
    stand: Stand, kill: Kill, do: Callable[[], Awaitable[None]], about: Callable[[], Awaitable[UUID | None]]
) -> None:
    """Do something at a door of which a service dies; prove where it died, start it, and do it again if need be."""
    try:
        if kill.point == "before-offset":
            await stand.offsets_committed(kill.service)
        stand.arm(kill)
        answered = await _answered(do())
        await stand.death(kill)
        await proof.prove(stand, kill, await about())
        await stand.revive(kill.service)
        if not answered:
            await do()
    except BaseException as error:
        error.add_note(str(kill))
        raise


async def _answered(doing: Awaitable[None]) -> bool:
    """Whether it was done; False when nobody answered."""
    try:
        await doing
    except UNANSWERED:
        return False
    return True
