"""A verification that was missed: asked for again, it is mailed again, and the newest link is the one that opens."""

from __future__ import annotations

from datetime import timedelta

from shared import clock
from shared.events.intake import VerificationAsked
from shared.events.notify import ContactVerified
from shared.types import AgencyId, PersonId
from tests.integration.notify.stand import Stand

PEER, SECOND = "ana@example.org", "ana@example.net"


async def missed(stand: Stand) -> PersonId:
    """Somebody who got the first mail, whose link has run out."""
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): PEER}))
    await stand.send()
    await stand.move_clock(timedelta(hours=49))
    return person


async def test_a_link_that_ran_out_is_replaced_when_it_is_asked_for(stand: Stand) -> None:
    person = await missed(stand)
    assert (await stand.browser().verify(stand.mailman.link(PEER))).status == 404
    await stand.hear(person, VerificationAsked())
    await stand.send()
    assert len(stand.mailman.to(PEER)) == 2
    assert (await stand.browser().verify(stand.mailman.link(PEER))).status == 200
    assert await stand.said(ContactVerified) == [ContactVerified(revision=1)]


async def test_only_the_newest_link_opens(stand: Stand) -> None:
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): PEER}))
    await stand.send()
    old = stand.mailman.link(PEER)
    await stand.hear(person, VerificationAsked())
    await stand.send()
    assert (await stand.browser().verify(old)).status == 404
    assert (await stand.browser().verify(stand.mailman.link(PEER))).status == 200


async def test_a_mail_that_was_refused_is_sent_again(stand: Stand) -> None:
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): PEER}))
    stand.mailman.mood = "refuse"
    await stand.send()
    stand.mailman.mood = "accept"
    await stand.hear(person, VerificationAsked())
    await stand.send()
    assert (await stand.browser().verify(stand.mailman.link(PEER))).status == 200


async def test_what_is_on_its_way_is_not_planned_twice(stand: Stand) -> None:
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): PEER}))
    await stand.hear(person, VerificationAsked(), VerificationAsked())
    await stand.send()
    assert len(stand.mailman.to(PEER)) == 1


async def test_a_verified_point_gets_nothing_and_another_one_of_the_same_person_does(stand: Stand) -> None:
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): PEER, clock.random_id(): SECOND}))
    await stand.send()
    assert (await stand.browser().verify(stand.mailman.link(PEER))).status == 200
    await stand.hear(person, VerificationAsked())
    await stand.send()
    assert (len(stand.mailman.to(PEER)), len(stand.mailman.to(SECOND))) == (1, 2)


async def test_whoever_is_unknown_gone_or_of_another_agency_gets_nothing(stand: Stand) -> None:
    person = await missed(stand)
    await stand.hear(PersonId(clock.random_id()), VerificationAsked())
    await stand.hear(person, VerificationAsked(), agency=AgencyId(clock.random_id()))
    await stand.hear(person, await stand.points(person, {}, revision=2, active=False))
    await stand.hear(person, VerificationAsked())
    await stand.send()
    assert len(stand.mailman.to(PEER)) == 1
