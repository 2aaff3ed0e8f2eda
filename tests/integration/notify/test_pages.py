"""Pages of an emergency behind their links: taken, late, given back, over for whoever is barred; never in a line."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from services.notify.actions.desk import HASHES_AT_ONCE, PinHash
from shared import clock
from shared.events.intake import BarsChanged, CaseClosed, ContactReleased, ContactReleasedInCrisis
from shared.events.notify import DangerReported, PageReplied
from shared.events.referral import CrisisReplySettled, LadderAcknowledged, ReferralInProgress, RungPaged
from shared.types import CaseId, PersonId
from tests.integration.notify.stand import Browser, Stand, text_of
from tests.integration.notify.test_referrals import asked

ANA, BEN = "ana@example.org", "ben@example.org"
ORDINARY = 4
"""Connections of the pool that `TestDatabase.opened` opens."""


@dataclass
class Emergency:
    """A case whose first rung is two people."""

    stand: Stand
    people: dict[str, PersonId]
    case: CaseId = field(default_factory=lambda: CaseId(clock.random_id()))
    ladder: UUID = field(default_factory=clock.random_id)

    async def page(self, *addresses: str, rung: int = 0) -> None:
        expires = await self.stand.now() + timedelta(minutes=5)
        pages = tuple((clock.random_id(), self.people[one]) for one in addresses)
        await self.stand.hear(self.case, RungPaged(ladder=self.ladder, rung=rung, pages=pages, expires=expires))
        await self.stand.send()

    async def press(self, path: str, verb: str, outcome: str) -> Browser:
        """A button of a page, and what referral says came of it."""
        browser = self.stand.browser()
        pressed = await browser.press(path, await browser.enter(path), verb)
        assert pressed.status == 303, text_of(pressed)
        reply: PageReplied = (await self.stand.said(PageReplied))[-1]
        if outcome == "acknowledged":
            await self.stand.hear(self.case, LadderAcknowledged(ladder=self.ladder, person=reply.person))
        settled = CrisisReplySettled.model_validate({"reply": reply.reply, "outcome": outcome})
        await self.stand.hear(self.case, settled)
        return browser

    async def release(self, address: str) -> str:
        """The path of the page with the requester's number."""
        sealed = await self.stand.sealed_reach(self.case, b'{"channel": "call", "address": "801 555 0199"}')
        to = self.people[address]
        await self.stand.hear(self.case, ContactReleasedInCrisis(ladder=self.ladder, recipient=to, sealed=sealed))
        await self.stand.send()
        return self.stand.mailman.link(address)

    async def shows(self, path: str) -> str:
        return text_of(await self.stand.browser().enter(path))


async def emergency(stand: Stand) -> Emergency:
    at = Emergency(stand, {ANA: await stand.peer(ANA), BEN: await stand.peer(BEN)})
    await at.page(ANA, BEN)
    return at


async def test_a_page_that_was_covered_is_answerable_again_when_the_taker_is_late(stand: Stand) -> None:
    at = await emergency(stand)
    first, other = stand.mailman.link(ANA), stand.mailman.link(BEN)
    # Both press in the same moment: the second hears that it is covered.
    browser = stand.browser()
    page = await browser.enter(other)
    await at.press(first, "acknowledge", "acknowledged")
    assert (await browser.press(other, page, "acknowledge")).status == 409
    assert "covered" in await at.shows(other)
    await at.page(BEN, rung=1)
    assert "Can you take this?" in await at.shows(other)
    await at.press(other, "acknowledge", "acknowledged")
    assert "You have taken this" in await at.shows(other)


async def test_whoever_took_a_page_can_give_it_back_and_take_it_again(stand: Stand) -> None:
    at = await emergency(stand)
    path = stand.mailman.link(ANA)
    await at.press(path, "acknowledge", "acknowledged")
    number = await at.release(ANA)
    assert "801 555 0199" in await at.shows(number)
    await at.press(path, "cannot", "noted")
    shut = await at.shows(number)
    assert ("801 555 0199" in shut, "ended" in shut) == (False, True)
    await at.press(path, "acknowledge", "acknowledged")
    await at.press(path, "cannot", "noted")
    await at.press(path, "acknowledge", "acknowledged")
    verbs = [fact.verb for fact in await stand.said(PageReplied)]
    assert verbs == ["acknowledge", "cannot", "acknowledge", "cannot", "acknowledge"]
    await at.press(path, "contact_confirmed", "noted")


async def test_for_one_who_comes_to_be_barred_everything_is_over_and_nothing_new_is_sent(stand: Stand) -> None:
    at = await emergency(stand)
    path = stand.mailman.link(ANA)
    await at.press(path, "acknowledge", "acknowledged")
    number = await at.release(ANA)
    await stand.hear(at.case, BarsChanged(bars=(at.people[ANA],)))
    for one in (path, number):
        shown = await at.shows(one)
        assert ("ended" in shown, "801" in shown) == (True, False)
    await stand.send()
    assert "Thank you" in stand.mailman.text(ANA)
    sent = len(stand.mailman.to(ANA))
    await at.page(ANA, BEN, rung=1)
    await stand.hear(at.case, ContactReleased(assignment=at.ladder, recipient=at.people[ANA]))
    await stand.send()
    assert len(stand.mailman.to(ANA)) == sent
    assert await stand.sql.fetchval("SELECT count(*) FROM barred") == 1
    await stand.hear(at.case, CaseClosed())
    assert await stand.sql.fetchval("SELECT count(*) FROM barred") == 0


async def test_whoever_takes_a_page_is_told_nothing_of_the_requesters_clinician(stand: Stand) -> None:
    it = await asked(stand)
    await it.request()
    await it.accepted()
    await stand.hear(it.case, ReferralInProgress(referral=it.referral, clinician=it.clinician))
    at = Emergency(stand, {ANA: await stand.peer(ANA)}, it.case)
    await at.page(ANA)
    await at.press(stand.mailman.link(ANA), "acknowledge", "acknowledged")
    await stand.hear(it.case, ContactReleasedInCrisis(ladder=at.ladder, recipient=at.people[ANA]))
    await stand.send()
    assert "clinician" not in (await at.shows(stand.mailman.link(ANA))).lower()


async def test_a_page_and_the_word_of_danger_wait_for_no_ordinary_connection(stand: Stand) -> None:
    at = await emergency(stand)
    path = stand.mailman.link(ANA)
    peer = await stand.assigned("peer@example.org", None)
    browser = stand.browser()
    page = await browser.enter(peer.path)
    async with AsyncExitStack() as busy:
        for _ in range(ORDINARY):
            await busy.enter_async_context(stand.db.transaction({stand.agency}))
        mine = stand.browser()
        taken = await mine.press(path, await mine.enter(path), "acknowledge")
        answer = await browser.press(peer.path, page, "danger")
    assert (taken.status, answer.status) == (303, 200)
    assert [fact.person for fact in await stand.said(PageReplied)] == [at.people[ANA]]
    assert len(await stand.said(DangerReported)) == 1


async def test_the_pin_of_a_page_stands_in_no_line_of_other_pins() -> None:
    pins, done = PinHash(b"pepper"), list[str]()

    async def hashed(name: str, *, crisis: bool) -> None:
        await pins.of("482915", b"salt", crisis=crisis)
        done.append(name)

    others = [asyncio.create_task(hashed("other", crisis=False)) for _ in range(HASHES_AT_ONCE + 20)]
    await asyncio.sleep(0)
    await hashed("page", crisis=True)
    assert len(done) < len(others) / 2
    await asyncio.gather(*others)
