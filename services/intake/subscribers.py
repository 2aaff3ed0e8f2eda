"""Bus in: which facts concern a case as its requester sees it, and who of a directory is verified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from services.intake.actions import cases
from services.intake.domain.course import OfAlarm, OfClinical, OfPeer
from services.intake.store import directory
from shared.casework import Input
from shared.db import Transaction
from shared.delivery import Received
from shared.events import Fact
from shared.events.notify import ClinicianWanted, DangerReported
from shared.news import verified_in

ORDINARY: tuple[type[Fact], ...] = (*get_args(OfPeer | OfClinical), ClinicianWanted)
CRISIS: tuple[type[Fact], ...] = get_args(OfAlarm | DangerReported)


async def ordinary(tx: Transaction, received: Sequence[Received]) -> None:
    """How the search goes (`peerline.matching`) and the clinical side (`peerline.referral`).

    And who can be told things, and what a peer says of the clinical side (`peerline.notify`).
    """
    await directory.hear(tx, verified_in(received))
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
