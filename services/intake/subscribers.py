"""Bus in: which facts concern a case as its requester sees it, and who of a directory is verified."""

from __future__ import annotations

from collections.abc import Sequence

from services.intake.actions import cases
from services.intake.store import directory
from services.intake.store.directory import Heard
from shared.casework import Input
from shared.db import Transaction
from shared.delivery import Received
from shared.events import Fact
from shared.events.matching import (
    AssignmentEnded,
    ContactConfirmed,
    ContactOverdue,
    NobodyFound,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    OfferRescinded,
    PeerAssigned,
    SearchStarted,
    ShortlistReady,
)
from shared.events.notify import ContactStopped, ContactVerified, DangerReported, PageSettled
from shared.events.referral import (
    ConsentAsked,
    HumanContactConfirmed,
    LadderAcknowledged,
    LadderEnded,
    NoClinicalPath,
    ReferralAccepted,
    ReferralCancelled,
    ReferralCompleted,
    ReferralFailed,
    ReferralInProgress,
    ReferralOnHold,
    ReferralRejected,
    ReferralRequested,
    ResourcesGiven,
    RungPaged,
)
from shared.types import PersonId

ORDINARY: tuple[type[Fact], ...] = (
    SearchStarted,
    ShortlistReady,
    OfferMade,
    OfferDeclined,
    OfferExpired,
    OfferRescinded,
    PeerAssigned,
    ContactOverdue,
    ContactConfirmed,
    AssignmentEnded,
    NobodyFound,
    ConsentAsked,
    NoClinicalPath,
    ResourcesGiven,
    ReferralRequested,
    ReferralAccepted,
    ReferralRejected,
    ReferralOnHold,
    ReferralInProgress,
    ReferralCompleted,
    ReferralFailed,
    ReferralCancelled,
)
CRISIS: tuple[type[Fact], ...] = (
    RungPaged,
    PageSettled,
    LadderAcknowledged,
    HumanContactConfirmed,
    LadderEnded,
    DangerReported,
)


async def ordinary(tx: Transaction, received: Sequence[Received]) -> None:
    """How the search goes (`peerline.matching`) and the clinical side (`peerline.referral`).

    And who can be told things (`peerline.notify`).
    """
    await directory.hear(tx, _verified(received))
    await cases.take(tx, _inputs(received, ORDINARY))


async def crisis(tx: Transaction, received: Sequence[Received]) -> None:
    """`peerline.referral.crisis`, `peerline.notify.crisis`: danger, and what really happened of an emergency's pages.

    The region has to be in view: its duty coordinators are paged as well.
    """
    await cases.take(tx, _inputs(received, CRISIS))


def _inputs(received: Sequence[Received], concerned: tuple[type[Fact], ...]) -> list[Input]:
    return [
        Input(one.envelope.agency_id, one.case_id, one.fact, one.envelope.event_id)
        for one in received
        if isinstance(one.fact, concerned)
    ]


def _verified(received: Sequence[Received]) -> list[Heard]:
    return [
        Heard(
            one.envelope.agency_id,
            PersonId(one.envelope.subject),
            one.fact.revision,
            verified=isinstance(one.fact, ContactVerified),
        )
        for one in received
        if isinstance(one.fact, ContactVerified | ContactStopped)
    ]
