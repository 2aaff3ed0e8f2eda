"""Answers that come too late or while nobody listens, and services that are away for a step of the walk."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deploy.local import walk
from deploy.local.walk import Requester
from shared.events.matching import OfferExpired, OfferMade, PeerAssigned
from shared.events.notify import ReplyReceived
from tests.faults.kills import Course
from tests.faults.stand import Stand
from tests.faults.story import Story
from tests.harness.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def begun(stand: Stand, **changes: object) -> tuple[Story, Requester]:
    """Somebody has asked; nothing of earlier cases is waited for."""
    await stand.town.mailbox.forget_present()
    story = Story(stand, Course("ordinary"))
    requester = await story.asked(**changes)
    return story, requester


async def withdrawn(stand: Stand, requester: Requester) -> None:
    """The requester takes it back, and everything is at rest."""
    assert (await requester.act("DELETE")).status == 200
    await stand.at_rest()
    stand.spoiled = False


async def test_an_answer_after_the_time_out_does_not_count_and_the_next_peer_is_asked(stand: Stand) -> None:
    story, requester = await begun(stand, urgency="routine")
    browser, page = await walk.opened((await story.offer()).link, stand.agency.pin)
    await stand.region.move_clock(timedelta(seconds=61))
    late = await walk.pressed(browser, page, "accept")
    assert (late.status, "too late" in late.seen.lower()) == (409, True)
    await stand.region.move_clock(timedelta(seconds=31))
    await stand.ledger.said(story.case, OfferExpired)
    await eventually(lambda: len(stand.ledger.facts(story.case, OfferMade)) == 2, what="the next offer")
    assert not stand.ledger.facts(story.case, ReplyReceived)
    assert await requester.until("asked")
    await withdrawn(stand, requester)


async def test_an_answer_in_time_beats_the_time_out_though_matching_was_away(stand: Stand) -> None:
    story, requester = await begun(stand, urgency="routine")
    offer = await story.offer()
    await stand.region.stop("matching")
    await story.press(offer, "accept")
    await stand.ledger.said(story.case, ReplyReceived)
    await stand.region.move_clock(timedelta(seconds=120))
    await stand.revive("matching")
    await requester.until("released")
    assert not stand.ledger.facts(story.case, OfferExpired)
    await withdrawn(stand, requester)


async def test_each_service_in_turn_is_away_for_a_step_and_nothing_is_lost(stand: Stand) -> None:
    stop, start = stand.region.stop, stand.revive
    await stop("matching")
    story, requester = await begun(stand)
    await start("matching")
    await stand.ledger.said(story.case, OfferMade)
    offer = await story.offer()
    await stop("intake")
    await story.press(offer, "accept")
    await stand.ledger.said(story.case, PeerAssigned)
    await start("intake")
    await requester.until("released")
    await stop("notify")
    await start("notify")
    second = await stand.town.mail("/w/", [offer.to])
    await story.press(second, "contacted")
    await requester.until("in_contact")
    await story.counted()
    await stop("referral")
    await story.press(second, "close")
    await eventually(lambda: _closed(stand, story), what="the end of the case in the other services")
    await start("referral")
    await story.ended()


async def _closed(stand: Stand, story: Story) -> bool:
    query = "SELECT count(*) FROM notify.tombstones WHERE closed AND case_id = $1"
    return bool(await (await stand.sql()).fetchval(query, story.case))


async def test_an_offer_made_while_notify_is_away_is_mailed_once_when_it_is_back(stand: Stand) -> None:
    await stand.region.stop("notify")
    story, requester = await begun(stand)
    await stand.ledger.said(story.case, OfferMade)
    assert await requester.until("asked")
    await stand.revive("notify")
    await story.offer()
    await stand.at_rest()
    assert [one.purpose for one in await stand.letters(story.case)] == ["offer"]
    await withdrawn(stand, requester)
