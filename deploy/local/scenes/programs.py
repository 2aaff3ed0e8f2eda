"""What each structure allows, and what it refuses honestly."""

from __future__ import annotations

from deploy.local.cast import LAKESIDE, RIVERTON, SUMMIT, Town
from deploy.local.demo import CONFLICT, OK
from deploy.local.mails import Mail
from deploy.local.scenes.stage import Stage, clinicians
from deploy.local.walk import Requester
from shared.events.intake import CaseClosed, ConsentGiven, ContactReleased
from shared.events.matching import SearchStarted
from shared.events.referral import (
    ConsentAsked,
    ConsultAnswered,
    NoClinicalPath,
    ReferralAccepted,
    ReferralCompleted,
    ReferralInProgress,
    ReferralRejected,
    ReferralRequested,
)
from shared.types import CaseId

COUNSELLING = {"help": ["counselling"]}


async def routine(stage: Stage, town: Town) -> CaseId:
    """A routine case of one structure: a peer, contact, closed."""
    requester, case, mail = await stage.supported(town, urgency="routine")
    await stage.answer(mail, "contacted")
    await requester.until("in_contact")
    await stage.answer(mail, "close")
    await stage.said(CaseClosed, case)
    stage.never(ReferralRequested, case)
    return case


async def family(stage: Stage, town: Town) -> CaseId:
    """A family member asks for the clinician: seen directly where the program has one, told honestly where not."""
    if town is SUMMIT:
        return await direct(stage, "family")
    answer = await stage.sent(town, relation="family", want="clinician", **COUNSELLING)
    document = answer.json()
    stage.expect(answer.status == CONFLICT, "the request for a clinician is refused")
    stage.expect(str(document["type"]).endswith("no-clinician-in-program"), "the refusal says why")
    stage.expect(document["offer"] == "peer" and bool(document["resources"]), "the refusal offers a peer and resources")
    requester, case, _ = await stage.supported(town, relation="family")
    await stage.closed(requester)
    await stage.said(CaseClosed, case)
    return case


async def dispatcher(stage: Stage) -> CaseId:
    """A civilian dispatcher goes to the clinician directly; no peer is looked for and nobody else is told."""
    return await direct(stage, "civilian")


async def direct(stage: Stage, relation: str) -> CaseId:
    """Somebody goes to the clinician without a peer, and is taken on."""
    requester, case = await stage.ask(SUMMIT, relation=relation, want="clinician", **COUNSELLING)
    asked = await stage.mail("/r/", clinicians(SUMMIT))
    await stage.answer(asked, "accept")
    released = await stage.said(ContactReleased, case)
    stage.expect(released.consent is not None, "the contact is released by a live consent")
    await clinical_is(stage, requester, "accepted")
    await stage.answer(asked, "handoff")
    await stage.said(ReferralInProgress, case)
    await stage.answer(asked, "complete")
    await stage.said(ReferralCompleted, case)
    await stage.said(CaseClosed, case)
    stage.never(SearchStarted, case)
    return case


async def no_clinician(stage: Stage) -> CaseId:
    """A peer of a Team Coordinator program says that they want a clinician: information is given, and called that."""
    requester, case, mail = await stage.supported(RIVERTON)
    await stage.answer(mail, "clinician")
    path = await stage.said(NoClinicalPath, case)
    stage.expect(path.why == "no_clinician", "the program has no clinician")
    stage.never(ConsentAsked, case)
    await stage.closed(requester)
    await stage.said(CaseClosed, case)
    return case


async def consult(stage: Stage, town: Town = LAKESIDE) -> CaseId:
    """A peer asks the clinical advisor; what would tell who it is about is refused, the rest is answered."""
    requester, case, mail = await stage.supported(town)
    refused = await _asked(stage, mail, "They live at 801-555-0142, what now?")
    stage.expect(refused != OK, "a question with a number in it is refused")
    stage.expect(await _asked(stage, mail, "Nightmares since a call with a child. What helps?") == OK, "it is taken")
    page = await stage.mail("/c/", clinicians(town))
    await stage.write(page, "answer", text="Keep it regular, ask about sleep, and come back to me in a week.")
    await stage.said(ConsultAnswered, case)
    back = await stage.mail("/w/", [mail.to])
    _, answered = await stage.behind(back)
    stage.expect("come back to me in a week" in answered.seen, "the peer reads the advice")
    stage.never(ReferralRequested, case)
    await stage.closed(requester)
    await stage.said(CaseClosed, case)
    return case


async def _asked(stage: Stage, mail: Mail, question: str) -> int:
    browser, _ = await stage.behind(mail)
    page = await browser.get(f"{mail.link}/advice")
    answer = await browser.submit(page.form(has="text"), {"to": "clinician", "code": "sleep", "text": question})
    return answer.status


async def referral(stage: Stage) -> CaseId:
    """They want a clinician: consent, one who rejects, the next one who accepts, a hand-off confirmed by both sides."""
    requester, case, mail = await stage.supported(SUMMIT)
    await stage.answer(mail, "contacted")
    await stage.answer(mail, "clinician")
    await stage.said(ConsentAsked, case)
    stage.never(ReferralRequested, case)
    await clinical_is(stage, requester, "consent_asked")
    stage.expect((await requester.act("PUT", "/consents/clinician")).status == OK, "PUT /v1/case/consents/clinician")
    await stage.said(ConsentGiven, case)
    first = await stage.mail("/r/", clinicians(SUMMIT))
    await stage.answer(first, "reject")
    await stage.said(ReferralRejected, case)
    second = await stage.mail("/r/", [one for one in clinicians(SUMMIT) if one != first.to])
    await stage.answer(second, "accept")
    await stage.said(ReferralAccepted, case)
    await clinical_is(stage, requester, "accepted")
    await stage.answer(mail, "handoff")
    stage.never(ReferralInProgress, case)
    await stage.answer(second, "handoff")
    await stage.said(ReferralInProgress, case)
    await stage.answer(mail, "close")
    stage.never(CaseClosed, case)
    await stage.answer(second, "complete")
    await stage.said(CaseClosed, case)
    return case


async def clinical_is(stage: Stage, requester: Requester, state: str) -> None:
    """Wait until the requester sees that the clinical side is there."""

    async def stands() -> bool:
        clinical = (await requester.status())["clinical"]
        return clinical is not None and clinical["state"] == state

    await stage.until(stands, f"the clinical side is {state}")
