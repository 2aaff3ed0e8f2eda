"""The same four durable steps on DBOS, as what a user would pick in the place of a bus and four services.

DBOS keeps everything in PostgreSQL, so neither Kafka nor a bus takes part. Its executors are processes of their own.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import asyncpg

from deploy.local.settings import checkout
from tests.harness.waiting import eventually
from tests.load import cpu, stand, stats
from tests.load.stand import Stand

MODULE = "tests.load.floors.dbos_worker"
EXECUTORS = 2
"""As many as cores; one process of Python uses one core."""
WARMING_S = 3.0
WITHIN_S = 300.0
_DONE = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"
_ENDS = "SELECT max(updated_at) / 1000.0::float8 FROM dbos.workflow_status WHERE status = 'SUCCESS'"


@dataclass(frozen=True)
class Tuned:
    """What was tuned: workflows at work in one executor, threads and connections for them."""

    at_once: int = 100
    threads: int = 20
    connections: int = 20


@dataclass(frozen=True)
class Executor:
    """Where an executor works. With `per_s` it starts workflows itself, `seconds` long; their times go to `out`."""

    url: str
    tuned: Tuned
    per_s: float = 0
    seconds: float = 0
    warming_s: float = 0
    out: str = ""
    backlog: int = 0
    """Workflows to put on the queue, in place of running any."""


@dataclass(frozen=True)
class Steps:
    """Four steps of one workflow at light load, and cases a second from a backlog."""

    latency: stats.Latency
    cases: int
    per_s: float
    cpu_ms_per_case: dict[str, float]
    tuned: dict[str, int]


async def steps(ground: Stand, seconds: float, per_s: float, cases: int, *, tuned: Tuned | None = None) -> Steps:
    """Measure both; raises RuntimeError when a process ends badly."""
    tuned = tuned or Tuned()
    latency = await _light(ground, seconds, per_s, tuned)
    return await _drain(ground, cases, tuned, latency)


def _url(ground: Stand, name: str) -> str:
    endpoints = ground.endpoints
    host = f"{endpoints.postgres_host}:{endpoints.postgres_port}"
    return f"postgresql+psycopg://postgres:{endpoints.postgres_password}@{host}/{name}"


async def _light(ground: Stand, seconds: float, per_s: float, tuned: Tuned) -> stats.Latency:
    """Started in the executor that runs it: no queue is polled, which is the quickest way there is."""
    connection = await stand.database(ground, "floor_dbos_light")
    await connection.close()
    out = ground.folder / "dbos.light.json"
    executor = Executor(
        url=_url(ground, "floor_dbos_light"),
        tuned=tuned,
        per_s=per_s,
        seconds=seconds,
        warming_s=WARMING_S,
        out=str(out),
    )
    await _started(ground, {1: executor})
    try:
        await eventually(_exists(out), WITHIN_S, what="workflows at light load")
    finally:
        await ground.supervisor.halt("dbos1")
    return stats.latency(json.loads(await asyncio.to_thread(out.read_text)))


async def _drain(ground: Stand, cases: int, tuned: Tuned, latency: stats.Latency) -> Steps:
    """A backlog lies on the queue. The time from the first look at it to the last workflow's success counts."""
    connection = await stand.database(ground, "floor_dbos_drain")
    executor = Executor(url=_url(ground, "floor_dbos_drain"), tuned=tuned)
    await _started(ground, dict.fromkeys(range(1, EXECUTORS + 1), executor))
    try:
        # The first workflows pay for caches and connections.
        await _enqueued(executor, cases // 10)
        await eventually(_done(connection, cases // 10), WITHIN_S, what="the first workflows")
        await connection.execute("UPDATE dbos.queues SET worker_concurrency = 0")
        await _enqueued(executor, cases)
        pids = {f"dbos{number}": ground.supervisor.pid(f"dbos{number}") for number in range(1, EXECUTORS + 1)}
        pids["postgres"] = ground.supervisor.pid("postgres")
        before, begun = cpu.meter(pids), time.time()
        await connection.execute("UPDATE dbos.queues SET worker_concurrency = $1", tuned.at_once)
        await eventually(_done(connection, cases // 10 + cases), WITHIN_S, every=0.25, what="a backlog of workflows")
        spent = cpu.per_case(before, cpu.meter(pids), cases)
        ended = await connection.fetchval(_ENDS)
    finally:
        await asyncio.gather(*(ground.supervisor.halt(f"dbos{number}") for number in range(1, EXECUTORS + 1)))
        await connection.close()
    return Steps(latency, cases, round(cases / (float(ended) - begun), 1), spent, asdict(tuned))


async def _started(ground: Stand, executors: dict[int, Executor]) -> None:
    # The first one makes the tables.
    for number, executor in executors.items():
        env = stand.bare_environment() | {f"FLOOR_EXECUTOR_{number}": json.dumps(asdict(executor))}
        await stand.start_ready(ground, {f"dbos{number}": stand.python(MODULE, str(number))}, env)


async def _enqueued(executor: Executor, count: int) -> None:
    env = stand.bare_environment() | {"FLOOR_EXECUTOR_0": json.dumps(asdict(replace(executor, backlog=count)))}
    process = await asyncio.create_subprocess_exec(*stand.python(MODULE, "0"), cwd=checkout(), env=env)
    if await process.wait():
        raise RuntimeError(f"the backlog could not be put on the queue: {process.returncode}")


def _done(connection: asyncpg.Connection[Any], wanted: int) -> Any:
    async def asked() -> bool:
        found = await connection.fetchval(_DONE)
        assert found >= wanted, f"{found} of {wanted}"
        return True

    return asked


def _exists(file: Any) -> Any:
    async def asked() -> bool:
        return await asyncio.to_thread(file.exists)

    return asked
