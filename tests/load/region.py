"""The region under load: its four services as `make up` starts them, real requests, and what came of each."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import asyncpg

from deploy.local.region import LocalRegion, prepare, programs, secrets_in
from deploy.local.settings import checkout
from deploy.local.supervisor import Program
from services.intake.store.cases import CODE_DOOR
from shared.doors import keyed_hash
from shared.migrate import SERVICES
from shared.vault import read_keyring
from tests.harness.waiting import eventually
from tests.load import client, cpu, report, seed, stand, stats
from tests.load.client import Plan, Sent
from tests.load.floors.pipeline import Drained
from tests.load.stand import Stand, say

WARMING_S = 5.0
CONNECTIONS = 128
"""Every requester has one of their own; a burst of hundreds comes over as many."""
WITHIN_S = 300.0
PATIENT = {"PEERLINE_REQUESTS_PER_SOURCE": "1000000", "PEERLINE_REQUESTS_PER_AGENCY": "1000000"}
"""Rate limits are raised: all requesters of a load test come from one address."""

_OFFERED = """
SELECT d.hash, extract(epoch FROM min(s.since))::float8 AS searched,
       extract(epoch FROM min(i.planned_at))::float8 AS planned,
       extract(epoch FROM min(a.started_at))::float8 AS attempted
  FROM unnest($1::bytea[]) wanted(hash) JOIN intake.doors d USING (hash)
  JOIN matching.searches s ON s.case_id = d.subject
  JOIN notify.attempts a ON a.case_id = d.subject
  JOIN notify.intents i ON i.intent_id = a.intent_id AND i.template = 'offer'
 GROUP BY d.hash
"""


@dataclass(frozen=True)
class Offered:
    """When a request's search was begun, its offer's mail planned and first attempted: times of the machine's clock."""

    searched: float
    planned: float
    attempted: float


