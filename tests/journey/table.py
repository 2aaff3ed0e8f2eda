"""The capability table of the structures, cell by cell: what is allowed works to its end, the rest has no door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Literal
from uuid import uuid4

from deploy.local.browser import Browser
from deploy.local.cast import DUTY, LAKESIDE, SUMMIT, Town
from deploy.local.mails import Mail
from deploy.local.scenes import programs as scenes
from deploy.local.scenes.stage import Stage, clinicians, coordinators
from shared import clock
from shared.events import Fact
from shared.events.intake import CaseClosed, ConsentGiven, CrisisRaised, DirectAsked
from shared.events.matching import PeerAssigned, SearchStarted
from shared.events.notify import ConsultAsked, ReferralReplied
from shared.events.referral import (
    AnswerSettled,
    ConsentAsked,
    ConsultOpened,
    LadderEnded,
    NoClinicalPath,
    ReferralAccepted,
    ReferralCancelled,
    ReferralInProgress,
    ReferralRequested,
    RungPaged,
)
from shared.types import CaseId, PersonId, Structure
from tests.journey.programs import TOWNS, CasePage, Programs, asked_by_hand, pressed_by_hand, refused

Row = Literal["consult", "referral", "officer", "civilian", "family", "retiree", "danger"]
ROWS: Mapping[Row, str] = {
    "consult": "consult",
    "referral": "accept_referral",
    "officer": "direct_employee",
    "civilian": "direct_employee",
    "family": "direct_family",
    "retiree": "direct_retiree",
    "danger": "on_call",
}
"""Each row, and the capability that it is about."""
Cell = Callable[[Programs], Awaitable[None]]
TC, CA, CS = Structure.TEAM_COORDINATOR, Structure.CLINICAL_ADVISOR, Structure.CLINICAL_SUPERVISOR
A_RUNG = timedelta(minutes=5, seconds=5)
LINES = ('href="tel:988"', 'href="tel:911"')
"""What stands on the page of a peer who has reported danger."""
ON_DUTY = [contact for _, contact in DUTY]


def scene(name: str) -> Cell:
    """What this scene of `make demo` shows."""
    return lambda programs: programs.scene(name)


async def settled(stage: Stage, case: CaseId, reply: object) -> str:
    """What came of a reply."""

    async def found() -> str | None:
        facts = (one.fact for one in stage.of(case))
        return next((one.outcome for one in facts if isinstance(one, AnswerSettled) and one.reply == reply), None)

    return str(await stage.until(found, "a settled reply"))


def never(stage: Stage, case: CaseId, *kinds: type[Fact]) -> None:
    said = [one.fact.type for one in stage.of(case) if isinstance(one.fact, kinds)]
    assert said == []


# --- a clinician advises peers


async def consulted(programs: Programs, town: Town) -> None:
    """A consult is answered; the peer keeps the case, and the clinician takes nobody on by it."""
    await scenes.consult(programs.stage, town)


async def no_consult(programs: Programs, town: Town) -> None:
    """A peer finds no clinician to ask: not in the form, not by a form filled in by hand, not by a forged event."""
    stage = programs.stage
    requester, case, mail = await stage.supported(town)
    browser, _ = await stage.behind(mail)
    page = await browser.get(f"{mail.link}/advice")
    assert ('value="coordinator"' in page.text, 'value="clinician"' in page.text) == (True, False)
    question = {"to": "clinician", "code": "sleep", "text": "They do not sleep any more. What helps?"}
    assert (await browser.submit(page.form(has="text"), question)).status == 422
    never(stage, case, ConsultAsked)

    peer = await stage.said(PeerAssigned, case)
    forged = ConsultAsked(
        reply=uuid4(),
        consult=uuid4(),
        assignment=peer.assignment,
        person=peer.person,
        to="clinician",
        topics=("sleep",),
        sealed=b"a question",
        received_at=clock.now(),
    )
    await programs.forge(town, case, forged)
    assert await settled(stage, case, forged.reply) == "refused"
    never(stage, case, ConsultOpened)
    await over(programs, town, case, requester_withdraws=requester.act("DELETE"))


async def over(programs: Programs, town: Town, case: CaseId, *, requester_withdraws: Awaitable[object]) -> None:
    """The case ends, and until then no clinician was told of it or shown anything."""
    await requester_withdraws
    await programs.stage.said(CaseClosed, case)
    clinicians_of_it = await programs.people(town, "clinician")
    assert not clinicians_of_it & (programs.told(case) | programs.released_to(case))


# --- a clinician accepts referrals from peers


async def no_referral(programs: Programs, town: Town, why: str) -> None:
    """A peer who says that they want one gives information: no consent is asked, and one that comes opens nothing."""
    stage = programs.stage
    requester, case, mail = await stage.supported(town)
    await stage.answer(mail, "clinician")
    assert (await stage.said(NoClinicalPath, case)).why == why
    if town is LAKESIDE:
        await only_suggestions(stage, case)

    async def informed() -> bool:
        return bool((await requester.status())["given"]["kinds"])

    await stage.until(informed, "information is given")
    page = await CasePage.of(stage, town, requester)
    assert not page.door("consent")
    assert (await page.by_hand("consent")).status == 409
    assert (await requester.act("PUT", "/consents/clinician")).json()["type"] == "/problems/no-consent-asked"
    assert (await pressed_by_hand(stage, mail, "handoff")).status == 409

    await forged_referral(programs, town, case)
    never(stage, case, ConsentAsked, ReferralRequested, ReferralInProgress)
    assert (await requester.status())["clinical"] is None
    hana = await programs.on_call(town)
    assert (await requester.act("DELETE")).status == 200
    await stage.said(CaseClosed, case)
    assert programs.released_to(case) == {(await stage.said(PeerAssigned, case)).person}
    assert (hana in programs.told(case)) == (town is LAKESIDE)


async def only_suggestions(stage: Stage, case: CaseId) -> None:
    """The advisor is asked whom they would suggest; that page takes nobody on, whatever is sent to it."""
    page = await stage.mail("/c/", clinicians(LAKESIDE))
    _, shown = await stage.behind(page)
    assert not any(form.button("accept") for form in shown.forms)
    assert (await pressed_by_hand(stage, page, "accept")).status == 422
    never(stage, case, ReferralReplied)


async def forged_referral(programs: Programs, town: Town, case: CaseId) -> None:
    """Records of a consent, of two answers and of an acceptance, as if there were a referral: nothing comes of them."""
    hana, referral, consent = await programs.on_call(town), uuid4(), uuid4()
    peer = (await programs.stage.said(PeerAssigned, case)).person
    expires = clock.now() + timedelta(days=30)
    await programs.forge(
        town,
        case,
        ConsentGiven(consent=consent, recipient="clinician", purpose="referral", referral=referral, expires=expires),
    )
    for person, verb in ((hana, "accept"), (peer, "handoff")):
        reply = ReferralReplied(
            reply=uuid4(),
            referral=referral,
            person=person,
            verb="accept" if verb == "accept" else "handoff",
            received_at=clock.now(),
        )
        await programs.forge(town, case, reply)
        assert await settled(programs.stage, case, reply.reply) == "ended"
    never(programs.stage, case, ReferralAccepted)
    accepted = ReferralAccepted(referral=referral, clinician=hana, consent=consent, due=expires)
    await programs.forge(town, case, accepted)


# --- direct, without a peer in between


async def direct(programs: Programs, town: Town, relation: str) -> None:
    """Taken on by the clinician, who alone is told: no peer, and no coordinator."""
    case = await scenes.direct(programs.stage, relation)
    accepted = await programs.stage.said(ReferralAccepted, case)
    assert programs.told(case) == programs.released_to(case) == {accepted.clinician}
    assert accepted.clinician in await programs.people(town, "clinician")


async def not_direct(programs: Programs, town: Town, relation: str, *, others: bool = False) -> None:
    """Refused honestly at every door, and a forged record brings no clinician either. `others` may, of this agency."""
    stage, before = programs.stage, await programs.requests(town)
    refused(await stage.sent(town, relation=relation, want="clinician", help=["counselling"]))
    start = await Browser().get(f"{stage.intake}/a/{town.slug}")
    assert ('name="want"' in start.text) == others
    for answer in await asked_by_hand(stage, town, relation):
        assert (answer.status, "nobody can go straight to a clinician" in answer.seen) == (409, True)
    assert await programs.requests(town) == before

    requester, case = await stage.ask(town, relation=relation)
    assert "clinician" not in (await requester.status())["can"]
    refused(await requester.act("POST", "/clinician"))
    page = await CasePage.of(stage, town, requester)
    assert not page.door("clinician")
    assert (await page.by_hand("clinician")).status == 409
    never(stage, case, DirectAsked)

    await stage.said(SearchStarted, case)
    expires = clock.now() + timedelta(days=30)
    forged = DirectAsked(referral=uuid4(), consent=uuid4(), expires=expires, ask=programs.asked(case))
    await programs.forge(town, case, forged)
    assert (await stage.said(ReferralCancelled, case)).referral == forged.referral
    never(stage, case, ReferralRequested)
    await over(programs, town, case, requester_withdraws=requester.act("DELETE"))


async def retired(programs: Programs, town: Town) -> None:
    """Retirees where the agency says so, and not before it does."""
    await not_direct(programs, town, "retiree", others=True)
    async with programs.changed(town, direct_retiree=True):
        await direct(programs, town, "retiree")


# --- paged in danger


async def paged_without(programs: Programs, town: Town) -> None:
    """Coordinators, deputies, the region's duty; no clinician, though the directory names one who is on call."""
    stage = programs.stage
    requester, case, mail = await stage.supported(town)
    await danger(stage, mail)
    deputies = [one.contact for one in town.people if one.role == "coordinator" and "deputy" in one.attributes]
    first = [one for one in coordinators(town) if one not in deputies]
    for rung in (first, deputies, ON_DUTY):
        last = await climbed(stage, rung)
        await stage.move_clock(A_RUNG)
    await stage.answer(last, "acknowledge")
    await stage.answer(last, "contact_confirmed")
    assert (await stage.said(LadderEnded, case)).how == "contact"
    await over(programs, town, case, requester_withdraws=requester.act("DELETE"))
    await forged_rungs(programs, town)


