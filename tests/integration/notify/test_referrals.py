"""A referral at the clinician's page: asked, taken on, handed over, finished; and nothing after a withdrawn consent."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from shared import clock
from shared.events.envelope import Fact
from shared.events.intake import ConsentWithdrawn, ContactReleased
from shared.events.notify import ReferralReplied
from shared.events.referral import (
    AnswerSettled,
    ConsentAsked,
    ConsentReminded,
    HandoffConfirmed,
    LadderAcknowledged,
    ReferralAccepted,
    ReferralCancelled,
    ReferralCompleted,
    ReferralFailed,
    ReferralInProgress,
    ReferralRequested,
    RungPaged,
)
from shared.types import CaseId, PersonId, Urgency
from tests.integration.notify.stand import Browser, Stand, text_of
from tests.unit.shared.asgi import Answer

CLINICIAN, PEER, OTHER = "cara@example.org", "ana@example.org", "ben@example.org"
REACH = b'{"channel": "call", "address": "+18015550142", "safe_times": "after 18:00", "leave_message": false}'


class Asked:
    """A clinician who has been asked, at the page of the link."""

    def __init__(self, stand: Stand, case: CaseId, clinician: PersonId) -> None:
        self.stand, self.case, self.clinician = stand, case, clinician
        self.referral, self.consent = clock.random_id(), clock.random_id()
        self.path, self.browser, self.sealed = "", stand.browser(), b""

    async def request(self, *, direct: bool = False) -> Answer:
        due = await self.stand.now() + timedelta(hours=24)
        fact = ReferralRequested(
            referral=self.referral,
            clinician=self.clinician,
            consent=self.consent,
            urgency=Urgency.SOON,
            direct=direct,
            due=due,
            language="es",
        )
        await self.stand.hear(self.case, fact)
        await self.stand.send()
        self.path = self.stand.mailman.link(CLINICIAN)
        return await self.browser.enter(self.path)

    async def settled(self, outcome: str = "noted") -> None:
        reply = (await self.stand.said(ReferralReplied))[-1].reply
        await self.stand.hear(self.case, AnswerSettled.model_validate({"reply": reply, "outcome": outcome}))

    async def accepted(self) -> Answer:
        """It is accepted and released for thirty days; the page in answer to the PIN."""
        due = await self.stand.now() + timedelta(hours=24)
        await self.stand.hear(
            self.case,
            ReferralAccepted(referral=self.referral, clinician=self.clinician, consent=self.consent, due=due),
        )
        self.sealed = await self.stand.sealed_reach(self.case, REACH)
        return await self.released(clock.random_id())

    async def released(self, consent: UUID) -> Answer:
        """Released by this consent, which was given just now."""
        expires = await self.stand.now() + timedelta(days=30)
        await self.stand.hear(
            self.case,
            ContactReleased(
                assignment=self.referral,
                recipient=self.clinician,
                sealed=self.sealed,
                consent=consent,
                expires=expires,
            ),
        )
        await self.stand.send()
        return await self.browser.enter(self.path)


async def asked(stand: Stand, case: CaseId | None = None) -> Asked:
    return Asked(stand, case or CaseId(clock.random_id()), await stand.peer(CLINICIAN))


async def test_before_acceptance_only_urgency_way_and_language_are_shown(stand: Stand) -> None:
    it = await asked(stand)
    page = text_of(await it.request())
    assert it.path.startswith("/r/")
    assert all(word in page for word in ("today", "through a peer", "Spanish", "Yes, I take them on"))
    assert "es" not in stand.mailman.text(CLINICIAN).split()
    assert "asked for a clinician themselves" in text_of(await (await asked_again(it)).browser.get(it.path))


async def asked_again(it: Asked) -> Asked:
    await it.request(direct=True)
    return it


async def test_opening_the_link_changes_nothing_and_a_forged_form_does_nothing(stand: Stand) -> None:
    it = await asked(stand)
    page = await it.request()
    before = await stand.sql.fetchval("SELECT array_agg(m::text) FROM matters m")
    stranger = stand.browser()
    assert "today" not in text_of(await stranger.get(it.path))
    assert (await stranger.press(it.path, page, "accept")).status == 403
    assert (await it.browser.post(f"{it.path}/answer", {"verb": "accept", "nonce": "forged"})).status == 403
    assert await stand.sql.fetchval("SELECT array_agg(m::text) FROM matters m") == before
    assert await stand.said(ReferralReplied) == []


async def test_an_acceptance_counts_once_and_details_come_with_the_release(stand: Stand) -> None:
    it = await asked(stand)
    page = await it.request()
    first, second = [await it.browser.press(it.path, page, verb) for verb in ("accept", "reject")]
    assert (first.status, second.status) == (303, 409)
    assert "One moment" in text_of(await it.browser.get(it.path))
    await it.settled("accepted")
    assert "details follow" in text_of(await it.browser.get(it.path))
    shown = text_of(await it.accepted())
    assert "801-555-0142" in shown
    assert "after 18:00" in shown
    assert "801-555-0142" not in text_of(await it.browser.get(it.path))
    assert len(stand.mailman.to(CLINICIAN)) == 3


@pytest.mark.parametrize("verb", ["reject", "hold"])
async def test_a_clinician_may_say_no_or_hold(stand: Stand, verb: str) -> None:
    it = await asked(stand)
    page = await it.request()
    assert (await it.browser.press(it.path, page, verb)).status == 303
    (reply,) = await stand.said(ReferralReplied)
    assert (reply.referral, reply.person, reply.verb) == (it.referral, it.clinician, verb)


async def test_the_hand_off_comes_before_the_end_and_the_end_is_asked_once_more(stand: Stand) -> None:
    it = await asked(stand)
    await it.request()
    page = await it.accepted()
    assert (await it.browser.press(it.path, page, "complete", sure="yes")).status == 403
    assert (await it.browser.press(it.path, page, "handoff")).status == 303
    await it.settled()
    await stand.hear(it.case, HandoffConfirmed(referral=it.referral, side="clinician"))
    sure = await it.browser.press(it.path, await it.browser.get(it.path), "complete")
    assert "Finish this?" in text_of(sure)
    assert (await it.browser.press(it.path, sure, "complete", sure="yes")).status == 303
    await stand.hear(it.case, ReferralCompleted(referral=it.referral, clinician=it.clinician))
    assert "801-555-0142" not in text_of(await it.browser.enter(it.path))


async def test_a_referral_in_progress_is_held_and_resumed(stand: Stand) -> None:
    it = await asked(stand)
    await it.request()
    await it.accepted()
    await stand.hear(it.case, ReferralInProgress(referral=it.referral, clinician=it.clinician))
    page = await it.browser.get(it.path)
    assert "Put on hold" in text_of(page)
    for verb in ("hold", "hold"):
        assert (await it.browser.press(it.path, await it.browser.get(it.path), verb)).status == 303
        await it.settled()
    assert [reply.verb for reply in await stand.said(ReferralReplied)] == ["hold", "hold"]


@pytest.mark.parametrize("by", ["consent", "cancelled"])
async def test_after_a_withdrawn_consent_nothing_is_shown_and_one_neutral_line_follows(stand: Stand, by: str) -> None:
    it = await asked(stand)
    await it.request()
    await it.accepted()
    over: Fact = (
        ConsentWithdrawn(recipient="clinician", referral=it.referral)
        if by == "consent"
        else ReferralCancelled(referral=it.referral, clinician=it.clinician)
    )
    await stand.hear(it.case, over)
    page = await it.browser.enter(it.path)
    assert "801-555-0142" not in text_of(page)
    assert "This has ended" in text_of(page)
    assert b"<button" not in page.body
    assert await stand.sql.fetchval("SELECT count(*) FROM matters WHERE sealed IS NOT NULL") == 0
    await stand.send()
    assert "no longer needed" in stand.mailman.text(CLINICIAN)


async def test_a_consent_that_has_run_out_shows_nothing_until_it_is_given_again(stand: Stand) -> None:
    it = await asked(stand)
    await it.request()
    assert "801-555-0142" in text_of(await it.accepted())
    await stand.hear(it.case, ReferralInProgress(referral=it.referral, clinician=it.clinician))
    await stand.move_clock(timedelta(days=31))
    page = text_of(await it.browser.enter(it.path))
    assert "801-555-0142" not in page
    assert "Their yes counts for 30 days and is over" in page
    assert "enter your PIN" not in page
    before = len(stand.mailman.to(CLINICIAN))
    assert "801-555-0142" in text_of(await it.released(clock.random_id()))
    assert len(stand.mailman.to(CLINICIAN)) == before + 1


async def of_peer(stand: Stand) -> tuple[Asked, Browser, str, UUID]:
    """A referral that came through a peer, who looks at the page of the case."""
    at = await stand.assigned(PEER, None, clinical="referral")
    browser = stand.browser()
    await browser.enter(at.path)
    it = await asked(stand, at.case)
    question = ConsentAsked(referral=it.referral, remind_at=await stand.now(), assignment=at.assignment)
    await stand.hear(at.case, question)
    return it, browser, at.path, at.assignment


async def test_the_peer_sees_how_far_it_has_come_and_confirms_the_hand_off(stand: Stand) -> None:
    it, browser, path, _ = await of_peer(stand)
    await it.request()
    assert "nobody has accepted yet" in text_of(await browser.get(path))
    await it.accepted()
    page = await browser.get(path)
    assert "I have handed over" in text_of(page)
    assert (await browser.press(path, page, "handoff")).status == 303
    assert (await browser.press(path, page, "handoff")).status == 409
    (reply,) = await stand.said(ReferralReplied)
    assert (reply.referral, reply.verb) == (it.referral, "handoff")
    await stand.hear(it.case, ReferralInProgress(referral=it.referral, clinician=it.clinician))
    assert "they are with the clinician" in text_of(await browser.get(path))


async def test_another_peer_is_told_nothing_of_what_an_earlier_one_began(stand: Stand) -> None:
    it, browser, path, _ = await of_peer(stand)
    other = await stand.peer(OTHER)
    await it.request()
    assert "nobody has accepted yet" in text_of(await browser.get(path))
    await stand.hear(it.case, ContactReleased(assignment=clock.random_id(), recipient=other, clinical="referral"))
    await stand.send()
    page = text_of(await stand.browser().enter(stand.mailman.link(OTHER)))
    assert "They want a clinician" in page
    assert "Clinician:" not in page


async def test_whoever_takes_a_page_is_told_nothing_of_the_requesters_treatment(stand: Stand) -> None:
    it, browser, path, _ = await of_peer(stand)
    await it.request()
    await it.accepted()
    await stand.hear(it.case, ReferralInProgress(referral=it.referral, clinician=it.clinician))
    assert "they are with the clinician" in text_of(await browser.get(path))
    taker, ladder, page = await stand.peer(OTHER), clock.random_id(), clock.random_id()
    expires = await stand.now() + timedelta(minutes=5)
    await stand.hear(it.case, RungPaged(ladder=ladder, rung=0, pages=((page, taker),), expires=expires))
    await stand.hear(it.case, LadderAcknowledged(ladder=ladder, person=taker))
    await stand.hear(it.case, ContactReleased(assignment=ladder, recipient=taker, sealed=it.sealed))
    await stand.send()
    shown = text_of(await stand.browser().enter(stand.mailman.link(OTHER)))
    assert "801-555-0142" in shown
    assert "clinician" not in shown.lower()
    assert "What has come of it" not in shown


async def test_the_peer_is_told_neither_of_a_direct_referral_nor_who_the_clinician_is(stand: Stand) -> None:
    it, browser, path, _ = await of_peer(stand)
    await it.request(direct=True)
    await it.accepted()
    page = await browser.get(path)
    assert "Clinician:" not in text_of(page)
    assert "handed over" not in text_of(page)
    assert str(it.clinician) not in page.body.decode()


async def test_a_reminder_and_a_failure_are_mailed_without_a_word_of_what_it_is(stand: Stand) -> None:
    it, _, _, assignment = await of_peer(stand)
    person = await stand.sql.fetchval("SELECT person_id FROM matters WHERE kind = 'assignment'")
    await stand.hear(it.case, ConsentReminded(referral=it.referral, assignment=assignment, person=person))
    await stand.send()
    assert "still open" in stand.mailman.text(PEER)
    await stand.hear(it.case, ReferralFailed(referral=it.referral, recipients=(it.clinician, it.clinician)))
    await stand.send()
    assert "waiting for an answer" in stand.mailman.text(CLINICIAN)
