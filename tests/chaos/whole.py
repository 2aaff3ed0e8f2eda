"""Whether the region is whole: every replica ready, nothing old in an outbox, and a request that becomes a mail."""

from __future__ import annotations

import asyncio
import time

from deploy.local.cast import RIVERTON
from deploy.local.probe import http_probe
from shared.migrate import SERVICES
from tests.chaos.mail import Box
from tests.chaos.people import CANARY, People, Visit
from tests.chaos.stand import Stand
from tests.harness.waiting import eventually

OUTBOX_S = 2.0
LOOK_EVERY_S = 0.25
ANOTHER_AFTER_S = 15.0
"""A canary whose mail was lost in what was broken is followed by another."""
GIVE_UP_S = 120.0

_OLDEST = "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - created_at)), 0)::float8 FROM "


async def whole_again(stand: Stand, people: People, box: Box, seed: int) -> float | None:
    """When the region was whole, by the machine's clock; None when it did not come to that in two minutes."""
    sung = asyncio.create_task(_sung(people, box, seed))
    try:
        await eventually(lambda: _whole(stand, sung), GIVE_UP_S, every=LOOK_EVERY_S)
    except AssertionError:
        return None
    else:
        return time.time()
    finally:
        sung.cancel()
        await asyncio.gather(sung, return_exceptions=True)


async def _whole(stand: Stand, sung: asyncio.Task[None]) -> bool:
    return await _ready(stand) and await _drained(stand) and sung.done()


async def _ready(stand: Stand) -> bool:
    return all(await asyncio.gather(*(http_probe(url)() for url in stand.ready_urls())))


async def _drained(stand: Stand) -> bool:
    ages = [await stand.eye.value(f"{_OLDEST}{service}.outbox") for service in SERVICES]
    return bool(max(ages) < OUTBOX_S)


async def _sung(people: People, box: Box, seed: int) -> None:
    """A request of its own goes all the way from the door to a mail; then it is taken back."""
    canaries = list[Visit]()
    singing = set[asyncio.Task[None]]()
    try:
        while True:
            canaries.append(people.begin(seed, CANARY, RIVERTON))
            singing.add(asyncio.create_task(_mailed(canaries[-1], box)))
            done, _ = await asyncio.wait(singing, timeout=ANOTHER_AFTER_S, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return
    finally:
        for task in singing:
            task.cancel()
        await asyncio.gather(*singing, return_exceptions=True)
        for one in canaries:
            people.spawn(_taken_back(people, one))


async def _mailed(canary: Visit, box: Box) -> None:
    await canary.accepted.wait()
    await box.about(canary.request.case)


async def _taken_back(people: People, canary: Visit) -> None:
    await canary.accepted.wait()
    await people.withdraw(canary)
