"""Topics have no order among them: whatever comes between what, the case ends the same, and always has an owner."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain.acts import (
    Another,
    AskPeer,
    Choose,
    Close,
    Release,
    SetReach,
    TimeIsUp,
    Unconsented,
    Wait,
    Withdraw,
)
from services.intake.domain.case import Case, Closed, from_json, stands, to_json
from services.intake.domain.course import heard
from services.intake.domain.status import possible, sentences
from shared.errors import Refused
from shared.events.intake import ContactReleasedInCrisis
from tests.unit.intake_case.given import (
    ACCEPTED,
    ACKNOWLEDGED,
    ANA,
    ASKED,
    BEN,
    CANCELLED,
    COMPLETED,
    CONFIRMED,
    CONTACT,
    DANGER,
    FAILED,
    GIVEN,
    GOING,
    LADDER_BEGAN,
    LADDER_OVER,
    NO_PATH,
    NOBODY,
    NOW,
    ON_HOLD,
    OTHER_OFFER,
    OTHER_PAGE,
    OVERDUE,
    PAGED,
    PRESSED,
    REJECTED,
    REQUESTED,
    SECOND,
    STARTED,
    WITH_CLINICIAN,
    YES,
    assigned,
    case,
    declined,
    direct,
    emergency,
    ended,
    folded,
    interleaved,
    listed,
    offered,
    settled,
    wanted,
)

MATCHING = [
    STARTED,
    offered(),
    declined(),
    offered(OTHER_OFFER, BEN),
    assigned(),
    OVERDUE,
    CONFIRMED,
    ended("stepped_back"),
    assigned(BEN, SECOND),
    ended("closed", SECOND, BEN),
]
CLINICAL = [ASKED, REQUESTED, ACCEPTED, REJECTED, ON_HOLD, GOING, COMPLETED, FAILED, CANCELLED, NO_PATH, GIVEN]
REFERRAL = [LADDER_BEGAN, PAGED, ACKNOWLEDGED, CONTACT, LADDER_OVER]
NOTIFY = [settled("accepted"), settled("failed", OTHER_PAGE)]

HAPPENINGS = st.one_of(
    st.sampled_from(
        [*MATCHING, *REFERRAL, *NOTIFY, *CLINICAL, NOBODY, listed(ANA, BEN), ended("lapsed"), ended("replaced")]
    ),
    st.sampled_from(
        [
            Choose(ANA),
            Choose(None),
            Wait(),
            Release(),
            Another(),
            Close(),
            SetReach(b"x"),
            Withdraw(),
            AskPeer(),
            wanted(),
            YES,
            Unconsented(),
            DANGER,
            PRESSED,
        ]
    ),
    st.builds(
        TimeIsUp,
        st.sampled_from(["choose", "release", "review", "rest", "grace"]),
        st.integers(0, 6),
        st.booleans(),
    ),
)


@given(interleaved(MATCHING, REFERRAL, NOTIFY))
@settings(max_examples=200)
def test_every_order_of_the_topics_comes_to_the_same_case(order: list[object]) -> None:
    assert folded(emergency(), order) == folded(emergency(), [*MATCHING, *REFERRAL, *NOTIFY])


@given(interleaved(MATCHING[:6], REFERRAL[:3]))
def test_whoever_took_the_page_is_told_exactly_once(order: list[object]) -> None:
    state: object = replace(emergency(), reach=b"sealed")
    told = []
    for what in order:
        assert isinstance(state, Case)
        step = heard(state, what, NOW)
        state = step.case
        told += [fact for fact in step.facts if isinstance(fact, ContactReleasedInCrisis)]
    assert len(told) == 1


@given(
    st.sampled_from(["emergency", "direct", "peer"]),
    st.sampled_from(["on_accept", "ask_me"]),
    st.lists(HAPPENINGS, max_size=25),
)
@settings(max_examples=400)
def test_whatever_happens_a_case_has_an_owner_and_a_due_time_or_is_over(
    begins: str, release: str, happenings: list[object]
) -> None:
    starts = {
        "emergency": emergency(),
        "direct": direct(),
        "peer": case(release=release, choose="shortlist", policy=WITH_CLINICIAN),
    }
    state = starts[begins]
    for what in happenings:
        try:
            step = heard(state, what, NOW)
        except Refused:
            continue
        assert isinstance(step.case, Case)
        state = step.case
        where = stands(state)
        over = isinstance(state.stage, Closed)
        assert over or (where.owner is not None and where.due is not None)
        assert from_json(to_json(state), state.reach) == state
        assert sentences(state)
        assert possible(state)[-1] == "withdraw"
        if step.ending:
            break
