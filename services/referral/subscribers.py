"""What referral hears: requests and their ends, peers, what helpers answer, and who people are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.referral import actions
from shared.casework import Input
from shared.db import Transaction
from shared.delivery import Received
from shared.events.intake import (
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ConsentGiven,
    ConsentWithdrawn,
    CrisisRaised,
    DirectAsked,
    RequestSubmitted,
)
from shared.events.matching import AssignmentEnded, PeerAssigned
from shared.events.notify import (
    ClinicianWanted,
    ConsultAsked,
    ConsultReplied,
    DangerReported,
    PageReplied,
    PageSettled,
    ReferralReplied,
    ResourcesOffered,
)
from shared.news import news_in

OF_A_CASE = (
    RequestSubmitted,
    DirectAsked,
    ConsentGiven,
    ConsentWithdrawn,
    CaseClosing,
    PeerAssigned,
    AssignmentEnded,
    ConsultAsked,
    ConsultReplied,
    ClinicianWanted,
    ResourcesOffered,
    ReferralReplied,
    CrisisRaised,
    CaseWithdrawn,
    CaseClosed,
    DangerReported,
    PageSettled,
    PageReplied,
)


async def ordinary(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.intake, peerline.matching and peerline.notify."""
    lost = await actions.learn(tx, news_in(received))
    await actions.take(tx, [*_inputs(received), *lost])


async def crisis(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.intake.crisis and peerline.notify.crisis: emergencies, pages, danger, and what stops everything."""
    await actions.take(tx, _inputs(received))


async def directory(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.directory: who is there, and what each agency's structure allows now."""
    await actions.take(tx, await actions.learn(tx, news_in(received)))


def _inputs(received: Iterable[Received]) -> list[Input]:
    return [
        Input(one.envelope.agency_id, one.case_id, one.fact, one.envelope.event_id)
        for one in received
        if isinstance(one.fact, OF_A_CASE)
    ]
