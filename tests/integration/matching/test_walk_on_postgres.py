"""The walk of a case through delivery, the fold and PostgreSQL, up to the purge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from shared.events.intake import (
    AnotherPeerAsked,
    Ask,
    BarsChanged,
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ContactReleased,
    CrisisRaised,
    PeerChosen,
    PersonSet,
    RequestSubmitted,
    Span,
)
from shared.events.matching import AssignmentEnded, NobodyFound, OfferMade, PeerAssigned, ReplySettled, ShortlistReady
from shared.events.notify import ContactStopped, ContactVerified, ReplyReceived, Verb
from shared.types import REGION, AgencyId, Lane, PersonId, Role, Urgency
from tests.harness.bench import Said, cases
from tests.integration.matching.bench import Bench, person_set, persons
from tests.unit.matching.given import ask, names, one, outcomes, told


def answer(subject: UUID, person: PersonId, verb: Verb, *, at: datetime | None = None) -> ReplyReceived:
    return ReplyReceived(reply=uuid4(), subject=subject, person=person, verb=verb, received_at=at or datetime.now(UTC))


def crisis(asked: Ask) -> CrisisRaised:
    return CrisisRaised(ask=asked, jurisdiction="US-MT", rungs=())


async def test_a_case_is_offered_accepted_closed_and_forgotten(bench: Bench) -> None:
    (case,), people = cases(1), persons(3)
    await bench.staff(*people)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    assert offer.person in people
    assert await bench.loads() == {offer.person: (1, 0)}
    facts = await bench.hear(case, answer(offer.offer, offer.person, "accept"))
    made = one(facts, PeerAssigned)
    assert outcomes(await bench.hear(case, answer(made.assignment, made.person, "contacted"))) == ["noted"]
    assert names(await bench.hear(case, answer(made.assignment, made.person, "close")))[-1] == "assignment_ended"
    assert await bench.loads() == {}
    anchor = await bench.row(case)
    assert anchor is not None
    assert (anchor["state"], anchor["terminal"]) == ("ended_by_peer", True)
    assert await bench.hear(case, CaseClosed(), group="crisis") == []
    assert await bench.row(case) is None
    left = await bench.sql.fetchval(
        "SELECT (SELECT count(*) FROM searches) + (SELECT count(*) FROM offers) + (SELECT count(*) FROM assignments)"
        " + (SELECT count(*) FROM refusals) + (SELECT count(*) FROM timers WHERE kind NOT IN ('relief', 'apart'))"
    )
    assert left == 0


async def test_the_silence_of_each_peer_in_turn_ends_with_a_count(bench: Bench) -> None:
    (case,), people, (coordinator, duty) = cases(1), persons(2), persons(2)
    await bench.staff(*people)
    await bench.staff(coordinator, role=Role.COORDINATOR)
    await bench.on_duty(duty)
    facts = await bench.hear(case, RequestSubmitted(ask=ask()))
    for _ in people:
        await bench.move_clock(hours=4, seconds=31)
        facts += await bench.fire()
    assert {offer.person for offer in told(facts, OfferMade)} == set(people)
    assert one(facts, NobodyFound).recipients == (coordinator, duty)
    assert await bench.loads() == {}


async def test_declining_one_after_the_other_and_refusing_is_remembered(bench: Bench) -> None:
    (case,), people = cases(1), persons(3)
    await bench.staff(*people)
    first = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    second = one(await bench.hear(case, answer(first.offer, first.person, "decline")), OfferMade)
    assigned = one(await bench.hear(case, answer(second.offer, second.person, "accept")), PeerAssigned)
    facts = await bench.hear(case, AnotherPeerAsked(refused=second.person))
    assert one(facts, AssignmentEnded).assignment == assigned.assignment
    assert len({first.person, second.person, one(facts, OfferMade).person}) == 3


async def test_a_verification_heard_before_the_directory_counts(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.take(Said(bench.agency, person, ContactVerified(revision=3)))
    await bench.take(Said(bench.agency, person, person_set()), group="directory")
    assert one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade).person == person


async def test_nobody_unverified_or_stopped_is_offered_anything(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.take(Said(bench.agency, person, person_set()), group="directory")
    assert names(await bench.hear(case, RequestSubmitted(ask=ask()))) == ["nobody_found"]
    await bench.take(
        Said(bench.agency, person, ContactVerified(revision=4)), Said(bench.agency, person, ContactStopped(revision=5))
    )
    assert await bench.out() == []
    await bench.take(Said(bench.agency, person, ContactVerified(revision=4)))
    assert await bench.out() == []


async def test_an_older_record_of_the_directory_changes_nothing(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.staff(person)
    newer, older = person_set(revision=9, active=False), person_set(revision=8)
    await bench.take(Said(bench.agency, person, newer), Said(bench.agency, person, older), group="directory")
    assert names(await bench.hear(case, RequestSubmitted(ask=ask()))) == ["nobody_found"]


async def test_open_searches_look_again_when_somebody_can_be_asked(bench: Bench) -> None:
    three, (person,) = cases(3), persons(1)
    await bench.take(*(Said(bench.agency, case, RequestSubmitted(ask=ask())) for case in three))
    assert len(told(await bench.out(), NobodyFound)) == 3
    await bench.take(Said(bench.agency, person, person_set()), group="directory")
    assert await bench.out() == []
    await bench.take(Said(bench.agency, person, ContactVerified(revision=1)))
    assert len(told(await bench.out(), OfferMade)) == 3
    assert await bench.loads() == {person: (3, 0)}


async def test_when_a_leave_ends_the_most_urgent_who_waits_goes_first(bench: Bench) -> None:
    (routine, urgent), (person,) = cases(2), persons(1)
    now = await bench.sql.fetchval("SELECT region.now()")
    away = Span(on=False, start=now - timedelta(days=1), end=now + timedelta(minutes=50))
    await bench.take(Said(bench.agency, person, person_set(spans=(away,))), group="directory")
    await bench.take(Said(bench.agency, person, ContactVerified(revision=1)))
    one_each = {"open_cases_per_peer": 1}
    for case, urgency in ((routine, Urgency.ROUTINE), (urgent, Urgency.URGENT)):
        asked = RequestSubmitted(ask=ask(urgency, stamped=one_each))
        assert names(await bench.hear(case, asked)) == ["nobody_found"]
    await bench.move_clock(minutes=49)
    assert await bench.fire() == []
    await bench.move_clock(minutes=2)
    assert one(await bench.fire(), OfferMade).urgency is Urgency.URGENT
    assert await bench.loads() == {person: (1, 0)}


async def test_an_emergency_looks_on_its_own_lane_when_a_leave_ends_for_which_others_wait_too(bench: Bench) -> None:
    (routine, danger), (person,) = cases(2), persons(1)
    now = await bench.sql.fetchval("SELECT region.now()")
    away = Span(on=False, start=now - timedelta(days=1), end=now + timedelta(minutes=3))
    await bench.take(Said(bench.agency, person, person_set(spans=(away,))), group="directory")
    await bench.take(Said(bench.agency, person, ContactVerified(revision=1)))
    assert names(await bench.hear(routine, RequestSubmitted(ask=ask()))) == ["nobody_found"]
    assert names(await bench.hear(danger, crisis(ask(Urgency.EMERGENCY)), group="crisis")) == ["nobody_found"]
    await bench.move_clock(minutes=3, seconds=1)
    assert told(await bench.fire(Lane.CRISIS), OfferMade)[0].urgency is Urgency.EMERGENCY


async def test_a_leave_that_is_shortened_brings_the_look_at_its_end_forward(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    now = await bench.sql.fetchval("SELECT region.now()")

    async def away_until(end: datetime, revision: int) -> None:
        fact = person_set(revision=revision, spans=(Span(on=False, start=now - timedelta(days=1), end=end),))
        await bench.take(Said(bench.agency, person, fact), group="directory")

    await away_until(now + timedelta(days=10), 1)
    await bench.take(Said(bench.agency, person, ContactVerified(revision=1)))
    assert names(await bench.hear(case, RequestSubmitted(ask=ask()))) == ["nobody_found"]
    await away_until(now + timedelta(hours=1), 2)
    assert await bench.out() == []
    await bench.move_clock(minutes=61)
    assert one(await bench.fire(), OfferMade).person == person


@pytest.mark.parametrize("about", ["offer", "assignment"])
async def test_a_pause_that_is_said_after_the_yes_is_kept(bench: Bench, about: str) -> None:
    (first, second), (person,) = cases(2), persons(1)
    await bench.staff(person)
    offer = one(await bench.hear(first, RequestSubmitted(ask=ask(release="ask_me"))), OfferMade)
    assigned = one(await bench.hear(first, answer(offer.offer, person, "accept")), PeerAssigned)
    subject = offer.offer if about == "offer" else assigned.assignment
    pause = answer(subject, person, "accept").model_copy(update={"pause_s": 86_400})
    await bench.hear(first, pause)
    assert await bench.sql.fetchval("SELECT paused_until > region.now() FROM peer_load WHERE peer_id = $1", person)
    assert names(await bench.hear(second, RequestSubmitted(ask=ask()))) == ["nobody_found"]


async def test_a_search_that_found_everybody_full_goes_on_when_one_has_room(bench: Bench) -> None:
    (first, second), (person,) = cases(2), persons(1)
    await bench.staff(person)
    asked = RequestSubmitted(ask=ask(stamped={"open_cases_per_peer": 1}))
    offer = one(await bench.hear(first, asked), OfferMade)
    assert names(await bench.hear(second, asked)) == ["nobody_found"]
    await bench.hear(first, answer(offer.offer, person, "decline"))
    assert one(await bench.fire(), OfferMade).person == person
    assert await bench.loads() == {person: (1, 0)}


async def test_an_emergency_goes_over_the_crisis_lane_and_counts_by_itself(bench: Bench) -> None:
    (case,), people = cases(1), persons(4)
    await bench.staff(*people)
    offers = told(await bench.hear(case, crisis(ask(Urgency.EMERGENCY)), group="crisis"), OfferMade)
    assert len(offers) == 3
    assert set((await bench.loads()).values()) == {(0, 1)}
    lanes = await bench.sql.fetch("SELECT DISTINCT lane FROM timers WHERE kind = 'offer'")
    assert [row["lane"] for row in lanes] == [Lane.CRISIS]
    facts = await bench.hear(case, *(answer(offer.offer, offer.person, "accept") for offer in offers))
    assert outcomes(facts) == ["accepted", "covered", "covered"]
    assert list((await bench.loads()).values()) == [(0, 1)]


async def test_a_shortlist_is_kept_and_the_choice_offered(bench: Bench) -> None:
    (case,), people = cases(1), persons(6)
    await bench.staff(*people)
    listed = one(await bench.hear(case, RequestSubmitted(ask=ask(choose="shortlist"))), ShortlistReady)
    assert len(listed.candidates) == 5
    picked = listed.candidates[3].person
    assert one(await bench.hear(case, PeerChosen(person=picked)), OfferMade).person == picked


async def test_a_release_starts_the_time_for_a_first_contact(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.staff(person)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask(release="ask_me"))), OfferMade)
    made = one(await bench.hear(case, answer(offer.offer, person, "accept")), PeerAssigned)
    before = await bench.row(case)
    await bench.hear(case, ContactReleased(assignment=made.assignment, recipient=person))
    after = await bench.row(case)
    assert before is not None
    assert after is not None
    assert (before["owner"], after["owner"]) == ("requester", "peer")
    assert after["due_at"] < before["due_at"]
    await bench.move_clock(hours=24, seconds=1)
    assert names(await bench.fire())[0] == "contact_overdue"


async def test_a_late_assignment_and_the_one_beside_it_never_both_stand(bench: Bench) -> None:
    (case,), people = cases(1), persons(2)
    await bench.staff(*people)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    first = one(await bench.hear(case, answer(offer.offer, offer.person, "accept")), PeerAssigned)
    await bench.move_clock(hours=24, seconds=1)
    second = one(await bench.fire(), OfferMade)
    at = datetime.now(UTC) + timedelta(hours=24)
    facts = await bench.hear(case, answer(second.offer, second.person, "accept", at=at))
    assert names(facts) == ["reply_settled", "assignment_ended", "peer_assigned"]
    assert one(facts, AssignmentEnded).assignment == first.assignment
    states = await bench.sql.fetch("SELECT state FROM offers ORDER BY state")
    assert [row["state"] for row in states] == ["accepted", "ended"]
    assert await bench.loads() == {second.person: (1, 0)}


async def test_a_withdrawal_and_a_close_heard_first_are_the_end(bench: Bench) -> None:
    (withdrawn, closed), people = cases(2), persons(2)
    await bench.staff(*people)
    await bench.hear(withdrawn, CaseWithdrawn(), group="crisis")
    await bench.hear(closed, CaseClosed(), group="crisis")
    for case in (withdrawn, closed):
        assert await bench.hear(case, RequestSubmitted(ask=ask())) == []
    assert await bench.loads() == {}


async def test_a_withdrawal_ends_what_is_open(bench: Bench) -> None:
    (case,), people = cases(1), persons(2)
    await bench.staff(*people)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    await bench.hear(case, answer(offer.offer, offer.person, "accept"))
    facts = await bench.hear(case, CaseWithdrawn(), group="crisis")
    assert one(facts, AssignmentEnded).how == "withdrawn"
    assert await bench.loads() == {}


async def test_events_delivered_three_times_take_effect_once(bench: Bench) -> None:
    (case,), people = cases(1), persons(2)
    await bench.staff(*people)
    said = Said(bench.agency, case, RequestSubmitted(ask=ask()))
    await bench.take(said, said, said)
    await bench.take(said)
    offer = one(await bench.out(), OfferMade)
    reply = Said(bench.agency, case, answer(offer.offer, offer.person, "accept"))
    await bench.take(reply, reply)
    assert len(told(await bench.out(), ReplySettled)) == 1


async def test_closing_that_overtakes_an_emergency_is_the_end(bench: Bench) -> None:
    (case,), people = cases(1), persons(2)
    await bench.staff(*people)
    await bench.hear(case, CaseClosing())
    assert await bench.hear(case, crisis(ask(Urgency.EMERGENCY)), group="crisis") == []


async def test_persons_of_the_region_are_never_offered_a_case(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    peer: PersonSet = person_set()
    await bench.take(Said(REGION, person, peer), group="directory")
    await bench.take(Said(REGION, person, ContactVerified(revision=1)))
    assert one(await bench.hear(case, RequestSubmitted(ask=ask())), NobodyFound).recipients == ()


async def test_two_agencies_in_one_batch_get_their_own_peers_only(bench: Bench) -> None:
    other, (mine, theirs), (here, there) = AgencyId(uuid4()), persons(2), cases(2)
    await bench.staff(mine)
    await bench.staff(theirs, agency=other)
    await bench.take(
        Said(bench.agency, here, RequestSubmitted(ask=ask())), Said(other, there, RequestSubmitted(ask=ask()))
    )
    rows = await bench.sql.fetch("SELECT case_id, person_id, agency_id FROM offers")
    assert {(row["case_id"], row["person_id"], row["agency_id"]) for row in rows} == {
        (here, mine, bench.agency),
        (there, theirs, other),
    }


async def test_bars_heard_before_an_emergency_are_kept_and_go_with_it(bench: Bench) -> None:
    (case,), (barred, other) = cases(1), persons(2)
    await bench.staff(barred, other)
    assert await bench.hear(case, BarsChanged(bars=(barred,))) == []
    anchor = await bench.row(case)
    assert anchor is not None
    assert (anchor["state"], anchor["owner"]) == ("barred", "operator")
    facts = await bench.hear(case, crisis(ask(Urgency.EMERGENCY)), group="crisis")
    assert [offer.person for offer in told(facts, OfferMade)] == [other]
    await bench.hear(case, CaseClosed(), group="crisis")
    assert await bench.sql.fetchval("SELECT count(*) FROM refusals") == 0


async def test_a_bar_in_the_middle_is_kept_over_the_end_of_an_assignment(bench: Bench) -> None:
    (case,), people = cases(1), persons(2)
    await bench.staff(*people)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    await bench.hear(case, answer(offer.offer, offer.person, "accept"))
    facts = await bench.hear(case, BarsChanged(bars=(offer.person,)))
    assert one(facts, AssignmentEnded).how == "replaced"
    second = one(facts, OfferMade)
    facts = await bench.hear(case, answer(second.offer, second.person, "decline"))
    assert names(facts) == ["offer_declined", "reply_settled", "nobody_found"]


async def test_a_clinician_of_the_directory_is_kept_and_never_offered_a_case(bench: Bench) -> None:
    (case,), (clinician,) = cases(1), persons(1)
    await bench.staff(clinician, role=Role.CLINICIAN)
    assert await bench.sql.fetchval("SELECT role FROM peers WHERE person_id = $1", clinician) == "clinician"
    assert await bench.sql.fetchval("SELECT count(*) FROM parked") == 0
    assert names(await bench.hear(case, RequestSubmitted(ask=ask()))) == ["nobody_found"]
