"""Records that no relay of ours has written, and the operator who gives them up so that what stands behind goes on."""

from __future__ import annotations

import random
from dataclasses import replace

from shared import clock, dead_letters
from shared.events import FACTS
from shared.migrate import SERVICES
from shared.parking import Raw
from tests.simulation.ground import operator
from tests.simulation.region import Region

CASE_TOPICS = (
    "peerline.intake",
    "peerline.matching",
    "peerline.referral",
    "peerline.notify",
    "peerline.referral.crisis",
)


def spoil(region: Region, dice: random.Random) -> None:
    """Somebody writes under the key of a case: what nobody can read, or another content under an old id."""
    logs = [raws for (topic, _), raws in sorted(region.logs.of.items()) if topic in CASE_TOPICS]
    records = [raw for raws in logs for raw in raws[-5:] if FACTS[dict(raw.headers)["ce_type"].decode()].KEYED_BY_CASE]
    if not records:
        return
    like = dice.choice(records)
    log = region.logs.of[like.topic, like.part]
    log.append(replace(_unreadable(like) if dice.random() < 0.5 else _forged(like), pos=len(log)))


def _unreadable(like: Raw) -> Raw:
    headers = {**dict(like.headers), "ce_id": str(clock.random_id()).encode()}
    return replace(like, headers=tuple(headers.items()), value=b"{")


def _forged(like: Raw) -> Raw:
    # White space: the same fact, and other bytes than those whose id it bears.
    return replace(like, value=like.value + b" ")


async def give_up(region: Region) -> bool:
    """The operator discards every dead letter, and what stood behind them is tried; whether there was anything."""
    found = False
    for service in SERVICES:
        async with operator(region.database, service) as db:
            async with db.loop() as connection:
                letters = await dead_letters.letters(connection, service=service)
            # sql-in-loop: each letter is an act of its own
            for letter in letters:
                found = True
                await dead_letters.discard(db, letter.seq, "forged")
        for group in region.replicas[service][0].groups:
            while await region.retry_parked(service, group):
                found = True
    return found
