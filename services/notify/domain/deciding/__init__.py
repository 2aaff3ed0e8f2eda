"""What each fact, timer and answer makes of a case. Pure: one step at a time; one module per rule family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from services.notify.domain import intents
from services.notify.domain.case import Answer, CaseState, Step
from services.notify.domain.deciding import barring, consults, messages, offers, pages, referrals, replies, waiting
from services.notify.domain.deciding.planning import Planner
from services.notify.domain.waits import Thing
from shared.events.intake import (
    BarsChanged,
    CaseClosed,
    CaseWithdrawn,
    ChoiceOverdue,
    ContactReleased,
    ContactReleasedInCrisis,
    OutreachAsked,
)
from shared.events.referral import AnswerSettled

Stop = CaseWithdrawn | CaseClosed
Course = (
    offers.Heard
    | pages.Heard
    | consults.Heard
    | referrals.Heard
    | waiting.Heard
    | ChoiceOverdue
    | ContactReleased
    | ContactReleasedInCrisis
    | BarsChanged
    | OutreachAsked
    | AnswerSettled
)
Heard = Course | Stop
"""The facts of other services that mean something here; every other one is passed over unread."""

SETTLE_WITHIN = timedelta(minutes=5)
"""What matching or referral may take to say what came of a reply, before the waiting list shows it as overdue."""

What = Heard | Answer | intents.Start | intents.Ended


@dataclass(frozen=True)
class Decider:
    """Decides with one `now` and a source of ids."""

    now: datetime
    new_id: Callable[[], UUID]

    def decided(self, state: CaseState, what: What) -> Step:
        """What this input comes to. Of a withdrawn or closed case nothing is planned any more."""
        known = replace(state, fresh=False) if state.fresh else state
        step = self._decided(Planner(self.now, self.new_id), known, what)
        return replace(step, state=messages.addresses_forgotten(step.state))

    def _decided(self, plan: Planner, state: CaseState, what: What) -> Step:
        if state.ending == "closed":
            return Step(state, ending="closed")
        match what:
            case intents.Start():
                return messages.start(plan, state, what)
            case intents.Ended():
                return messages.end(plan, state, what)
            case Answer():
                return replies.answered(plan, state, what)
            case CaseWithdrawn():
                return Step(waiting.withdrawn(_over(plan, state)), ending="withdrawn")
            case CaseClosed():
                return Step(replace(state, ending="closed"), ending="closed")
            case _ if state.ending is not None:
                return Step(state)
            case _:
                step = _heard(plan, state, what)
                return replace(step, state=waiting.after(step.state, what))


def _heard(plan: Planner, state: CaseState, fact: Course) -> Step:
    if isinstance(fact, pages.Heard):
        return pages.heard(plan, state, fact)
    if isinstance(fact, consults.Heard):
        return consults.heard(plan, state, fact)
    if isinstance(fact, referrals.Heard):
        return referrals.heard(plan, state, fact)
    if isinstance(fact, offers.Heard):
        return offers.heard(plan, state, fact)
    if isinstance(fact, waiting.Heard):
        return Step(state)
    match fact:
        case ChoiceOverdue():
            thing = Thing("choice", fact.assignment or state.case_id)
            return plan.count(state, thing, fact.recipients, until=fact.due)
        case ContactReleased() | ContactReleasedInCrisis():
            return _released(plan, state, fact)
        case BarsChanged():
            return barring.barred(plan, state, fact)
        case OutreachAsked():
            return messages.outreach(plan, state, fact)
        case AnswerSettled():
            return Step(state.with_outcome(fact.reply, fact.outcome))
        case _:
            assert_never(fact)


def _released(plan: Planner, state: CaseState, fact: ContactReleased | ContactReleasedInCrisis) -> Step:
    if isinstance(fact, ContactReleasedInCrisis):
        return pages.released(plan, state, fact)
    if fact.consent is not None or fact.assignment in state.referrals:
        return referrals.released(plan, state, fact)
    return offers.released(plan, state, fact)


def _over(plan: Planner, state: CaseState) -> CaseState:
    after = plan.told_over(state, [m for m in state.matters.values() if m.stands(plan.now)])
    ended = {key: replace(one, state="ended") if one.live else one for key, one in after.matters.items()}
    # Nobody will say any more what came of these: their pages must not wait for it.
    known = {key: replace(reply, outcome=reply.outcome or "ended") for key, reply in after.replies.items()}
    return replace(after, matters=ended, replies=known, ending="withdrawn").cancelling(set(after.intents))
