"""What a coordinator's page counts: who was told of what, how each wait ends, and all of it in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from services.notify.domain.deciding import What
from services.notify.domain.intents import Start
from services.notify.domain.waits import Board, Kind, Line, Staff, Thing, Told, board
from shared.events.intake import (
    AnotherPeerAsked,
    BarsChanged,
    CaseClosing,
    CaseWithdrawn,
    ChoiceOverdue,
    ConsentWithdrawn,
    ContactReleased,
    PeerChosen,
)
from shared.events.matching import (
    AssignmentEnded,
    ContactConfirmed,
    NobodyFound,
    OfferMade,
    PeerAssigned,
    ShortlistReady,
)
from shared.events.referral import (
    HandoffConfirmed,
    HandoffOverdue,
    ReferralAccepted,
    ReferralCancelled,
    ReferralCompleted,
    ReferralFailed,
    ReferralInProgress,
    ReferralOnHold,
    ReferralRejected,
    ReferralRequested,
)
from shared.types import CaseId, PersonId, Role, Urgency
from tests.unit.notify.test_deciding import ANA, ASSIGNMENT, LADDER, NOW, OFFER, PAGE, USABLE, Story, paged

COLE, DEE, CARA = (PersonId(UUID(int=number)) for number in (41, 42, 33))
REFERRAL, LATER_ONE, CONSENT = (UUID(int=number) for number in (52, 55, 53))
SOON = NOW + timedelta(hours=1)


def nobody(*people: PersonId, urgency: Urgency = Urgency.SOON) -> NobodyFound:
    return NobodyFound(recipients=people or (COLE, DEE), next_try=SOON, urgency=urgency)


def overdue(assignment: UUID | None = None) -> ChoiceOverdue:
    return ChoiceOverdue(recipients=(COLE, DEE), due=SOON, assignment=assignment)


def requested(referral: UUID = REFERRAL) -> ReferralRequested:
    return ReferralRequested(
        referral=referral, clinician=CARA, consent=CONSENT, urgency=Urgency.SOON, direct=False, due=SOON
    )


def accepted(referral: UUID = REFERRAL) -> ReferralAccepted:
    return ReferralAccepted(referral=referral, clinician=CARA, consent=CONSENT, due=SOON)


HANDOFF = HandoffOverdue(referral=REFERRAL, clinician=CARA, recipients=(COLE, DEE))
FAILED = ReferralFailed(referral=REFERRAL, recipients=(COLE, DEE))
ASSIGNED = PeerAssigned(assignment=ASSIGNMENT, offer=OFFER, person=ANA, contact_by=SOON)
RELEASED = ContactReleased(assignment=ASSIGNMENT, recipient=ANA)
TO_CLINICIAN = ContactReleased(assignment=REFERRAL, recipient=CARA, consent=CONSENT)


def ended(how: str) -> AssignmentEnded:
    return AssignmentEnded.model_validate({"assignment": ASSIGNMENT, "person": ANA, "how": how})


def waiting(story: Story, person: PersonId = COLE) -> set[Kind]:
    """What this person's page would count of the case."""
    return {wait.thing.kind for wait in story.state.waits.values() if wait.person == person and not wait.over}


@pytest.mark.parametrize(
    ("begins", "kind"),
    [
        ([nobody()], "nobody_found"),
        ([overdue()], "choice"),
        ([requested(), accepted(), HANDOFF], "handoff"),
        ([requested(), FAILED], "referral_failed"),
    ],
)
def test_whoever_is_told_has_it_on_their_page_and_nobody_else(begins: list[What], kind: Kind) -> None:
    story = Story().then(*begins)
    assert (waiting(story), waiting(story, DEE), waiting(story, ANA)) == ({kind}, {kind}, set())
    assert waiting(story.then(*begins)) == {kind}
    assert [intent.person for intent in story.of("count")] == [COLE, DEE]


@pytest.mark.parametrize(
    "over",
    [
        ASSIGNED,
        ShortlistReady(candidates=(), due=SOON),
        ContactConfirmed(assignment=ASSIGNMENT, person=ANA),
        ended("closed"),
        CaseClosing(),
        CaseWithdrawn(),
    ],
)
def test_somebody_is_found(over: What) -> None:
    assert waiting(Story().then(nobody(), over)) == set()


