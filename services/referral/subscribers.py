"""Bus in: which facts concern a ladder, and of which case."""

from __future__ import annotations

from collections.abc import Sequence

from services.referral import actions
from shared.casework import Input
from shared.db import Transaction
from shared.delivery import Received
from shared.events import Fact
from shared.events.intake import CaseClosed, CaseClosing, CaseWithdrawn, CrisisRaised
from shared.events.notify import PageReplied, PageSettled

ORDINARY: tuple[type[Fact], ...] = (CaseClosing,)
CRISIS: tuple[type[Fact], ...] = (CrisisRaised, CaseWithdrawn, CaseClosed, PageSettled, PageReplied)


async def ordinary(tx: Transaction, received: Sequence[Received]) -> None:
    """`peerline.intake`: only that a case is closing matters here; searches are matching's."""
    await actions.take(tx, _inputs(received, ORDINARY))


async def crisis(tx: Transaction, received: Sequence[Received]) -> None:
    """`peerline.intake.crisis` and `peerline.notify.crisis`: emergencies, pages, and what stops everything."""
    await actions.take(tx, _inputs(received, CRISIS))


def _inputs(received: Sequence[Received], concerned: tuple[type[Fact], ...]) -> list[Input]:
    return [
        Input(one.envelope.agency_id, one.case_id, one.fact, one.envelope.event_id)
        for one in received
        if isinstance(one.fact, concerned)
    ]
