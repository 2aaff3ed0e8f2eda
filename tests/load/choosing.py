"""What it costs to choose somebody to ask, among 5,000 peers of the region and among 50,000.

Matching's own action takes one request of one agency, decides and writes, in a transaction that is undone: so every
request finds the same region, and nothing of it reaches the bus. Counted is CPU time, of this process and of its
connection's backend in PostgreSQL; what a machine does otherwise is not in it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from deploy.local.region import LocalRegion
from services.matching import actions
from services.matching.domain.loads import season_of
from services.matching.store import loads, rosters
from shared import clock
from shared.availability import Window, text_of
from shared.casework import Input
from shared.db import Database, Login, open_pool
from shared.events.intake import Ask, RequestSubmitted
from shared.events.policy import Capabilities, Policy
from shared.migrate import app_of
from shared.types import AgencyId, CaseId, Help, Relation, Structure, Urgency
from tests.load.cpu import used
from tests.load.stand import say

AGENCIES, FEW, MANY = 300, 5_000, 50_000
TRIES = 400
_POLICY = Policy(
    structure=Structure.TEAM_COORDINATOR,
    capabilities=Capabilities(consult=False, accept_referral=False, direct_employee=False, direct_family=False),
    offers_out=1,
    answer_within_s=14_400,
    contact_within_s=86_400,
    choose_within_s=86_400,
    rung_within_s=300,
    grace_s=0,
    open_cases_per_peer=4,
    crisis_cases_per_peer=1,
    crisis_cooldown_s=0,
)
_ASK = Ask(
    relation=Relation.OFFICER,
    urgency=Urgency.ROUTINE,
    help=(Help.TALK,),
    choose="anyone",
    release="on_accept",
    manner="call",
    language="en",
    policy=_POLICY,
)


@dataclass(frozen=True)
class Choice:
    """CPU milliseconds of one choice among so many peers, by where they are spent, and the middle one's wall time.

    `first_ms` is the CPU of an agency's first choice after somebody of its people has changed.
    """

    peers: int
    service_ms: float
    database_ms: float
    p50_ms: float
    first_ms: float

    @property
    def cpu_ms(self) -> float:
        """Service and database together."""
        return self.service_ms + self.database_ms


class _Undone(Exception):
    """What was written is not to stay."""


# Everybody has dates of their own, one in ten is away for a time, and every second one has been asked this season.
_PEERS = """
WITH listed AS (
INSERT INTO matching.peers(person_id, agency_id, revision, active, role, attributes, offers, designated_from,
                           trained_until, hours, time_zone, windows, verified, verified_revision)
SELECT gen_random_uuid(), ($1::uuid[])[1 + n % cardinality($1)], 1, true, 'peer',
       CASE (n / 300) % 3 WHEN 0 THEN '{veteran}'::text[] ELSE '{}' END, '{talk}',
       date '2020-01-01' + n % 700, date '2097-01-01' + n % 1000,
       CASE (n / 300) % 4 WHEN 0 THEN 'Mon-Fri 08:00-18:00' WHEN 1 THEN 'daily 22:00-06:00' ELSE '' END,
       'America/Denver', CASE (n / 300) % 10 WHEN 0 THEN $3 ELSE '' END, true, 1
  FROM generate_series(1, $2) n
RETURNING person_id)
INSERT INTO matching.peer_load(peer_id, asked, season)
SELECT person_id, 1 + n % 3, $4 FROM (SELECT person_id, row_number() OVER () AS n FROM listed) numbered
 WHERE (n / 300) % 2 = 0
