"""What tests of a case begin with: an ask, facts about one case, and a hand that folds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from services.intake.domain.acts import AskClinician, Consented, Endangered
from services.intake.domain.acts import Help as HelpThereIs
from services.intake.domain.case import Case, Known
from services.intake.domain.course import Direct, begun, heard
from shared.events import Fact
from shared.events.intake import Ask
from shared.events.matching import (
    AssignmentEnded,
    Candidate,
    ContactConfirmed,
    ContactOverdue,
    NobodyFound,
    OfferDeclined,
    OfferMade,
    PeerAssigned,
    SearchStarted,
    ShortlistReady,
)
from shared.events.notify import ClinicianWanted, PageSettled
from shared.events.policy import Capabilities, Policy
from shared.events.referral import (
    ConsentAsked,
    HandoffOverdue,
    HumanContactConfirmed,
    LadderAcknowledged,
    LadderEnded,
    LadderStarted,
    NoClinicalPath,
    ReferralAccepted,
    ReferralCancelled,
    ReferralCompleted,
    ReferralFailed,
    ReferralInProgress,
    ReferralOnHold,
    ReferralRejected,
    ReferralRequested,
    ResourcesGiven,
    RungPaged,
)
from shared.types import Help, PersonId, Relation, Structure, Urgency

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
SOON = NOW + timedelta(hours=1)
LATER = NOW + timedelta(hours=2)
ANA, BEN, CEM, DUTY = (PersonId(UUID(int=number)) for number in (1, 2, 3, 9))
FIRST, SECOND = UUID(int=0x11), UUID(int=0x12)
OFFER, OTHER_OFFER = UUID(int=0x21), UUID(int=0x22)
LADDER, PAGE, OTHER_PAGE = UUID(int=0x31), UUID(int=0x32), UUID(int=0x33)

POLICY = Policy(
    structure=Structure.TEAM_COORDINATOR,
    capabilities=Capabilities(consult=False, accept_referral=False, direct_employee=False, direct_family=False),
    offers_out=1,
    answer_within_s=3600,
    contact_within_s=7200,
    choose_within_s=1800,
    rung_within_s=300,
    grace_s=600,
    open_cases_per_peer=4,
    crisis_cases_per_peer=1,
    crisis_cooldown_s=0,
)


def ask(**changed: Any) -> Ask:
    values: dict[str, Any] = {
        "relation": Relation.OFFICER,
        "urgency": Urgency.ROUTINE,
        "help": (Help.TALK,),
        "choose": "anyone",
        "release": "on_accept",
        "manner": "call",
        "language": "en",
        "policy": POLICY,
    }
    return Ask(**{**values, **changed})


def case(**changed: Any) -> Case:
    """A case that has just begun."""
    return begun(ask(**changed), NOW, jurisdiction="US-CA", rungs=()).case


def emergency() -> Case:
    return case(urgency=Urgency.EMERGENCY)


def folded(start: Known, happenings: Iterable[object]) -> Case:
    """The case after all of it."""
    state = start
    for what in happenings:
        state = heard(state, what, NOW).case
    assert isinstance(state, Case)
    return state


def facts_of(start: Known, what: object) -> list[Fact]:
    return list(heard(start, what, NOW).facts)


def assigned(person: PersonId = ANA, assignment: UUID = FIRST) -> PeerAssigned:
    return PeerAssigned(assignment=assignment, offer=OFFER, person=person, contact_by=LATER)


def offered(offer: UUID = OFFER, person: PersonId = ANA) -> OfferMade:
    return OfferMade(offer=offer, person=person, urgency=Urgency.ROUTINE, manner="call", expires=SOON)


def declined(offer: UUID = OFFER, person: PersonId = ANA) -> OfferDeclined:
    return OfferDeclined(offer=offer, person=person)


def ended(how: Any, assignment: UUID = FIRST, person: PersonId = ANA) -> AssignmentEnded:
    return AssignmentEnded(assignment=assignment, person=person, how=how)


def listed(*people: PersonId) -> ShortlistReady:
    return ShortlistReady(candidates=tuple(Candidate(person=p, available=True, factors={}) for p in people), due=SOON)


def settled(outcome: Any, page: UUID = PAGE) -> PageSettled:
    return PageSettled(page=page, ladder=LADDER, person=DUTY, outcome=outcome)


CONFIRMED = ContactConfirmed(assignment=FIRST, person=ANA)
OVERDUE = ContactOverdue(assignment=FIRST, person=ANA)
NOBODY = NobodyFound(recipients=(DUTY,), next_try=LATER, urgency=Urgency.ROUTINE)
STARTED = SearchStarted(due=SOON)
PAGED = RungPaged(ladder=LADDER, rung=0, pages=((PAGE, DUTY),), expires=SOON)
ACKNOWLEDGED = LadderAcknowledged(ladder=LADDER, person=DUTY)
CONTACT = HumanContactConfirmed(ladder=LADDER, person=DUTY)
LADDER_OVER = LadderEnded(ladder=LADDER, how="nobody")
LADDER_BEGAN = LadderStarted(ladder=LADDER)

# --- the clinical side

DOC, DEPUTY = PersonId(UUID(int=0x51)), PersonId(UUID(int=0x52))
REFERRAL, OTHER_REFERRAL = UUID(int=0x61), UUID(int=0x62)
CONSENT, OTHER_CONSENT = UUID(int=0x71), UUID(int=0x72)
NOTHING = POLICY.capabilities
ADVISOR = NOTHING.model_copy(update={"consult": True})
SUPERVISOR = Capabilities(consult=True, accept_referral=True, direct_employee=True, direct_family=True, on_call=True)
WITH_CLINICIAN = POLICY.model_copy(update={"structure": Structure.CLINICAL_SUPERVISOR, "capabilities": SUPERVISOR})
URGENT_POLICY = POLICY.model_copy(update={"answer_within_s": 180, "contact_within_s": 600, "choose_within_s": 0})

ASKED = ConsentAsked(referral=REFERRAL, remind_at=LATER)
YES, YES_AGAIN = Consented(CONSENT), Consented(OTHER_CONSENT)
REQUESTED = ReferralRequested(
    referral=REFERRAL, clinician=DOC, consent=CONSENT, urgency=Urgency.ROUTINE, direct=False, due=LATER
)
ACCEPTED = ReferralAccepted(referral=REFERRAL, clinician=DOC, consent=CONSENT, due=LATER)
LATE = HandoffOverdue(referral=REFERRAL, clinician=DOC, recipients=())
WISHED = ClinicianWanted(reply=UUID(int=0x81), assignment=FIRST, person=ANA, received_at=NOW)
REJECTED = ReferralRejected(referral=REFERRAL, clinician=DOC)
ON_HOLD = ReferralOnHold(referral=REFERRAL, clinician=DOC, until=LATER)
GOING = ReferralInProgress(referral=REFERRAL, clinician=DOC)
COMPLETED = ReferralCompleted(referral=REFERRAL, clinician=DOC)
FAILED = ReferralFailed(referral=REFERRAL, recipients=())
CANCELLED = ReferralCancelled(referral=REFERRAL)
NO_PATH = NoClinicalPath(why="no_clinician", kinds=("counselling", "eap"))
GIVEN = ResourcesGiven(kinds=("group",))
HELP = HelpThereIs(URGENT_POLICY, "US-CA", ((DOC,), (DUTY,)))
DANGER, PRESSED = Endangered(HELP, at_door=False), Endangered(HELP, at_door=True)


@st.composite
def interleaved(draw: st.DrawFn, *topics: Sequence[object]) -> list[object]:
    """All of several topics, each in its own order, in any order among them."""
    left = [list(topic) for topic in topics]
    merged = []
    while any(left):
        topic = draw(st.sampled_from([one for one in left if one]))
        merged.append(topic.pop(0))
    return merged


def supervised(**changed: Any) -> Case:
    """A case of an agency with a clinical supervisor."""
    return case(policy=WITH_CLINICIAN, **changed)


def direct(**changed: Any) -> Case:
    """A case that asks for the clinician at once."""
    ids = Direct(REFERRAL, CONSENT)
    return begun(ask(policy=WITH_CLINICIAN, **changed), NOW, jurisdiction="US-CA", direct=ids).case


def wanted(present: Capabilities = SUPERVISOR) -> AskClinician:
    return AskClinician(REFERRAL, CONSENT, present)
