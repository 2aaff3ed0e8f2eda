"""What matching hears: requests and their ends, answers, and who people are. One handler per consumer group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.matching import actions
from shared.casework import Input
from shared.db import Transaction
from shared.delivery import Received
from shared.events.intake import (
    AnotherPeerAsked,
    BarsChanged,
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ContactReleased,
    CrisisRaised,
    PeerChosen,
    RequestSubmitted,
)
from shared.events.notify import IntentSettled, ReplyReceived
from shared.news import news_in

OF_A_CASE = (
    RequestSubmitted,
    PeerChosen,
    AnotherPeerAsked,
    BarsChanged,
    ContactReleased,
    CaseClosing,
    ReplyReceived,
    CrisisRaised,
    CaseWithdrawn,
    CaseClosed,
)


def _inputs(received: Iterable[Received]) -> list[Input]:
    return [
        Input(one.envelope.agency_id, one.case_id, one.fact, one.envelope.event_id)
        for one in received
        if isinstance(one.fact, OF_A_CASE) or _unsent(one)
    ]


def _unsent(one: Received) -> bool:
    """Most messages go out, and nothing follows from that here: not even the case is locked for them."""
    return isinstance(one.fact, IntentSettled) and one.fact.outcome in {"failed", "expired"}


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
