"""Danger, second thoughts, and nobody there."""

from __future__ import annotations

from datetime import timedelta

from deploy.local.cast import RIVERTON, SUMMIT
from deploy.local.demo import OK
from deploy.local.scenes.stage import Stage, clinicians, coordinators, peers
from shared.events.intake import CaseClosed
from shared.events.matching import NobodyFound, OfferMade, PeerAssigned
from shared.events.referral import HumanContactConfirmed, LadderEnded, RungPaged
from shared.types import CaseId

A_RUNG = timedelta(minutes=5, seconds=5)
DEPUTIES = [one.contact for one in SUMMIT.people if "deputy" in one.attributes]


async def emergency(stage: Stage) -> CaseId:
    """The clinician on call and the coordinator are silent; the ladder climbs until a deputy takes it."""
    requester, case = await stage.ask(SUMMIT, urgency="emergency", notice=None)
    status = await requester.status()
    stage.expect(bool(status["resources"]), "crisis lines stand in the answer")
    await stage.mail("/p/", clinicians(SUMMIT))
    await stage.move_clock(A_RUNG)
    await stage.mail("/p/", coordinators(SUMMIT))
    await stage.move_clock(A_RUNG)
    deputy = await stage.mail("/p/", DEPUTIES)
    await stage.answer(deputy, "acknowledge")
    await stage.answer(deputy, "contact_confirmed")
    await stage.said(HumanContactConfirmed, case)
    stage.expect((await stage.said(LadderEnded, case)).how == "contact", "paging ends with a contact")
    climbed = [one.fact.rung for one in stage.of(case) if isinstance(one.fact, RungPaged)]
    stage.expect(climbed == [0, 1, 2], "the ladder climbs one rung at a time")
    await stage.closed(requester)
    await stage.said(CaseClosed, case)
    return case


async def withdrawal(stage: Stage) -> CaseId:
    """Taken back while a peer is being asked: everything stops at once, the peer hears one neutral line."""
    requester, case = await stage.ask(RIVERTON)
    offer = await stage.mail("/m/", peers(RIVERTON))
    stage.expect((await requester.act("DELETE")).status == OK, "DELETE /v1/case")
    await stage.said(CaseClosed, case)
    page = await stage.late(offer)
    stage.expect("accept" not in page, "the peer can no longer accept")
    stage.never(PeerAssigned, case)
    return case


async def nobody(stage: Stage) -> CaseId:
    """Nobody suitable: the requester hears the truth, the coordinators see a number without a name."""
    requester, case = await stage.ask(RIVERTON, preferences={"require": ["language:zz"]})
    found = await stage.said(NobodyFound, case)
    stage.expect(bool(found.recipients), "somebody hears that a request is waiting")
    stage.never(OfferMade, case)
    await requester.until("unserved")
    count = await stage.mail("/t/", coordinators(RIVERTON))
    _, page = await stage.behind(count)
    stage.expect("Requests for which nobody has been found: " in page.seen, "the coordinator's page counts it")
    stage.expect(str(case) not in page.text, "and names nothing")
    await stage.closed(requester)
    await stage.said(CaseClosed, case)
    return case