@pytest.mark.parametrize(
    "what",
    [
        OfferMade(offer=OFFER, person=ANA, urgency=Urgency.SOON, manner="call", expires=SOON),
        ended("stepped_back"),
        PeerChosen(),
        TO_CLINICIAN,
    ],
)
def test_nobody_is_found_yet(what: What) -> None:
    assert waiting(Story().then(nobody(), what)) == {"nobody_found"}


def test_nobody_is_found_again_after_somebody_was() -> None:
    assert waiting(Story().then(nobody(), ASSIGNED, ended("stepped_back"), nobody())) == {"nobody_found"}


@pytest.mark.parametrize(
    "over", [PeerChosen(), PeerChosen(person=ANA), AnotherPeerAsked(refused=ANA), RELEASED, CaseClosing()]
)
@pytest.mark.parametrize("of", [None, ASSIGNMENT])
def test_the_requester_has_chosen_or_released(over: What, of: UUID | None) -> None:
    assert waiting(Story().then(overdue(of), over)) == set()


def test_a_release_to_a_clinician_or_of_a_page_is_no_choice_of_a_peer() -> None:
    story = Story().then(overdue(), requested(), TO_CLINICIAN, paged((PAGE, ANA)))
    assert waiting(story.then(ContactReleased(assignment=LADDER, recipient=ANA))) == {"choice"}


@pytest.mark.parametrize(
    "facts", [(ended("stepped_back"), overdue(ASSIGNMENT)), (overdue(ASSIGNMENT), ended("lapsed"))]
)
def test_a_peer_who_steps_back_before_the_release_leaves_nothing_to_release(facts: Sequence[What]) -> None:
    assert waiting(Story().then(*facts)) == set()


@pytest.mark.parametrize(
    "over",
    [
        ReferralInProgress(referral=REFERRAL, clinician=CARA),
        ReferralCompleted(referral=REFERRAL, clinician=CARA),
        ReferralCancelled(referral=REFERRAL, clinician=CARA),
        ReferralOnHold(referral=REFERRAL, clinician=CARA, until=SOON),
        ConsentWithdrawn(recipient="clinician", referral=REFERRAL),
        CaseClosing(),
    ],
)
def test_a_hand_off_is_confirmed_or_has_become_needless(over: What) -> None:
    assert waiting(Story().then(requested(), accepted(), HANDOFF, over)) == set()


@pytest.mark.parametrize("side", ["peer", "clinician"])
def test_a_hand_off_waits_until_everybody_who_has_to_has_confirmed_it(side: str) -> None:
    confirmed = HandoffConfirmed.model_validate({"referral": REFERRAL, "side": side})
    assert waiting(Story().then(requested(), accepted(), HANDOFF, confirmed)) == {"handoff"}


def test_a_hand_off_of_which_nothing_else_was_heard_is_counted() -> None:
    assert waiting(Story().then(HANDOFF)) == {"handoff"}


def test_the_next_clinician_is_asked_and_no_hand_off_waits() -> None:
    given_back = ReferralRejected(referral=REFERRAL, clinician=CARA)
    assert waiting(Story().then(requested(), accepted(), HANDOFF, given_back, requested())) == set()


def test_a_referral_that_failed_waits_until_a_clinician_has_taken_a_later_one() -> None:
    story = Story().then(requested(), FAILED, requested(LATER_ONE))
    assert waiting(story) == {"referral_failed"}
    assert waiting(story.then(accepted(LATER_ONE))) == set()


def test_whoever_is_not_told_any_more_counts_it_no_more() -> None:
    story = Story().then(nobody(COLE, DEE), nobody(DEE))
    assert (waiting(story), waiting(story, DEE)) == (set(), {"nobody_found"})


