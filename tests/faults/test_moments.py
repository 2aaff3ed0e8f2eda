"""What happens at once or in the midst: two who accept together, nobody left, and everything restarted meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from deploy.local import walk
from deploy.local.mails import Mail
from deploy.local.walk import Requester
from shared.events.intake import CaseClosed
from shared.events.matching import NobodyFound, OfferMade, OfferRescinded, PeerAssigned, ReplySettled
from shared.events.notify import IntentSettled
from shared.migrate import SERVICES
from shared.types import CaseId
from tests.faults.stand import Stand
from tests.harness.region import FIRST
from tests.harness.waiting import eventually
from tests.trust.town import OPEN_DOORS

pytestmark = pytest.mark.asyncio(loop_scope="module")

BESIDE = "1"
COUNTED = "One request is waiting"


async def asked(stand: Stand, **changes: object) -> tuple[Requester, UUID]:
    """Somebody asks; with nothing in the mailbox that an earlier test has left."""
    await stand.town.mailbox.forget_present()
    requester = await stand.town.ask(stand.agency, **changes)
    return requester, await stand.town.case_of(requester)


async def offers(stand: Stand, number: int) -> list[Mail]:
    return [await stand.town.mail("/m/", stand.agency.contacts) for _ in range(number)]


async def over(stand: Stand, requester: Requester, case: UUID) -> None:
    """The requester withdraws; everything is purged and at rest."""
    assert (await requester.act("DELETE")).status == 200
    await stand.ledger.said(case, CaseClosed)
    await walk.purged(stand.region.local, CaseId(case))
    await stand.at_rest()


async def restarted(stand: Stand) -> None:
    """Every process is asked to stop as a supervisor does, at once, does so cleanly, and is started again."""
    codes = await asyncio.gather(*(stand.region.services[service, FIRST].stop() for service in SERVICES))
    assert codes == [0] * len(SERVICES)
    for service in SERVICES:
        await stand.region.start(service, env=OPEN_DOORS, ready=False)
    for service in SERVICES:
        await stand.region.services[service, FIRST].ready(stand.region.http)


async def test_a_coordinator_who_is_named_hears_nothing_when_nobody_is_left(stand: Stand) -> None:
    (named,) = [one for one in stand.agency.people if one["role"] == "coordinator"]
    before = {to: len(await stand.region.mails(to=to)) for to in stand.on_call}
    requester, case = await asked(stand, avoid_people=[named["name"]], preferences={"require": ["language:es"]})
    nobody = await stand.ledger.said(case, NobodyFound)
    assert len(nobody.recipients) == 1
    await requester.until("unserved")

    async def counted() -> bool:
        return COUNTED in {mail.subject for mail in (await stand.region.mails(to=stand.duty))[before[stand.duty] :]}

    await eventually(counted, what="a count for the duty coordinator")
    told = await requester.status()
    assert told["state"] == "unserved"
    assert told["resources"]
    assert not told.get("who")
    await over(stand, requester, case)
    assert {one.person for one in stand.ledger.facts(case, IntentSettled)} <= set(nobody.recipients)
    assert len(await stand.region.mails(to=named["contact"])) == before[named["contact"]]
    stand.spoiled = False


async def test_a_restart_of_everything_in_the_midst_loses_nothing(stand: Stand) -> None:
    requester, case = await asked(stand)
    (offer,) = await offers(stand, 1)
    await restarted(stand)
    assert await requester.until("asked")
    await stand.town.press(stand.agency, offer, "accept")
    # What came of the answer is on its way at this moment.
    await restarted(stand)
    await requester.until("released")
    second = await stand.town.mail("/w/", [offer.to])
    await stand.town.press(stand.agency, second, "contacted")
    await requester.until("in_contact")
    sent = [(one.purpose, one.person) for one in await stand.letters(case)]
    assert sorted(purpose for purpose, _ in sent) == ["case", "offer"]
    await restarted(stand)
    await stand.town.press(stand.agency, second, "close")
    await stand.ledger.said(case, CaseClosed)
    await walk.purged(stand.region.local, CaseId(case))
    await stand.at_rest()
    assert len(stand.ledger.facts(case, OfferMade)) == len(stand.ledger.facts(case, PeerAssigned)) == 1
    stand.spoiled = False


async def test_of_two_who_accept_in_the_same_moment_one_wins_and_the_other_is_thanked(stand: Stand) -> None:
    home = stand.region.url("notify")
    await stand.region.start("matching", replica=BESIDE)
    beside = await stand.region.start("notify", replica=BESIDE, env=OPEN_DOORS)
    for _ in range(3):
        requester, case = await asked(stand, urgency="urgent")
        one, two = await offers(stand, 2)
        # Each answers at another replica.
        other = replace(two, link=two.link.replace(home, beside.url))
        opened = [await walk.opened(mail.link, stand.agency.pin) for mail in (one, other)]
        pressed = [walk.pressed(browser, page, "accept") for browser, page in opened]
        assert [answer.status for answer in await asyncio.gather(*pressed)] == [200, 200]

        async def both_settled(case: UUID = case) -> list[str]:
            found = stand.ledger.facts(case, ReplySettled)
            return sorted(reply.outcome for reply in found) if len(found) == 2 else []

        assert await eventually(both_settled, what="two settled replies") == ["accepted", "covered"]
        await requester.until("released")
        (winner,) = stand.ledger.facts(case, PeerAssigned)
        (covered,) = stand.ledger.facts(case, OfferRescinded)
        assert {winner.offer, covered.offer} == {offer.offer for offer in stand.ledger.facts(case, OfferMade)}
        assert covered.why == "covered"
        won = await stand.town.mail("/w/", stand.agency.contacts)
        (loser,) = [mail for mail in (one, two) if mail.to != won.to]

        async def thanked(loser: Mail = loser) -> bool:
            return "Already covered, thank you" in (await walk.opened_anyway(loser.link, stand.agency.pin)).seen

        await eventually(thanked, what="the other hears that it is covered", every=0.5)
        assert [one.person for one in await stand.letters(case) if one.purpose == "case"] == [winner.person]
        await over(stand, requester, case)
