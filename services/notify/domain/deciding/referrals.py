"""Referrals: clinicians are asked, one accepts, and sees how to reach the requester while the consent stands.

Facts of referral and of intake travel on different topics: what a withdrawn consent has ended nothing brings back.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from services.notify.domain import intents
from services.notify.domain.case import CaseState, Step
from services.notify.domain.deciding.planning import Planner, ended_seats, moved
from services.notify.domain.matters import Matter
from services.notify.domain.things import Referral, seat_of
from services.notify.domain.waits import Thing
from shared.events.intake import ConsentWithdrawn, ContactReleased, DirectAsked
from shared.events.referral import (
    ConsentAsked,
    ConsentReminded,
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
    ReferralUnanswered,
)

CONSENT_LASTS = timedelta(days=30)
"""The longest that a consent counts from the moment in which it was given."""

Ending = ReferralCompleted | ReferralFailed | ReferralCancelled | ConsentWithdrawn
Moving = (
    DirectAsked
    | ConsentAsked
    | ReferralAccepted
    | ReferralRejected
    | ReferralUnanswered
    | ReferralOnHold
    | HandoffConfirmed
    | ReferralInProgress
)
Heard = Moving | ConsentReminded | ReferralRequested | HandoffOverdue | Ending


def heard(plan: Planner, state: CaseState, fact: Heard) -> Step:
    """What referral says of a referral, and intake of the consent to it."""
    known = state.referrals.get(fact.referral) or Referral(fact.referral, "requested")
    if known.over:
        return Step(state)
    match fact:
        case ConsentReminded():
            return _reminded(plan, state, fact)
        case ReferralRequested():
            return _requested(plan, state, known, fact)
        case HandoffOverdue():
            return plan.count(state, Thing("handoff", fact.referral), fact.recipients)
        case ReferralCompleted() | ReferralFailed() | ReferralCancelled() | ConsentWithdrawn():
            return _over(plan, state, known, fact)
        case _:
            return Step(_moved_on(plan, state, known, fact))


def _moved_on(plan: Planner, state: CaseState, known: Referral, fact: Moving) -> CaseState:
    """What nobody is told of by a message."""
    match fact:
        case DirectAsked():
            return state.with_referral(replace(known, direct=True))
        case ConsentAsked():
            return _consent_asked(plan, state, known, fact)
        case ReferralAccepted():
            return _accepted(state, known, fact)
        case ReferralRejected():
            return _rejected(state, known, fact)
        case ReferralUnanswered():
            # Whoever was silent may still accept, until somebody else has.
            return state
        case ReferralOnHold():
            return state.with_referral(replace(known, state="on_hold", clinician=fact.clinician))
        case ReferralInProgress():
            return state.with_referral(replace(known, state="in_progress", clinician=fact.clinician))
        case HandoffConfirmed():
            return state.with_referral(replace(known, confirmed=known.confirmed | {fact.side}))
        case _:
            assert_never(fact)


def _consent_asked(plan: Planner, state: CaseState, known: Referral, fact: ConsentAsked) -> CaseState:
    """Asked for the first time; or anew, because an earlier consent has run out, and with it what it allowed."""
    known = replace(known, assignment=known.assignment or fact.assignment or state.clinician_wanted_in)
    seats = [seat for seat in state.seats(known.referral_id) if seat.live]
    after = plan.told_over(state.with_referral(replace(known, state="consent_asked", clinician=None)), seats)
    return ended_seats(after, known.referral_id)


def _reminded(plan: Planner, state: CaseState, fact: ConsentReminded) -> Step:
    asked_in = state.matters.get(fact.assignment)
    if asked_in is None or asked_in.state != "open" or asked_in.person != fact.person:
        return Step(state)
    expires = plan.now + intents.NEWS_WITHIN
    return plan.plan(state, "reminder", [(fact.person, fact.assignment)], expires=expires)


def _requested(plan: Planner, state: CaseState, known: Referral, fact: ReferralRequested) -> Step:
    live, next_id = seat_of(state.matters.values(), fact.referral, fact.clinician)
    if live is not None and live.state == "accepted":
        # The release came on its own topic and was heard first.
        return Step(state.with_referral(replace(known, direct=fact.direct)))
    now = replace(known, state="requested", clinician=fact.clinician, direct=fact.direct, confirmed=frozenset())
    after = state.with_referral(now)
    if fact.clinician in state.barred:
        # Referral had not heard of it, and asks the next one in a moment.
        return Step(after)
    if live is None:
        live = Matter(
            next_id,
            fact.clinician,
            "referral",
            urgency=fact.urgency,
            part_of=fact.referral,
            language=fact.language,
        )
        after = after.with_matter(live)
    return plan.plan(after, "referral", [(fact.clinician, live.matter_id)], expires=fact.due)


def _accepted(state: CaseState, known: Referral, fact: ReferralAccepted) -> CaseState:
    after = state.with_referral(replace(known, state="accepted", clinician=fact.clinician))
    for seat in state.seats(fact.referral):
        if seat.person == fact.clinician and seat.live:
            after = after.with_matter(replace(seat, state="accepted"))
        elif seat.live:
            after = moved(after, seat.matter_id, "covered")
    return after


def _rejected(state: CaseState, known: Referral, fact: ReferralRejected) -> CaseState:
    live, _ = seat_of(state.matters.values(), fact.referral, fact.clinician)
    after = state.with_referral(replace(known, clinician=None) if known.clinician == fact.clinician else known)
    if live is None:
        return after
    return moved(after.with_matter(replace(live, sealed=None)), live.matter_id, "declined")


def _over(plan: Planner, state: CaseState, known: Referral, fact: Ending) -> Step:
    """What the clinician could read is forgotten; who did not end it is told in one neutral line."""
    seats = [seat for seat in state.seats(fact.referral) if seat.live]
    match fact:
        case ReferralCompleted():
            now, told = replace(known, state="completed", clinician=fact.clinician), []
        case ReferralFailed():
            now, told = replace(known, state="failed", clinician=None), seats
        case ReferralCancelled() | ConsentWithdrawn():
            now, told = replace(known, state="cancelled", clinician=None), seats
        case _:
            assert_never(fact)
    after = ended_seats(plan.told_over(state.with_referral(now), told), fact.referral)
    if not isinstance(fact, ReferralFailed):
        return Step(after)
    return plan.count(after, Thing("referral_failed", fact.referral), fact.recipients)


def released(plan: Planner, state: CaseState, fact: ContactReleased) -> Step:
    """The clinician who has accepted may see how to reach the requester as long as the consent lives."""
    known = state.referrals.get(fact.assignment) or Referral(fact.assignment, "accepted", fact.recipient)
    live, next_id = seat_of(state.matters.values(), fact.assignment, fact.recipient)
    gave_up = live is None and any(seat.person == fact.recipient for seat in state.seats(fact.assignment))
    if known.over or gave_up or fact.recipient in state.barred:
        return Step(state)
    seat = live or Matter(next_id, fact.recipient, "referral", part_of=fact.assignment)
    if known.state in {"consent_asked", "requested"}:
        known = replace(known, state="accepted", clinician=fact.recipient)
    # Whoever releases without saying until when is of before that was said: no consent lasts longer than this.
    until = fact.expires or plan.now + CONSENT_LASTS
    now = replace(seat, state="accepted", sealed=fact.sealed, released=True, released_until=until, about=fact.about)
    after = state.with_referral(known).with_matter(now)
    if seat.shows(plan.now) or not now.shows(plan.now):
        return Step(after)
    expires = plan.now + intents.DETAILS_WITHIN
    return plan.plan(after, "released", [(fact.recipient, seat.matter_id)], expires=expires)
