"""What a simulation stands on: a PostgreSQL of its own, and databases whose time is the simulation's.

Two clocks are replaced, in these databases alone: `region.now()`, and the `clock_timestamp()` of every statement of the
services, which leases and pauses go by. Both stand still between two moves.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from deploy.local.engines import Endpoints, forget, free_ports
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import Postgres
from deploy.local.settings import checkout
from deploy.local.supervisor import Supervisor
from shared.db import Database, Login, lazy_pool
from shared.migrate import OPERATOR, create_database
from tests.harness import databases
from tests.harness.databases import Cluster, Sql, TestDatabase

BEGINNING = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""A Monday."""
_CLOCK = """
CREATE SCHEMA simulation;
CREATE TABLE simulation.clock(at timestamptz NOT NULL);
INSERT INTO simulation.clock VALUES ('2026-01-05T09:00:00Z');
CREATE FUNCTION simulation.clock_timestamp() RETURNS timestamptz STABLE LANGUAGE sql
    AS 'SELECT at FROM simulation.clock';
GRANT USAGE ON SCHEMA simulation TO PUBLIC;
GRANT SELECT ON simulation.clock TO PUBLIC;
CREATE OR REPLACE FUNCTION region.now() RETURNS timestamptz STABLE LANGUAGE sql
    AS 'SELECT c.at + r.shift FROM simulation.clock c, region.clock r';
"""
_number = count(1)


@dataclass(frozen=True)
class Ground:
    """A running cluster with a migrated template."""

    cluster: Cluster

    @asynccontextmanager
    async def database(self, template: str = "") -> AsyncIterator[TestDatabase]:
        """A copy of a template, dropped at the end; without one, a region in which nothing has happened."""
        name = f"peerline_simulation_{os.getpid()}_{next(_number)}"
        cluster = self.cluster
        source = template or cluster.template
        await create_database(cluster.server, cluster.endpoints.postgres_password, name, template=source)
        try:
            yield TestDatabase(cluster, name)
        finally:
            await databases.drop(cluster, name)


@asynccontextmanager
async def standing() -> AsyncIterator[Ground]:
    """Start PostgreSQL on a free port, migrate, replace the clocks; everything is gone at the end."""
    state = checkout() / ".peerline" / f"simulation-{os.getpid()}"
    ports = free_ports()
    postgres = Postgres(state=state, durable=False)
    try:
        async with Supervisor(state, on_event=lambda _: None) as supervisor:
            await postgres.prepare()
            # No housekeeping: when it runs would depend on the machine.
            program = postgres.program(ports)
            await supervisor.start(replace(program, argv=(*program.argv, "-c", "autovacuum=off")))
            cluster = await databases.prepare(_endpoints(ports.postgres, postgres.password), own=True)
            await _replace_clocks(cluster)
            yield Ground(cluster)
    finally:
        forget(state)


def _endpoints(port: int, password: str) -> Endpoints:
    """Of all the engines there is only the database."""
    return Endpoints(
        kafka="",
        postgres_host=LOOPBACK,
        postgres_port=port,
        postgres_password=password,
        smtp_host="",
        smtp_port=0,
        mailbox_url="",
        zipkin_url=None,
    )


async def _replace_clocks(cluster: Cluster) -> None:
    sql = await cluster.superuser(cluster.template)
    try:
        await sql.execute(_CLOCK)
    finally:
        await sql.close()


def simulated(login: Login) -> Login:
    """The same login, whose statements find the simulation's clock before PostgreSQL's own."""
    return replace(login, schema=f"{login.schema}, simulation, pg_catalog")


@asynccontextmanager
async def operator(database: TestDatabase, schema: str) -> AsyncIterator[Database]:
    """A schema as the operator's command has it."""
    pool = await lazy_pool(simulated(database.login(OPERATOR, schema)), size=1)
    try:
        yield Database(pool, pool, schema)
    finally:
        await pool.close()


class Time:
    """The clocks of one database."""

    def __init__(self, sql: Sql) -> None:
        """`sql` is a superuser's connection."""
        self._sql = sql
        self.now = BEGINNING
        """What `region.now()` says."""

    async def pass_(self, seconds: float) -> None:
        """Let time pass for everything: leases and pauses too."""
        await self._sql.execute("UPDATE simulation.clock SET at = at + $1", timedelta(seconds=seconds))
        self.now += timedelta(seconds=seconds)

    async def jump(self, seconds: float) -> None:
        """Move the region's clock forward; leases and pauses do not notice."""
        await self._sql.execute("UPDATE region.clock SET shift = shift + $1", timedelta(seconds=seconds))
        self.now += timedelta(seconds=seconds)

    async def next_due(self) -> float | None:
        """Seconds until the next timer of any service is due; 0 when one is overdue, None when there is none."""
        due: datetime | None = await self._sql.fetchval(_NEXT)
        return None if due is None else max(0.0, (due - self.now).total_seconds())

    async def next_of_cases(self) -> float | None:
        """As `next_due`, of timers that belong to cases and mails alone: agencies have rounds for ever."""
        due: datetime | None = await self._sql.fetchval(f"{_NEXT} WHERE key <> agency_id")
        return None if due is None else max(0.0, (due - self.now).total_seconds())

    async def end_leases(self) -> None:
        """As if so much time had passed for whatever is leased, and for nothing else."""
        await self._sql.execute(_END_LEASES)

    async def read(self) -> None:
        """Look at the clocks of a database that was just copied."""
        self.now = await self._sql.fetchval("SELECT region.now()")


_NEXT = """
SELECT min(due_at) FROM (
    SELECT due_at, key, agency_id FROM intake.timers UNION ALL SELECT due_at, key, agency_id FROM matching.timers
    UNION ALL SELECT due_at, key, agency_id FROM referral.timers
    UNION ALL SELECT due_at, key, agency_id FROM notify.timers) every
"""
_END_LEASES = """
UPDATE intake.timers SET leased_until = NULL; UPDATE matching.timers SET leased_until = NULL;
UPDATE referral.timers SET leased_until = NULL; UPDATE notify.timers SET leased_until = NULL;
"""
