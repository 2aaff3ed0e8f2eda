"""A PIN that was replaced opens nothing of before; sessions end with their person."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared import clock
from shared.events.intake import ContactReleased, DutySet, PersonSet
from shared.events.matching import PeerAssigned
from shared.events.notify import ReplyReceived
from shared.events.referral import RungPaged
from shared.types import REGION, AgencyId, CaseId, PersonId, Role
from tests.integration.notify.stand import Browser, Stand, text_of

PEER, NEW, NUMBER, THIEF = "ana@example.org", "ana@example.net", "555 0100", "135790"


async def held(stand: Stand) -> tuple[PersonId, CaseId, str, Browser]:
    """A peer with an assignment whose details were mailed, and an open session at its link."""
    person = await stand.peer(PEER)
    case, offer = await stand.offer(person)
    await stand.send()
    assignment, by = clock.random_id(), await stand.now() + timedelta(hours=4)
    sealed = await stand.sealed_reach(case, b'{"address": "555 0100"}')
    await stand.hear(
        case,
        PeerAssigned(assignment=assignment, offer=offer, person=person, contact_by=by),
        ContactReleased(assignment=assignment, recipient=person, sealed=sealed),
    )
    await stand.send()
    path, browser = stand.mailman.link(PEER), stand.browser()
    assert NUMBER in text_of(await browser.enter(path))
    return person, case, path, browser


async def taken_over(stand: Stand, person: PersonId, path: str, *, agency: AgencyId | None = None) -> None:
    """Ten wrong PINs, a new address, a new PIN there."""
    for _ in range(2):
        for _ in range(5):
            await stand.browser().enter(path, "000000")
        await stand.move_clock(timedelta(minutes=16))
    home = agency or stand.agency
    points = await stand.points(person, {clock.random_id(): NEW}, revision=2, agency=home)
    await stand.hear(person, points, agency=home)
    await stand.send()
    assert (await stand.browser().verify(stand.mailman.link(NEW), THIEF)).status == 200


async def test_a_replaced_pin_shows_nothing_of_a_case_of_before(stand: Stand) -> None:
    person, case, path, browser = await held(stand)
    await taken_over(stand, person, path)
    old = await stand.browser().enter(path, THIEF)
    assert (old.status, "no longer open" in text_of(old), NUMBER in text_of(old)) == (404, True, False)
    assert "PIN" in text_of(await browser.get(path))
    again = PeerAssigned(
        assignment=clock.random_id(), offer=clock.random_id(), person=person, contact_by=await stand.now()
    )
    sealed = await stand.sql.fetchval("SELECT sealed FROM matters WHERE sealed IS NOT NULL")
    await stand.hear(case, again, ContactReleased(assignment=again.assignment, recipient=person, sealed=sealed))
    await stand.send()
    # A link that was mailed afterwards about the same case is no way round.
    assert stand.mailman.link(NEW).startswith("/w/")
    later = await stand.browser().enter(stand.mailman.link(NEW), THIEF)
    assert (later.status, NUMBER in text_of(later)) == (404, False)


async def test_a_replaced_pin_of_the_regions_duty_opens_no_page_of_an_agency(stand: Stand) -> None:
    duty = await stand.peer(PEER, agency=REGION)
    await stand.hear(duty, DutySet(revision=1, active=True, time_zone="UTC", language="en"), agency=REGION)
    expires = await stand.now() + timedelta(hours=5)
    paged = RungPaged(ladder=clock.random_id(), rung=1, pages=((clock.random_id(), duty),), expires=expires)
    await stand.hear(CaseId(clock.random_id()), paged)
    await stand.send()
    path = stand.mailman.link(PEER)
    await taken_over(stand, duty, path, agency=REGION)
    assert (await stand.browser().enter(path, THIEF)).status == 404


@pytest.mark.parametrize("how", ["left", "blocked"])
async def test_a_session_ends_with_its_person(stand: Stand, how: str) -> None:
    person, _, path, browser = await held(stand)
    page = await browser.get(path)
    if how == "left":
        left = PersonSet(revision=3, active=False, role=Role.PEER, time_zone="UTC", language="en")
        await stand.hear(person, left)
    else:
        await stand.sql.execute("UPDATE pins SET blocked = true")
    assert (await browser.press(path, page, "contacted")).status == 403
    assert "Enter your PIN" in text_of(await browser.get(path))
    assert await stand.said(ReplyReceived) == []


async def test_the_cookie_is_not_the_one_of_the_other_service(stand: Stand) -> None:
    _, _, _, browser = await held(stand)
    assert browser.cookie.partition("=")[0] not in {"", "s", "__Host-s"}
