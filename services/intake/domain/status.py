"""What a requester is told of the case: which sentences hold now, and what can be done. Pure; the words are data.

Nothing is said before it is true: a page counts as sent when the mail server has taken it, a contact when somebody
has reported it.
"""

from __future__ import annotations

from typing import Literal, assert_never

from services.intake.domain.case import (
    Accepted,
    Asked,
    Case,
    Choosing,
    Closed,
    Closing,
    InContact,
    Over,
    Released,
    Searching,
    Stage,
    Unserved,
    Withdrawn,
    may_choose,
)

Action = Literal["choose", "wait", "release", "another-peer", "reach", "close", "withdraw"]


def sentences(case: Case) -> tuple[str, ...]:
    """The names of the sentences that hold now, most pressing first."""
    alarm = () if isinstance(case.stage, Over) else _of_alarm(case)
    return (*alarm, _of_stage(case, case.stage))


def _of_stage(case: Case, stage: Stage) -> str:
    match stage:
        case Searching():
            return "searching_again" if case.ended else "searching"
        case Choosing() as choosing:
            return _of_choice(case, reminded=choosing.reminded and not choosing.counted)
        case Asked():
            return "asked"
        case Accepted(reminded=reminded, counted=counted):
            return "accepted_reminded" if reminded and not counted else "accepted"
        case Released(overdue=True):
            return "overdue"
        case Released():
            return "released" if case.reach is not None else "released_you_call"
        case InContact():
            return "in_contact"
        case Unserved(told=told):
            return "unserved" if told else "unserved_untold"
        case Closing():
            return "closing"
        case Withdrawn() | Closed():
            # What is withdrawn is gone at once, unless it is held.
            return "over_held" if isinstance(stage, Withdrawn) else "over"
        case never:
            assert_never(never)


def _of_choice(case: Case, *, reminded: bool) -> str:
    if not case.shortlist:
        return "choosing_nobody"
    return "choosing_reminded" if reminded else "choosing"


def _of_alarm(case: Case) -> tuple[str, ...]:
    alarm = case.alarm
    if alarm is None:
        return ()
    if alarm.contact:
        return ("emergency_contact",)
    if alarm.acknowledged_by is not None:
        return ("emergency_acknowledged" if case.reach is not None else "emergency_acknowledged_no_reach",)
    if alarm.accepted:
        return ("emergency_paged",)
    if alarm.ended == "nobody" or (alarm.failed and alarm.failed >= alarm.planned > 0):
        return ("emergency_nobody",)
    return ("emergency_taken",)


def possible(case: Case) -> tuple[Action, ...]:
    """What the requester can do now."""
    if isinstance(case.stage, Over):
        return ("withdraw",)
    match case.stage:
        case Choosing():
            now: tuple[Action, ...] = ("choose", "wait")
        case Accepted():
            now = ("release", "another-peer")
        case Released() | InContact():
            now = ("another-peer",)
        case _:
            now = ("choose",) if may_choose(case) else ()
    return (*now, "reach", "close", "withdraw")
