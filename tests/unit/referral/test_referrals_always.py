"""Whatever is answered in whatever order: one clinician, a living consent, and nothing done that was only sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import get_args
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.referral.domain.case import Case, standing
from services.referral.domain.effects import Step, TimeIsUp
from services.referral.domain.heard import Heard
from services.referral.domain.referrals import Stage
from services.referral.domain.world import ClinicianGone
from shared.events.intake import CaseClosing, ConsentGiven, ConsentWithdrawn, DirectAsked
from shared.events.matching import AssignmentEnded
from shared.events.notify import ClinicianWanted, ReferralReplied, ReferralVerb
from shared.events.referral import (
    HandoffConfirmed,
    ReferralAccepted,
    ReferralInProgress,
    ReferralRejected,
    ReferralRequested,
)
from tests.unit.referral.given import (
    ASSIGNMENT,
    CARL,
    CLEO,
    CORA,
    NOW,
    PETRA,
    answer,
    assigned,
    consent,
    direct,
    hear,
    outcomes,
    supported,
    wanted,
)

STEP = timedelta(hours=5)


def _may_be_heard(case: Case, at: datetime) -> Iterator[Heard]:
    yield from (wanted(), direct(expires=at + 3 * STEP), assigned())
    referral = case.referral
    if referral is None:
        return
    yield TimeIsUp("referral", referral.referral_id, referral.version)
    for expires in (at, at + STEP, at + 9 * STEP):
        yield consent(referral.referral_id, expires=expires)
    yield consent(uuid4())
    yield from (answer(referral.referral_id, who, "accept") for who in (CLEO, CARL))
    yield from (
        answer(referral.referral_id, who, verb) for who in (CLEO, CARL, PETRA, CORA) for verb in get_args(ReferralVerb)
    )
    yield ConsentWithdrawn(recipient="clinician", referral=referral.referral_id)
    yield from (ClinicianGone(CLEO, left=True), ClinicianGone(CARL, left=False))
    yield AssignmentEnded(assignment=ASSIGNMENT, person=PETRA, how="closed")


walks = st.lists(st.integers(0, 10_000), max_size=30)


def _walk(choices: list[int]) -> Iterator[tuple[Case, Heard, Step[Case], datetime]]:
    case = supported()
    for number, choice in enumerate([0, *choices]):
        at = NOW + number * STEP
        options = list(_may_be_heard(case, at))
        said = options[choice % len(options)]
        step = hear(case, said, at=at)
        yield case, said, step, at
        case = step.state
    yield case, CaseClosing(), hear(case, CaseClosing()), NOW


@given(choices=walks)
def test_nobody_is_asked_and_nothing_accepted_without_a_living_consent(choices: list[int]) -> None:
    consents: dict[object, datetime] = {}
    for _, said, step, at in _walk(choices):
        if isinstance(said, ConsentGiven | DirectAsked):
            consents[said.consent] = said.expires
        for fact in step.facts:
            if isinstance(fact, ReferralRequested | ReferralAccepted):
                assert consents[fact.consent] > at


@given(choices=walks)
def test_at_most_one_clinician_has_accepted_at_any_time(choices: list[int]) -> None:
    holder: dict[object, object] = {}
    for _, _, step, _ in _walk(choices):
        for fact in step.facts:
            if isinstance(fact, ReferralRejected) and holder.get(fact.referral) == fact.clinician:
                del holder[fact.referral]
            if isinstance(fact, ReferralAccepted):
                assert holder.setdefault(fact.referral, fact.clinician) == fact.clinician
            if isinstance(fact, ReferralRequested):
                # Asked anew: whoever had accepted has let it go, or the consent had run out.
                holder.pop(fact.referral, None)


@given(choices=walks)
def test_what_was_sent_is_in_progress_only_when_those_who_are_there_have_confirmed(choices: list[int]) -> None:
    confirmed: dict[object, set[str]] = {}
    for before, said, step, _ in _walk(choices):
        for fact in step.facts:
            if isinstance(fact, ReferralRequested):
                confirmed[fact.referral] = set()
            if isinstance(fact, HandoffConfirmed):
                confirmed[fact.referral].add(fact.side)
            if isinstance(fact, ReferralInProgress):
                referral = step.state.referral
                assert referral is not None
                alone = referral.direct or step.state.peer is None or before.peer is None
                # After a hold it stands where it stood.
                resumed = before.referral is not None and before.referral.held_from is Stage.IN_PROGRESS
                # Nor does a silent peer hold it up for ever.
                late = before.referral is not None and before.referral.told and isinstance(said, TimeIsUp)
                sides = {"clinician"} if alone or late else {"clinician", "peer"}
                assert resumed or confirmed[fact.referral] >= sides


@given(choices=walks)
def test_every_reply_is_settled_once_and_everything_open_has_an_owner_and_a_due_time(choices: list[int]) -> None:
    for _, said, step, _ in _walk(choices):
        assert len(outcomes(step)) == isinstance(said, ReferralReplied | ClinicianWanted)
        stands = standing(step.state)
        assert (stands.owner is None) == (stands.due_at is None)
        if isinstance(said, CaseClosing):
            assert stands.owner is None
