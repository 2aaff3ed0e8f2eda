"""What referral hears: requests and their ends, peers, what helpers answer, and who people are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.referral import actions
from services.referral.domain.heard import Heard
from shared.casework import Input
from shared.db import Transaction
from shared.delivery import Received
from shared.news import news_in


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
        if isinstance(one.fact, Heard)
    ]
