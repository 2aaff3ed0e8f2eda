"""What referral says of the clinical side: a consent is asked, a clinician is, has accepted, is in touch; it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.intake.domain.acts import Step
from services.intake.domain.case import Case, Over
from services.intake.domain.clinical import (
    Accepted,
    Asking,
    Ended,
    InProgress,
    OnHold,
    Requested,
    Running,
    With,
)
from services.intake.domain.course import showing
from services.intake.domain.course.ends import clinical_over, within
from shared.events.referral import (
    ConsentAsked,
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
)
from shared.types import PersonId

OfReferral = (
    ReferralRequested
    | ReferralAccepted
    | ReferralRejected
    | ReferralOnHold
    | ReferralInProgress
    | ReferralCompleted
    | ReferralFailed
    | ReferralCancelled
)
OfClinical = ConsentAsked | NoClinicalPath | ResourcesGiven | OfReferral


def referred(case: Case, what: OfClinical, now: datetime) -> Step:
    """What a fact of referral comes to; nothing in a case that is over, or of another referral than the present one."""
    if isinstance(case.stage, Over):
        return Step(case)
    match what:
        case ConsentAsked(referral=referral):
            return Step(_question(case, referral, now))
        case NoClinicalPath(why=why, kinds=kinds):
            return _informed(replace(case, no_path=why), kinds)
        case ResourcesGiven(kinds=kinds):
            return _informed(case, kinds)
        case _:
            return _of_referral(case, what, now)


def _question(case: Case, referral: UUID, now: datetime) -> Case:
    """The same referral asks again when its consent has run out. Whoever has asked for a clinician is not asked again.

    Referral takes that request up in place of a question that has crossed with it. Nor is anybody asked who has said
    no to this very referral: the question has crossed with the no, and nothing brings the referral back.
    """
    clinical = case.clinical
    another = isinstance(clinical, Running) and clinical.referral != referral
    over = isinstance(clinical, Ended) and clinical.referral == referral
    return case if another or over else replace(case, clinical=Asking(referral, now))


def _informed(case: Case, kinds: tuple[str, ...]) -> Step:
    given = tuple(dict.fromkeys((*case.given, *kinds)))
    return Step(replace(case, given=given), acts=("information_given",))


def _of_referral(case: Case, what: OfReferral, now: datetime) -> Step:
    clinical = case.clinical
    if not isinstance(clinical, Running) or clinical.referral != what.referral:
        return Step(case)
    match what:
        case ReferralRequested(due=due):
            return Step(replace(case, clinical=Requested(what.referral, due)))
        case ReferralRejected(clinician=clinician):
            return Step(_left(case, clinical, clinician, now))
        case ReferralAccepted(clinician=clinician, due=due):
            return _shown(case, Accepted(what.referral, clinician, due, _was_shown(clinical, clinician)), now)
        case ReferralOnHold(clinician=clinician, until=until):
            held = OnHold(what.referral, clinician, until, _was_shown(clinical, clinician))
            return Step(replace(case, clinical=held))
        case ReferralInProgress(clinician=clinician):
            going = InProgress(what.referral, clinician, _was_shown(clinical, clinician))
            return Step(replace(case, clinical=going, served=True))
        case ReferralCompleted():
            return clinical_over(case, clinical, "completed", now)
        case _:
            # The requester's own no has ended it here already: this end is the program's, or that of the time.
            return clinical_over(case, clinical, "lapsed" if isinstance(clinical, Asking) else "failed", now)


def _was_shown(clinical: Running, clinician: PersonId) -> bool:
    return isinstance(clinical, With) and clinical.clinician == clinician and clinical.shown


def _left(case: Case, clinical: Running, clinician: PersonId, now: datetime) -> Case:
    """Whoever had it cannot go on, and the next one is asked; a no of somebody who was asked changes nothing here."""
    if not isinstance(clinical, With) or clinical.clinician != clinician:
        return case
    due = now + within(case.ask.policy.referral_within_s)
    return replace(case, clinical=Requested(clinical.referral, due))


def _shown(case: Case, clinical: Accepted, now: datetime) -> Step:
    fact = None if clinical.shown else showing.to_clinician(case, clinical, now)
    after = replace(case, clinical=replace(clinical, shown=clinical.shown or fact is not None))
    return Step(after, (fact,), acts=("contact_released",)) if fact else Step(after)


def shown_again(case: Case, referral: UUID, now: datetime) -> Step:
    """The clinician who has it may see again how to reach the requester, by a new consent."""
    clinical = case.clinical
    if not isinstance(clinical, With) or clinical.referral != referral:
        return Step(case)
    fact = showing.to_clinician(case, clinical, now)
    after = replace(case, clinical=replace(clinical, shown=fact is not None))
    return Step(after, (fact,), acts=("contact_released",)) if fact else Step(after)
