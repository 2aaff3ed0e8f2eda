"""Messages on their way: an attempt begins, an attempt ends, and what others are told of it. Also the one outreach."""

from __future__ import annotations

from dataclasses import replace

from services.notify.domain import intents
from services.notify.domain.case import CaseState, Step
from services.notify.domain.deciding.planning import Planner
from services.notify.domain.intents import Intent, Settled
from services.notify.domain.matters import Matter
from shared.events.envelope import Fact
from shared.events.intake import OutreachAsked
from shared.events.notify import IntentSettled, PageSettled
from shared.types import PersonId


def start(plan: Planner, state: CaseState, begun: intents.Start) -> Step:
    """The timer of an intent has fired."""
    intent = state.intents.get(begun.intent_id)
    if intent is None:
        return Step(state)
    wanted = _still_wanted(state, intent)
    if not wanted and intent.state == "planned":
        return Step(state.cancelling({intent.intent_id}))
    after, settled = intents.started(intent, begun if wanted else replace(begun, contact=None), plan.now)
    return _settled(state, after, settled)


def end(plan: Planner, state: CaseState, ended: intents.Ended) -> Step:
    """An attempt has come to an end."""
    intent = state.intents.get(ended.intent_id)
    if intent is None:
        return Step(state)
    after, settled = intents.ended(intent, ended, plan.now)
    if after.state == "planned" and after is not intent and not _still_wanted(state, after):
        return Step(state.with_intent(after).cancelling({after.intent_id}))
    return _settled(state, after, settled)


def outreach(plan: Planner, state: CaseState, fact: OutreachAsked) -> Step:
    """One neutral message to somebody who is no person of the directory, and never a second one."""
    if fact.outreach in state.matters:
        return Step(state)
    expires = plan.now + intents.OUTREACH_WITHIN
    nobody = PersonId(fact.outreach)
    matter = Matter(
        fact.outreach,
        nobody,
        "outreach",
        expires_at=expires,
        sealed=fact.sealed,
        slug=fact.slug,
        language=fact.language,
    )
    return plan.plan(state.with_matter(matter), "outreach", [(nobody, fact.outreach)], expires=expires)


def addresses_forgotten(state: CaseState) -> CaseState:
    """The address of an outreach is kept no longer than until its message has gone out, or never will."""
    open_ones = {intent.subject for intent in state.intents.values() if intent.is_open}
    spent = {
        key: replace(matter, sealed=None)
        for key, matter in state.matters.items()
        if matter.kind == "outreach" and matter.sealed is not None and key not in open_ones
    }
    return replace(state, matters={**state.matters, **spent}) if spent else state


def _still_wanted(state: CaseState, intent: Intent) -> bool:
    """What it is about may have ended while an attempt was under way: then it is not tried again."""
    if intent.template == "count" and state.waits_for(intent.person) is False:
        return False
    matter = state.matters.get(intent.subject)
    return state.ending is None and (matter is None or matter.live)


def _settled(state: CaseState, intent: Intent, settled: Settled | None) -> Step:
    after = state.with_intent(intent)
    if settled is None or state.ending is not None:
        return Step(after)
    return Step(after, facts=(_settlement(state, settled),))


def _settlement(state: CaseState, settled: Settled) -> Fact:
    intent = settled.intent
    if intent.state not in {"accepted", "failed", "unknown", "expired"}:
        raise ValueError(intent.state)
    matter = state.matters.get(intent.subject)
    if intent.template == "page" and matter is not None and matter.ladder is not None:
        return PageSettled(
            page=matter.matter_id, ladder=matter.ladder, person=intent.person, outcome=intent.state, code=settled.code
        )
    return IntentSettled(
        intent=intent.intent_id,
        # Of a consult or a referral others know the whole, not the part that one person has in it.
        subject=matter.part_of if matter is not None and matter.part_of is not None else intent.subject,
        person=intent.person,
        channel="mail",
        outcome=intent.state,
        code=settled.code,
    )
