"""What the other services say about cases: each fact that means something here is brought to its effect."""

from __future__ import annotations

from collections.abc import Sequence

from services.notify.actions.book import Cases
from services.notify.domain.deciding import Heard
from shared.casework import Input, fold
from shared.db import Transaction
from shared.delivery import Received


async def of_cases(tx: Transaction, received: Sequence[Received]) -> None:
    """Plan, cancel and settle. Facts that mean nothing here cost nothing: not even their case is made."""
    inputs = [
        Input(one.envelope.agency_id, one.case_id, one.fact, one.envelope.event_id)
        for one in received
        if isinstance(one.fact, Heard)
    ]
    if inputs:
        await fold(tx, inputs, Cases(await tx.now()))
