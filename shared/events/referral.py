"""Who is being brought in, and how it ended. referral alone writes these topics; the key is always the case."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from shared.events.envelope import REFERRAL, REFERRAL_CRISIS, Fact, Topic
from shared.events.intake import Adviser
from shared.types import PersonId, Urgency


class LadderStarted(Fact):
    """An emergency is being taken to people until one of them acknowledges."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.ladder_started.v1"] = "referral.ladder_started.v1"
    ladder: UUID


class RungPaged(Fact):
    """These persons are being paged now; nobody has taken the page yet. Each page has an id of its own."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.rung_paged.v1"] = "referral.rung_paged.v1"
    ladder: UUID
    rung: int
    pages: tuple[tuple[UUID, PersonId], ...]
    """(page id, person) of each."""
    expires: AwareDatetime


class LadderAcknowledged(Fact):
    """Somebody has said: I take this. The first one counts; again, when they had given it back in between."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.ladder_acknowledged.v1"] = "referral.ladder_acknowledged.v1"
    ladder: UUID
    person: PersonId


class LadderGivenBack(Fact):
    """Somebody who had taken it cannot after all: the others are paged again."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.ladder_given_back.v1"] = "referral.ladder_given_back.v1"
    ladder: UUID
    person: PersonId


class HumanContactConfirmed(Fact):
    """Somebody has said: I have spoken with them."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.human_contact_confirmed.v1"] = "referral.human_contact_confirmed.v1"
    ladder: UUID
    person: PersonId


class LadderEnded(Fact):
    """The ladder is over: contact was made, or the request ended.

    `nobody`: there is no one to page, or everybody has said that they cannot. Nobody is paged any more, and whoever
    can after all may still take it: then it goes on.
    """

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.ladder_ended.v1"] = "referral.ladder_ended.v1"
    ladder: UUID
    how: Literal["contact", "ended", "nobody"]


class CrisisReplySettled(Fact):
    """What came of a reply to a page: the page stops saying "one moment"."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.reply_settled.v1"] = "referral.reply_settled.v1"
    reply: UUID
    outcome: Literal["acknowledged", "covered", "noted", "ended"]


class AnswerSettled(Fact):
    """What came of a reply about a consult, a referral or resources: the page stops saying "one moment"."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.answer_settled.v1"] = "referral.answer_settled.v1"
    reply: UUID
    outcome: Literal["noted", "accepted", "consent_asked", "information_given", "too_late", "ended", "refused"]


class ConsultOpened(Fact):
    """An adviser is being asked; each adviser of a consult in turn gets one of these.

    `sealed` is the question under the consult's own key. The adviser learns neither the case nor who asks.
    """

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.consult_opened.v1"] = "referral.consult_opened.v1"
    consult: UUID
    adviser: PersonId
    role: Adviser
    kind: Literal["advice", "outside_help"] = "advice"
    """`outside_help`: the requester wants a clinician and the adviser takes nobody on: whom would they suggest?"""
    topics: tuple[str, ...]
    sealed: bytes | None = None
    due: AwareDatetime
    assignment: UUID | None = None
    """In which support it is asked: nobody but that peer reads of it."""


class ConsultReminded(Fact):
    """Half of the time is over and the adviser has not answered."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.consult_reminded.v1"] = "referral.consult_reminded.v1"
    consult: UUID
    adviser: PersonId


class ConsultReassigned(Fact):
    """This adviser is not waited for any more; the next one is asked, or the consult expires."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.consult_reassigned.v1"] = "referral.consult_reassigned.v1"
    consult: UUID
    before: PersonId


class ConsultAnswered(Fact):
    """The peer who asked can read the answer; `sealed` is under the consult's key, field `answer`."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.consult_answered.v1"] = "referral.consult_answered.v1"
    consult: UUID
    assignment: UUID
    asked_by: PersonId
    adviser: PersonId
    sealed: bytes


class ConsultExpired(Fact):
    """Nobody has answered in time, and nobody is left to ask. The peer is told so; it never becomes a referral."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.consult_expired.v1"] = "referral.consult_expired.v1"
    consult: UUID
    assignment: UUID
    asked_by: PersonId


class ConsentAsked(Fact):
    """A referral waits for the requester's consent, which is asked on the status page."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.consent_asked.v1"] = "referral.consent_asked.v1"
    referral: UUID
    remind_at: AwareDatetime
    assignment: UUID | None = None
    """In which support a clinician was wanted: no other peer is told of the referral."""


class ConsentReminded(Fact):
    """No answer yet: the peer hears of it, not the requester."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.consent_reminded.v1"] = "referral.consent_reminded.v1"
    referral: UUID
    assignment: UUID
    person: PersonId


