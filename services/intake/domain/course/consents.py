"""The requester's yes and no to a clinician, and the request that is a yes by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.intake.domain.acts import AskClinician, Step
from services.intake.domain.case import Case, NoPeer
from services.intake.domain.clinical import (
    CONSENT_LASTS,
    KEPT_CONSENTS,
    Asking,
    Consent,
    Ended,
    How,
    Requested,
    Running,
    live_consent,
)
from services.intake.domain.course.begin import Direct, asked_directly, direct_fact
from services.intake.domain.course.ends import clinical_over, within, without_peer
from services.intake.domain.course.referral import shown_again
from shared.errors import Refused
from shared.events.intake import ConsentGiven, ConsentWithdrawn


def given(case: Case, consent: UUID, now: datetime) -> Step:
    """Yes. Given again when the one before is too old, a clinician who has it is shown the requester again."""
    clinical = case.clinical
    if not isinstance(clinical, Running):
        raise Refused("no-consent-asked", 409)
    asked = isinstance(clinical, Asking)
    if not asked and live_consent(case.consents, clinical.referral, now) is not None:
        return Step(case)
    one = Consent(consent, clinical.referral, now, now + CONSENT_LASTS)
    fact = ConsentGiven(
        consent=consent, recipient=one.recipient, purpose=one.purpose, referral=one.referral, expires=one.expires
    )
    after = replace(case, consents=(*case.consents, one)[-KEPT_CONSENTS:])
    if asked:
        requested = Requested(one.referral, now + within(case.ask.policy.referral_within_s))
        return Step(replace(after, clinical=requested), (fact,), acts=("consent_given",))
    step = shown_again(after, one.referral, now)
    return replace(step, facts=(fact, *step.facts), acts=("consent_given", *step.acts))


def taken_back(case: Case, now: datetime) -> Step:
    """No, or not any more: nothing further is shown, and referral ends it."""
    clinical = case.clinical
    if isinstance(clinical, Ended):
        return Step(case)
    if clinical is None:
        raise Refused("no-consent-asked", 409)
    closed = tuple(
        replace(one, withdrawn=now) if one.referral == clinical.referral and one.withdrawn is None else one
        for one in case.consents
    )
    how: How = "refused" if isinstance(clinical, Asking) else "withdrawn"
    step = clinical_over(replace(case, consents=closed), clinical, how, now)
    fact = ConsentWithdrawn(recipient="clinician", referral=clinical.referral)
    return replace(step, facts=(fact, *step.facts), acts=("consent_withdrawn", *step.acts))


def direct(case: Case, act: AskClinician, now: datetime) -> Step:
    """A clinician without a peer in between. Somebody who has been asked for a consent has just given it."""
    if case.ask.practice:
        raise Refused("practice", 409)
    if isinstance(case.clinical, Asking):
        return given(case, act.consent, now)
    if isinstance(case.clinical, Running):
        return Step(case)
    program = (act.present, case.ask.policy.capabilities)
    if not all(capabilities.direct(case.ask.relation) for capabilities in program):
        raise Refused("no-clinician-in-program", 409, extra={"offer": "peer"})
    ids = Direct(act.referral, act.consent)
    asked = asked_directly(case, ids, now)
    step = without_peer(asked, now) if isinstance(asked.stage, NoPeer) else Step(asked)
    return replace(step, facts=(direct_fact(case.ask, ids, now),), acts=("direct_asked",))
