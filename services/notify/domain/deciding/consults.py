"""Consults: an adviser is asked and answers; the peer who asked is told. Nothing here knows the requester."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.notify.domain import intents
from services.notify.domain.case import CaseState, Step
from services.notify.domain.deciding.planning import Planner, ended_seats
from services.notify.domain.matters import Matter
from services.notify.domain.things import Consult, seat_of
from shared.events.referral import ConsultAnswered, ConsultExpired, ConsultOpened, ConsultReassigned, ConsultReminded
from shared.types import PersonId

Heard = ConsultOpened | ConsultReminded | ConsultReassigned | ConsultAnswered | ConsultExpired


def heard(plan: Planner, state: CaseState, fact: Heard) -> Step:
    """What referral says of a consult."""
    known = state.consults.get(fact.consult) or Consult(fact.consult)
    if not known.waits:
        return Step(state)
    match fact:
        case ConsultOpened():
            return _opened(plan, state, known, fact)
        case ConsultReminded():
            return _mail(plan, state, fact.consult, fact.adviser, plan.now + intents.NEWS_WITHIN)
        case ConsultReassigned():
            # Whoever is not waited for any more may still answer, as long as nobody else has.
            return Step(state)
        case ConsultAnswered():
            after = replace(known, state="answered", answer=fact.sealed)
            return _settled(plan, state, fact, after)
        case ConsultExpired():
            return _settled(plan, state, fact, replace(known, state="expired"))
        case _:
            assert_never(fact)


def _opened(plan: Planner, state: CaseState, known: Consult, fact: ConsultOpened) -> Step:
    consult = replace(
        known,
        kind=fact.kind,
        state="open",
        topics=fact.topics,
        assignment=known.assignment or fact.assignment or state.clinician_wanted_in,
        question=fact.sealed,
    )
    after = state.with_consult(consult)
    live, next_id = seat_of(state.matters.values(), fact.consult, fact.adviser)
    if live is None and fact.adviser not in state.barred:
        after = after.with_matter(Matter(next_id, fact.adviser, "consult", part_of=fact.consult))
    return _mail(plan, after, fact.consult, fact.adviser, fact.due)


def _mail(plan: Planner, state: CaseState, consult: UUID, adviser: PersonId, until: datetime) -> Step:
    """Ask the adviser, or ask again; whoever has said that they cannot is left alone."""
    live, _ = seat_of(state.matters.values(), consult, adviser)
    if live is None or any(reply.subject == live.matter_id for reply in state.replies.values()):
        return Step(state)
    return plan.plan(state, "consult", [(adviser, live.matter_id)], expires=until)


def _settled(plan: Planner, state: CaseState, fact: ConsultAnswered | ConsultExpired, consult: Consult) -> Step:
    """Nobody is asked any more. The question is forgotten; the peer who asked it is told that there is news."""
    known = replace(consult, assignment=fact.assignment, asked_by=fact.asked_by, question=None)
    after = ended_seats(state.with_consult(known), fact.consult, "covered")
    asked_in = after.matters.get(fact.assignment)
    if asked_in is None or asked_in.state != "open" or asked_in.person != fact.asked_by:
        return Step(after)
    expires = plan.now + intents.NEWS_WITHIN
    return plan.plan(after, "answer", [(fact.asked_by, fact.assignment)], expires=expires)


def asker_gone(plan: Planner, state: CaseState, assignment: UUID) -> CaseState:
    """The support in which advice was wanted is over: nobody needs the answer any more, and none is kept."""
    after = state
    for consult in state.consults.values():
        if consult.answer is not None and consult.assignment == assignment:
            after = after.with_consult(replace(consult, answer=None))
        if consult.waits and consult.assignment in {None, assignment}:
            seats = [seat for seat in state.seats(consult.consult_id) if seat.live]
            over = replace(consult, state="ended", question=None)
            after = ended_seats(plan.told_over(after.with_consult(over), seats), consult.consult_id)
    return after
