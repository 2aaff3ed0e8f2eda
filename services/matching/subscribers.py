"""What matching hears: requests and their ends, answers, and who people are. One handler per consumer group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.matching import actions
from services.matching.domain.decide import Heard
from shared.casework import Input
from shared.db import Transaction
from shared.delivery import Received
from shared.events.notify import IntentSettled
from shared.news import news_in


def _inputs(received: Iterable[Received]) -> list[Input]:
    return [
        Input(one.envelope.agency_id, one.case_id, one.fact, one.envelope.event_id)
        for one in received
        if isinstance(one.fact, Heard) and not _sent(one)
    ]


def _sent(one: Received) -> bool:
    """Most messages go out, and nothing follows from that here: not even the case is locked for them."""
    return isinstance(one.fact, IntentSettled) and one.fact.outcome not in {"failed", "expired"}


async def ordinary(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.intake and peerline.notify."""
    looks = await actions.learn(tx, news_in(received))
    await actions.take(tx, [*_inputs(received), *looks])


async def crisis(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.intake.crisis."""
    await actions.take(tx, _inputs(received))


async def directory(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.directory. Of agencies, whether they are there: zone and policy come with persons and cases."""
    await actions.take(tx, await actions.learn(tx, news_in(received)))