async def danger(stage: Stage, mail: Mail) -> None:
    """A peer reports danger, and reads in the very answer whom to call."""
    answer = await stage.answer(mail, "danger")
    assert [line for line in LINES if line not in answer.text] == []


async def climbed(stage: Stage, rung: list[str]) -> Mail:
    """Everybody on a rung is paged; returns one of their mails."""
    mails = [await stage.mail("/p/", [one]) for one in rung]
    return mails[0]


async def forged_rungs(programs: Programs, town: Town) -> None:
    """A record of an emergency that names the clinician, with every capability: whoever else it names is paged."""
    stage = programs.stage
    requester, case = await stage.ask(town)
    hana, other = await programs.on_call(town), min(await programs.people(town, "coordinator"))
    await stage.said(SearchStarted, case)
    await programs.forge(
        town, case, CrisisRaised(ask=programs.asked(case), jurisdiction="US-UT", rungs=((hana,), (other,)))
    )
    assert persons(await stage.said(RungPaged, case)) == {other}
    await stage.mail("/p/", coordinators(town))
    await over(programs, town, case, requester_withdraws=requester.act("DELETE"))


def persons(rung: RungPaged) -> set[PersonId]:
    return {person for _, person in rung.pages}


async def paged_by_contract(programs: Programs, town: Town) -> None:
    """An advisor is paged only where the contract says so; else it is as without a clinician."""
    await paged_without(programs, town)
    stage = programs.stage
    async with programs.changed(town, on_call=True):
        requester, case = await stage.ask(town, urgency="emergency", notice=None)
        page = await stage.mail("/p/", clinicians(town))
        await stage.answer(page, "acknowledge")
        await stage.answer(page, "contact_confirmed")
        assert (await stage.said(LadderEnded, case)).how == "contact"
        assert persons(await stage.said(RungPaged, case)) == {await programs.on_call(town)}
        await programs.withdrawn(requester)