class NoClinicalPath(Fact):
    """The program has no clinician who takes anybody on: information is given, and that is what it is called."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.no_clinical_path.v1"] = "referral.no_clinical_path.v1"
    why: Literal["no_clinician", "advisor_only", "nobody_left"]
    kinds: tuple[str, ...]


class ResourcesGiven(Fact):
    """A peer has given resources of these kinds, once."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.resources_given.v1"] = "referral.resources_given.v1"
    kinds: tuple[str, ...]


class ReferralRequested(Fact):
    """A clinician is being asked. FHIR Task: requested. The answer counts until `due`."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.referral_requested.v1"] = "referral.referral_requested.v1"
    referral: UUID
    clinician: PersonId
    consent: UUID
    urgency: Urgency
    direct: bool
    due: AwareDatetime
    language: str = ""
    """The requester's, so that a clinician knows it before accepting."""


class ReferralAccepted(Fact):
    """FHIR Task: accepted. What the clinician may see of the requester, intake releases by the live consent."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.referral_accepted.v1"] = "referral.referral_accepted.v1"
    referral: UUID
    clinician: PersonId
    consent: UUID
    due: AwareDatetime
    """When the hand-off should be confirmed."""


class ReferralRejected(Fact):
    """FHIR Task: rejected. The next clinician is asked; no reason is kept."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.referral_rejected.v1"] = "referral.referral_rejected.v1"
    referral: UUID
    clinician: PersonId


class ReferralUnanswered(Fact):
    """No answer in time: the next clinician is asked beside. "Sent" is never "done"."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.referral_unanswered.v1"] = "referral.referral_unanswered.v1"
    referral: UUID
    clinician: PersonId


class ReferralOnHold(Fact):
    """FHIR Task: on-hold, until then at most."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.referral_on_hold.v1"] = "referral.referral_on_hold.v1"
    referral: UUID
    clinician: PersonId
    until: AwareDatetime


class HandoffConfirmed(Fact):
    """One side says that the hand-off has happened."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.handoff_confirmed.v1"] = "referral.handoff_confirmed.v1"
    referral: UUID
    side: Literal["peer", "clinician"]


class HandoffOverdue(Fact):
    """Accepted, and the hand-off is not confirmed in time: `recipients`, none barred, hear a count."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.handoff_overdue.v1"] = "referral.handoff_overdue.v1"
    referral: UUID
    clinician: PersonId
    recipients: tuple[PersonId, ...]


class ReferralInProgress(Fact):
    """FHIR Task: in-progress. Everybody who had to has confirmed the hand-off."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.referral_in_progress.v1"] = "referral.referral_in_progress.v1"
    referral: UUID
    clinician: PersonId


class ReferralCompleted(Fact):
    """FHIR Task: completed. Nothing but this status flows back."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.referral_completed.v1"] = "referral.referral_completed.v1"
    referral: UUID
    clinician: PersonId


class ReferralFailed(Fact):
    """FHIR Task: failed. No clinician is left to ask; `recipients`, none barred, hear a count without identity."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.referral_failed.v1"] = "referral.referral_failed.v1"
    referral: UUID
    recipients: tuple[PersonId, ...]


class ReferralCancelled(Fact):
    """FHIR Task: cancelled, by the requester or because the case has ended."""

    TOPIC: ClassVar[Topic] = REFERRAL
    type: Literal["referral.referral_cancelled.v1"] = "referral.referral_cancelled.v1"
    referral: UUID
    clinician: PersonId | None = None


ReferralFact = (
    LadderStarted
    | RungPaged
    | LadderAcknowledged
    | LadderGivenBack
    | HumanContactConfirmed
    | LadderEnded
    | CrisisReplySettled
    | AnswerSettled
    | ConsultOpened
    | ConsultReminded
    | ConsultReassigned
    | ConsultAnswered
    | ConsultExpired
    | ConsentAsked
    | ConsentReminded
    | NoClinicalPath
    | ResourcesGiven
    | ReferralRequested
    | ReferralAccepted
    | ReferralRejected
    | ReferralUnanswered
    | ReferralOnHold
    | HandoffConfirmed
    | HandoffOverdue
    | ReferralInProgress
    | ReferralCompleted
    | ReferralFailed
    | ReferralCancelled
)
