"""Who is shown how to reach the requester. Every `ContactReleased` is made here, and every one of an emergency.

A clinician sees it by a live consent alone (I13); a peer after the requester's OK where that was asked for; whoever
takes an emergency's page at once, since they must be able to call.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from services.intake.domain.case import Accepted, Case, Support, Taker, support_of
from services.intake.domain.clinical import With, live_consent, path_of
from shared.events.intake import Adviser, ContactReleased, ContactReleasedInCrisis


def to_peer(case: Case, support: Support) -> ContactReleased:
    """To the peer who supports, with what the program offers to peers by the capabilities stamped on the case.

    Of a requester who wants nobody of their own agency none of its coordinators and peers is asked for advice.
    """
    capabilities, own = case.ask.policy.capabilities, case.ask.wishes.own_agency
    may: Mapping[Adviser, bool] = {"clinician": capabilities.consult, "coordinator": own, "peer": own}
    return ContactReleased(
        assignment=support.assignment,
        recipient=support.person,
        sealed=case.reach,
        advisers=tuple(role for role, asked in may.items() if asked),
        clinical=path_of(capabilities),
        about=case.ask.about,
    )


def to_taker(case: Case, taker: Taker) -> ContactReleasedInCrisis:
    """To whoever took an emergency's page, on the lane of emergencies."""
    return ContactReleasedInCrisis(ladder=taker.ladder, recipient=taker.person, sealed=case.reach, about=case.ask.about)


def to_clinician(case: Case, clinical: With, now: datetime) -> ContactReleased | None:
    """To the clinician of a referral; None without a consent that is live now, or for one who is barred meanwhile."""
    consent = live_consent(case.consents, clinical.referral, now)
    if consent is None or clinical.clinician in case.ask.bars:
        return None
    return ContactReleased(
        assignment=clinical.referral,
        recipient=clinical.clinician,
        sealed=case.reach,
        about=case.ask.about,
        consent=consent.consent,
        expires=consent.expires,
    )


def to_all(case: Case, now: datetime) -> tuple[ContactReleased | ContactReleasedInCrisis, ...]:
    """To everybody who was shown an older way, or that there was none."""
    support, alarm, clinical = support_of(case), case.alarm, case.clinical
    shown: list[ContactReleased | ContactReleasedInCrisis | None] = []
    if support is not None and not isinstance(case.stage, Accepted):
        shown.append(to_peer(case, support))
    if alarm is not None:
        shown += [to_taker(case, one) for one in alarm.takers if one.person not in case.ask.bars]
    if isinstance(clinical, With) and clinical.shown:
        shown.append(to_clinician(case, clinical, now))
    return tuple(one for one in shown if one is not None)
