"""Consults, referrals and outreach: what facts and answers make of them, in any order in which they may come."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.notify.domain.case import Answer
from services.notify.domain.deciding import What
from services.notify.domain.deciding.referrals import CONSENT_LASTS
from services.notify.domain.intents import Ended, Start
from services.notify.domain.matters import KIND_OF, VERBS, Word, settler
from services.notify.domain.outcomes import Accepted, NotSent, Unknown
from services.notify.domain.things import seat_id
from services.notify.domain.views import View, view
from shared.events.intake import CaseWithdrawn, ConsentWithdrawn, ContactReleased, DirectAsked, OutreachAsked
from shared.events.matching import AssignmentEnded
from shared.events.notify import (
    ClinicianWanted,
    ConsultAsked,
    ConsultReplied,
    DangerReported,
    IntentSettled,
    ReferralReplied,
    ResourcesOffered,
)
from shared.events.referral import (
    AnswerSettled,
    ConsentAsked,
    ConsentReminded,
    ConsultAnswered,
    ConsultExpired,
    ConsultOpened,
    ConsultReassigned,
    ConsultReminded,
    HandoffConfirmed,
    HandoffOverdue,
    LadderAcknowledged,
    ReferralAccepted,
    ReferralCancelled,
    ReferralCompleted,
    ReferralFailed,
    ReferralInProgress,
    ReferralOnHold,
    ReferralRejected,
    ReferralRequested,
)
from shared.types import PersonId, Urgency
from tests.unit.notify.test_deciding import ANA, ASSIGNMENT, BEN, LADDER, NOW, PAGE, USABLE, Story, paged

CARA, DAN = PersonId(UUID(int=33)), PersonId(UUID(int=34))
CONSULT, REFERRAL, CONSENT, OUTREACH = (UUID(int=n) for n in (51, 52, 53, 54))
DUE = NOW + timedelta(hours=4)
SEAT = seat_id(REFERRAL, CARA)


def held(**more: Any) -> ContactReleased:
    return ContactReleased(
        assignment=ASSIGNMENT, recipient=ANA, sealed=b"sealed", **{"advisers": ("coordinator", "peer"), **more}
    )


def shown(story: Story, matter: UUID = ASSIGNMENT) -> View:
    return view(story.state.matters.get(matter), story.state.replies.values(), story.now, story.state.around)


def asks(story: Story, text: bytes = b"?", to: Any = "coordinator") -> Story:
    own = UUID(int=700 + len(story.steps))
    return story.then(Answer(own, ANA, ASSIGNMENT, "advice", sealed=text, thing=CONSULT, to=to, codes=("sleep",)))


def settle(story: Story, outcome: str = "noted") -> Story:
    waiting = [reply.reply_id for reply in story.state.replies.values() if reply.outcome is None]
    for reply in waiting:
        story.then(AnswerSettled.model_validate({"reply": reply, "outcome": outcome}))
    return story


def opened(adviser: PersonId = BEN, **more: Any) -> ConsultOpened:
    values = {"role": "coordinator", "topics": ("sleep",), "sealed": b"?", "due": DUE, **more}
    return ConsultOpened(consult=CONSULT, adviser=adviser, **values)


def answered() -> ConsultAnswered:
    return ConsultAnswered(consult=CONSULT, assignment=ASSIGNMENT, asked_by=ANA, adviser=BEN, sealed=b"!")


def question(assignment: UUID | None = ASSIGNMENT) -> ConsentAsked:
    return ConsentAsked(referral=REFERRAL, remind_at=DUE, assignment=assignment)


def requested(clinician: PersonId = CARA, *, direct: bool = False) -> ReferralRequested:
    return ReferralRequested(
        referral=REFERRAL, clinician=clinician, consent=CONSENT, urgency=Urgency.SOON, direct=direct, due=DUE
    )


def direct_asked() -> DirectAsked:
    golden = Path(__file__).parents[2] / "contract" / "golden" / "intake.direct_asked.v1.json"
    fact = DirectAsked.model_validate(json.loads(golden.read_text())["body"])
    return fact.model_copy(update={"referral": REFERRAL})


def accepted(clinician: PersonId = CARA) -> ReferralAccepted:
    return ReferralAccepted(referral=REFERRAL, clinician=clinician, consent=CONSENT, due=DUE)


def released(clinician: PersonId = CARA, expires: datetime | None = None) -> ContactReleased:
    return ContactReleased(assignment=REFERRAL, recipient=clinician, sealed=b"sealed", consent=CONSENT, expires=expires)


def test_advice_is_asked_once_of_whom_the_program_has_and_not_again_while_it_waits() -> None:
    story = asks(asks(Story().then(held()), to="clinician"))
    assert "advice" not in shown(story).verbs
    (fact,) = asks(story).facts
    assert isinstance(fact, ConsultAsked)
    assert (fact.to, fact.topics, fact.assignment) == ("coordinator", ("sleep",), ASSIGNMENT)
    assert "advice" in shown(settle(story).then(answered())).verbs


@pytest.mark.parametrize(("advisers", "there"), [((), False), (("peer",), True)])
def test_what_the_program_does_not_have_is_not_on_the_page(advisers: tuple[str, ...], there: bool) -> None:
    assert ("advice" in shown(Story().then(held(advisers=advisers))).verbs) is there


def test_an_adviser_is_asked_reminded_and_passed_over_and_may_still_answer() -> None:
    story = Story().then(opened()).mailed().then(ConsultReminded(consult=CONSULT, adviser=BEN))
    assert [intent.person for intent in story.of("consult")] == [BEN, BEN]
    story.then(ConsultReassigned(consult=CONSULT, before=BEN), opened(CARA))
    assert shown(story, seat_id(CONSULT, BEN)).verbs == ("answer", "cannot")
    story.then(Answer(UUID(int=9), BEN, seat_id(CONSULT, BEN), "answer", sealed=b"!"))
    assert isinstance(story.facts[-1], ConsultReplied)
    assert story.facts[-1].consult == CONSULT


def test_whoever_cannot_is_not_reminded() -> None:
    story = Story().then(opened()).mailed().answers("cannot", subject=seat_id(CONSULT, BEN), person=BEN)
    story.then(ConsultReminded(consult=CONSULT, adviser=BEN))
    assert len(story.of("consult")) == 1


def test_an_answer_is_news_for_the_peer_and_the_question_is_forgotten() -> None:
    story = asks(Story().then(held())).then(opened(), opened(CARA), answered())
    assert [(intent.person, intent.subject) for intent in story.of("answer")] == [(ANA, ASSIGNMENT)]
    consult = story.state.consults[CONSULT]
    assert (consult.state, consult.question, consult.answer) == ("answered", None, b"!")
    assert {shown(story, seat_id(CONSULT, who)).told for who in (BEN, CARA)} == {"covered"}


def test_an_expired_consult_is_told_and_nothing_revives_it() -> None:
    story = asks(Story().then(held())).then(opened())
    story.then(ConsultExpired(consult=CONSULT, assignment=ASSIGNMENT, asked_by=ANA), opened(CARA), answered())
    assert (story.state.consults[CONSULT].state, len(story.of("answer"))) == ("expired", 1)


def test_nobody_is_asked_for_advice_after_the_support_has_ended() -> None:
    story = asks(Story().then(held())).then(opened()).mailed()
    story.then(AssignmentEnded(assignment=ASSIGNMENT, person=ANA, how="closed"), opened(CARA))
    assert shown(story, seat_id(CONSULT, BEN)).told == "ended"
    assert BEN in story.lines
    assert story.state.consults[CONSULT].question is None


@pytest.mark.parametrize(
    ("verb", "fact"), [("clinician", ClinicianWanted), ("danger", DangerReported), ("contacted", object)]
)
def test_a_button_counts_once_while_its_outcome_is_open(verb: Word, fact: type) -> None:
    story = Story().then(held()).answers(verb, subject=ASSIGNMENT).answers(verb, subject=ASSIGNMENT)
    assert len(story.facts) == 1
    assert isinstance(story.facts[0], fact)


def test_danger_can_be_said_again_once_it_was_heard() -> None:
    story = settle(Story().then(held()).answers("danger", subject=ASSIGNMENT))
    assert "danger" in shown(story).verbs


@pytest.mark.parametrize(("outcome", "again"), [("information_given", False), ("refused", True)])
def test_a_clinician_is_wanted_again_only_where_that_may_change_something(outcome: str, again: bool) -> None:
    story = settle(Story().then(held()).answers("clinician", subject=ASSIGNMENT), outcome)
    assert (shown(story).told, "clinician" in shown(story).verbs) == (outcome, again)


def test_resources_of_a_kind_are_given_once_and_only_known_kinds() -> None:
    story = Story().then(held())
    for kinds in (("group", "made_up"), ("group",), ("group", "medical")):
        story.then(Answer(UUID(int=900 + len(story.steps)), ANA, ASSIGNMENT, "resources", codes=kinds))
        settle(story)
    given = [fact.kinds for fact in story.facts if isinstance(fact, ResourcesOffered)]
    assert given == [("group",), ("medical",)]


def test_a_direct_referral_is_nobody_elses_business() -> None:
    begun = requested(direct=True)
    story = Story().then(held(), begun, accepted(), released())
    assert "clinician" in shown(story).verbs
    assert "handoff" not in shown(story).verbs
    assert story.state.around.referred_in(story.state.matters[ASSIGNMENT]) == ()


NEXT = UUID(int=26)


def to_next() -> ContactReleased:
    """Another peer supports the requester now."""
    return held().model_copy(update={"assignment": NEXT, "recipient": BEN})


def seen_by_next(story: Story) -> tuple[object, ...]:
    around, matter = story.state.around, story.state.matters[NEXT]
    return (around.referred_in(matter), around.asked_in(matter), around.hand_off(matter))


def test_another_peer_is_told_nothing_of_what_an_earlier_one_began() -> None:
    gone = AssignmentEnded(assignment=ASSIGNMENT, person=ANA, how="replaced")
    story = asks(Story().then(held())).then(answered(), question(), requested(), gone, to_next(), accepted())
    assert seen_by_next(story) == ((), (), None)
    assert "handoff" not in shown(story, NEXT).verbs
    assert "clinician" in shown(story, NEXT).verbs


def test_suggestions_that_a_referral_service_opens_are_bound_to_the_support_they_were_wanted_in() -> None:
    ours = opened(kind="outside_help", sealed=None, assignment=ASSIGNMENT)
    story = Story().then(held(), to_next(), ours)
    (consult,) = story.state.around.asked_in(story.state.matters[ASSIGNMENT])
    assert (consult.kind, seen_by_next(story)) == ("outside_help", ((), (), None))


@pytest.mark.parametrize("begins", [question(None), opened(kind="outside_help", sealed=None)])
def test_what_does_not_say_in_which_support_is_bound_to_the_last_wish(begins: What) -> None:
    story = Story().then(held(clinical="referral"), to_next()).answers("clinician", subject=ASSIGNMENT).then(begins)
    around, own = story.state.around, story.state.matters[ASSIGNMENT]
    assert len(around.referred_in(own)) + len(around.asked_in(own)) == 1
    assert seen_by_next(story) == ((), (), None)


@pytest.mark.parametrize("begins", [question(None), requested(), opened(kind="outside_help", sealed=None)])
def test_what_is_known_to_be_of_no_support_is_shown_to_no_peer_and_no_taker(begins: What) -> None:
    taken = ContactReleased(assignment=LADDER, recipient=BEN, sealed=b"sealed")
    story = Story().then(held(), to_next(), paged((PAGE, BEN)), begins, taken)
    around = story.state.around
    for matter in (ASSIGNMENT, NEXT, LADDER):
        shown_to = story.state.matters[matter]
        assert (around.referred_in(shown_to), around.asked_in(shown_to)) == ((), ())


def test_a_question_that_is_asked_anew_stays_with_the_peer_it_came_through() -> None:
    story = Story().then(held(), question(), to_next(), question(NEXT))
    assert len(story.state.around.referred_in(story.state.matters[ASSIGNMENT])) == 1
    assert seen_by_next(story) == ((), (), None)


def test_a_referral_heard_of_from_intake_first_is_direct_at_once() -> None:
    assert Story().then(direct_asked()).state.referrals[REFERRAL].direct


def test_that_they_are_being_asked_is_said_only_until_they_have_answered() -> None:
    asked = settle(Story().then(held()).answers("clinician", subject=ASSIGNMENT), "consent_asked")
    assert shown(asked).told == "consent_asked"
    assert shown(asked.then(ConsentAsked(referral=REFERRAL, remind_at=DUE))).told == "consent_asked"
    assert shown(asked.then(requested())).told == "ask"


def test_the_buttons_of_a_clinician_follow_the_referral() -> None:
    story = Story().then(requested())
    assert shown(story, SEAT).verbs == ("accept", "reject", "hold")
    story.then(ReferralOnHold(referral=REFERRAL, clinician=CARA, until=DUE))
    assert shown(story, SEAT).verbs == ("accept", "reject", "resume")
    story.then(requested(), accepted())
    assert shown(story, SEAT) == View("details_follow")
    story.then(released())
    assert shown(story, SEAT) == View("referral_yours", ("handoff", "hold", "cannot_go_on"))
    story.then(HandoffConfirmed(referral=REFERRAL, side="clinician"))
    assert shown(story, SEAT).verbs == ("complete", "hold", "cannot_go_on")
    story.then(
        ReferralInProgress(referral=REFERRAL, clinician=CARA), ReferralCompleted(referral=REFERRAL, clinician=CARA)
    )
    assert shown(story, SEAT) == View("ended")
    assert story.state.matters[SEAT].sealed is None


def test_a_clinician_who_takes_time_reads_so_and_is_asked_again_afterwards() -> None:
    story = settle(Story().then(requested()).answers("hold", subject=SEAT, person=CARA))
    assert shown(story.then(ReferralOnHold(referral=REFERRAL, clinician=CARA, until=DUE)), SEAT).told == "referral_held"
    settle(story.answers("resume", subject=SEAT, person=CARA))
    assert shown(story.then(requested()), SEAT) == View("ask", ("accept", "reject", "hold"))


def test_one_who_was_silent_may_accept_but_not_hold_what_is_asked_of_the_next() -> None:
    story = Story().then(requested(), requested(DAN))
    assert shown(story, SEAT).verbs == ("accept", "reject")
    story.then(accepted(DAN))
    assert shown(story, SEAT) == View("covered")


def test_the_peer_confirms_the_hand_off_while_it_is_accepted() -> None:
    story = Story().then(held(), question(), requested())
    assert "handoff" not in shown(story).verbs
    story.then(accepted()).answers("handoff", subject=ASSIGNMENT)
    (fact,) = [fact for fact in story.facts if isinstance(fact, ReferralReplied)]
    assert (fact.referral, fact.person, fact.verb) == (REFERRAL, ANA, "handoff")
    settle(story).then(HandoffConfirmed(referral=REFERRAL, side="peer"))
    assert "handoff" not in shown(story).verbs


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_release_is_shown_whichever_topic_comes_first(order: tuple[int, ...]) -> None:
    facts: list[What] = [requested(), accepted(), released()]
    ordered = [facts[n] for n in order]
    if ordered.index(facts[0]) > ordered.index(facts[1]):
        return
    story = Story().then(*ordered)
    assert (story.state.matters[SEAT].state, story.state.matters[SEAT].released) == ("accepted", True)
    assert len(story.of("released")) == 1


@pytest.mark.parametrize("position", range(4))
def test_after_a_withdrawn_consent_nothing_is_shown_whenever_it_is_heard(position: int) -> None:
    facts: list[What] = [requested(), accepted(), released()]
    facts.insert(position, ConsentWithdrawn(recipient="clinician", referral=REFERRAL))
    story = Story().then(*facts)
    seat = story.state.matters.get(SEAT)
    assert seat is None or (seat.state, seat.sealed) == ("ended", None)
    assert shown(story, SEAT) == View("ended")


@pytest.mark.parametrize("said", [timedelta(days=30), timedelta(days=12), None])
def test_a_consent_shows_nothing_any_more_when_it_has_run_out_until_it_is_released_anew(said: timedelta | None) -> None:
    story = Story().then(requested(), accepted(), released(expires=NOW + said if said else None))
    lasts = said or CONSENT_LASTS
    story.now = NOW + lasts - timedelta(seconds=1)
    assert shown(story, SEAT).told == "referral_yours"
    assert story.state.matters[SEAT].shows(story.now)
    story.now = NOW + lasts
    # What ends it or puts it on hold can still be said.
    assert shown(story, SEAT) == View("consent_over", ("handoff", "hold", "cannot_go_on"))
    assert not story.state.matters[SEAT].shows(story.now)
    story.then(released(expires=story.now + CONSENT_LASTS))
    assert shown(story, SEAT).told == "referral_yours"
    assert len(story.of("released")) == 2


def test_a_release_that_comes_when_its_consent_has_run_out_shows_nothing_and_mails_nobody() -> None:
    story = Story().then(requested(), accepted())
    story.now = NOW + timedelta(days=31)
    story.then(released(expires=NOW + timedelta(days=30)))
    assert (shown(story, SEAT).told, story.of("released")) == ("consent_over", [])


def test_a_new_reach_by_the_same_consent_lasts_no_longer_and_is_not_mailed() -> None:
    until = NOW + timedelta(days=30)
    story = Story().then(requested(), accepted(), released(expires=until))
    story.now = NOW + timedelta(days=20)
    story.then(released(expires=until))
    assert (story.state.matters[SEAT].released_until, len(story.of("released"))) == (until, 1)


def test_a_late_release_shows_nothing_to_a_clinician_who_has_given_it_back() -> None:
    story = Story().then(requested(), accepted(), ReferralRejected(referral=REFERRAL, clinician=CARA), released())
    assert [matter.sealed for matter in story.state.matters.values()] == [None]


def test_asked_anew_for_consent_the_old_part_is_over_and_a_new_one_begins() -> None:
    story = Story().then(requested(), accepted(), released(), ConsentAsked(referral=REFERRAL, remind_at=DUE))
    assert shown(story, SEAT) == View("ended")
    story.then(requested())
    assert shown(story, seat_id(REFERRAL, CARA, 1)).verbs == ("accept", "reject", "hold")


def test_who_is_told_of_an_open_question_and_of_a_failure() -> None:
    story = Story().then(held(), ConsentReminded(referral=REFERRAL, assignment=ASSIGNMENT, person=ANA))
    assert [intent.person for intent in story.of("reminder")] == [ANA]
    overdue = HandoffOverdue(referral=REFERRAL, clinician=CARA, recipients=(BEN, DAN))
    story.then(overdue, ReferralFailed(referral=REFERRAL, recipients=(BEN, DAN)))
    assert [intent.person for intent in story.of("count")] == [BEN, DAN]


@pytest.mark.parametrize("ending", [ReferralCancelled(referral=REFERRAL, clinician=CARA), CaseWithdrawn()])
def test_a_clinician_who_was_told_hears_that_it_is_over(ending: What) -> None:
    assert Story().then(requested(), accepted(), released()).mailed().then(ending).lines == [CARA]


def test_the_outcome_of_a_mail_names_the_referral_and_not_the_part_of_one_person() -> None:
    (fact,) = Story().then(requested()).mailed().facts
    assert isinstance(fact, IntentSettled)
    assert (fact.subject, fact.person) == (REFERRAL, CARA)


def test_whoever_took_a_page_first_can_confirm_after_another_has_taken_it_too() -> None:
    other = UUID(int=25)
    story = Story().then(paged((PAGE, ANA), (other, BEN))).answers("acknowledge", subject=PAGE)
    story.then(LadderAcknowledged(ladder=LADDER, person=BEN))
    assert story.state.matters[PAGE].state == "open"
    story.then(ContactReleased(assignment=LADDER, recipient=ANA), ContactReleased(assignment=LADDER, recipient=BEN))
    assert sorted(intent.person for intent in story.of("details")) == [ANA, BEN]


def outreach(story: Story, outcome: Any) -> Story:
    (intent,) = story.of("outreach")
    attempt = UUID(int=800 + len(story.steps))
    return story.then(Start(intent.intent_id, 0, attempt, USABLE), Ended(intent.intent_id, attempt, outcome))


@pytest.mark.parametrize(("outcome", "state"), [(Accepted("250"), "accepted"), (Unknown("lost"), "unknown")])
def test_an_outreach_goes_out_once_and_its_address_is_forgotten(outcome: Any, state: str) -> None:
    fact = OutreachAsked(outreach=OUTREACH, slug="mesa", language="es", sealed=b"address")
    story = outreach(Story().then(fact, fact), outcome)
    assert ([intent.state for intent in story.of("outreach")], story.state.matters[OUTREACH].sealed) == ([state], None)


def test_an_outreach_that_was_not_handed_over_waits_and_is_forgotten_with_the_case() -> None:
    story = Story().then(OutreachAsked(outreach=OUTREACH, slug="mesa", language="en", sealed=b"address"))
    outreach(story, NotSent("451"))
    assert story.state.matters[OUTREACH].sealed == b"address"
    before = story.state
    assert before.spent_since(Story().state) == []
    assert story.then(CaseWithdrawn()).state.matters[OUTREACH].sealed is None
    assert story.state.spent_since(before) == story.state.spent_since(Story().state) == [OUTREACH]
    assert story.state.spent_since(story.state) == []
    assert story.lines == []


def test_every_answer_has_one_who_says_what_came_of_it() -> None:
    owners = {(kind, verb): settler(kind, verb) for kind in KIND_OF.values() for verb in VERBS[kind]}
    assert {verb for (kind, verb), who in owners.items() if kind == "assignment" and who == "matching"} == {
        "contacted",
        "pause",
        "step_back",
        "close",
    }
    assert {who for (kind, _), who in owners.items() if kind in {"page", "consult", "referral"}} == {"referral"}
    assert replace(View("ask"), told="moment").waiting