@pytest.mark.parametrize("facts", [(nobody(), BarsChanged(bars=(COLE,))), (BarsChanged(bars=(COLE,)), nobody())])
def test_whoever_is_barred_counts_nothing_and_is_mailed_nothing_in_whatever_order(facts: Sequence[What]) -> None:
    story = Story().then(*facts).mailed()
    assert (waiting(story), waiting(story, DEE)) == (set(), {"nobody_found"})
    assert [intent.person for intent in story.of("count") if intent.mailed] == [DEE]


def test_a_mail_about_what_is_over_is_not_sent() -> None:
    story = Story().then(nobody(COLE), ASSIGNED)
    (intent,) = story.of("count")
    story.then(Start(intent.intent_id, 0, UUID(int=77), USABLE))
    assert story.of("count")[0].state == "cancelled"


def test_nothing_of_a_closing_case_is_told_or_counted() -> None:
    story = Story().then(CaseClosing(), nobody(), overdue(), requested(), accepted(), HANDOFF, FAILED)
    assert (waiting(story), story.of("count")) == (set(), [])


def interleaved(*streams: Sequence[What]) -> Iterator[list[What]]:
    """Every order in which topics can be heard, each in its own order."""
    if not any(streams):
        yield []
    for place, stream in enumerate(streams):
        if stream:
            rest = (*streams[:place], stream[1:], *streams[place + 1 :])
            yield from ([stream[0], *tail] for tail in interleaved(*rest))


LEFT: list[tuple[list[list[What]], set[Kind]]] = [
    ([[nobody(), ASSIGNED], [BarsChanged(bars=(DEE,)), CaseClosing()]], set()),
    ([[nobody(), ASSIGNED, ended("stepped_back"), nobody()], [overdue(ASSIGNMENT)]], {"nobody_found"}),
    ([[nobody(), ShortlistReady(candidates=(), due=SOON)], [overdue()]], {"choice"}),
    ([[nobody(), ASSIGNED], [PeerChosen(), overdue(ASSIGNMENT), RELEASED], [requested(), FAILED]], {"referral_failed"}),
    ([[requested(), accepted(), HANDOFF], [ConsentWithdrawn(recipient="clinician", referral=REFERRAL)]], set()),
    (
        [[requested(), accepted(), HANDOFF, ReferralInProgress(referral=REFERRAL, clinician=CARA)], [TO_CLINICIAN]],
        set(),
    ),
    ([[requested(), accepted(), HANDOFF], [TO_CLINICIAN, overdue()]], {"handoff", "choice"}),
    ([[nobody()], [requested(), FAILED], [overdue(), CaseClosing()]], set()),
]


@pytest.mark.parametrize(("streams", "left"), LEFT)
def test_the_same_is_left_in_whatever_order_the_topics_are_heard(streams: list[list[What]], left: set[Kind]) -> None:
    courses = list(interleaved(*streams))
    assert len(courses) > 2
    assert {frozenset(waiting(Story().then(*facts))) for facts in courses} == {frozenset(left)}


def case(number: int) -> CaseId:
    return CaseId(UUID(int=number))


def told(number: int, kind: Kind, subject: int = 0, *, urgent: bool = False) -> Told:
    return Told(case(number), Thing(kind, UUID(int=subject or number), urgent=urgent))


def test_a_page_counts_requests_and_referrals_each_once() -> None:
    waits = [
        *(told(1, "nobody_found", urgent=True), told(2, "nobody_found")),
        *(told(1, "choice"), told(3, "choice"), told(3, "choice", 93), told(4, "choice")),
        *(told(5, "handoff", 95), told(5, "handoff", 96)),
        told(6, "referral_failed", 97),
    ]
    assert board(waits, [], regional=False).lines == (
        Line("nobody_found", 2, urgent=1),
        # The list of the first one has run empty: it is a request for which nobody is there.
        Line("choice", 2),
        Line("handoff", 2),
        Line("referral_failed", 1),
    )


def test_clinicians_are_counted_only_where_there_are_any() -> None:
    peers, clinicians = Staff(Role.PEER, 5, 3), Staff(Role.CLINICIAN, 1, 0)
    assert board([], [clinicians, peers], regional=True) == Board((), (peers, clinicians), regional=True)
    assert board([], [], regional=False).staff == (Staff(Role.PEER, 0, 0),)