"""
_CLEARED = """
WITH gone AS (DELETE FROM matching.peers WHERE agency_id = ANY ($1::uuid[]) RETURNING person_id)
DELETE FROM matching.peer_load WHERE peer_id IN (SELECT person_id FROM gone)
"""


async def measured(local: LocalRegion, superuser: asyncpg.Connection[Any]) -> tuple[Choice, Choice]:
    """Few, then many. `superuser` fills matching's directory, and empties it again."""
    agencies = [AgencyId(clock.random_id()) for _ in range(AGENCIES)]
    login = Login(
        local.endpoints.postgres_host,
        local.endpoints.postgres_port,
        local.database,
        app_of("matching"),
        local.secrets.passwords[app_of("matching")],
        "matching",
    )
    pool = await open_pool(login, size=1)
    db = Database(pool, pool, "matching")
    try:
        found = []
        # sql-in-loop: two sizes
        for peers, more in ((FEW, FEW), (MANY, MANY - FEW)):
            await superuser.execute(_PEERS, agencies, more, _away(), season_of(clock.now()))
            await superuser.execute("VACUUM ANALYZE matching.peers, matching.peer_load, matching.rosters")
            say(f"choosing: {TRIES} times one of an agency's, of {peers} peers in the region")
            found.append(await _chosen(db, agencies, peers))
        await _planned(db, agencies[0])
    finally:
        await superuser.execute(_CLEARED, agencies)
        await pool.close()
    return found[0], found[1]


def _away() -> str:
    """A week of leave from now on, as the directory tells it."""
    now = clock.now()
    return text_of([Window(False, now - timedelta(hours=1), now + timedelta(days=7))])


async def _chosen(db: Database, agencies: Sequence[AgencyId], peers: int) -> Choice:
    dice = random.Random(peers)
    await _once(db, agencies[0])
    first = await _spent(db, agencies[1:])
    again = await _spent(db, [dice.choice(agencies) for _ in range(TRIES)])
    cold_ms = round(first.service_ms + first.database_ms, 3)
    return Choice(peers, again.service_ms, again.database_ms, again.p50_ms, cold_ms)


class _Spent(NamedTuple):
    """Of one request: CPU on average, and the middle one's wall time."""

    service_ms: float
    database_ms: float
    p50_ms: float


async def _spent(db: Database, agencies: Sequence[AgencyId]) -> _Spent:
    """One request of each of these, one after the other."""
    backend: int = await _backend(db)
    walls = []
    service, database = time.process_time(), used(backend)
    # sql-in-loop: one request after the other is what is measured
    for agency in agencies:
        begun = time.perf_counter()
        await _once(db, agency)
        walls.append(time.perf_counter() - begun)
    spent = time.process_time() - service, used(backend) - database
    each = (*(seconds / len(agencies) for seconds in spent), sorted(walls)[len(walls) // 2])
    return _Spent(*(round(1000 * seconds, 3) for seconds in each))


async def _once(db: Database, agency: AgencyId) -> None:
    request = Input(agency, CaseId(clock.random_id()), RequestSubmitted(ask=_ASK), UUID(int=0))
    with suppress(_Undone):
        async with db.transaction({agency}) as tx:
            await actions.take(tx, [request])
            offered = await tx.connection.fetchval("SELECT count(*) FROM offers WHERE case_id = $1", request.case_id)
            if offered != 1:
                raise RuntimeError("nobody was chosen")
            raise _Undone


async def _backend(db: Database) -> int:
    async with db.transaction({AgencyId(UUID(int=0))}) as tx:
        pid: int = await tx.connection.fetchval("SELECT pg_backend_pid()")
        return pid


async def _planned(db: Database, agency: AgencyId) -> None:
    """At this size no statement of a choice may read a whole table of people. Raises RuntimeError."""
    async with db.transaction({agency}) as tx:
        now = await tx.now()
        people = (await rosters.of(tx, [agency]))[agency].carriers
        plans = [
            await tx.connection.fetch(f"EXPLAIN {rosters.STAMPS}", [agency]),
            await tx.connection.fetch(f"EXPLAIN {rosters.PEOPLE}", [agency]),
            await tx.connection.fetch(f"EXPLAIN {loads.LOADS}", people, season_of(now)),
        ]
    told = "\n".join(row[0] for plan in plans for row in plan)
    if any(f"Seq Scan on {table}" in told for table in ("peers", "peer_load", "rosters")):
        raise RuntimeError(f"people are read whole:\n{told}")
