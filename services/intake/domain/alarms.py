"""What referral and notify say of an emergency: pages sent, taken, and a human being reached. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from services.intake.domain.acts import Step
from services.intake.domain.case import Alarm, Case, Over
from shared.events.envelope import Fact
from shared.events.intake import ContactReleased
from shared.events.notify import PageSettled
from shared.events.referral import HumanContactConfirmed, LadderAcknowledged, LadderEnded, RungPaged

Said = RungPaged | PageSettled | LadderAcknowledged | HumanContactConfirmed | LadderEnded


def alarmed(case: Case, what: Said) -> Step:
    """A case after something was said of its emergency."""
    alarm = case.alarm or Alarm()
    facts: tuple[Fact, ...] = ()
    match what:
        case RungPaged(pages=pages):
            alarm = replace(alarm, planned=alarm.planned + len(pages))
        case PageSettled(outcome="accepted"):
            alarm = replace(alarm, accepted=alarm.accepted + 1)
        case PageSettled():
            alarm = replace(alarm, failed=alarm.failed + 1)
        case LadderAcknowledged(ladder=ladder, person=person):
            barred = person in case.ask.bars
            if alarm.acknowledged_by is None and not barred and not isinstance(case.stage, Over):
                # In an emergency everything is released at once: who takes the page must be able to call.
                facts = (ContactReleased(assignment=ladder, recipient=person, sealed=case.reach),)
            if alarm.acknowledged_by is None:
                alarm = replace(alarm, acknowledged_by=person, ladder=ladder)
        case HumanContactConfirmed():
            return Step(replace(case, alarm=replace(alarm, contact=True), served=True))
        case LadderEnded(how=how):
            alarm = replace(alarm, ended=how)
        case never:
            assert_never(never)
    return Step(replace(case, alarm=alarm), facts, acts=("contact_released",) if facts else ())
