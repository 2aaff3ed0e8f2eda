"""Does what the plan says to the running region, and undoes it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import cast

from deploy.local.process import is_alive, mark_of
from shared.db import UNAVAILABLE
from shared.migrate import app_of, loop_of
from tests.chaos.plan import Fault
from tests.chaos.post import Mood
from tests.chaos.stand import Stand
from tests.harness.waiting import eventually

_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY ($1)"


async def struck(stand: Stand, fault: Fault) -> float:
    """Do it, wait for as long as it lasts, undo it; returns when it was over (machine's clock).

    A blow is over when its victim is gone: whatever it takes to stand up again counts as recovery.
    """
    match fault.family:
        case "mail":
            return await _post(stand, fault)
        case "cut" if fault.seconds:
            return await _silent(stand, fault)
        case "cut":
            with suppress(*UNAVAILABLE):
                await stand.eye.fetch(_CUT, [app_of(fault.target), loop_of(fault.target)])
            return time.time()
        case "freeze":
            return await _frozen(stand, fault)
        case "kafka" if fault.seconds:
            return await _frozen(stand, fault)
        case "kafka":
            return await _blow(stand, fault, signal.SIGKILL if fault.kind == "killed" else signal.SIGTERM)
        case "postgres":
            return await _blow(stand, fault, signal.SIGQUIT if fault.kind == "stopped at once" else signal.SIGINT)
        case _:
            return await _blow(stand, fault, signal.SIGKILL)


async def _blow(stand: Stand, fault: Fault, number: signal.Signals) -> float:
    """From outside, as the machine does it: the supervisor learns of the death, not of the signal."""
    mark = mark_of(stand.engines.supervisor.pid(fault.target))
    if mark is not None:
        os.kill(mark.pid, number)
        # An engine that is asked to stop serves for a while: so long nothing has gone wrong yet.
        await eventually(lambda: not is_alive(mark), 60, what=f"{fault.target} gone")
    return time.time()


async def _frozen(stand: Stand, fault: Fault) -> float:
    pid = stand.engines.supervisor.pid(fault.target)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    return time.time()


async def _silent(stand: Stand, fault: Fault) -> float:
    wire = stand.wires[fault.target]
    wire.silence()
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        wire.flow()
    return time.time()


async def _post(stand: Stand, fault: Fault) -> float:
    await stand.post.turn(cast("Mood", fault.kind))
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        await stand.post.turn("well")
    return time.time()
