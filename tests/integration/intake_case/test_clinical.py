"""A clinician when needed and allowed: consent on the status page, direct requests, and an honest no."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import clock
from shared.events import Fact
from shared.events.intake import (
    CaseClosing,
    ConsentGiven,
    ConsentWithdrawn,
    ContactReleased,
    DirectAsked,
    RequestSubmitted,
)
from shared.events.matching import AssignmentEnded
from shared.events.referral import (
    ConsentAsked,
    NoClinicalPath,
    ReferralAccepted,
    ReferralCompleted,
    ReferralFailed,
    ReferralInProgress,
    ReferralRequested,
    ResourcesGiven,
)
from shared.types import CaseId, PersonId, Urgency
from tests.integration.intake_case.front import LINE, Front
from tests.integration.intake_case.test_case import accepted, peer
from tests.integration.intake_case.test_resources import COUNSEL
from tests.integration.intake_case.test_resources import put as put_resources
from tests.unit.shared.asgi import Answer

CONSENT = "/v1/case/consents/clinician"
LISTED = {**COUNSEL, "eligibility": []}


def clinician(ref: str = "doc") -> dict[str, Any]:
    return {
        "person_ref": ref,
        "role": "clinician",
        "name": f"Dr {ref}",
        "contact": f"{ref}@clinic.test",
        "shows": "801-555-0177",
        "attributes": ["licence:us-ut"],
    }


def numbers(answer: Answer) -> set[str]:
    return {one["call"] for one in answer.json["resources"]}


def soon() -> Any:
    return clock.now() + timedelta(hours=1)


def requested(referral: UUID, person: PersonId, consent: UUID) -> ReferralRequested:
    return ReferralRequested(
        referral=referral, clinician=person, consent=consent, urgency=Urgency.ROUTINE, direct=False, due=soon()
    )


async def asked(front: Front) -> tuple[str, CaseId, UUID, PersonId]:
    """A case with a peer in which a consent is asked: code, case, referral, and the clinician of the agency."""
    await front.structured("clinical-supervisor")
    ids = await front.upload(peer(), clinician())
    code, case = await front.begun(reach={"channel": "call", "address": "801 555 0123"})
    await accepted(front, case, ids["p1"])
    referral = uuid4()
    await front.hear(case, ConsentAsked(referral=referral, remind_at=soon()))
    return code, case, referral, ids["doc"]


async def taken(front: Front, case: CaseId, referral: UUID, person: PersonId) -> UUID:
    """The clinician whom the consent allows accepts; returns the consent."""
    (given,) = [one for one in await front.facts(case) if isinstance(one, ConsentGiven | DirectAsked)]
    await front.hear(
        case,
        requested(referral, person, given.consent),
        ReferralAccepted(referral=referral, clinician=person, consent=given.consent, due=soon()),
    )
    return given.consent


async def shown_to(front: Front, case: CaseId, person: PersonId) -> list[ContactReleased]:
    return [one for one in await front.facts(case) if isinstance(one, ContactReleased) and one.recipient == person]


def last(facts: list[Fact]) -> Fact:
    return facts[-1]


async def test_a_consent_is_asked_given_accepted_and_then_the_contact_is_released(front: Front) -> None:
    code, case, referral, doc = await asked(front)
    status = await front.status(code)
    assert status["can"][:3] == ["another-peer", "consent", "refuse-consent"]
    assert await shown_to(front, case, doc) == []
    answer = await front.json("PUT", CONSENT, code=code)
    assert (answer.status, answer.json["clinical"]["state"]) == (200, "requested")
    consent = await taken(front, case, referral, doc)
    (shown,) = await shown_to(front, case, doc)
    assert (shown.assignment, shown.consent, shown.sealed is None) == (referral, consent, False)
    after = await front.status(code)
    assert (after["clinical"]["who"]["name"], after["who"]["name"]) == ("Dr doc", "Peer p1")


async def test_a_consent_names_its_purpose_and_its_end(front: Front) -> None:
    code, _, _, _ = await asked(front)
    await front.json("PUT", CONSENT, code=code)
    (kept,) = (await front.status(code))["clinical"]["consents"]
    assert (kept["recipient"], kept["purpose"], kept["withdrawn"]) == ("clinician", "referral", None)
    assert kept["expires"][:10] == (clock.now() + timedelta(days=30)).isoformat()[:10]


async def test_a_consent_that_has_run_out_is_told_and_can_be_given_again(front: Front) -> None:
    code, case, referral, doc = await asked(front)
    await front.json("PUT", CONSENT, code=code)
    await taken(front, case, referral, doc)
    await front.hear(case, ReferralInProgress(referral=referral, clinician=doc))
    assert "consent" not in (await front.status(code))["can"]
    await front.move_clock(timedelta(days=31))
    status = await front.status(code)
    assert "consent" in status["can"]
    await front.json("PUT", CONSENT, code=code)
    first, second = await shown_to(front, case, doc)
    assert first.expires is not None
    assert second.expires is not None
    assert second.expires - first.expires >= timedelta(days=31)
    assert "consent" not in (await front.status(code))["can"]


async def test_a_refusal_is_told_to_nobody_but_referral(front: Front) -> None:
    code, case, referral, doc = await asked(front)
    answer = await front.json("DELETE", CONSENT, code=code)
    assert answer.json["clinical"]["state"] == "refused"
    assert last(await front.facts(case)) == ConsentWithdrawn(recipient="clinician", referral=referral)
    await front.hear(case, ReferralAccepted(referral=referral, clinician=doc, consent=uuid4(), due=soon()))
    assert await shown_to(front, case, doc) == []


async def test_a_withdrawal_after_the_release_is_told_and_stays_told(front: Front) -> None:
    code, case, referral, doc = await asked(front)
    await front.json("PUT", CONSENT, code=code)
    await taken(front, case, referral, doc)
    answer = await front.json("DELETE", CONSENT, code=code)
    assert "cannot be undone" in " ".join(answer.json["says"])
    (kept,) = answer.json["clinical"]["consents"]
    assert kept["withdrawn"] is not None
    await front.json("PUT", "/v1/case/reach", {"reach": None}, code=code)
    assert len(await shown_to(front, case, doc)) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_without_a_question_there_is_nothing_to_say_yes_or_no_to(front: Front, method: str) -> None:
    code, _ = await front.begun()
    answer = await front.json(method, CONSENT, code=code)
    assert (answer.status, answer.json["type"]) == (409, "/problems/no-consent-asked")
    assert numbers(answer) >= {"988", "911", LINE}
    assert (await front.json(method, "/v1/case/consents/chief", code=code)).status == 422


async def test_the_case_closes_when_the_clinician_is_done_after_the_peer(front: Front) -> None:
    code, case, referral, doc = await asked(front)
    await front.json("PUT", CONSENT, code=code)
    await taken(front, case, referral, doc)
    (shown, *_) = [one for one in await front.facts(case) if isinstance(one, ContactReleased)]
    await front.hear(case, AssignmentEnded(assignment=shown.assignment, person=shown.recipient, how="closed"))
    assert (await front.status(code))["state"] == "no_peer"
    await front.hear(
        case,
        ReferralInProgress(referral=referral, clinician=doc),
        ReferralCompleted(referral=referral, clinician=doc),
    )
    assert last(await front.facts(case)) == CaseClosing()
    assert (await front.status(code))["state"] == "closing"


# --- direct


async def test_scenario_12_counselling_without_a_peer_goes_straight_to_the_clinician(front: Front) -> None:
    await front.structured("clinical-supervisor")
    ids = await front.upload(peer(), clinician())
    code, case = await front.begun(want="clinician", relation="civilian")
    (fact,) = await front.facts(case)
    assert isinstance(fact, DirectAsked)
    status = await front.status(code)
    assert (status["state"], status["clinical"]["state"], "peer" in status["can"]) == ("no_peer", "requested", True)
    await taken(front, case, fact.referral, ids["doc"])
    assert [type(one) for one in await front.facts(case)] == [DirectAsked, ContactReleased]
    assert await front.sql.fetchval("SELECT count(*) FROM cases WHERE owner = 'clinician'") == 1


async def test_scenario_13_a_spouse_is_the_subject_and_reads_the_family_notice(front: Front) -> None:
    await front.structured("clinical-supervisor")
    ids = await front.upload(peer(), clinician())
    wrong = await front.ask(front.code(), want="clinician", relation="family")
    assert (wrong.status, wrong.json["type"]) == (409, "/problems/notice-changed")
    family = {"version": "us-ut-family-en-1"}
    _, case = await front.begun(want="clinician", relation="family", notice=family)
    (fact,) = await front.facts(case)
    assert isinstance(fact, DirectAsked)
    assert (fact.ask.relation, fact.ask.bars) == ("family", ())
    await taken(front, case, fact.referral, ids["doc"])
    # Nobody but the clinician is shown or told anything of it.
    assert [type(one) for one in await front.facts(case)] == [DirectAsked, ContactReleased]
    assert len(await shown_to(front, case, ids["doc"])) == 1


@pytest.mark.parametrize("structure", ["team-coordinator", "clinical-advisor"])
async def test_scenario_14_a_spouse_is_offered_a_peer_where_no_clinician_takes_anybody_on(
    front: Front, structure: str
) -> None:
    await front.structured(structure)
    body: dict[str, Any] = {"relation": "family", "notice": {"version": "us-ut-family-en-1"}}
    code = front.code()
    answer = await front.ask(code, want="clinician", **body)
    assert (answer.status, answer.json["type"]) == (409, "/problems/no-clinician-in-program")
    assert (answer.json["offer"], numbers(answer) >= {"988", LINE}) == ("peer", True)
    assert await front.cases() == []
    assert (await front.ask(code, **body)).status == 201
    # What is clinical is found outside, by the list: the peer gives it, and nobody there hears of anybody.
    (case,) = await front.cases()
    await put_resources(front, {**LISTED, "kind": "eap"}, If_None_Match="*")
    await front.hear(case, ResourcesGiven(kinds=("eap",)))
    assert [one["name"] for one in (await front.status(code))["given"]["listed"]] == [LISTED["name"]]


@pytest.mark.parametrize(
    ("changed", "relation", "status"),
    [({}, "retiree", 409), ({"direct_retiree": True}, "retiree", 201), ({}, "officer", 201)],
)
async def test_retirees_go_straight_to_the_clinician_by_the_agencys_policy(
    front: Front, changed: dict[str, Any], relation: str, status: int
) -> None:
    await front.structured("clinical-supervisor", **changed)
    notice = {"version": "us-ut-family-en-1" if relation == "retiree" else "us-ut-employee-en-1"}
    answer = await front.ask(front.code(), want="clinician", relation=relation, notice=notice)
    assert answer.status == status


async def test_scenario_11_an_advisor_takes_nobody_on_through_a_case_either(front: Front) -> None:
    await front.structured("clinical-advisor")
    code, case = await front.begun()
    answer = await front.post(code, "clinician")
    assert (answer.status, answer.json["type"]) == (409, "/problems/no-clinician-in-program")
    assert (answer.json["offer"], numbers(answer) >= {"988", LINE}) == ("peer", True)
    assert "clinician" not in (await front.status(code))["can"]
    await front.hear(case, NoClinicalPath(why="advisor_only", kinds=("counselling",)))
    says = " ".join((await front.status(code))["says"])
    assert "advises the peers and takes nobody on" in says
    assert "Information was given" in says


async def test_a_clinician_can_be_asked_for_in_a_case_with_a_peer(front: Front) -> None:
    await front.structured("clinical-supervisor")
    code, case = await front.begun()
    answer = await front.post(code, "clinician", key="tap-00001")
    again = await front.post(code, "clinician", key="tap-00001")
    assert (answer.status, again.status, answer.json["clinical"]["state"]) == (202, 202, "requested")
    assert [type(one) for one in await front.facts(case)] == [RequestSubmitted, DirectAsked]
    assert (await front.json("POST", "/v1/case/clinician", code=code)).status == 400


async def test_a_structure_that_has_ended_widens_nothing_and_begins_nothing(front: Front) -> None:
    before, _ = await front.begun()
    await front.structured("clinical-supervisor")
    during, _ = await front.begun()
    assert (await front.post(before, "clinician")).status == 409
    await front.structured("team-coordinator")
    assert (await front.post(during, "clinician")).status == 409


async def test_a_peer_can_be_asked_for_as_well(front: Front) -> None:
    await front.structured("clinical-supervisor")
    code, case = await front.begun(want="clinician")
    answer = await front.post(code, "peer")
    assert (answer.status, answer.json["state"]) == (200, "searching")
    assert [type(one) for one in await front.facts(case)] == [DirectAsked, RequestSubmitted]
    twice = await front.post(code, "peer", key="key-0002")
    assert (twice.status, twice.json["type"]) == (409, "/problems/peer-asked-already")


async def test_when_nobody_takes_it_the_requester_is_told_and_asked_what_next(front: Front) -> None:
    await front.structured("clinical-supervisor")
    code, case = await front.begun(want="clinician")
    (fact,) = await front.facts(case)
    assert isinstance(fact, DirectAsked)
    await front.hear(
        case,
        ReferralFailed(referral=fact.referral, recipients=()),
        NoClinicalPath(why="nobody_left", kinds=("counselling",)),
    )
    status = await front.status(code)
    assert (status["state"], status["clinical"]["state"]) == ("no_peer", "failed")
    assert {"peer", "clinician", "close"} <= set(status["can"])
    await front.move_clock(timedelta(days=4))
    assert await front.fire() == ["rest"]
    assert (await front.status(code))["state"] == "closing"


# --- information


async def test_scenario_08_therapy_without_a_clinician_is_information_given(front: Front) -> None:
    await put_resources(front, LISTED, If_None_Match="*")
    ids = await front.upload(peer())
    code, case = await front.begun()
    await accepted(front, case, ids["p1"])
    (shown,) = await shown_to(front, case, ids["p1"])
    assert (shown.clinical, shown.advisers) == ("none", ("coordinator", "peer"))
    await front.hear(case, NoClinicalPath(why="no_clinician", kinds=("counselling", "eap")))
    await front.hear(case, ResourcesGiven(kinds=("counselling",)))
    status = await front.status(code)
    assert status["given"]["kinds"] == ["counselling", "eap"]
    assert [one["name"] for one in status["given"]["listed"]] == [LISTED["name"]]
    assert (status["clinical"], status["state"], "consent" in status["can"]) == (None, "released", False)
    assert {"988", LINE} <= {one["call"] for one in status["resources"]}
    assert "information_given" in [row["act"] for row in await front.sql.fetch("SELECT act FROM audit")]
