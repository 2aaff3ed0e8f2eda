"""A case in referral through delivery, the fold and PostgreSQL, up to the purge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from shared.events import Fact
from shared.events.intake import BarsChanged, CaseClosed, CaseClosing, CaseWithdrawn, ConsentGiven, RequestSubmitted
from shared.events.notify import ContactStopped, ContactVerified, PageReplied, PageVerb, ReferralReplied, ReferralVerb
from shared.events.referral import (
    ConsentAsked,
    ConsultAnswered,
    ConsultExpired,
    ConsultOpened,
    HandoffOverdue,
    LadderAcknowledged,
    LadderEnded,
    NoClinicalPath,
    ReferralAccepted,
    ReferralFailed,
    ReferralRequested,
    RungPaged,
)
from shared.types import AgencyId, CaseId, Lane, PersonId, Role, Structure, Urgency
from tests.integration.referral.bench import TABLES, Bench, Said, cases
from tests.unit.referral.given import (
    ADVISOR,
    ANA,
    BEN,
    CA,
    CARL,
    CEM,
    CLEO,
    COLE,
    CORA,
    CS,
    DORA,
    NONE,
    PAUL,
    PETRA,
    SUPERVISOR,
    TC,
    advised,
    ask,
    assigned,
    consult,
    crisis,
    direct,
    names,
    only,
    resources,
    settled,
    wanted,
)

LICENCE = "licence:us-ut"


@pytest_asyncio.fixture
async def staffed(bench: Bench) -> Bench:
    """An agency with everybody, under a Clinical Supervisor."""
    await bench.may(SUPERVISOR, CS)
    await bench.staff(PETRA, PAUL, role=Role.PEER)
    await bench.staff(CORA, role=Role.COORDINATOR)
    await bench.staff(COLE, role=Role.COORDINATOR, attributes=("deputy",))
    await bench.staff(CLEO, role=Role.CLINICIAN, attributes=(LICENCE, "on_call"))
    await bench.staff(CARL, role=Role.CLINICIAN, attributes=(LICENCE, "deputy"))
    await bench.on_duty(DORA)
    return bench


async def supported(bench: Bench, case: CaseId, structure: Structure = CS) -> None:
    """Petra supports the requester."""
    assert await bench.hear(case, RequestSubmitted(ask=ask(structure)), assigned()) == []


async def now(bench: Bench) -> datetime:
    found: datetime = await bench.sql.fetchval("SELECT region.now()")
    return found


async def consent(bench: Bench, referral: UUID) -> ConsentGiven:
    expires = await now(bench) + timedelta(days=30)
    return ConsentGiven(consent=uuid4(), recipient="clinician", purpose="referral", referral=referral, expires=expires)


async def consented(bench: Bench, case: CaseId) -> tuple[UUID, ReferralRequested]:
    """The first clinician is being asked."""
    referral = only(await bench.hear(case, wanted()), ConsentAsked).referral
    return referral, only(await bench.hear(case, await consent(bench, referral)), ReferralRequested)


def answer(referral: UUID, who: PersonId, verb: ReferralVerb) -> ReferralReplied:
    return ReferralReplied(reply=uuid4(), referral=referral, person=who, verb=verb, received_at=datetime.now(UTC))


def page_reply(paged: RungPaged, who: PersonId, verb: PageVerb) -> PageReplied:
    page = next(page for page, person in paged.pages if person == who)
    return PageReplied(
        reply=uuid4(), page=page, ladder=paged.ladder, person=who, verb=verb, received_at=datetime.now(UTC)
    )


async def test_a_consult_is_asked_reminded_passed_on_and_answered(staffed: Bench) -> None:
    (case,) = cases(1)
    await supported(staffed, case, CA)
    asked = consult("clinician")
    opened = only(await staffed.hear(case, asked), ConsultOpened)
    assert (opened.adviser, opened.sealed) == (CLEO, b"question")
    assert await staffed.anchor(case) == ("consult_open", "adviser")
    await staffed.move_clock(hours=12, seconds=1)
    assert names(await staffed.fire()) == ["consult_reminded"]
    await staffed.move_clock(hours=12)
    passed = await staffed.fire()
    assert only(passed, ConsultOpened).adviser == CARL
    facts = await staffed.hear(case, advised(asked, CARL), advised(asked, CLEO))
    assert only(facts, ConsultAnswered).asked_by == PETRA
    assert settled(facts) == ["noted", "too_late"]
    assert await staffed.anchor(case) == ("at_rest", None)


async def test_a_consult_that_nobody_answers_expires_and_its_reply_is_too_late(staffed: Bench) -> None:
    (case,) = cases(1)
    await supported(staffed, case, TC)
    asked, facts = consult("peer"), []
    await staffed.hear(case, asked)
    for _ in range(2):
        await staffed.move_clock(hours=12, seconds=1)
        facts += await staffed.fire()
    assert names(facts) == ["consult_reminded", "consult_reassigned", "consult_expired"]
    assert only(facts, ConsultExpired).consult == asked.consult
    assert settled(await staffed.hear(case, advised(asked, PAUL))) == ["too_late"]


async def test_scenario_09_under_a_team_coordinator_no_clinician_is_ever_consulted(staffed: Bench) -> None:
    (case,) = cases(1)
    await supported(staffed, case, TC)
    facts = await staffed.hear(case, consult("clinician"), consult("coordinator"), wanted(), resources("eap"))
    assert only(facts, ConsultOpened).adviser == CORA
    assert settled(facts) == ["refused", "noted", "information_given", "noted"]
    assert only(facts, NoClinicalPath).why == "no_clinician"
    acts = await staffed.sql.fetch("SELECT act FROM audit WHERE subject = $1 ORDER BY id", case)
    assert [row["act"] for row in acts] == ["act refused", "consult opened", "information given", "resources given"]


async def test_a_referral_that_is_rejected_and_then_accepted_comes_to_its_end(staffed: Bench) -> None:
    (case,) = cases(1)
    await supported(staffed, case)
    referral, first = await consented(staffed, case)
    assert first.clinician == CLEO
    facts = await staffed.hear(case, answer(referral, CLEO, "reject"))
    assert names(facts) == ["referral_rejected", "referral_requested", "answer_settled"]
    facts = await staffed.hear(case, answer(referral, CARL, "accept"))
    assert only(facts, ReferralAccepted).clinician == CARL
    facts = await staffed.hear(case, answer(referral, PETRA, "handoff"), answer(referral, CARL, "handoff"))
    assert names(facts)[-2:] == ["referral_in_progress", "answer_settled"]
    assert await staffed.anchor(case) == ("referral_in_progress", "clinician")
    assert names(await staffed.hear(case, answer(referral, CARL, "complete")))[0] == "referral_completed"
    assert await staffed.anchor(case) == ("at_rest", None)


async def test_scenario_34_silence_of_a_clinician_is_covered_by_the_deputy_and_ends_with_people_told(
    staffed: Bench,
) -> None:
    (case,) = cases(1)
    await supported(staffed, case)
    await consented(staffed, case)
    await staffed.move_clock(days=1, seconds=1)
    assert only(await staffed.fire(), ReferralRequested).clinician == CARL
    await staffed.move_clock(days=1, seconds=1)
    facts = await staffed.fire()
    assert only(facts, ReferralFailed).recipients == tuple(sorted((CORA, COLE, DORA)))
    assert only(facts, NoClinicalPath).why == "nobody_left"


async def test_a_hand_off_that_nobody_confirms_is_told_to_the_coordinators(staffed: Bench) -> None:
    (case,) = cases(1)
    await supported(staffed, case)
    referral, _ = await consented(staffed, case)
    await staffed.hear(case, answer(referral, CLEO, "accept"))
    await staffed.move_clock(days=1, seconds=1)
    assert DORA in only(await staffed.fire(), HandoffOverdue).recipients
    assert await staffed.anchor(case) == ("referral_accepted", "coordinator")


async def test_a_ladder_climbs_twice_and_a_late_acknowledgement_climbs_on(bench: Bench) -> None:
    (case,) = cases(1)
    first = only(await bench.hear(case, crisis((ANA,), (BEN,), (CEM,)), group="crisis"), RungPaged)
    rungs = [first]
    for _ in range(2):
        await bench.move_clock(seconds=301)
        rungs.append(only(await bench.fire(Lane.CRISIS), RungPaged))
    assert [[person for _, person in rung.pages] for rung in rungs] == [[ANA], [BEN], [CEM]]
    taken = await bench.hear(case, page_reply(first, ANA, "acknowledge"), group="crisis")
    assert only(taken, LadderAcknowledged).person == ANA
    await bench.move_clock(seconds=601)
    again = only(await bench.fire(Lane.CRISIS), RungPaged)
    assert await bench.anchor(case) == ("acknowledged", "operator")
    facts = await bench.hear(case, page_reply(again, CEM, "acknowledge"), page_reply(first, ANA, "contact_confirmed"))
    assert names(facts) == [
        "ladder_acknowledged",
        "reply_settled",
        "human_contact_confirmed",
        "ladder_ended",
        "reply_settled",
    ]


async def test_after_the_last_rung_everybody_is_paged_again_while_the_operator_owns_it(bench: Bench) -> None:
    (case,) = cases(1)
    await bench.hear(case, crisis((ANA,), (BEN,)), group="crisis")
    for _ in range(3):
        await bench.move_clock(seconds=301)
        facts = await bench.fire(Lane.CRISIS)
    assert [person for _, person in only(facts, RungPaged).pages] == [ANA, BEN]
    assert await bench.anchor(case) == ("silent", "operator")
    lanes = await bench.sql.fetch("SELECT DISTINCT lane FROM timers")
    assert [row["lane"] for row in lanes] == [Lane.CRISIS]


async def test_a_ladder_that_nobody_can_take_is_kept_as_that_and_can_still_be_taken(bench: Bench) -> None:
    (case,) = cases(1)
    paged = only(await bench.hear(case, crisis((ANA,)), group="crisis"), RungPaged)
    facts = await bench.hear(case, page_reply(paged, ANA, "cannot"), group="crisis")
    assert only(facts, LadderEnded).how == "nobody"
    assert await bench.anchor(case) == ("nobody", "operator")
    taken = await bench.hear(case, page_reply(paged, ANA, "acknowledge"), group="crisis")
    assert only(taken, LadderAcknowledged).person == ANA
    assert await bench.anchor(case) == ("acknowledged", "who acknowledged")


async def test_whoever_comes_to_be_barred_is_passed_by_in_everything_also_before_the_case_is_known(
    staffed: Bench,
) -> None:
    (case,) = cases(1)
    assert await staffed.hear(case, BarsChanged(bars=(ANA,))) == []
    assert await staffed.anchor(case) == ("at_rest", None)
    emergency = crisis((ANA, BEN), (CEM,), asked=ask(CS, urgency=Urgency.EMERGENCY))
    paged = only(await staffed.hear(case, emergency, group="crisis"), RungPaged)
    assert [person for _, person in paged.pages] == [BEN]
    await supported(staffed, case)
    referral, first = await consented(staffed, case)
    opened = only(await staffed.hear(case, consult("coordinator")), ConsultOpened)
    assert (first.clinician, opened.adviser) == (CLEO, CORA)
    await staffed.hear(case, page_reply(paged, BEN, "acknowledge"), answer(referral, CLEO, "accept"))
    facts = await staffed.hear(case, BarsChanged(bars=(ANA, BEN, CLEO, CORA)))
    assert [person for _, person in only(facts, RungPaged).pages] == [CEM]
    assert only(facts, ReferralRequested).clinician == CARL
    assert only(facts, ConsultOpened).adviser == COLE
    late = await staffed.hear(case, page_reply(paged, BEN, "contact_confirmed"), answer(referral, CLEO, "handoff"))
    assert settled(late) == ["ended", "ended"]


async def test_scenario_43_at_midnight_three_open_referrals_keep_a_clinician_and_no_new_one_begins(
    staffed: Bench,
) -> None:
    asked, requested, accepted, new = cases(4)
    for case in (asked, requested, accepted, new):
        await supported(staffed, case)
    question = only(await staffed.hear(asked, wanted()), ConsentAsked).referral
    open_one, _ = await consented(staffed, requested)
    taken, _ = await consented(staffed, accepted)
    await staffed.hear(accepted, answer(taken, CLEO, "accept"))
    await staffed.may(NONE, TC)
    assert only(await staffed.hear(asked, await consent(staffed, question)), ReferralRequested).clinician == CLEO
    assert only(await staffed.hear(requested, answer(open_one, CLEO, "reject")), ReferralRequested).clinician == CARL
    facts = await staffed.hear(accepted, answer(taken, CLEO, "handoff"), answer(taken, PETRA, "handoff"))
    assert "referral_in_progress" in names(facts)
    assert settled(await staffed.hear(new, wanted(), consult("clinician"))) == ["information_given", "refused"]
    await staffed.staff(CLEO, role=Role.CLINICIAN, attributes=(LICENCE,), active=False)
    handed_on = await staffed.out()
    assert names(handed_on) == ["referral_unanswered", "referral_requested"]
    assert only(handed_on, ReferralRequested).clinician == CARL


async def test_a_clinician_whose_contact_stops_while_being_asked_is_followed_and_one_who_accepted_stays(
    staffed: Bench,
) -> None:
    requested, accepted = cases(2)
    for case in (requested, accepted):
        await supported(staffed, case)
    await consented(staffed, requested)
    taken, _ = await consented(staffed, accepted)
    await staffed.hear(accepted, answer(taken, CLEO, "accept"))
    await staffed.take(Said(staffed.agency, CLEO, ContactStopped(revision=2)))
    facts = await staffed.out()
    assert names(facts) == ["referral_unanswered", "referral_requested"]
    assert await staffed.anchor(accepted) == ("referral_accepted", "clinician")
    await staffed.take(Said(staffed.agency, CLEO, ContactVerified(revision=1)))
    unverified = only(await staffed.hear(cases(1)[0], direct(expires=await now(staffed) + timedelta(days=9))), Fact)
    assert isinstance(unverified, ReferralRequested)
    assert unverified.clinician == CARL


async def test_acts_that_overtake_the_request_are_kept_and_take_effect_when_it_comes(staffed: Bench) -> None:
    (case,) = cases(1)
    assert await staffed.hear(case, consult("clinician"), wanted(), resources("eap")) == []
    assert await staffed.anchor(case) == ("waiting", "operator")
    assert await staffed.hear(case, assigned()) == []
    facts = await staffed.hear(case, RequestSubmitted(ask=ask(CS)))
    assert names(facts) == [
        "consult_opened",
        "answer_settled",
        "consent_asked",
        "answer_settled",
        "resources_given",
        "answer_settled",
    ]
    await staffed.move_clock(minutes=11)
    assert await staffed.fire() == []


async def test_another_agencys_people_are_never_asked(bench: Bench) -> None:
    (case,) = cases(1)
    await bench.staff(PETRA, role=Role.PEER)
    mine, bench.agency = bench.agency, AgencyId(uuid4())
    await bench.staff(CLEO, role=Role.CLINICIAN, attributes=(LICENCE,))
    bench.agency = mine
    fact = direct(expires=await now(bench) + timedelta(days=9))
    assert names(await bench.hear(case, fact)) == ["referral_failed", "no_clinical_path"]


async def test_an_older_record_of_directory_or_agency_changes_nothing(staffed: Bench) -> None:
    (case,) = cases(1)
    await staffed.may(ADVISOR, CA)
    staffed._revision = 0  # noqa: SLF001
    await staffed.may(SUPERVISOR, CS)
    await supported(staffed, case)
    assert settled(await staffed.hear(case, wanted())) == ["information_given"]


@pytest.mark.parametrize("stopped", [False, True])
async def test_the_end_cancels_what_is_open_and_the_close_leaves_no_row(staffed: Bench, *, stopped: bool) -> None:
    (case,) = cases(1)
    await supported(staffed, case)
    await consented(staffed, case)
    await staffed.hear(case, consult("clinician"), consult("peer", assignment=uuid4()))
    await staffed.hear(case, crisis((ANA,)), group="crisis")
    held = await staffed.left(case)
    assert all(held[table] for table in (*TABLES, "timers"))
    end = CaseWithdrawn() if stopped else CaseClosing()
    facts = await staffed.hear(case, end, group="crisis" if stopped else "ordinary")
    assert names(facts) == ["ladder_ended", "referral_cancelled", "answer_settled"]
    assert await staffed.anchor(case) == ("ended", None)
    await staffed.hear(case, CaseClosed(), group="crisis")
    assert not any((await staffed.left(case)).values())
    assert await staffed.hear(case, wanted(), RequestSubmitted(ask=ask(CS))) == []


async def test_a_batch_costs_the_same_statements_whatever_its_size(staffed: Bench) -> None:
    async def statements(number: int) -> int:
        many = cases(number)
        await staffed.take(
            *(Said(staffed.agency, case, RequestSubmitted(ask=ask(CS))) for case in many),
            *(Said(staffed.agency, case, assigned()) for case in many),
        )
        said = [
            act
            for case in many
            for act in (Said(staffed.agency, case, wanted()), Said(staffed.agency, case, consult()))
        ]
        await staffed.take(*said)
        return len(staffed.statements)

    assert await statements(1) == await statements(40)


async def test_records_delivered_twice_take_effect_once(staffed: Bench) -> None:
    (case,) = cases(1)
    await supported(staffed, case)
    twice = Said(staffed.agency, case, wanted())
    await staffed.take(twice, twice)
    await staffed.take(twice)
    assert names(await staffed.out()) == ["consent_asked", "answer_settled"]


async def test_a_forged_consult_with_another_cases_id_reaches_nothing_of_that_case(staffed: Bench) -> None:
    mine, other = cases(2)
    for case in (mine, other):
        await supported(staffed, case)
    asked = consult("clinician")
    await staffed.hear(mine, asked)
    await staffed.hear(other, consult("peer", consult=asked.consult))
    rows = await staffed.sql.fetch("SELECT case_id, role FROM consults WHERE consult_id = $1", asked.consult)
    assert {(row["case_id"], row["role"]) for row in rows} == {(mine, "clinician"), (other, "peer")}