def _cells() -> Mapping[tuple[Structure, Row], Cell]:
    told = {TC: "no_clinician", CA: "advisor_only"}
    found: dict[tuple[Structure, Row], Cell] = {
        (TC, "consult"): partial(no_consult, town=TOWNS[TC]),
        (CA, "consult"): scene("A peer asks the clinical advisor"),
        (CS, "consult"): partial(consulted, town=SUMMIT),
        (CS, "referral"): scene("A referral, rejected and then accepted"),
        (CS, "officer"): partial(direct, town=SUMMIT, relation="officer"),
        (CS, "civilian"): scene("A civilian dispatcher goes to the clinician directly"),
        (CS, "family"): partial(direct, town=SUMMIT, relation="family"),
        (CS, "retiree"): partial(retired, town=SUMMIT),
        (TC, "danger"): partial(paged_without, town=TOWNS[TC]),
        (CA, "danger"): partial(paged_by_contract, town=LAKESIDE),
        (CS, "danger"): scene("An emergency whose first rungs are silent"),
    }
    for structure, why in told.items():
        town = TOWNS[structure]
        found[structure, "referral"] = partial(no_referral, town=town, why=why)
        found[structure, "officer"] = partial(not_direct, town=town, relation="officer")
        found[structure, "civilian"] = partial(not_direct, town=town, relation="civilian")
        found[structure, "family"] = partial(not_direct, town=town, relation="family")
        found[structure, "retiree"] = partial(not_direct, town=town, relation="retiree")
    return found


CELLS = _cells()
