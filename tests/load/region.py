"""The region under load: real requests to its four services, and what came of each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from deploy.local.region import LocalRegion
from deploy.local.settings import checkout
from services.intake.store.cases import CODE_DOOR
from shared.doors import keyed_hash
from shared.migrate import SERVICES
from shared.types import Lane
from shared.vault import read_keyring
from tests.harness.waiting import eventually
from tests.load import client, counts, cpu, mailed, report, stand, stats
from tests.load.client import Plan, Sent
from tests.load.floors.pipeline import Drained
from tests.load.stand import Stand
from tests.load.sustained import Times

WARMING_S = 5.0
CONNECTIONS = 128
"""Every requester has one of their own; a burst of hundreds comes over as many."""
WITHIN_S = 300.0
MAIL_LANES = (Lane.ORDINARY.value,)

_OFFERED = """
SELECT d.hash, d.subject AS case_id, extract(epoch FROM min(s.since))::float8 AS searched,
       extract(epoch FROM min(i.planned_at))::float8 AS planned,
       extract(epoch FROM min(a.started_at))::float8 AS attempted
  FROM unnest($1::bytea[]) wanted(hash) JOIN intake.doors d USING (hash)
  JOIN matching.searches s ON s.case_id = d.subject
  JOIN notify.attempts a ON a.case_id = d.subject
  JOIN notify.intents i ON i.intent_id = a.intent_id AND i.template = 'offer'
 GROUP BY d.hash, d.subject
"""


@dataclass(frozen=True)
class Offered:
    """When a request's search was begun, its offer's mail planned and first attempted: times of the machine's clock."""

    case_id: UUID
    searched: float
    planned: float
    attempted: float


@dataclass(frozen=True)
class Burst:
    """A burst and what it cost, until the region was at rest again."""

    drained: Drained
    accepted_per_s: float
    per_case: counts.PerCase | None


class Measured:
    """A seeded region and a superuser's eye on what becomes of its requests."""

    def __init__(
        self,
        ground: Stand,
        local: LocalRegion,
        connection: asyncpg.Connection[Any],
        places: Sequence[tuple[str, str]],
    ) -> None:
        """`places` are slugs and notice versions of the agencies to ask; `connection` is a superuser's."""
        self._ground, self._local, self._connection, self._places = ground, local, connection, tuple(places)
        self._pepper = read_keyring(Path(local.service_environment("intake")["PEERLINE_KEYRING"])).derived("doors")
        self._number = 0

    def at(self, places: Sequence[tuple[str, str]]) -> Measured:
        """The same region, asked at other agencies."""
        return Measured(self._ground, self._local, self._connection, places)

    async def _ask(self, count: int, per_s: float) -> list[Sent]:
        """Send requests from a process of its own; raises RuntimeError when one was not accepted."""
        self._number += 1
        out = self._ground.folder / f"client.{self._places[0][0]}.{self._number}.json"
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

    async def asked(self, count: int, per_s: float) -> list[tuple[Sent, Offered]]:
        """Send requests and wait until each has led to an offer's attempt; what came of each."""
        before = await counts.attempts(self._connection)
        sent = await self._ask(count, per_s)
        hashes = {keyed_hash(self._pepper, CODE_DOOR, one.code_hash): one for one in sent}

        async def all_offered() -> list[asyncpg.Record]:
            # The join is asked once, when it can be complete: every half second it would cost what it measures.
            begun = await counts.attempts(self._connection) - before
            assert begun >= count, f"{count - begun} of {count} requests led to no offer"
            rows: list[asyncpg.Record] = await self._connection.fetch(_OFFERED, list(hashes))
            assert len(rows) == count, f"{count - len(rows)} of {count} requests led to no offer"
            return rows

        rows = await eventually(all_offered, WITHIN_S, every=0.5)
        return [
            (hashes[row["hash"]], Offered(row["case_id"], row["searched"], row["planned"], row["attempted"]))
            for row in rows
        ]

    async def load(self, count: int, per_s: float) -> Times:
        """Requests at an even pace: when each was due, and when its attempt began."""
        ways = await self.asked(count, per_s)
        await counts.at_rest(self._connection, MAIL_LANES)
        return [(one.due, way.attempted) for one, way in ways]

    async def light(self, seconds: float, per_s: float) -> report.Light:
        """Requests at an even pace, and how long each stage took. The first seconds are thrown away."""
        await self.asked(round(WARMING_S * per_s), per_s)
        ways = await self.asked(round(seconds * per_s), per_s)
        await counts.at_rest(self._connection, MAIL_LANES)
        taken = await mailed.accepted(self._ground.endpoints.mailbox_url, self._connection, self._pepper)
        return report.Light(
            latency=stats.latency(way.attempted - one.due for one, way in ways),
            mailed=stats.latency(taken[way.case_id] - one.due for one, way in ways),
            accepted=stats.latency(one.answered - one.due for one, way in ways),
            stages_p50_ms={
                "request to search": stats.latency(way.searched - one.due for one, way in ways).p50,
                "search to intent": stats.latency(way.planned - way.searched for _, way in ways).p50,
                "intent to attempt": stats.latency(way.attempted - way.planned for _, way in ways).p50,
            },
        )

    async def burst(self, cases: int, *, count: bool = True) -> Burst:
        """All at once, answered as fast as intake can while the rest works: cases a second, answers a second.

        CPU time counts until the region is at rest. With `count` so do events and transactions.
        """
        names = (*SERVICES, "postgres", "kafka", "mailbox")
        pids = {name: self._ground.supervisor.pid(name) for name in names}
        were = await counts.counted(self._connection) if count else None
        before = cpu.meter(pids) | {"client": cpu.of_ended_children()}
        ways = await self.asked(cases, 0)
        await counts.at_rest(self._connection, MAIL_LANES)
        spent = cpu.per_case(before, cpu.meter(pids) | {"client": cpu.of_ended_children()}, cases)
        await counts.heard(self._connection)
        are = await counts.counted(self._connection) if count else None
        begun = min(one.due for one, _ in ways)
        rate = stats.drain_rate(begun, [way.attempted for _, way in ways])
        answered = stats.drain_rate(begun, [one.answered for one, _ in ways])
        per_case = counts.per_case(were, are, cases) if were and are else None
        return Burst(Drained(cases, round(rate, 1), spent), round(answered, 1), per_case)
