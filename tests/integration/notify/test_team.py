"""The coordinator's page behind a count: numbers of what this person was told of, and of the team; nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared import clock
from shared.events.intake import BarsChanged, CaseClosed, CaseClosing, ChoiceOverdue
from shared.events.matching import NobodyFound, PeerAssigned
from shared.events.referral import HandoffOverdue, ReferralAccepted, ReferralFailed, ReferralRequested
from shared.types import REGION, AgencyId, CaseId, PersonId, Role, Urgency
from tests.integration.notify.stand import Browser, Stand, text_of
from tests.unit.shared.asgi import Answer

COLE, DEE, DUTY = "cole@example.org", "dee@example.org", "duty@example.org"
NOTHING = "Nothing is waiting now."
NOBODY, CHOICE = "Requests for which nobody has been found", "Requesters who have not chosen a peer"
HANDOFFS, FAILED = "Hand-offs to a clinician that are not confirmed", "Referrals for which no clinician was found"

NAMING = "SELECT count(*) FROM {} t WHERE t::text LIKE $1"
RESTS = "SELECT (SELECT count(*) FROM doors), (SELECT array_agg(l::text) FROM links l), (SELECT count(*) FROM waits)"


def new_case() -> CaseId:
    return CaseId(clock.random_id())


async def coordinator(stand: Stand, address: str = COLE, **more: Any) -> PersonId:
    return await stand.peer(address, role=Role.COORDINATOR, **more)


async def found_nobody(
    stand: Stand, *people: PersonId, case: CaseId | None = None, urgency: Urgency = Urgency.SOON, **more: Any
) -> CaseId:
    case = case or new_case()
    next_try = await stand.now() + timedelta(minutes=15)
    await stand.hear(case, NobodyFound(recipients=people, next_try=next_try, urgency=urgency), **more)
    return case


async def entered(stand: Stand, address: str = COLE, browser: Browser | None = None) -> Answer:
    """The page behind the link of the latest count to this address."""
    await stand.send()
    path = stand.mailman.link(address)
    assert path.startswith("/t/")
    return await (browser or stand.browser()).enter(path)


async def test_a_count_leads_to_a_page_of_numbers_that_name_nothing(stand: Stand) -> None:
    cole = await coordinator(stand)
    clinician = await stand.peer("cara@example.org", role=Role.CLINICIAN)
    peers = [await stand.peer(f"peer{number}@example.org") for number in range(2)]
    unverified = PersonId(clock.random_id())
    await stand.hear(unverified, await stand.points(unverified, {clock.random_id(): "new@example.org"}))
    cases = [await found_nobody(stand, cole, urgency=urgency) for urgency in (Urgency.SOON, Urgency.EMERGENCY)]
    cases += [new_case() for _ in range(3)]
    referral, failed, due = clock.random_id(), clock.random_id(), await stand.now() + timedelta(hours=2)
    await stand.hear(cases[2], ChoiceOverdue(recipients=(cole,), due=due))
    await stand.hear(
        cases[3], ReferralRequested(**_asked(referral, clinician), urgency=Urgency.SOON, direct=False, due=due)
    )
    await stand.hear(cases[3], ReferralAccepted(**_asked(referral, clinician), due=due))
    await stand.hear(cases[3], HandoffOverdue(referral=referral, clinician=clinician, recipients=(cole,)))
    await stand.hear(cases[4], ReferralFailed(referral=failed, recipients=(cole,)))
    page = await entered(stand)
    seen = text_of(page)
    assert "What waits now" in seen
    for line in (f"{NOBODY}: 2", "Needed now or within the hour: 1", f"{HANDOFFS}: 1", f"{FAILED}: 1"):
        assert line in seen
    assert f"{CHOICE}, or not said that the peer may contact them: 1" in seen
    assert "Peers 3 Peers who can get messages 2 Clinicians 1 Clinicians who can get messages 1" in seen
    hidden = [*cases, referral, failed, cole, clinician, *peers, stand.agency]
    assert not [str(one) for one in hidden if str(one) in page.body.decode()]
    assert "example.org" not in page.body.decode()
    assert page.body.count(b"<form") == page.body.count(b"<script") == 0


def _asked(referral: Any, clinician: PersonId) -> dict[str, Any]:
    return {"referral": referral, "clinician": clinician, "consent": clock.random_id()}


async def test_the_mail_is_neutral_and_has_the_link(stand: Stand) -> None:
    cole = await coordinator(stand)
    await found_nobody(stand, cole)
    await stand.send()
    link = stand.mailman.link(COLE)
    assert stand.mailman.text(COLE).splitlines()[0] == "One request is waiting for an answer."
    assert len(link) > 30


async def test_opening_the_link_changes_nothing_and_shows_nothing_without_the_pin(stand: Stand) -> None:
    await found_nobody(stand, await coordinator(stand))
    await stand.send()
    path, stranger = stand.mailman.link(COLE), stand.browser()
    before = await stand.sql.fetchrow(RESTS)
    shown = [await stranger.get(path, method) for method in ("GET", "HEAD") for _ in range(25)]
    assert all(NOBODY not in text_of(answer) and answer.status == 200 for answer in shown)
    wrong = await stranger.enter(path, "000000")
    assert (wrong.status, NOBODY in text_of(wrong)) == (403, False)
    assert await stand.sql.fetchval("SELECT wrong FROM pins WHERE wrong > 0") == 1
    assert await stand.sql.fetchrow(RESTS) == before


async def test_a_session_shows_it_again_for_a_quarter_of_an_hour(stand: Stand) -> None:
    case = await found_nobody(stand, await coordinator(stand))
    browser = stand.browser()
    assert f"{NOBODY}: 1" in text_of(await entered(stand, browser=browser))
    path = stand.mailman.link(COLE)
    assigned = PeerAssigned(
        assignment=clock.random_id(),
        offer=clock.random_id(),
        person=PersonId(clock.random_id()),
        contact_by=await stand.now() + timedelta(hours=1),
    )
    await stand.hear(case, assigned)
    assert NOTHING in text_of(await browser.get(path))
    await stand.move_clock(timedelta(minutes=16))
    assert NOTHING not in text_of(await browser.get(path))
    assert (await browser.post(f"{path}/answer", {"verb": "accept", "nonce": "x"})).status in {404, 405}


async def test_whoever_is_barred_has_other_numbers_than_the_others(stand: Stand) -> None:
    cole, dee = await coordinator(stand), await coordinator(stand, DEE)
    await found_nobody(stand, cole, dee)
    spared = await found_nobody(stand, dee)
    named = await found_nobody(stand, cole, dee)
    await entered(stand)
    await stand.hear(named, BarsChanged(bars=(cole,)))
    # Before matching has heard of it, it may tell both of them once more.
    await found_nobody(stand, cole, dee, case=named)
    assert f"{NOBODY}: 1" in text_of(await entered(stand))
    assert f"{NOBODY}: 3" in text_of(await entered(stand, DEE))
    assert (
        await stand.sql.fetchval("SELECT count(*) FROM waits WHERE case_id = $1 AND person_id = $2", spared, cole) == 0
    )


@pytest.mark.parametrize("closing_first", [True, False])
async def test_a_case_in_its_grace_is_not_counted(stand: Stand, closing_first: bool) -> None:
    cole = await coordinator(stand)
    await found_nobody(stand, cole)
    case = new_case()
    await entered(stand)
    if closing_first:
        await stand.hear(case, CaseClosing())
    await found_nobody(stand, cole, case=case)
    if not closing_first:
        assert f"{NOBODY}: 2" in text_of(await entered(stand))
        await stand.hear(case, CaseClosing())
    assert f"{NOBODY}: 1" in text_of(await entered(stand))


async def test_the_regions_duty_sees_the_one_agency_that_the_mail_is_from(stand: Stand) -> None:
    duty = await stand.peer(DUTY, agency=REGION, role=Role.DUTY)
    other = AgencyId(clock.random_id())
    await stand.peer("peer@example.org")
    for agency in (stand.agency, other, other):
        await found_nobody(stand, duty, agency=agency)
        await stand.send()
    first, last = stand.mailman.link(DUTY, 1), stand.mailman.link(DUTY)
    here, there = [text_of(await stand.browser().enter(path)) for path in (first, last)]
    assert f"{NOBODY}: 1" in here
    assert f"{NOBODY}: 2" in there
    assert "Peers 1 Peers who can get messages 1" in here
    assert "Peers 0" in there
    assert "one agency of the region" in here
    assert "duty coordinator" not in here


async def test_after_the_purge_nothing_joins_the_coordinator_and_the_case(stand: Stand) -> None:
    cole = await coordinator(stand)
    case = await found_nobody(stand, cole)
    await entered(stand)
    await stand.hear(case, BarsChanged(bars=(PersonId(clock.random_id()),)), CaseClosing())
    await found_nobody(stand, cole)
    await entered(stand)
    path = stand.mailman.link(COLE, 1)
    await stand.hear(case, CaseClosed())
    for table in ("waits", "quiet", "barred", "links", "doors", "intents", "attempts", "timers"):
        assert await stand.sql.fetchval(NAMING.format(table), f"%{case}%") == 0
    over = await stand.browser().enter(path)
    assert over.status == 404
    assert "behind the link in another message" in text_of(over)
    assert f"{NOBODY}: 1" in text_of(await stand.browser().enter(stand.mailman.link(COLE)))


async def test_whoever_coordinates_no_more_sees_nothing(stand: Stand) -> None:
    cole = await coordinator(stand)
    await found_nobody(stand, cole)
    browser = stand.browser()
    await entered(stand, browser=browser)
    point = await stand.sql.fetchval("SELECT point_id FROM contact_points WHERE person_id = $1", cole)
    await stand.hear(cole, await stand.points(cole, {point: COLE}, revision=2))
    path = stand.mailman.link(COLE)
    assert NOBODY not in text_of(await browser.get(path))
    assert (await stand.browser().enter(path)).status == 404


async def test_a_new_pin_shows_only_what_was_told_since(stand: Stand) -> None:
    cole = await coordinator(stand)
    await found_nobody(stand, cole)
    again = await found_nobody(stand, cole)
    await stand.sql.execute("UPDATE pins SET replaced_at = region.now() WHERE person_id = $1", cole)
    assert NOTHING in text_of(await entered(stand))
    await stand.move_clock(timedelta(hours=4))
    await found_nobody(stand, cole, case=again)
    assert f"{NOBODY}: 1" in text_of(await entered(stand))


async def test_a_spanish_reader_gets_it_in_spanish(stand: Stand) -> None:
    cole = await coordinator(stand, language="es")
    case = await found_nobody(stand, cole)
    page = await entered(stand)
    assert "Peticiones para las que no se ha encontrado a nadie: 1" in text_of(page)
    assert b'lang="es"' in page.body
    await stand.hear(case, CaseClosing())
    assert "Ahora no hay nada en espera." in text_of(await entered(stand))
