"""People who come to be barred while a case is open: whatever they were asked is taken to somebody else.

Nobody learns of it: to whoever was asked it is over, as it would be when somebody else had taken it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from services.referral.domain import consults, ladder, referrals
from services.referral.domain.case import Case
from services.referral.domain.effects import Step
from services.referral.domain.referrals import Referral
from services.referral.domain.world import World
from shared.events.intake import Ask
from shared.events.referral import ReferralRejected
from shared.types import PersonId


def barred(case: Case, bars: Collection[PersonId], world: World) -> Step[Case]:
    """These must not be asked or told. What one of them holds is passed on at once: page, referral and consult."""
    if case.ask is None:
        # Kept until the ask comes, which may be on its way on the other lane.
        return Step(case if case.barred.issuperset(bars) else replace(case, barred=case.barred | set(bars)))
    new = frozenset(bars).difference(case.ask.bars)
    if not new:
        return Step(case)
    ask = case.ask.model_copy(update={"bars": tuple(sorted({*case.ask.bars, *new}))})
    step = Step(replace(case, ask=ask), acts=("bars changed",))
    if case.ended:
        return step
    climbed = ladder.barred(case.ladder, new, world)
    step = step.then(climbed.of(step.state.with_ladder(climbed.state)))
    if case.referral and case.referral.open:
        passed = _referral(case.referral, new, ask, world)
        step = step.then(passed.of(step.state.with_referral(passed.state)))
    for consult in case.consults:
        asked = consults.barred(consult, ask, world.without(case.former))
        step = step.then(asked.of(step.state.with_consult(asked.state)))
    return step


def _referral(referral: Referral, new: frozenset[PersonId], ask: Ask, world: World) -> Step[Referral]:
    """Also whoever was asked before and may still accept; and treatment that has begun goes on with somebody else."""
    step = Step(referral)
    for one in referral.asked:
        if one.person in new and one.person != referral.clinician and one.said != "rejected":
            no = ReferralRejected(referral=referral.referral_id, clinician=one.person)
            step = step.then(Step(step.state.said(one.person, "rejected"), (no,)))
    if referral.clinician in new:
        step = step.then(referrals.passed_on(step.state, ask, world))
    return step
