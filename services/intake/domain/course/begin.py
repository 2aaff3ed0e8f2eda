"""How a case begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.intake.domain.acts import Alarmed
from services.intake.domain.case import Alarm, Case, NoPeer, Searching
from services.intake.domain.clinical import CONSENT_LASTS, KEPT_CONSENTS, Consent, Requested
from services.intake.domain.course.ends import REVIEW_AFTER, within
from shared.events.envelope import Fact
from shared.events.intake import Ask, CrisisRaised, DirectAsked, RequestSubmitted
from shared.types import PersonId, Urgency


@dataclass(frozen=True)
class Direct:
    """The ids of a request for the clinician: the referral, and the consent that the request itself is."""

    referral: UUID
    consent: UUID


@dataclass(frozen=True)
class Begun:
    """How a case begins, and the facts that say so, the first one first."""

    case: Case
    facts: tuple[Fact, ...]
    act: str
    timer: Alarmed | None = None


def begun(
    ask: Ask,
    now: datetime,
    *,
    jurisdiction: str,
    rungs: tuple[tuple[PersonId, ...], ...] = (),
    direct: Direct | None = None,
) -> Begun:
    """A case begins. `rungs` are only of an emergency, and hold nobody who is barred; it goes before `direct`."""
    due = now + within(ask.policy.answer_within_s)
    if ask.urgency is Urgency.EMERGENCY:
        fact = CrisisRaised(ask=ask, jurisdiction=jurisdiction, rungs=rungs)
        return Begun(Case(ask, Searching(due), alarm=Alarm()), (fact,), "crisis_raised")
    if direct is not None:
        review = now + REVIEW_AFTER
        alone = Case(ask, NoPeer(review))
        timer = Alarmed("review", alone.turn, review)
        return Begun(asked_directly(alone, direct, now), (direct_fact(ask, direct, now),), "direct_asked", timer)
    return Begun(Case(ask, Searching(due)), (RequestSubmitted(ask=ask),), "request_submitted")


def asked_directly(case: Case, direct: Direct, now: datetime) -> Case:
    """The case with a clinician asked for; the request is its own consent."""
    requested = Requested(direct.referral, now + within(case.ask.policy.referral_within_s))
    return consenting(case, Consent(direct.consent, direct.referral, now, now + CONSENT_LASTS), requested)


def consenting(case: Case, consent: Consent, clinical: Requested) -> Case:
    """The case with a consent more, by which a clinician is asked."""
    return replace(case, clinical=clinical, consents=(*case.consents, consent)[-KEPT_CONSENTS:])


def direct_fact(ask: Ask, direct: Direct, now: datetime) -> DirectAsked:
    """What referral hears of it; nobody else is told."""
    return DirectAsked(referral=direct.referral, consent=direct.consent, expires=now + CONSENT_LASTS, ask=ask)
