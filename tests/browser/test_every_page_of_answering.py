"""Every page behind a link, in English and Spanish: by keyboard alone, without JavaScript, seen on a phone.

Whoever reads them has a browser that asks for the other language: before the PIN the page follows the browser,
since a link tells nothing about whose it is; behind it the page follows the person.
"""

from __future__ import annotations

import re

import pytest

from deploy.local.browser import Browser
from deploy.local.demo import command
from deploy.local.mails import Mail
from tests.browser.tour import Tour
from tests.browser.visitor import Visitor
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

TELLING = re.compile(
    r"\b(police|officers?|peers?|support|crisis|emergency|clinic\w*|case|agency|riverton|summit"
    r"|polic[íi]a|oficial\w*|compañer\w*|apoyo|emergencia|cl[íi]nic\w*|caso|agencia|cumbre)\b",
    re.IGNORECASE,
)


async def before_the_pin(visitor: Visitor) -> None:
    """What anybody sees who opens a link: nothing that tells what it is about."""
    assert TELLING.search(await visitor.page.content()) is None


async def test_an_offer_and_the_end_of_a_case(tour: Tour) -> None:
    requester = await tour.ask(urgency="urgent")
    offer = await tour.mail("/m/", "peer")
    peer = await tour.visitor()
    await peer.open(offer.link)
    await before_the_pin(peer)
    await tour.behind(peer, offer, look="pin")
    await peer.sound("offer")
    await peer.enter(tour.says["accept"])
    await tour.settled(peer, tour.says["details_follow"])
    await peer.sound("offer-accepted")
    late = await tour.visitor()
    await tour.behind(late, await tour.mail("/m/", "peer"))
    await late.sound("offer-covered")
    await tour.behind(peer, await tour.stage.mail("/w/", [offer.to]))
    await peer.sound("case")
    await peer.enter(tour.says["contacted"])
    await peer.sound("case-noted")
    await peer.enter(tour.says["step_back"])
    await peer.sound("case-step-back-sure")
    await peer.enter(tour.says["back"])
    await peer.enter(tour.says["close"])
    await peer.sound("case-sure")
    await peer.enter(tour.says["yes_close"])
    await tour.settled(peer, tour.says["ended"])
    await peer.sound("case-closed")
    await tour.over(requester)


async def test_asking_for_advice(tour: Tour) -> None:
    requester, mail = await tour.supported()
    peer, says = await tour.visitor(), tour.says
    await tour.behind(peer, mail)
    await peer.enter(says["advice"])
    await peer.sound("advice")
    await peer.tick(says["topic_sleep"])
    await peer.type(says["your_question"], "801-555-0142")
    await peer.enter(says["send"])
    await peer.sound("advice-refused")
    await peer.tick(says["topic_sleep"])
    await peer.type(says["your_question"], "¿?")
    await peer.enter(says["send"])
    question = await tour.mail("/c/", "clinician")
    await tour.settled(peer, says["consult_open"])
    await peer.sound("case-advice-asked")
    adviser = await tour.stranger()
    await adviser.open(question.link)
    await before_the_pin(adviser)
    await tour.behind(adviser, question)
    await adviser.sound("question")
    await adviser.type(says["your_answer"], "x" * 60)
    await adviser.enter(says["answer"])
    await tour.settled(adviser, says["answer_sent"])
    await adviser.sound("question-answered")
    await tour.behind(peer, await tour.stage.mail("/w/", [mail.to]))
    await peer.sound("case-advice-answered")
    await tour.over(requester)


async def test_giving_resources(tour: Tour) -> None:
    requester, mail = await tour.supported()
    peer, says = await tour.visitor(), tour.says
    await tour.behind(peer, mail)
    await peer.enter(says["resources"])
    await peer.sound("give")
    await peer.enter(says["send"])
    await peer.sound("give-nothing")
    await peer.tick(says["kind_group"])
    await peer.tick(says["kind_chaplain"])
    await peer.enter(says["send"])
    await tour.settled(peer, says["given"])
    await peer.sound("case-given")
    asker = await tour.case_page(requester)
    await tour.settled(asker, tour.sentence("information_given"))
    await asker.sound("asker-given")
    await tour.over(requester)


async def test_a_clinician_by_consent(tour: Tour) -> None:
    requester, mail = await tour.supported()
    peer, says, page = await tour.visitor(), tour.says, tour.words["page"]
    await tour.behind(peer, mail)
    await peer.enter(says["clinician"])
    await tour.settled(peer, says["referral_consent_asked"])
    await peer.sound("case-consent-asked")
    asker = await tour.case_page(requester)
    await tour.settled(asker, tour.sentence("clinical_asking"))
    await asker.sound("asker-consent")
    await asker.enter(page["consent_yes"])
    await tour.settled(asker, tour.sentence("clinical_requested"))
    await asker.sound("asker-clinician-asked")
    asked = await tour.mail("/r/", "clinician")
    clinician = await tour.stranger()
    await clinician.open(asked.link)
    await before_the_pin(clinician)
    await _accepted(tour, clinician, asked)
    await tour.settled(asker, tour.sentence("clinical_accepted"))
    await asker.sound("asker-clinician-accepted")
    await _handed_over(tour, clinician, peer, mail)
    await asker.open(f"{tour.home}/case")
    await tour.settled(asker, tour.sentence("clinical_in_progress"))
    await asker.sound("asker-clinician-in-progress")
    await clinician.enter(says["complete"])
    await clinician.sound("referral-sure")
    await clinician.enter(says["yes_complete"])
    await tour.settled(clinician, says["ended"])
    await clinician.sound("referral-ended")
    await tour.settled(asker, tour.sentence("clinical_completed"))
    await asker.sound("asker-clinician-completed")
    await tour.over(requester)


