"""What a requester is told of the case: which sentences hold now, and what can be done. Pure; the words are data.

Nothing is said before it is true: a page counts as sent when the mail server has taken it, a contact when somebody
has reported it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal, assert_never

from services.intake.domain import clinical as clinical_side
from services.intake.domain.case import (
    Accepted,
    Asked,
    Case,
    Choosing,
    Closed,
    Closing,
    InContact,
    NoPeer,
    Over,
    Released,
    Searching,
    Stage,
    Unserved,
    Withdrawn,
    may_choose,
)

Action = Literal[
    "choose",
    "wait",
    "release",
    "another-peer",
    "consent",
    "refuse-consent",
    "peer",
    "clinician",
    "emergency",
    "reach",
    "close",
    "withdraw",
]


def read_at(case: Case, now: datetime) -> Case:
    """The case as it is to be told now: by a consent that has run out a clinician is shown nothing any more."""
    clinical = case.clinical
    if not isinstance(clinical, clinical_side.With) or not clinical.shown:
        return case
    if clinical_side.live_consent(case.consents, clinical.referral, now) is not None:
        return case
    return replace(case, clinical=replace(clinical, shown=False))


def sentences(case: Case) -> tuple[str, ...]:
    """The names of the sentences that hold now, most pressing first."""
    if isinstance(case.stage, Over):
        return (_of_over(case.stage),)
    clinical = _of_clinical(case)
    # A request for a clinician alone says nothing of peers, unless nobody is at work on it.
    stage = () if isinstance(case.stage, NoPeer) and not case.stage.rest else (_of_stage(case, case.stage),)
    return (*_of_alarm(case), *stage, *clinical, *_of_information(case)) or ("no_peer",)


def _of_stage(case: Case, stage: Stage) -> str:
    match stage:
        case Searching():
            return _of_search(case, stage)
        case Choosing() as choosing:
            return _of_choice(case, reminded=choosing.reminded and not choosing.counted)
        case Asked():
            return "asked"
        case Accepted(reminded=reminded, counted=counted):
            return "accepted_reminded" if reminded and not counted else "accepted"
        case Released(overdue=True):
            return "overdue_choose" if may_choose(case) else "overdue"
        case Released():
            return "released" if case.reach is not None else "released_you_call"
        case InContact():
            return "in_contact"
        case Unserved(told=told):
            return "unserved" if told else "unserved_untold"
        case NoPeer():
            return "no_peer_rest"
        case Closing() | Withdrawn() | Closed():
            return _of_over(stage)
        case never:
            assert_never(never)


def _of_search(case: Case, stage: Searching) -> str:
    if stage.waits:
        return "waiting_for"
    return "searching_again" if case.ended else "searching"


def _of_choice(case: Case, *, reminded: bool) -> str:
    if not case.shortlist:
        return "choosing_nobody"
    return "choosing_reminded" if reminded else "choosing"


def _of_over(stage: Over) -> str:
    if isinstance(stage, Closing):
        return "closing"
    # What is withdrawn is gone at once, unless it is held.
    return "over_held" if isinstance(stage, Withdrawn) else "over"


def _of_alarm(case: Case) -> tuple[str, ...]:
    alarm = case.alarm
    if alarm is None:
        return ()
    if alarm.contact:
        return ("emergency_contact",)
    if alarm.ended == "nobody":
        return ("emergency_nobody",)
    if alarm.takers and alarm.late:
        return ("emergency_late",)
    if alarm.takers:
        return ("emergency_acknowledged" if case.reach is not None else "emergency_acknowledged_no_reach",)
    if alarm.accepted:
        return ("emergency_paged",)
    if alarm.failed and alarm.failed >= alarm.planned > 0:
        return ("emergency_nobody",)
    return ("emergency_taken",)


def _of_clinical(case: Case) -> tuple[str, ...]:
    match case.clinical:
        case None:
            return ()
        case clinical_side.Asking():
            return ("clinical_asking",)
        case clinical_side.Requested():
            return ("clinical_requested",)
        case clinical_side.Accepted(shown=True, late=late):
            if case.reach is None:
                return ("clinical_accepted_you_call",)
            return ("clinical_accepted_late" if late else "clinical_accepted",)
        case clinical_side.Accepted():
            return ("clinical_consent_over",)
        case clinical_side.OnHold(shown=shown):
            return ("clinical_on_hold",) if shown else ("clinical_on_hold", "clinical_not_shown")
        case clinical_side.InProgress(shown=shown):
            return ("clinical_in_progress",) if shown else ("clinical_in_progress", "clinical_not_shown")
        case clinical_side.Ended(how=how):
            return (f"clinical_{how}",)
        case never:
            assert_never(never)


def _of_information(case: Case) -> tuple[str, ...]:
    why = (f"no_path_{case.no_path}",) if case.no_path is not None else ()
    return (*why, "information_given") if case.given else why


def possible(case: Case) -> tuple[Action, ...]:
    """What the requester can do now."""
    if isinstance(case.stage, Over):
        return ("withdraw",)
    if case.ask.practice:
        return (*_with_peers(case), "reach", "close", "withdraw")
    return (*_with_peers(case), *_with_clinician(case), "emergency", "reach", "close", "withdraw")


def _with_peers(case: Case) -> tuple[Action, ...]:
    match case.stage:
        case Choosing():
            return ("choose", "wait")
        case Accepted():
            return ("release", "another-peer")
        case Released() | InContact():
            return ("another-peer", "choose") if may_choose(case) else ("another-peer",)
        case NoPeer():
            return ("peer",)
        case _:
            return ("choose",) if may_choose(case) else ()


def _with_clinician(case: Case) -> tuple[Action, ...]:
    match case.clinical:
        case clinical_side.Asking():
            return ("consent", "refuse-consent")
        case clinical_side.Requested():
            return ("refuse-consent",)
        case (
            clinical_side.Accepted(shown=shown)
            | clinical_side.OnHold(shown=shown)
            | clinical_side.InProgress(shown=shown)
        ):
            return ("refuse-consent",) if shown else ("consent", "refuse-consent")
        case None | clinical_side.Ended():
            ask = case.ask
            return ("clinician",) if ask.policy.capabilities.direct(ask.relation) else ()
        case never:
            assert_never(never)
