"""What the tests of referral's domain are given: people, asks, and facts as the other services would say them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from services.referral.domain.case import Case
from services.referral.domain.effects import Alarm, Step, TimeIsUp
from services.referral.domain.heard import Heard, heard
from services.referral.domain.world import Person, World
from shared.events import Fact
from shared.events.intake import Adviser, Ask, ConsentGiven, CrisisRaised, DirectAsked, RequestSubmitted
from shared.events.matching import PeerAssigned
from shared.events.notify import (
    ClinicianWanted,
    ConsultAsked,
    ConsultReplied,
    ReferralReplied,
    ReferralVerb,
    ResourcesOffered,
)
from shared.events.policy import Capabilities, Policy
from shared.events.referral import AnswerSettled, ConsentAsked, CrisisReplySettled
from shared.types import Help, PersonId, Relation, Role, Structure, Urgency

F = TypeVar("F", bound=Fact)

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANA, BEN, CEM, PETRA, PAUL, CORA, COLE, CLEO, CARL, DORA = (PersonId(UUID(int=number)) for number in range(1, 11))
ASSIGNMENT = UUID(int=100)

NONE = Capabilities(consult=False, accept_referral=False, direct_employee=False, direct_family=False)
ADVISOR = NONE.model_copy(update={"consult": True, "trains": True})
SUPERVISOR = ADVISOR.model_copy(
    update={"accept_referral": True, "direct_employee": True, "direct_family": True, "on_call": True}
)
OF = {
    Structure.TEAM_COORDINATOR: NONE,
    Structure.CLINICAL_ADVISOR: ADVISOR,
    Structure.CLINICAL_SUPERVISOR: SUPERVISOR,
}
TC, CA, CS = Structure.TEAM_COORDINATOR, Structure.CLINICAL_ADVISOR, Structure.CLINICAL_SUPERVISOR


def person(who: PersonId, role: Role, *attributes: str, language: str = "en-US") -> Person:
    return Person(who, role, frozenset(attributes), language)


PETRA_, PAUL_ = person(PETRA, Role.PEER), person(PAUL, Role.PEER)
CORA_, COLE_ = person(CORA, Role.COORDINATOR), person(COLE, Role.COORDINATOR, "deputy")
CLEO_ = person(CLEO, Role.CLINICIAN, "licence:us-ut", "on_call")
CARL_ = person(CARL, Role.CLINICIAN, "licence:us-ut", "deputy")
PEOPLE = (PETRA_, PAUL_, CORA_, COLE_, CLEO_, CARL_)
"""Petra supports the requester; Paul is a second peer; Cora coordinates, Cole is her deputy; Cleo and Carl treat."""


def world(
    *people: Person, at: datetime = NOW, present: Capabilities | None = None, duty: Sequence[PersonId] = (DORA,)
) -> World:
    return World(at, uuid4, people or PEOPLE, duty, present)


def policy(structure: Structure = CS, **changed: Any) -> Policy:
    values: dict[str, Any] = {
        "structure": structure,
        "capabilities": OF[structure],
        "offers_out": 3,
        "answer_within_s": 180,
        "contact_within_s": 600,
        "choose_within_s": 0,
        "rung_within_s": 300,
        "grace_s": 0,
        "open_cases_per_peer": 4,
        "crisis_cases_per_peer": 1,
        "crisis_cooldown_s": 0,
    }
    return Policy(**{**values, **changed})


def ask(structure: Structure = CS, *, stamped: Policy | None = None, **changed: Any) -> Ask:
    values: dict[str, Any] = {
        "relation": Relation.OFFICER,
        "urgency": Urgency.ROUTINE,
        "help": (Help.TALK,),
        "topics": ("sleep",),
        "choose": "anyone",
        "release": "on_accept",
        "manner": "call",
        "language": "en-US",
        "policy": stamped or policy(structure),
        "jurisdiction": "US-UT",
    }
    return Ask(**{**values, **changed})


def crisis(*rungs: tuple[PersonId, ...], asked: Ask | None = None) -> CrisisRaised:
    ask_ = asked or ask(TC, urgency=Urgency.EMERGENCY)
    return CrisisRaised(ask=ask_, jurisdiction="US-UT", rungs=rungs)


def assigned(who: PersonId = PETRA, assignment: UUID = ASSIGNMENT) -> PeerAssigned:
    return PeerAssigned(assignment=assignment, offer=uuid4(), person=who, contact_by=NOW)


def supported(structure: Structure = CS, **changed: Any) -> Case:
    """A case in which Petra supports the requester."""
    return hear(Case(), RequestSubmitted(ask=ask(structure, **changed)), assigned()).state


def act(**changed: Any) -> dict[str, Any]:
    return {"reply": uuid4(), "assignment": ASSIGNMENT, "person": PETRA, "received_at": NOW, **changed}


def consult(to: Adviser = "clinician", **changed: Any) -> ConsultAsked:
    values = {"consult": uuid4(), "to": to, "topics": ("alcohol",), "sealed": b"question", **changed}
    return ConsultAsked(**act(**values))


def advised(asked: ConsultAsked | UUID, who: PersonId, answer: bytes | None = b"answer") -> ConsultReplied:
    consult_id = asked if isinstance(asked, UUID) else asked.consult
    verb = "answer" if answer else "cannot"
    return ConsultReplied.model_validate(
        {"reply": uuid4(), "consult": consult_id, "person": who, "verb": verb, "sealed": answer, "received_at": NOW}
    )


def wanted(**changed: Any) -> ClinicianWanted:
    return ClinicianWanted(**act(**changed))


def resources(*kinds: str, **changed: Any) -> ResourcesOffered:
    return ResourcesOffered(**act(kinds=kinds, **changed))


def consent(asked: ConsentAsked | UUID, *, expires: datetime = NOW + 720 * HOUR) -> ConsentGiven:
    referral = asked if isinstance(asked, UUID) else asked.referral
    return ConsentGiven(consent=uuid4(), recipient="clinician", purpose="referral", referral=referral, expires=expires)


def direct(structure: Structure = CS, *, expires: datetime = NOW + 720 * HOUR, **changed: Any) -> DirectAsked:
    return DirectAsked(referral=uuid4(), consent=uuid4(), expires=expires, ask=ask(structure, **changed))


def answer(referral: UUID, who: PersonId, verb: ReferralVerb) -> ReferralReplied:
    return ReferralReplied(reply=uuid4(), referral=referral, person=who, verb=verb, received_at=NOW)


def hear(case: Case, *said: Heard, at: datetime = NOW, seen: World | None = None) -> Step[Case]:
    """All of these in order; the step has the last state and everything on the way."""
    step = Step(case)
    for what in said:
        step = step.then(heard(step.state, what, replace(seen or world(), now=at)))
    return step


def due(alarm: Alarm) -> TimeIsUp:
    """That alarm, going off."""
    return TimeIsUp(alarm.of, alarm.subject, alarm.version)


def ring(step: Step[Case], *, seen: World | None = None) -> Step[Case]:
    """The last alarm of a step goes off at its time; only what comes of that."""
    alarm = step.alarms[-1]
    return hear(step.state, due(alarm), at=alarm.at, seen=seen)


def kinds(step: Step[Any]) -> list[str]:
    return names(step.facts)


def outcomes(step: Step[Any]) -> list[str]:
    return settled(step.facts)


def told(facts: Iterable[Fact], kind: type[F]) -> list[F]:
    return [fact for fact in facts if isinstance(fact, kind)]


def only(facts: Iterable[Fact], kind: type[F]) -> F:
    (found,) = told(facts, kind)
    return found


def one(step: Step[Any], kind: type[F]) -> F:
    return only(step.facts, kind)


def names(facts: Iterable[Fact]) -> list[str]:
    return [fact.type.split(".")[1] for fact in facts]


def settled(facts: Iterable[Fact]) -> list[str]:
    return [fact.outcome for fact in facts if isinstance(fact, AnswerSettled | CrisisReplySettled)]
