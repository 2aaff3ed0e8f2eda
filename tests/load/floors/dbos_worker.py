"""Four durable steps on DBOS, one executor a process: `python -m tests.load.floors.dbos_worker <number>`.

What a user would write: a workflow of four steps that do nothing, on a queue. Which settings, and why, stands in
docs/decisions/0015-what-load-is-measured-against.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import sqlalchemy
from dbos import DBOS, DBOSClient, DBOSConfig

from tests.load.floors.steps import Executor, Tuned

QUEUE, VERSION = "cases", "1"
STEPS = 4
POLL_S = 0.01
CHUNK = 1000


@DBOS.step()
async def hop(body: str) -> str:
    """A step that does nothing and is recorded."""
    return body


@DBOS.workflow()
async def case(body: str) -> float:
    """Four steps; when the last one was recorded, by the machine's clock."""
    for _ in range(STEPS):
        body = await hop(body)
    return time.time()


def config(executor: Executor, number: int) -> DBOSConfig:
    """As quiet as it gets: no log, no traces, no thread that looks often for what does not come."""
    return {
        "name": "floor",
        "system_database_url": executor.url,
        "executor_id": f"executor-{number}",
        "application_version": VERSION,
        "log_level": "CRITICAL",
        "enable_otlp": False,
        "sys_db_pool_size": executor.tuned.connections,
        "max_executor_threads": executor.tuned.threads,
        "run_migrations": number == 1,
    }


async def one(body: str) -> float:
    """Seconds from before a workflow is started to when its fourth step was recorded."""
    begun = time.time()
    handle = await DBOS.start_workflow_async(case, body)
    ended: float = await handle.get_result()
    return ended - begun


async def steadily(executor: Executor) -> list[float]:
    """Workflows at an even pace, whatever becomes of them; how long each took, in seconds."""
    begun, tasks = time.time(), []
    for number in range(round((executor.warming_s + executor.seconds) * executor.per_s)):
        await asyncio.sleep(max(0, begun + number / executor.per_s - time.time()))
        tasks.append(asyncio.create_task(one(BODY)))
    taken = await asyncio.gather(*tasks)
    return taken[round(executor.warming_s * executor.per_s) :]


BODY = "0" * 600
"""As large as an event of the region."""


def enqueue(executor: Executor) -> None:
    """A backlog, a thousand workflows in each transaction; whoever works it off has registered the queue."""
    client = DBOSClient(system_database_url=executor.url)
    engine = sqlalchemy.create_engine(executor.url)
    for begun in range(0, executor.backlog, CHUNK):
        with engine.begin() as connection:
            for _ in range(min(CHUNK, executor.backlog - begun)):
                client.enqueue_in_transaction(
                    connection, {"queue_name": QUEUE, "workflow_name": case.__qualname__, "app_version": VERSION}, BODY
                )
    client.destroy()


async def main(number: int) -> None:
    """Serve the queue until SIGTERM, or start workflows and be done."""
    given = json.loads(os.environ[f"FLOOR_EXECUTOR_{number}"])
    executor = Executor(**{**given, "tuned": Tuned(**given["tuned"])})
    if executor.backlog:
        enqueue(executor)
        return
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    DBOS(config=config(executor, number))
    DBOS.launch()
    try:
        if executor.per_s:
            await asyncio.to_thread(Path(os.environ["PEERLINE_READY"]).touch)
            taken = await steadily(executor)
            await asyncio.to_thread(Path(executor.out).write_text, json.dumps(taken))
        else:
            await DBOS.register_queue_async(
                QUEUE, worker_concurrency=executor.tuned.at_once, polling_interval_sec=POLL_S
            )
            await asyncio.to_thread(Path(os.environ["PEERLINE_READY"]).touch)
        await stop.wait()
    finally:
        await asyncio.to_thread(DBOS.destroy)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
