"""A timer loop in a process of its own that stops itself (SIGSTOP) in its first round: `python -m` this module."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Literal

from deploy.local.settings import checkout
from shared import timers
from shared.db import Database, Login, Transaction, open_pool
from shared.migrate import app_of, loop_of
from shared.timers import Fired, TimerLoop
from shared.types import Lane
from tests.harness.databases import TestDatabase
from tests.harness.engines import guarded
from tests.harness.probe import SERVICE, note_fired

Where = Literal["claimed", "at work"]
"""Frozen with leased timers and nothing begun, or with all of their work done and not committed."""


def _freeze_once() -> Callable[[], None]:
    left = iter([True])

    def freeze() -> None:
        if next(left, False):
            os.kill(os.getpid(), signal.SIGSTOP)

    return freeze


async def _run(given: dict[str, str]) -> None:
    app = await open_pool(Login(**json.loads(given["app"])), size=2)
    loop = await open_pool(Login(**json.loads(given["loop"])), size=2)
    db, freeze = Database(app, loop, SERVICE), _freeze_once()

    async def work(tx: Transaction, fired: Sequence[Fired]) -> None:
        await note_fired(tx, fired)
        if given["where"] == "at work":
            freeze()

    act = timers.in_one_transaction(db, work)

    async def told(fired: Sequence[Fired]) -> None:
        if given["where"] == "claimed":
            freeze()
        outcome = "done"
        try:
            await act(fired)
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            sys.stdout.write(f"{outcome}\n")
            sys.stdout.flush()

    async def at_once() -> None:
        return

    await TimerLoop(db, Lane.ORDINARY, told, ready=at_once, batch=1).run()


Told = Callable[[], Awaitable[str]]


@asynccontextmanager
async def freezing(database: TestDatabase, where: Where) -> AsyncIterator[tuple[asyncio.subprocess.Process, Told]]:
    """The process, and what it tells of its next round: `done` or the type of the error. Killed at the end."""
    given = {
        "app": json.dumps(asdict(database.login(app_of(SERVICE), SERVICE))),
        "loop": json.dumps(asdict(database.login(loop_of(SERVICE), SERVICE))),
        "where": where,
    }
    running = await asyncio.create_subprocess_exec(
        *guarded(sys.executable, "-m", "tests.harness.timer_process"),
        cwd=checkout(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(json.dumps(given).encode() + b"\n")
    await running.stdin.drain()
    out = running.stdout

    async def told() -> str:
        async with asyncio.timeout(30):
            return (await out.readline()).decode().strip()

    try:
        yield running, told
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()
        running.stdin.close()


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.stdin.readline())))
