"""The clinical side of a case: consents, what a clinician is shown and when, direct requests, two supports that end."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain.acts import (
    AskPeer,
    Close,
    NamesFound,
    SetReach,
    TimeIsUp,
    Unconsented,
    Withdraw,
)
from services.intake.domain.case import Case, Closing, InContact, NoPeer, Released, Searching, outcome_of, stands
from services.intake.domain.clinical import CONSENT_LASTS, Accepted, Asking, Ended, Requested
from services.intake.domain.course import REST, REVIEW_AFTER, Direct, begun, heard
from services.intake.domain.status import possible, read_at, sentences
from shared.errors import Refused
from shared.events.intake import (
    CaseClosing,
    ConsentGiven,
    ConsentWithdrawn,
    ContactReleased,
    DirectAsked,
    RequestSubmitted,
    Wishes,
)
from shared.events.policy import Capabilities
from shared.types import Relation
from tests.unit.intake_case.given import (
    ACCEPTED,
    ADVISOR,
    ANA,
    ASKED,
    CANCELLED,
    COMPLETED,
    CONFIRMED,
    CONSENT,
    DOC,
    FAILED,
    FIRST,
    GIVEN,
    GOING,
    LATE,
    LATER,
    NO_PATH,
    NOTHING,
    NOW,
    ON_HOLD,
    OTHER_CONSENT,
    REFERRAL,
    REJECTED,
    REQUESTED,
    SUPERVISOR,
    WISHED,
    WITH_CLINICIAN,
    YES,
    YES_AGAIN,
    ask,
    assigned,
    case,
    direct,
    ended,
    facts_of,
    folded,
    interleaved,
    supervised,
    wanted,
)

PEER_CLOSES = ended("closed")
HELPED = [assigned(), CONFIRMED]


def test_nothing_is_shown_to_a_clinician_before_the_yes() -> None:
    asked = folded(supervised(), [*HELPED, ASKED])
    assert isinstance(asked.clinical, Asking)
    assert [facts_of(asked, one) for one in (REQUESTED, ACCEPTED, ON_HOLD, GOING)] == [[]] * 4


def test_a_yes_is_told_once_with_its_end() -> None:
    asked = folded(supervised(), [ASKED])
    given_ = ConsentGiven(
        consent=CONSENT, recipient="clinician", purpose="referral", referral=REFERRAL, expires=NOW + CONSENT_LASTS
    )
    assert facts_of(asked, YES) == [given_]
    assert facts_of(folded(asked, [YES]), YES_AGAIN) == []


def test_who_accepts_is_shown_the_reach_by_the_live_consent() -> None:
    ready = replace(folded(supervised(), [ASKED, YES, REQUESTED]), reach=b"sealed")
    assert facts_of(ready, ACCEPTED) == [
        ContactReleased(
            assignment=REFERRAL, recipient=DOC, sealed=b"sealed", consent=CONSENT, expires=NOW + CONSENT_LASTS
        )
    ]
    assert facts_of(folded(ready, [ACCEPTED]), ACCEPTED) == []


def test_by_a_consent_that_is_too_old_nothing_is_shown_until_it_is_given_again() -> None:
    ready = folded(supervised(), [ASKED, YES, REQUESTED])
    late = NOW + CONSENT_LASTS
    step = heard(ready, ACCEPTED, late)
    assert step.facts == ()
    assert isinstance(step.case, Case)
    assert "clinical_consent_over" in sentences(step.case)
    again = heard(step.case, YES_AGAIN, late)
    assert [type(one) for one in again.facts] == [ConsentGiven, ContactReleased]


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        ([ACCEPTED], ("clinical_consent_over",)),
        ([ACCEPTED, ON_HOLD], ("clinical_on_hold", "clinical_not_shown")),
        ([ACCEPTED, GOING], ("clinical_in_progress", "clinical_not_shown")),
    ],
)
def test_a_yes_that_has_run_out_is_told_and_can_be_said_again(happened: list[object], told: tuple[str, ...]) -> None:
    shown = folded(direct(), [REQUESTED, *happened])
    late = NOW + CONSENT_LASTS
    assert "clinical_not_shown" not in sentences(read_at(shown, late - timedelta(seconds=1)))
    assert "consent" not in possible(read_at(shown, late - timedelta(seconds=1)))
    after = read_at(shown, late)
    assert sentences(after) == told
    assert "consent" in possible(after)
    again = heard(shown, YES_AGAIN, late)
    released = [one for one in again.facts if isinstance(one, ContactReleased)]
    assert [one.expires for one in released] == [late + CONSENT_LASTS]
    assert isinstance(again.case, Case)
    assert read_at(again.case, late) == again.case


def test_a_question_that_comes_again_takes_a_new_yes_and_one_that_lapses_is_called_so() -> None:
    again = folded(supervised(), [ASKED, YES, REQUESTED, ASKED])
    assert {"consent", "refuse-consent"} <= set(possible(again))
    assert [type(one) for one in facts_of(again, YES_AGAIN)] == [ConsentGiven]
    assert folded(supervised(), [ASKED, CANCELLED]).clinical == Ended(REFERRAL, "lapsed")


def test_a_no_ends_it_before_and_after_and_is_told_apart() -> None:
    refused = folded(supervised(), [ASKED, Unconsented()])
    gone = folded(supervised(), [ASKED, YES, REQUESTED, ACCEPTED, Unconsented(), CANCELLED])
    assert (refused.clinical, gone.clinical) == (Ended(REFERRAL, "refused"), Ended(REFERRAL, "withdrawn"))
    assert all(one.withdrawn == NOW for one in gone.consents)
    told = facts_of(folded(supervised(), [ASKED]), Unconsented())
    assert told == [ConsentWithdrawn(recipient="clinician", referral=REFERRAL)]


def test_after_a_no_nothing_is_shown_however_late_the_clinician_says_yes() -> None:
    gone = folded(supervised(), [ASKED, YES, REQUESTED, Unconsented()])
    assert facts_of(gone, ACCEPTED) == []
    assert facts_of(folded(gone, [ACCEPTED]), SetReach(b"new")) == []


def test_a_yes_or_no_that_nobody_asked_for_is_refused() -> None:
    for act in (YES, Unconsented()):
        with pytest.raises(Refused, match="no-consent-asked"):
            heard(supervised(), act, NOW)


def test_a_clinician_who_comes_to_be_barred_is_shown_nothing_more() -> None:
    ready = folded(supervised(), [ASKED, YES, REQUESTED, NamesFound((DOC,))])
    assert facts_of(ready, ACCEPTED) == []


def test_a_new_reach_goes_to_the_clinician_too() -> None:
    treated = folded(supervised(), [*HELPED, ASKED, YES, REQUESTED, ACCEPTED])
    told = facts_of(treated, SetReach(b"new"))
    assert [(one.assignment, one.consent) for one in told if isinstance(one, ContactReleased)] == [
        (FIRST, None),
        (REFERRAL, CONSENT),
    ]


@pytest.mark.parametrize(
    ("capabilities", "advisers", "path"),
    [
        (NOTHING, ("coordinator", "peer"), "none"),
        (ADVISOR, ("clinician", "coordinator", "peer"), "outside"),
        (SUPERVISOR, ("clinician", "coordinator", "peer"), "referral"),
    ],
)
def test_a_peer_is_told_what_the_stamped_capabilities_allow(
    capabilities: Capabilities, advisers: tuple[str, ...], path: str
) -> None:
    policy = ask().policy.model_copy(update={"capabilities": capabilities})
    (told,) = facts_of(case(policy=policy, about="someone_else"), assigned())
    assert isinstance(told, ContactReleased)
    assert (told.advisers, told.clinical, told.about) == (advisers, path, "someone_else")
    elsewhere = case(policy=policy, wishes=Wishes(require=("other_agency",)))
    (told,) = facts_of(elsewhere, assigned())
    assert isinstance(told, ContactReleased)
    assert told.advisers == tuple(one for one in advisers if one == "clinician")


# --- direct


def test_a_direct_request_is_its_own_consent_and_no_peer_is_looked_for() -> None:
    first = begun(ask(policy=supervised().ask.policy), NOW, jurisdiction="US-CA", direct=Direct(REFERRAL, CONSENT))
    (fact,) = first.facts
    assert isinstance(fact, DirectAsked)
    assert isinstance(first.case.stage, NoPeer)
    assert sentences(first.case) == ("clinical_requested",)
    assert [type(one) for one in facts_of(folded(first.case, [REQUESTED]), ACCEPTED)] == [ContactReleased]


@pytest.mark.parametrize(
    ("stamped", "present", "relation", "allowed"),
    [
        (SUPERVISOR, SUPERVISOR, Relation.OFFICER, True),
        (SUPERVISOR, SUPERVISOR, Relation.CIVILIAN, True),
        (SUPERVISOR, SUPERVISOR, Relation.FAMILY, True),
        (SUPERVISOR, SUPERVISOR, Relation.RETIREE, False),
        (SUPERVISOR, NOTHING, Relation.OFFICER, False),
        (NOTHING, SUPERVISOR, Relation.OFFICER, False),
        (ADVISOR, ADVISOR, Relation.FAMILY, False),
    ],
)
def test_direct_needs_the_capability_now_and_at_the_start(
    stamped: Capabilities, present: Capabilities, relation: Relation, allowed: bool
) -> None:
    policy = ask().policy.model_copy(update={"capabilities": stamped})
    begun_so = case(policy=policy, relation=relation)
    assert ("clinician" in possible(begun_so)) is stamped.direct(relation)
    if allowed:
        assert [type(one) for one in facts_of(begun_so, wanted(present))] == [DirectAsked]
    else:
        with pytest.raises(Refused, match="no-clinician-in-program") as refused:
            heard(begun_so, wanted(present), NOW)
        assert refused.value.extra == {"offer": "peer"}


def test_who_is_asked_for_a_consent_and_asks_for_a_clinician_has_said_yes() -> None:
    assert [type(one) for one in facts_of(folded(supervised(), [ASKED]), wanted())] == [ConsentGiven]


def test_a_question_that_crosses_with_a_direct_request_does_not_undo_it() -> None:
    other = ASKED.model_copy(update={"referral": OTHER_CONSENT})
    asked = folded(supervised(), [wanted(), other])
    assert isinstance(asked.clinical, Requested)
    assert isinstance(folded(asked, [CANCELLED.model_copy(update={"referral": OTHER_CONSENT})]).clinical, Requested)


def test_a_peer_as_well_begins_a_search_without_whoever_was_refused() -> None:
    with_refused = replace(direct(), refused=(ANA,))
    (fact,) = facts_of(with_refused, AskPeer())
    assert isinstance(fact, RequestSubmitted)
    assert fact.ask.bars == (ANA,)
    assert isinstance(folded(with_refused, [AskPeer()]).stage, Searching)
    with pytest.raises(Refused, match="peer-asked-already"):
        heard(case(), AskPeer(), NOW)


# --- two supports, each ends by itself


def test_the_case_closes_after_the_last_support() -> None:
    both = folded(supervised(), [*HELPED, ASKED, YES, REQUESTED, ACCEPTED, GOING])
    alone = folded(both, [PEER_CLOSES])
    assert isinstance(alone.stage, NoPeer)
    assert facts_of(alone, COMPLETED) == [CaseClosing()]
    assert isinstance(folded(both, [COMPLETED]).stage, InContact)
    assert isinstance(folded(both, [COMPLETED, PEER_CLOSES]).stage, Closing)


@given(interleaved([CONFIRMED, PEER_CLOSES], [ASKED], [WISHED]))
def test_whoever_wants_a_clinician_is_asked_in_whatever_order_the_peers_close_is_heard(order: list[object]) -> None:
    case_ = folded(supervised(), [assigned(), *order])
    assert isinstance(case_.stage, NoPeer)
    assert not case_.stage.rest
    assert isinstance(case_.clinical, Asking)
    assert not case_.wished


def test_a_close_waits_a_moment_for_what_may_be_on_its_way_and_longer_for_a_wish_that_was_heard() -> None:
    closed = folded(supervised(), [*HELPED, PEER_CLOSES])
    assert closed.stage == NoPeer(NOW + timedelta(minutes=5), rest=True)
    assert heard(closed, TimeIsUp("rest", closed.turn), NOW).facts == (CaseClosing(),)
    for order in ([WISHED, PEER_CLOSES], [PEER_CLOSES, WISHED]):
        assert folded(supervised(), [*HELPED, *order]).stage == NoPeer(NOW + REST, rest=True)
    assert isinstance(folded(case(), [*HELPED, PEER_CLOSES]).stage, Closing)


def test_a_question_that_crossed_with_the_requesters_no_does_not_come_up_again() -> None:
    said_no = folded(supervised(), [*HELPED, ASKED, YES, REQUESTED, ACCEPTED, Unconsented()])
    assert folded(said_no, [ASKED]) == said_no


def test_a_case_that_begins_with_a_clinician_has_a_timer_behind_its_due_time() -> None:
    first = begun(ask(policy=WITH_CLINICIAN), NOW, jurisdiction="US-CA", direct=Direct(REFERRAL, CONSENT))
    assert first.timer is not None
    assert isinstance(first.case.stage, NoPeer)
    assert (first.timer.due, first.timer.turn) == (first.case.stage.due, first.case.turn)


def test_an_overdue_hand_off_is_told_to_the_requester_and_due_again() -> None:
    late = folded(replace(supervised(), reach=b"x"), [*HELPED, ASKED, YES, REQUESTED, ACCEPTED, LATE])
    assert "clinical_accepted_late" in sentences(late)
    assert isinstance(late.clinical, Accepted)
    assert late.clinical.due == NOW + timedelta(seconds=WITH_CLINICIAN.handoff_within_s)
    assert "clinical_in_progress" in sentences(folded(late, [GOING]))


def test_treatment_that_nobody_reports_of_any_more_is_called_that() -> None:
    silent = folded(supervised(), [*HELPED, ASKED, YES, REQUESTED, ACCEPTED, GOING, CANCELLED])
    assert "clinical_silent" in sentences(silent)


def test_a_requesters_close_ends_both() -> None:
    both = folded(supervised(), [*HELPED, ASKED, YES, REQUESTED, ACCEPTED])
    assert facts_of(both, Close()) == [CaseClosing()]
    assert facts_of(folded(both, [Close()]), ACCEPTED) == []


@pytest.mark.parametrize(
    ("happened", "owner", "due"),
    [
        ([], "referral", None),
        ([REQUESTED], "referral", LATER),
        ([REQUESTED, ACCEPTED], "clinician", LATER),
        ([REQUESTED, ACCEPTED, ON_HOLD], "clinician", LATER),
        ([REQUESTED, ACCEPTED, GOING], "clinician", NOW + REVIEW_AFTER),
        ([REQUESTED, ACCEPTED, REJECTED], "referral", None),
        ([FAILED], "requester", NOW + REST),
        ([Unconsented()], "requester", NOW + REST),
    ],
)
def test_without_a_peer_the_clinical_side_owns_the_case(happened: list[object], owner: str, due: object) -> None:
    where = stands(folded(direct(), happened))
    assert where.owner == owner
    assert where.due is not None
    if due is not None:
        assert where.due == due + timedelta(minutes=1)  # type: ignore[operator]


def test_what_failed_waits_for_its_requester_and_then_closes_by_itself() -> None:
    left = folded(direct(), [FAILED])
    assert sentences(left) == ("no_peer_rest", "clinical_failed")
    assert {"peer", "clinician"} <= set(possible(left))
    step = heard(left, TimeIsUp("rest", left.turn), NOW)
    assert step.facts == (CaseClosing(),)
    asked_again = folded(left, [wanted()])
    assert heard(asked_again, TimeIsUp("rest", left.turn), NOW).case == asked_again


def test_a_clinician_in_touch_is_help_even_when_no_peer_ever_was() -> None:
    assert outcome_of(folded(direct(), [REQUESTED, ACCEPTED, GOING])) == "helped"
    assert outcome_of(folded(direct(), [REQUESTED, ACCEPTED])) == "not_reached"
    assert outcome_of(folded(direct(), [REQUESTED, ACCEPTED, COMPLETED])) == "helped"


def test_information_given_is_called_that_and_each_kind_stands_once() -> None:
    told = folded(case(), [*HELPED, NO_PATH, GIVEN, GIVEN, NO_PATH])
    assert told.given == ("counselling", "eap", "group")
    assert sentences(told) == ("in_contact", "no_path_no_clinician", "information_given")
    assert told.clinical is None


# --- properties

CLINICAL = [ASKED, NO_PATH, GIVEN, REQUESTED, ACCEPTED, REJECTED, ON_HOLD, GOING, COMPLETED, FAILED, CANCELLED]
ACTS = [YES, YES_AGAIN, Unconsented(), SetReach(b"x"), SetReach(None), wanted(), Close(), AskPeer(), Withdraw()]
HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from([*CLINICAL, *ACTS, *HELPED, PEER_CLOSES, NamesFound((DOC,))]),
        st.integers(min_value=0, max_value=20),
    ),
    max_size=25,
)


@given(st.booleans(), HAPPENINGS)
@settings(max_examples=400)
def test_i13_nothing_is_shown_to_a_clinician_without_a_live_consent(
    directly: bool, happenings: list[tuple[object, int]]
) -> None:
    state, now = direct() if directly else supervised(), NOW
    given_until = {CONSENT: NOW + CONSENT_LASTS} if directly else {}
    for what, days in happenings:
        now += timedelta(days=days)
        try:
            step = heard(state, what, now)
        except Refused:
            continue
        for fact in step.facts:
            if isinstance(fact, ConsentGiven | DirectAsked):
                given_until[fact.consent] = fact.expires
            if isinstance(fact, ConsentWithdrawn):
                given_until.clear()
            if isinstance(fact, ContactReleased) and fact.recipient == DOC:
                assert fact.consent is not None
                assert given_until[fact.consent] > now
        assert isinstance(step.case, Case)
        state = step.case
        if step.ending:
            break


@given(interleaved([CONFIRMED, PEER_CLOSES], [REQUESTED, ACCEPTED, ON_HOLD, ACCEPTED, GOING, GIVEN, COMPLETED]))
@settings(max_examples=200)
def test_in_whatever_order_both_supports_are_heard_of_the_case_ends_the_same(order: list[object]) -> None:
    start = folded(supervised(), [assigned(), ASKED, YES])
    done = folded(start, order)
    straight = folded(start, [CONFIRMED, PEER_CLOSES, REQUESTED, ACCEPTED, ON_HOLD, ACCEPTED, GOING, GIVEN, COMPLETED])
    assert isinstance(done.stage, Closing)
    # How many timers were set on the way is no part of where it stands; what is given after the end is not.
    assert replace(done, turn=0, given=()) == replace(straight, turn=0, given=())


def test_no_release_is_lost_when_the_peer_is_released_beside() -> None:
    both = folded(supervised(), [ASKED, YES, REQUESTED, ACCEPTED, assigned()])
    assert isinstance(both.stage, Released)
    assert both.clinical == Accepted(REFERRAL, DOC, LATER, shown=True)
