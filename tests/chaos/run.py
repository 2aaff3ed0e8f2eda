"""One run: a region under load, things that go wrong by plan, the end of it, and what the checker says."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from deploy.local.settings import checkout
from tests.chaos.checker import Broken, check
from tests.chaos.collect import HEARD, collected
from tests.chaos.history import History, Stroke
from tests.chaos.mail import Box, reading
from tests.chaos.monkey import struck
from tests.chaos.people import People
from tests.chaos.plan import FAMILIES, Moment, plan
from tests.chaos.stand import Stand, logs, standing
from tests.chaos.whole import whole_again

THREADS = 64
"""Everybody's browser waits in a thread of its own."""


@dataclass(frozen=True)
class Order:
    """What to do: for how long things go wrong, by which seed, and under how many requests a second."""

    seed: int
    minutes: float
    per_s: float = 1.0
    quick: bool = False
    durable: bool = True
    rest_within_s: float = 240.0
    keep: bool = False
    """Whether history and logs of a run in which everything held are kept too."""


@dataclass(frozen=True)
class Verdict:
    """What came of it; `kept` is the folder with history and logs, if they are kept."""

    history: History
    broken: Sequence[Broken]
    kept: Path | None


async def run(order: Order, say: Callable[[str], None]) -> Verdict:
    """The whole of it. Raises `LocalError` when there is no region to break."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS))
    history = History(order.seed, HEARD)
    state = checkout() / ".peerline" / f"chaos-{os.getpid()}"
    async with standing(state, say, durable=order.durable) as stand:
        people = People(stand.eye, stand.local.url("intake"), stand.pin, stand.pepper, history)
        box = Box(stand.local.endpoints.mailbox_url, stand.eye, stand.pepper, people.arrived)
        try:
            await _lived(order, stand, people, box, say)
            broken = check(history)
        except Exception as error:
            error.add_note(f"history and logs: {_kept(stand, history, ())}")
            raise
        return Verdict(history, broken, _kept(stand, history, broken) if broken or order.keep else None)


async def _lived(order: Order, stand: Stand, people: People, box: Box, say: Callable[[str], None]) -> None:
    async with reading(box) as http:
        await _broken_into(order, stand, people, box, say)
        say("nothing goes wrong any more: whoever is not to stay waits no longer, then all has to come to rest")
        await people.ended()
        moving = await collected(stand, people, box, people.history, within_s=order.rest_within_s, http=http)
        say(f"still moving at the end: {moving}" if moving else "all is at rest")
        await people.gone()


async def _broken_into(order: Order, stand: Stand, people: People, box: Box, say: Callable[[str], None]) -> None:
    """Load flows all the while, and moment after moment something goes wrong."""
    until = time.monotonic() + order.minutes * 60
    over = asyncio.Event()
    asking = asyncio.create_task(_asking(order, people, over))
    for number, moment in enumerate(plan(order.seed, quick=order.quick)):
        await asyncio.sleep(moment.after_s)
        # On a slow machine it takes longer, for every family has its turn.
        if time.monotonic() > until and number >= len(FAMILIES):
            break
        stroke = await _stroke(stand, people, box, moment)
        people.history.strokes.append(stroke)
        told = "never" if stroke.whole_after_s is None else f"{stroke.whole_after_s:5.1f} s"
        say(f"{told}  {moment}")
    over.set()
    await asking


async def _stroke(stand: Stand, people: People, box: Box, moment: Moment) -> Stroke:
    began, families = time.time(), frozenset(fault.family for fault in moment.faults)
    ended = max(await asyncio.gather(*(struck(stand, fault) for fault in moment.faults)))
    whole = await whole_again(stand, people, box, people.history.seed)
    return Stroke(str(moment), families, moment.single, began, ended, None if whole is None else whole - ended)


async def _asking(order: Order, people: People, over: asyncio.Event) -> None:
    """An open loop: each request is due at its moment, whatever has become of the earlier ones."""
    begun = time.monotonic()
    for number in count():
        await asyncio.sleep(max(0.0, begun + number / order.per_s - time.monotonic()))
        if over.is_set():
            break
        people.begin(order.seed)


def _kept(stand: Stand, history: History, broken: Sequence[Broken]) -> Path:
    """History and logs, in a folder that stays."""
    folder = checkout() / ".peerline" / "chaos" / f"seed-{history.seed}-{time.strftime('%Y%m%dT%H%M%S')}"
    folder.mkdir(parents=True)
    history.written(folder)
    (folder / "broken.txt").write_text("".join(f"{one}\n" for one in broken))
    for log in logs(stand.folder):
        shutil.copy(log, folder / log.name)
    return folder


def table(strokes: Sequence[Stroke]) -> str:
    """What went wrong, and how long after its end the region was whole again."""
    rows = [("never" if one.whole_after_s is None else f"{one.whole_after_s:.1f} s", one.what) for one in strokes]
    return "\n".join(f"{took:>11}  {what}" for took, what in [("whole after", "what went wrong"), *rows])


def told(verdict: Verdict) -> str:
    """What a person wants to know of it."""
    history = verdict.history
    accepted = [one for one in history.requests if one.accepted_at is not None]
    lines = [
        f"seed {history.seed}: {len(accepted)} of {len(history.requests)} requests accepted",
        f"{len(history.acts)} acts, {len(history.records)} records, {len(history.letters)} mails",
        table(history.strokes),
    ]
    if verdict.broken:
        lines += [f"{len(verdict.broken)} broken, the first:", str(verdict.broken[0])]
        lines.append(f'again with ARGS="--seed {history.seed}"')
    else:
        lines.append("everything held")
    if verdict.kept:
        lines.append(f"history and logs: {verdict.kept}")
    return "\n".join(lines)
