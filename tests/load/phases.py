"""One run of the region: start it, fill it, measure it, let it grow to a million cases, measure it again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local.region import LocalRegion, prepare, programs, secrets_in
from deploy.local.supervisor import Program
from shared import clock
from shared.migrate import SERVICES
from tests.load import choosing, counts, profile, report, seed, statements, stored, uploading
from tests.load.region import WARMING_S, Measured
from tests.load.seed import Seeded
from tests.load.stand import Stand, say
from tests.load.sustained import FIRST, MOST_STEPS, STEP, sustained

PATIENT = {"PEERLINE_REQUESTS_PER_SOURCE": "1000000", "PEERLINE_REQUESTS_PER_AGENCY": "1000000"}
"""Rate limits are raised: all requesters of a load test come from one address."""
BASE = 1000
"""Stored cases that are real; the others are copies of them."""
GUESSED_PER_S = 600
"""For how many cases there have to be peers: more than this machine will do."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: seconds of each light load, cases a second in it, cases of each backlog."""

    seconds: float
    per_s: float
    floor_cases: int
    dbos_cases: int
    region_cases: int
    held_s: float
    stored: int

    @property
    def wanted(self) -> int:
        """About how many cases the region will be asked for, and needs peers for."""
        light = round((self.seconds + WARMING_S) * self.per_s)
        trials = sum(FIRST * STEP**number for number in range(MOST_STEPS // 2))
        return 2 * light + 5 * self.region_cases + round(trials * GUESSED_PER_S * self.held_s)


@dataclass(frozen=True)
class Ground:
    """A region that stands, and a superuser's connection to its database."""

    stand: Stand
    local: LocalRegion
    connection: asyncpg.Connection[Any]

    @property
    def superuser(self) -> dict[str, Any]:
        """How to connect to the region's database as a superuser."""
        return {**self.stand.superuser, "database": self.local.database}


@asynccontextmanager
async def _region(ground: Stand) -> AsyncIterator[Ground]:
    say("region: starting its services")
    local = LocalRegion(
        state=ground.folder, endpoints=ground.endpoints, ports=ground.ports, secrets=secrets_in(ground.folder)
    )
    await prepare(local)
    await ground.supervisor.start(*(_patient(one) for one in programs(local)))
    connection = await asyncpg.connect(**ground.superuser, database=local.database)
    try:
        yield Ground(ground, local, connection)
    finally:
        await connection.close()
        await asyncio.gather(*(ground.supervisor.halt(service) for service in SERVICES))


def _patient(program: Program) -> Program:
    return replace(program, env={**program.env, **PATIENT})


async def measured(ground: Stand, sizes: Sizes, folder: Path) -> tuple[report.Region, profile.Profile]:
    """Everything of the region. What was sampled of its services is left in `folder`."""
    async with _region(ground) as here:
        seeded = await seed.seeded(here.local, here.connection, cases=sizes.wanted, stored=BASE)
        region = Measured(ground, here.local, here.connection, seeded.places)
        heard = await _filled(here, region, seeded)
        say(f"region: {sizes.per_s:g} requests a second for {sizes.seconds:g} s")
        light = await region.light(sizes.seconds, sizes.per_s)
        await region.burst(sizes.region_cases // 2, count=False)
        say(f"region: {sizes.region_cases} requests at once")
        burst = await region.burst(sizes.region_cases)
        say("region: raising the rate until a backlog grows")
        held = await sustained(region.load, burst.drained.per_s, sizes.held_s)
        grown = await _growth(here, region, sizes, seeded, heard) if sizes.stored > BASE else None
        chosen = await choosing.measured(here.local, here.connection)
        found = report.Region(light, burst.drained, burst.accepted_per_s, held, burst.per_case, grown, chosen)
        return found, await _profiled(here, region, sizes, folder)


async def chosen_alone(ground: Stand) -> tuple[tuple[choosing.Choice, choosing.Choice], float]:
    """What choosing costs, and the seconds that a large directory takes; no service runs."""
    local = LocalRegion(
        state=ground.folder, endpoints=ground.endpoints, ports=ground.ports, secrets=secrets_in(ground.folder)
    )
    await prepare(local)
    connection = await asyncpg.connect(**ground.superuser, database=local.database)
    try:
        return await choosing.measured(local, connection), await uploading.seconds(local)
    finally:
        await connection.close()


async def _filled(here: Ground, region: Measured, seeded: Seeded) -> stored.Time:
    """The first thousand cases, which stay; from when to when they were heard of."""
    since = clock.now()
    say(f"region: {BASE} cases to store")
    await region.at([seeded.store]).load(BASE, 0)
    await counts.heard(here.connection)
    return since, clock.now()


async def _growth(here: Ground, region: Measured, sizes: Sizes, seeded: Seeded, heard: stored.Time) -> report.Stored:
    """What a case costs when so many more are stored; making them is not measured."""
    begun = time.monotonic()
    say(f"region: copying until {sizes.stored} cases are stored")
    found = await stored.grow(here.superuser, seeded.store_id, heard, sizes.stored // BASE - 1)
    say(f"region: {found} open cases after {time.monotonic() - begun:.0f} s; what a case costs now")
    light = await region.light(sizes.seconds, sizes.per_s)
    await region.burst(sizes.region_cases // 2, count=False)
    burst = await region.burst(sizes.region_cases, count=False)
    return report.Stored(found, light.latency, burst.drained)


async def _profiled(here: Ground, region: Measured, sizes: Sizes, folder: Path) -> profile.Profile:
    """Once more, with every service sampled and every statement accounted for: that alters no other number."""
    say("region: where the CPU time of a case goes")
    ground = here.stand
    await statements.switch_on(ground.superuser, here.local.database)
    await asyncio.gather(*(ground.supervisor.halt(service) for service in SERVICES))
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    await ground.supervisor.start(*(_sampled(_patient(one), folder) for one in programs(here.local)))
    await region.burst(sizes.region_cases // 2, count=False)
    for service in SERVICES:
        os.kill(ground.supervisor.pid(service), signal.SIGUSR1)
    log = statements.Log(ground.supervisor.log_of("postgres"))
    burst = await region.burst(sizes.region_cases, count=False)
    costs = await asyncio.to_thread(log.costs)
    await asyncio.gather(*(ground.supervisor.halt(service) for service in SERVICES))
    return profile.profiled(folder, burst.drained, costs)


def _sampled(program: Program, folder: Path) -> Program:
    out = folder.resolve() / f"{program.name}.json"
    return replace(program, argv=(sys.executable, "-m", "tests.load.sampled", str(out), *program.argv[2:]))
