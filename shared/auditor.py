"""Looks every few seconds whether all that is promised holds, and says so in a table; the heartbeat stops when not.

One pass is a handful of small statements as `loop`, however many cases there are. `shared.checks` holds what the
answers mean, `docs/architecture/auditor.md` every check.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared import checks, clock, heartbeats, inbox, open_things, parking, sealer
from shared.checks import Bounds, Finding, Limits, Offsets, Standing
from shared.db import UNAVAILABLE, Connection, Database
from shared.effects import Comparison
from shared.errors import places_of
from shared.events import KNOWN
from shared.open_things import CASES, Open, Round

log = logging.getLogger(__name__)

EVERY_S = 5.0
PASS_WITHIN_S = 20.0
BUS_WITHIN_S = 5.0
EFFECTS_EVERY_S = 300.0
TAIL = 200
"""The newest links, verified in every pass."""
ROUND = 300
"""So many older links are verified in every pass as well, the next ones in the next: in time all of them."""

LATE = f"""
SELECT 'timers_overdue' AS name, count(*) AS count,
       coalesce(extract(epoch FROM (SELECT region.now()) - min(due_at)), 0)::float8 AS seconds
  FROM timers WHERE lane = ANY ('{{0,1,2}}'::smallint[]) AND due_at < (SELECT region.now()) - make_interval(secs => $1)
UNION ALL
SELECT 'parked_untried', untried.* FROM ({parking.UNTRIED}) untried
UNION ALL
SELECT 'outbox_old', count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
  FROM (SELECT created_at FROM outbox ORDER BY id LIMIT 1) oldest
UNION ALL
SELECT 'audit_unsealed', count(*), coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float8
  FROM audit a WHERE a.id > (SELECT floor FROM audit_floor)
   AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.id)