class Measured:
    """A seeded region and a superuser's eye on what becomes of its requests."""

    def __init__(self, ground: Stand, local: LocalRegion, places: Sequence[tuple[str, str]]) -> None:
        """`places` are slugs and notice versions of the agencies to ask."""
        self._ground, self._local, self._places = ground, local, tuple(places)
        self._pepper = read_keyring(Path(local.service_environment("intake")["PEERLINE_KEYRING"])).derived("doors")
        self._number = self._asked = 0

    async def ask(self, count: int, per_s: float) -> list[Sent]:
        """Send requests from a process of its own; raises RuntimeError when one was not accepted."""
        self._number += 1
        out = self._ground.folder / f"client.{self._number}.json"
        plan = Plan(
            host="127.0.0.1",
            port=self._local.ports.intake,
            places=self._places,
            count=count,
            per_s=per_s,
            connections=CONNECTIONS,
            out=str(out),
        )
        log = self._ground.folder / "log" / "client.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *stand.python("tests.load.client"),
                cwd=checkout(),
                env={**stand.bare_environment(), "LOAD_PLAN": json.dumps(asdict(plan))},
                stdout=output,
                stderr=output,
            )
            if await process.wait():
                said = (await asyncio.to_thread(log.read_text))[-2000:]
                raise RuntimeError(f"the load client ended with {process.returncode}: {said}")
        sent = client.read(out)
        if wrong := client.refused(sent):
            raise RuntimeError(f"requests were not accepted, by status: {wrong}")
        return sent

    async def offered(self, sent: Sequence[Sent]) -> dict[str, Offered]:
        """Wait until every request has led to an offer's attempt; what came when, by the hash of its code."""
        hashes = {keyed_hash(self._pepper, CODE_DOOR, one.code_hash): one.code_hash for one in sent}
        connection = await asyncpg.connect(**self._ground.superuser, database=self._local.database)
        self._asked += len(sent)

        async def all_offered() -> list[asyncpg.Record]:
            # The join is asked once, when it can be complete: every half second it would cost what it measures.
            count = await connection.fetchval("SELECT count(*) FROM notify.attempts")
            assert count >= self._asked, f"{self._asked - count} of {self._asked} requests led to no offer"
            rows: list[asyncpg.Record] = await connection.fetch(_OFFERED, list(hashes))
            assert len(rows) == len(sent), f"{len(sent) - len(rows)} of {len(sent)} requests led to no offer"
            return rows

        try:
            rows = await eventually(all_offered, WITHIN_S, every=0.5)
        finally:
            await connection.close()
        return {hashes[row["hash"]]: Offered(row["searched"], row["planned"], row["attempted"]) for row in rows}

    async def light(self, seconds: float, per_s: float) -> report.Light:
        """Requests at an even pace, and how long each stage took. The first seconds are thrown away."""
        await self.offered(await self.ask(round(WARMING_S * per_s), per_s))
        sent = await self.ask(round(seconds * per_s), per_s)
        offered = await self.offered(sent)
        ways = [(one, offered[one.code_hash]) for one in sent]
        return report.Light(
            latency=stats.latency(way.attempted - one.due for one, way in ways),
            accepted=stats.latency(one.answered - one.due for one, way in ways),
            stages_p50_ms={
                "request to search": stats.latency(way.searched - one.due for one, way in ways).p50,
                "search to intent": stats.latency(way.planned - way.searched for _, way in ways).p50,
                "intent to attempt": stats.latency(way.attempted - way.planned for _, way in ways).p50,
            },
        )

    async def burst(self, cases: int) -> tuple[Drained, float]:
        """All at once, answered as fast as intake can while the rest works: cases a second, answers a second."""
        names = (*SERVICES, "postgres", "kafka", "mailbox")
        pids = {name: self._ground.supervisor.pid(name) for name in names}
        before = cpu.meter(pids) | {"client": cpu.of_ended_children()}
        sent = await self.ask(cases, 0)
        offered = await self.offered(sent)
        spent = cpu.per_case(before, cpu.meter(pids) | {"client": cpu.of_ended_children()}, cases)
        begun = min(one.due for one in sent)
        rate = stats.drain_rate(begun, [way.attempted for way in offered.values()])
        answered = stats.drain_rate(begun, [one.answered for one in sent])
        return Drained(cases, round(rate, 1), spent), round(answered, 1)


async def measured(ground: Stand, seconds: float, per_s: float, cases: int, *, profile: Path | None) -> report.Region:
    """Start the four services, seed agencies with peers enough for every case, measure, stop the services.

    With `profile` every service is sampled during the burst and its hot lines are written to that folder.
    """
    say("region: starting its services")
    local = LocalRegion(
        state=ground.folder, endpoints=ground.endpoints, ports=ground.ports, secrets=secrets_in(ground.folder)
    )
    await prepare(local)
    await ground.supervisor.start(*(_program(one, profile) for one in programs(local)))
    try:
        wanted = round((seconds + WARMING_S) * per_s) + 2 * cases
        places = await seed.seeded(ground, local, cases=wanted)
        region = Measured(ground, local, places)
        say(f"region: {per_s:g} requests a second for {seconds:g} s")
        light = await region.light(seconds, per_s)
        await region.burst(max(100, cases // 10))
        say(f"region: {cases} requests at once")
        for service in SERVICES if profile else ():
            os.kill(ground.supervisor.pid(service), signal.SIGUSR1)
        burst, accepted_per_s = await region.burst(cases)
    finally:
        await asyncio.gather(*(ground.supervisor.halt(service) for service in SERVICES))
    return report.Region(light, burst, accepted_per_s)


def _program(program: Program, profile: Path | None) -> Program:
    patient = replace(program, env={**program.env, **PATIENT})
    if profile is None:
        return patient
    profile.mkdir(parents=True, exist_ok=True)
    out = profile.resolve() / f"{program.name}.json"
    return replace(patient, argv=(sys.executable, "-m", "tests.load.sampled", str(out), *program.argv[2:]))
