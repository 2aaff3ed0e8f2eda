"""What facts, timers and answers make of a case, in any order in which they may come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, permutations
from uuid import UUID

import pytest

from services.notify.domain.case import Answer, CaseState, Step
from services.notify.domain.deciding import Decider, What
from services.notify.domain.deciding.offers import KEPT_EARLIER
from services.notify.domain.intents import Contact, Ended, Intent, Start
from services.notify.domain.matters import Matter, Reply, Word
from services.notify.domain.outcomes import Accepted
from services.notify.domain.views import view
from shared.events.intake import CaseClosed, CaseWithdrawn, ChoiceOverdue, ContactReleased
from shared.events.matching import (
    AssignmentEnded,
    NobodyFound,
    OfferDeclined,
    OfferMade,
    OfferRescinded,
    PeerAssigned,
    ReplySettled,
)
from shared.events.notify import IntentSettled, PageSettled, ReplyReceived
from shared.events.referral import LadderAcknowledged, LadderEnded, RungPaged
from shared.types import AgencyId, CaseId, PersonId, Urgency

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OFFER, ASSIGNMENT, LADDER, PAGE = (UUID(int=n) for n in (21, 22, 23, 24))
ANA, BEN = PersonId(UUID(int=31)), PersonId(UUID(int=32))
USABLE = Contact(active=True, verified=True, retired=False)


def ids() -> Iterator[UUID]:
    return (UUID(int=number) for number in count(1000))


class Story:
    """Inputs one after the other; keeps what came of them."""

    def __init__(self) -> None:
        self.state = CaseState(CaseId(UUID(int=1)), AgencyId(UUID(int=2)))
        self.steps: list[Step] = []
        self.now = NOW
        self._ids = ids()

    def then(self, *whats: What) -> Story:
        for what in whats:
            step = Decider(self.now, lambda: next(self._ids)).decided(self.state, what)
            self.steps.append(step)
            self.state = step.state
        return self

    def mailed(self) -> Story:
        """Everything planned goes out and is accepted."""
        for key, intent in list(self.state.intents.items()):
            if intent.state == "planned":
                attempt = next(self._ids)
                self.then(Start(key, intent.version, attempt, USABLE), Ended(key, attempt, Accepted("250")))
        return self

    def answers(self, verb: Word, *, subject: UUID = OFFER, person: PersonId = ANA) -> Story:
        return self.then(Answer(next(self._ids), person, subject, verb))

    @property
    def facts(self) -> list[object]:
        return [fact for step in self.steps for fact in step.facts]

    def of(self, template: str) -> list[Intent]:
        return [intent for intent in self.state.intents.values() if intent.template == template]

    @property
    def lines(self) -> list[PersonId]:
        return [line.person for line in self.state.lines]


def offer(person: PersonId = ANA, which: UUID = OFFER, urgency: Urgency = Urgency.SOON) -> OfferMade:
    return OfferMade(offer=which, person=person, urgency=urgency, manner="call", expires=NOW + timedelta(hours=1))


def assigned() -> PeerAssigned:
    return PeerAssigned(assignment=ASSIGNMENT, offer=OFFER, person=ANA, contact_by=NOW + timedelta(hours=4))


def released() -> ContactReleased:
    return ContactReleased(assignment=ASSIGNMENT, recipient=ANA, sealed=b"sealed")


def paged(*who: tuple[UUID, PersonId]) -> RungPaged:
    return RungPaged(ladder=LADDER, rung=1, pages=who, expires=NOW + timedelta(minutes=5))


def test_what_a_requester_could_be_reached_by_before_is_kept_beside_the_new_one_and_once() -> None:
    again, none = released().model_copy(update={"sealed": b"new"}), released().model_copy(update={"sealed": None})
    story = Story().then(released(), released())
    assert story.state.matters[ASSIGNMENT].earlier == ()
    story.then(again, none, released(), released())
    assert story.state.matters[ASSIGNMENT].earlier == (b"sealed", b"new")
    for number in range(30):
        story.then(released().model_copy(update={"sealed": bytes([number])}))
    assert len(story.state.matters[ASSIGNMENT].earlier) == KEPT_EARLIER


def test_an_offer_heard_twice_is_planned_once() -> None:
    story = Story().then(offer(), offer())
    assert len(story.of("offer")) == 1
    assert len(story.steps[0].sends) == 1
    assert story.steps[1].sends == ()


def test_an_accepted_mail_is_said_once() -> None:
    (fact,) = Story().then(offer()).mailed().mailed().facts
    assert isinstance(fact, IntentSettled)
    assert (fact.subject, fact.outcome) == (OFFER, "accepted")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_release_assignment_and_its_end_in_any_order_mail_details_at_most_once(order: tuple[int, ...]) -> None:
    facts: list[What] = [assigned(), released(), AssignmentEnded(assignment=ASSIGNMENT, person=ANA, how="closed")]
    story = Story().then(offer()).mailed().then(*(facts[n] for n in order))
    assert [intent.state for intent in story.of("details")] in ([], ["cancelled"])
    assert story.state.matters[ASSIGNMENT].state == "ended"


def test_a_second_release_changes_what_is_shown_and_mails_nothing() -> None:
    again = replace_sealed(released(), b"other")
    story = Story().then(offer(), assigned(), released(), again)
    assert len(story.of("details")) == 1
    assert story.state.matters[ASSIGNMENT].sealed == b"other"


def replace_sealed(fact: ContactReleased, sealed: bytes) -> ContactReleased:
    return fact.model_copy(update={"sealed": sealed})


def test_an_emergency_takes_all_its_mails_over_the_crisis_lane() -> None:
    story = Story().then(offer(urgency=Urgency.EMERGENCY), assigned(), released())
    assert {intent.klass for intent in story.state.intents.values()} == {"crisis"}


def test_an_answer_counts_once_and_only_from_the_person_who_was_asked() -> None:
    story = Story().then(offer()).mailed().answers("accept", person=BEN).answers("accept").answers("decline")
    replies = [fact for fact in story.facts if isinstance(fact, ReplyReceived)]
    assert [(reply.person, reply.verb) for reply in replies] == [(ANA, "accept")]


@pytest.mark.parametrize(
    ("verb", "again", "pause"), [("not_now", None, None), ("in_15", 900, None), ("pause", None, 86400)]
)
def test_not_now_says_for_how_long(verb: Word, again: int | None, pause: int | None) -> None:
    story = Story().then(offer()).mailed().answers(verb)
    (reply,) = [fact for fact in story.facts if isinstance(fact, ReplyReceived)]
    assert (reply.verb, reply.again_in_s, reply.pause_s) == ("not_now", again, pause)


def test_a_pause_leaves_the_peer_with_whom_they_have_and_can_be_said_again_a_day_later() -> None:
    story = Story().then(offer(), assigned(), released())
    for _ in range(2):
        story.answers("pause", subject=ASSIGNMENT)
    story.now = NOW + timedelta(days=1)
    story.answers("pause", subject=ASSIGNMENT)
    replies = [fact for fact in story.facts if isinstance(fact, ReplyReceived)]
    assert [(reply.verb, reply.pause_s) for reply in replies] == [("accept", 86400)] * 2


@pytest.mark.parametrize("verb", ["contacted", "acknowledge"])
def test_a_word_that_does_not_belong_to_it_is_no_answer(verb: Word) -> None:
    assert Story().then(offer()).answers(verb).state.replies == {}


def test_no_answer_counts_after_the_time_is_over() -> None:
    story = Story().then(offer()).mailed()
    story.now = NOW + timedelta(hours=1)
    assert story.answers("accept").state.replies == {}


def test_nothing_is_reported_of_an_assignment_before_its_release() -> None:
    story = Story().then(offer(), assigned()).answers("contacted", subject=ASSIGNMENT)
    assert story.state.replies == {}
    story.then(released()).answers("contacted", subject=ASSIGNMENT).answers("contacted", subject=ASSIGNMENT)
    assert [reply.verb for reply in story.state.replies.values()] == ["contacted"]


def test_after_stepping_back_nothing_else_can_be_said() -> None:
    story = Story().then(offer(), assigned(), released()).answers("step_back", subject=ASSIGNMENT)
    assert story.answers("close", subject=ASSIGNMENT).state.replies.keys() == story.steps[-2].state.replies.keys()


def test_a_withdrawal_tells_each_person_who_was_mailed_one_thing() -> None:
    story = Story().then(offer(), offer(BEN, UUID(int=41))).mailed().then(assigned(), released()).mailed()
    story.then(offer(BEN, UUID(int=42)), CaseWithdrawn())
    assert sorted(story.lines) == [ANA, BEN]
    assert not [intent for intent in story.state.intents.values() if intent.is_open]
    assert story.steps[-1].ending == "withdrawn"


def test_a_withdrawal_tells_nobody_who_heard_nothing() -> None:
    assert Story().then(offer(), CaseWithdrawn()).lines == []
    assert Story().then(offer()).mailed().then(OfferDeclined(offer=OFFER, person=ANA), CaseWithdrawn()).lines == []


def test_a_page_waiting_for_an_outcome_does_not_wait_after_a_withdrawal() -> None:
    story = Story().then(offer()).mailed().answers("accept").then(CaseWithdrawn())
    assert [reply.outcome for reply in story.state.replies.values()] == ["ended"]


def test_after_the_end_nothing_is_planned_or_said() -> None:
    story = Story().then(offer()).mailed().then(CaseWithdrawn())
    said = len(story.facts)
    story.then(offer(BEN, UUID(int=43)), assigned(), released(), paged((PAGE, BEN))).answers("accept")
    assert (len(story.state.intents), len(story.facts)) == (1, said)


def test_a_closed_case_is_purged_again_whatever_comes_late() -> None:
    story = Story().then(CaseClosed(), offer())
    assert [step.ending for step in story.steps] == ["closed", "closed"]
    assert story.state.intents == {}


@pytest.mark.parametrize(
    ("how", "told"),
    [("replaced", [ANA]), ("lapsed", [ANA]), ("withdrawn", [ANA]), ("closed", [ANA]), ("stepped_back", [])],
)
def test_who_is_told_that_an_assignment_has_ended(how: str, told: list[PersonId]) -> None:
    story = Story().then(offer()).mailed().then(assigned())
    ended = AssignmentEnded.model_validate({"assignment": ASSIGNMENT, "person": ANA, "how": how})
    assert story.then(ended, ended).lines == told


def test_who_has_closed_it_is_not_told_that_it_is_over() -> None:
    story = Story().then(offer()).mailed().then(assigned(), released()).answers("close", subject=ASSIGNMENT)
    assert story.then(AssignmentEnded(assignment=ASSIGNMENT, person=ANA, how="closed")).lines == []


def test_the_contact_behind_a_taken_page_has_no_buttons_and_ends_with_the_ladder() -> None:
    to_ana = ContactReleased(assignment=LADDER, recipient=ANA, sealed=b"sealed")
    story = Story().then(paged((PAGE, ANA), (UUID(int=25), BEN))).mailed()
    story.then(LadderAcknowledged(ladder=LADDER, person=ANA), to_ana)
    assert [intent.klass for intent in story.of("details")] == ["crisis"]
    shown = view(story.state.matters[LADDER], [], NOW)
    assert (shown.told, shown.verbs) == ("use_page", ())
    assert story.answers("close", subject=LADDER).state.replies == {}
    story.then(LadderEnded(ladder=LADDER, how="contact"))
    assert story.state.matters[LADDER].state == "ended"
    late = Story().then(paged((PAGE, ANA)), LadderEnded(ladder=LADDER, how="contact"), to_ana)
    assert (late.of("details"), LADDER in late.state.matters) == ([], False)


@pytest.mark.parametrize(("why", "told"), [("covered", []), ("ineligible", [ANA]), ("ended", [ANA])])
def test_who_is_told_that_an_offer_no_longer_stands(why: str, told: list[PersonId]) -> None:
    rescinded = OfferRescinded.model_validate({"offer": OFFER, "person": ANA, "why": why})
    assert Story().then(offer()).mailed().then(rescinded).lines == told


def test_an_offer_left_behind_that_was_covered_meanwhile_is_not_sent_again() -> None:
    story = Story().then(offer())
    (intent,) = story.of("offer")
    story.then(Start(intent.intent_id, 0, UUID(int=77), USABLE))
    story.then(OfferRescinded(offer=OFFER, person=ANA, why="covered"))
    story.then(Start(intent.intent_id, 0, UUID(int=78), USABLE))
    assert story.of("offer")[0].state == "unknown"


def test_pages_go_out_together_and_an_acknowledgement_covers_the_others() -> None:
    story = Story().then(paged((PAGE, ANA), (UUID(int=25), BEN))).mailed()
    assert [type(fact) for fact in story.facts] == [PageSettled, PageSettled]
    story.then(LadderAcknowledged(ladder=LADDER, person=ANA))
    assert [matter.state for matter in story.state.matters.values()] == ["open", "covered"]
    story.then(LadderEnded(ladder=LADDER, how="contact"))
    assert [matter.state for matter in story.state.matters.values()] == ["ended", "covered"]


def test_the_same_unanswered_request_is_counted_again_only_after_hours() -> None:
    found = NobodyFound(recipients=(ANA, ANA, BEN), next_try=NOW, urgency=Urgency.SOON)
    story = Story().then(found, found)
    assert [intent.person for intent in story.of("count")] == [ANA, BEN]
    story.now = NOW + timedelta(hours=4)
    assert len(story.then(found).of("count")) == 4


def test_a_choice_that_is_overdue_is_told_as_a_count_and_never_twice_within_hours() -> None:
    overdue = ChoiceOverdue(recipients=(ANA, BEN), due=NOW + timedelta(days=1))
    found = NobodyFound(recipients=(ANA,), next_try=NOW, urgency=Urgency.SOON)
    story = Story().then(overdue, found)
    assert [(intent.person, intent.expires_at) for intent in story.of("count")] == [
        (ANA, NOW + timedelta(days=1)),
        (BEN, NOW + timedelta(days=1)),
    ]


def test_what_came_of_a_reply_is_kept_as_first_heard() -> None:
    story = Story().then(offer()).answers("accept")
    (reply,) = story.state.replies
    story.then(ReplySettled(reply=reply, outcome="accepted"), ReplySettled(reply=reply, outcome="covered"))
    assert story.state.replies[reply].outcome == "accepted"
    assert story.then(ReplySettled(reply=UUID(int=5), outcome="covered")).state.replies.keys() == {reply}


def test_a_fresh_case_is_always_written_so_that_it_has_a_standing() -> None:
    fresh = replace(Story().state, fresh=True)
    step = Decider(NOW, lambda: UUID(int=1)).decided(fresh, OfferDeclined(offer=OFFER, person=ANA))
    assert step.state is not fresh
    assert not step.state.fresh


OPEN = Matter(OFFER, ANA, "offer", expires_at=NOW + timedelta(hours=1))
TAKEN = replace(OPEN, state="accepted")
HELD = Matter(ASSIGNMENT, ANA, "assignment", released=True)


def said(verb: Word, outcome: str | None, subject: UUID = OFFER) -> Reply:
    return Reply(UUID(int=9), ANA, subject, verb, NOW, outcome)


@pytest.mark.parametrize(
    ("matter", "replies", "told", "buttons"),
    [
        (None, [], "ended", 0),
        (OPEN, [], "ask", 5),
        (OPEN, [said("accept", None)], "moment", 0),
        (OPEN, [said("accept", "accepted")], "details_follow", 0),
        (TAKEN, [said("accept", "accepted")], "details_follow", 2),
        (TAKEN, [said("pause", "accepted")], "details_follow", 1),
        (TAKEN, [said("step_back", None)], "moment", 0),
        (TAKEN, [said("step_back", "noted")], "noted", 0),
        # A version that does not know the word settles it as over, and the assignment stands.
        (TAKEN, [said("accept", "accepted"), said("step_back", "ended")], "details_follow", 2),
        (OPEN, [said("accept", "covered")], "covered", 0),
        (OPEN, [said("accept", "too_late")], "too_late", 0),
        (OPEN, [said("decline", "declined")], "noted", 0),
        (replace(OPEN, state="covered"), [], "covered", 0),
        (replace(OPEN, state="expired"), [], "too_late", 0),
        (replace(OPEN, expires_at=NOW), [], "too_late", 0),
        (replace(OPEN, state="ended"), [said("accept", "accepted")], "ended", 0),
        (replace(HELD, released=False), [], "waiting_for_details", 0),
        (HELD, [], "ask", 7),
        (HELD, [said("contacted", None, ASSIGNMENT)], "moment", 6),
        (HELD, [said("contacted", "noted", ASSIGNMENT)], "noted", 6),
        (HELD, [said("pause", "noted", ASSIGNMENT)], "noted", 6),
        (HELD, [said("close", "noted", ASSIGNMENT)], "noted", 0),
        (replace(HELD, state="ended"), [], "ended", 0),
        (Matter(PAGE, ANA, "page"), [], "ask", 2),
        (Matter(PAGE, ANA, "page"), [said("acknowledge", "acknowledged", PAGE)], "taken", 2),
        (Matter(PAGE, ANA, "page"), [said("cannot", "noted", PAGE)], "noted", 1),
        (Matter(PAGE, ANA, "page"), [said("acknowledge", "covered", PAGE)], "ask", 2),
        (Matter(PAGE, ANA, "page"), [said("acknowledge", "ended", PAGE)], "ended", 0),
        (Matter(PAGE, ANA, "page", "covered"), [said("acknowledge", "covered", PAGE)], "covered", 0),
    ],
)
def test_what_a_page_says(matter: Matter | None, replies: list[Reply], told: str, buttons: int) -> None:
    shown = view(matter, replies, NOW)
    assert (shown.told, len(shown.verbs)) == (told, buttons)


def test_whoever_waits_for_the_requesters_ok_can_pause_and_step_back_at_the_page_of_the_offer() -> None:
    story = Story().then(offer()).mailed().answers("accept")
    (reply,) = story.state.replies
    story.then(ReplySettled(reply=reply, outcome="accepted"), assigned())
    paused = story.answers("pause").facts[-1]
    assert isinstance(paused, ReplyReceived)
    assert (paused.subject, paused.verb, paused.pause_s) == (OFFER, "accept", 86400)
    back = story.answers("step_back").facts[-1]
    assert isinstance(back, ReplyReceived)
    assert (back.subject, back.verb, back.pause_s) == (OFFER, "step_back", None)
    # Whoever has stepped back is not told that it is over, whatever was decided first.
    story.then(AssignmentEnded(assignment=ASSIGNMENT, person=ANA, how="replaced"))
    assert story.lines == []
    assert view(story.state.matters[OFFER], [], NOW).verbs == ()