"""  # noqa: S608 - nothing but our own statements
_LAST = "SELECT coalesce(max(audit_id), 0) FROM audit_chain"


async def late(connection: Connection, limits: Limits) -> list[Finding]:
    """What is late in the schema that comes first, but for what is open."""
    rows = await connection.fetch(LATE, limits.late_s, sorted(KNOWN), parking.UNKNOWN_FOR_HOURS)
    return checks.measured(((row["name"], row["count"], row["seconds"]) for row in rows), limits)


async def tail(connection: Connection, service: str) -> list[Finding]:
    """Whether the newest links of the audit chains hold."""
    last = await connection.fetchval(_LAST)
    found = await sealer.segment(connection, service, last - TAIL, TAIL)
    return [Finding("audit_chain", found.bad)] if found.bad else []


async def failed(
    connection: Connection,
    service: str,
    *,
    limits: Limits | None = None,
    committed: Offsets | None = None,
    bounds: Bounds | None = None,
    effects: Sequence[Comparison] = (),
) -> list[Finding]:
    """One pass that remembers nothing, over a connection as the service's `loop`; for whoever looks at rest.

    `bounds` are Kafka's offsets by logical topic and partition, of the first record there is and of the next one to
    come; `committed` are those of the groups. Without `bounds` positions are not compared. Audit entries must have been
    sealed by then (`Sealer.sealed`).
    """
    limits = limits or Limits()
    found = [
        *await open_things.every(connection, limits),
        *await late(connection, limits),
        *await tail(connection, service),
    ]
    if bounds is not None:
        stored = await inbox.load_positions(connection)
        found += checks.of_positions(stored, committed=committed or {}, bounds=bounds)
    for compare in effects:
        found += checks.of_effects(await compare(connection))
    return found


class Bus(Protocol):
    """What the consumers of a process know of Kafka."""

    def stopped(self) -> int:
        """How many of them have stopped: they bring nothing to its effect any more."""
        ...

    def committed(self) -> Offsets:
        """The offsets that were committed, for the partitions that they have."""
        ...

    async def bounds(self) -> Bounds:
        """Where all partitions of their topics begin and end, looked up now, whoever has them.

        Of consumers that have stopped nothing is told. Raises when Kafka does not answer.
        """
        ...


@dataclass
class _Memory:
    """What one pass leaves to the next."""

    cursor: int = 0
    compared_at: float = float("-inf")
    off: Sequence[Finding] = ()
    places: Standing = field(default_factory=dict)
    lag: int = 0


class Auditor:
    """The loop of one process."""

    def __init__(self, db: Database, bus: Bus, *, replica: str, limits: Limits) -> None:
        """`db` is the service's, `bus` what its consumers know. `watch` and `compare` may add to what it looks at."""
        self._db, self._bus, self._replica, self._limits = db, bus, replica, limits
        self._rounds = [Round(CASES)]
        self._effects: list[Comparison] = []
        self._memory = _Memory()

    def watch(self, table: Open) -> None:
        """Another table of the service in which open things stand."""
        self._rounds.append(Round(table))

    def compare(self, effects: Comparison) -> None:
        """Acts and effects that must add up; compared every five minutes, in every pass while they do not."""
        self._effects.append(effects)

    async def run(self) -> None:
        """Until cancelled. Without the database nothing is said, and silence is what is heard then."""
        # sql-in-loop: a background loop
        while True:
            try:
                async with asyncio.timeout(PASS_WITHIN_S):
                    await self.once()
            except UNAVAILABLE as error:
                log.warning("the auditor waits for the database: %s", type(error).__name__)
            await asyncio.sleep(EVERY_S)

    async def once(self) -> list[Finding]:
        """One pass, and its beat."""
        committed = self._bus.committed()
        async with self._db.loop() as connection:
            found = await late(connection, self._limits)
            for one in self._rounds:
                found += await one.step(connection, self._limits)
            found += await self._chain(connection)
            found += await self._compared(connection)
            stored = await inbox.load_positions(connection)
        found += checks.halted(self._bus.stopped())
        found += await self._positions(stored, committed)
        found = _summed(found)
        async with self._db.loop() as connection:
            await heartbeats.beat(connection, self._db.schema, self._replica, found, told={"lag": self._memory.lag})
        if found:
            log.error("the auditor found: %s", ", ".join(f"{one.check} ({one.count})" for one in found))
        return found

    async def _chain(self, connection: Connection) -> list[Finding]:
        """The newest links, and the next ones of the round. A round stays where it has found something."""
        found = await tail(connection, self._db.schema)
        part = await sealer.segment(connection, self._db.schema, self._memory.cursor, ROUND)
        if part.bad:
            return [*found, Finding("audit_chain", part.bad)]
        self._memory.cursor = part.last if part.links == ROUND else 0
        return found

    async def _compared(self, connection: Connection) -> Sequence[Finding]:
        now = clock.monotonic()
        if now - self._memory.compared_at >= EFFECTS_EVERY_S or self._memory.off:
            effects = [one for compare in self._effects for one in await compare(connection)]
            self._memory.off, self._memory.compared_at = checks.of_effects(effects), now
        return self._memory.off

    async def _positions(self, stored: Offsets, committed: Offsets) -> list[Finding]:
        try:
            async with asyncio.timeout(BUS_WITHIN_S):
                bounds = await self._bus.bounds()
        except Exception as error:
            log.warning("the auditor cannot ask Kafka: %s at %s", type(error).__name__, places_of(error))
            return [Finding("bus_unreachable", 1)]
        now, memory = clock.monotonic(), self._memory
        memory.places = checks.standing(memory.places, stored, bounds, now)
        memory.lag = checks.lag_of(stored, bounds)
        return [
            *checks.of_positions(stored, committed=committed, bounds=bounds),
            *checks.stands(memory.places, now, self._limits),
        ]


def _summed(found: Sequence[Finding]) -> list[Finding]:
    """One finding per check: both looks at the chain may have met the same link."""
    most: Mapping[str, Finding] = {
        one.check: one for one in sorted(found, key=lambda finding: (finding.count, finding.seconds))
    }
    return [most[name] for name in sorted(most)]