async def _accepted(tour: Tour, clinician: Visitor, asked: Mail) -> None:
    says = tour.says
    await tour.behind(clinician, asked)
    await clinician.sound("referral-asked")
    await clinician.enter(says["hold"])
    await tour.settled(clinician, says["resume"])
    await clinician.sound("referral-held")
    await clinician.enter(says["resume"])
    await tour.settled(clinician, says["referral_accept"])
    await clinician.enter(says["referral_accept"])
    await tour.settled(clinician, says["referral_yours"])
    await clinician.sound("referral-accepted")
    await clinician.type(says["pin"], tour.stage.demo.pin)
    await clinician.enter(says["open"])
    await clinician.sound("referral-reach")


async def _handed_over(tour: Tour, clinician: Visitor, peer: Visitor, mail: Mail) -> None:
    says = tour.says
    await clinician.enter(says["referral_handoff"])
    await tour.settled(clinician, says["complete"])
    await clinician.sound("referral-spoken")
    await peer.open(mail.link)
    await tour.settled(peer, says["handoff"])
    await peer.sound("case-handoff")
    await peer.enter(says["handoff"])
    await tour.settled(peer, says["referral_in_progress"])
    await peer.sound("case-in-progress")


async def test_danger(tour: Tour) -> None:
    requester, mail = await tour.supported()
    peer, says = await tour.visitor(), tour.says
    await tour.behind(peer, mail)
    await peer.enter(says["danger"])
    await peer.sound("danger")
    page = await tour.mail("/p/", "clinician")
    paged = await tour.stranger()
    await paged.open(page.link)
    await before_the_pin(paged)
    await tour.behind(paged, page)
    await paged.sound("page")
    await paged.enter(says["acknowledge"])
    await tour.settled(paged, says["taken"])
    await paged.sound("page-taken")
    asker = await tour.case_page(requester)
    await tour.settled(asker, tour.sentence("emergency_acknowledged"))
    await asker.sound("asker-emergency-taken")
    await paged.enter(says["contact_confirmed"])
    await tour.settled(paged, says["ended"])
    await paged.sound("page-spoken")
    await tour.settled(asker, tour.sentence("emergency_contact"))
    await asker.sound("asker-emergency-contact")
    await tour.over(requester)


async def test_a_new_address_is_confirmed(tour: Tour) -> None:
    address = f"{tour.language}-new@region.test"
    await command(tour.stage.region, "region", "duty", "add", "--name", "Sol Ruiz", "--contact", address)
    link = (await tour.stage.mail("/v/", [address])).link
    owner, says = await tour.visitor(), tour.says
    await owner.open(link)
    await before_the_pin(owner)
    await owner.sound("verify")
    await owner.type(says["pin"], "271828")
    await owner.type(says["pin_again"], "271829")
    await owner.enter(says["confirm"])
    await owner.sound("verify-differ")
    await owner.type(says["pin"], "271828")
    await owner.type(says["pin_again"], "271828")
    await owner.enter(says["confirm"])
    await owner.sound("verified")


async def test_wrong_pins(tour: Tour) -> None:
    requester, mail = await tour.supported()
    peer, says = await tour.visitor(), tour.says
    await peer.open(mail.link)
    for tried in range(5):
        await peer.type(says["pin"], "271828")
        await peer.enter(says["open"])
        if tried == 0:
            await peer.sound("pin-wrong")
    assert says["pin_locked"] in await peer.page.inner_text("main")
    await peer.sound("pin-locked")
    await before_the_pin(peer)
    await tour.over(requester)


async def test_links_that_are_over(tour: Tour) -> None:
    visitor = await tour.visitor()
    notify, unknown = tour.stage.mailbox.links_to, "x" * 43
    await visitor.open(f"{notify}/m/{unknown}")
    await visitor.type(tour.says["pin"], tour.stage.demo.pin)
    await visitor.enter(tour.says["open"])
    await visitor.sound("gone")
    await visitor.open(f"{notify}/o/{unknown}")
    await visitor.sound("outreach-gone")
    link = f"{notify}/m/{tour.language * 20}"

    async def turned_away() -> bool:
        await visitor.open(link)
        await visitor.type(tour.says["pin"], tour.stage.demo.pin)
        # One more is allowed every two seconds: whoever types slowly gets in between.
        while (await Browser().request("POST", link)).status != 429:
            pass
        await visitor.enter(tour.says["open"])
        return tour.says["too_many"] in await visitor.page.inner_text("main")

    await eventually(turned_away, 60.0, what="the page for who has tried too often")
    await visitor.sound("too-many")


async def slow_to_forget(tour: Tour) -> None:
    """An hour passes before a case of this agency is purged, and the links with it."""
    url, key = f"{tour.stage.intake}/v1/agency/policy", tour.stage.demo.keys[tour.town.slug]
    tag = (await Browser().api("GET", url, bearer=key)).headers["etag"]
    assert (await Browser().api("PUT", url, {"grace_s": 3600}, bearer=key, If_Match=tag)).status == 200


async def test_what_waits_for_a_coordinator(tour: Tour) -> None:
    await slow_to_forget(tour)
    requester = await tour.ask(urgency="urgent", preferences={"require": ["language:zz"]})
    count = await tour.mail("/t/", "coordinator")
    coordinator, says = await tour.stranger(), tour.says
    await coordinator.open(count.link)
    await before_the_pin(coordinator)
    await tour.behind(coordinator, count)
    await tour.settled(coordinator, says["team_waits"], says["wait_nobody_found"], says["do_nobody_found"])
    await coordinator.sound("team")
    await requester.act("POST", "/close")
    await tour.settled(coordinator, says["team_nothing"])
    await coordinator.sound("team-nothing")
    await tour.over(requester)
