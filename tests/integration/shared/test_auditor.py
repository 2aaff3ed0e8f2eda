"""Every check of the auditor on a real database: it fails when what it stands for does not hold, and is well again."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.notify.store.watch import WORDS
from shared import auditor, effects, heartbeats, open_things
from shared.audit import Entry, record
from shared.auditor import Auditor
from shared.checks import SERVICES, Bounds, Finding, Limits, Offsets, Place
from shared.db import Connection, Database, connect
from shared.effects import BEGUN, CLOSED
from shared.events import KNOWN
from shared.migrate import loop_of
from shared.open_things import CASES, Round
from shared.sealer import Sealer
from shared.types import AgencyId
from tests.harness.databases import Sql, TestDatabase
from tests.harness.probe import SERVICE

AGENCY = AgencyId(UUID(int=7))
LIMITS = Limits()
PLACE: Place = ("peerline.intake", 0)


class Kafka:
    """What the consumers of a process know."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds, self.away, self.halted = bounds or {}, False, 0

    def stopped(self) -> int:
        return self.halted

    def committed(self) -> Offsets:
        return {}

    async def bounds(self) -> Bounds:
        if self.away:
            raise TimeoutError
        return self._bounds


@pytest_asyncio.fixture
async def loop(database: TestDatabase) -> AsyncIterator[Connection]:
    connection = await connect(database.login(loop_of(SERVICE), SERVICE), idle_timeout_s=60)
    yield connection
    await connection.close()


async def found(loop: Connection, *, committed: Offsets | None = None, bounds: Bounds | None = None) -> dict[str, int]:
    return {one.check: one.count for one in await auditor.failed(loop, SERVICE, committed=committed, bounds=bounds)}


async def test_nothing_is_found_where_nothing_is(loop: Connection) -> None:
    assert await found(loop, bounds={}) == {}


CASE = """
INSERT INTO cases(case_id, agency_id, state, owner, due_at)
VALUES (gen_random_uuid(), $1, 'somewhere', $2, region.now() - $3::interval)
"""


@pytest.mark.parametrize("service", SERVICES)
async def test_what_a_service_owns_and_is_late_with_is_found_and_what_people_owe_is_not(
    service: str, database: TestDatabase
) -> None:
    sql = await database.superuser()
    await sql.execute(f"SET search_path = {service}")
    for owner, late in ((service, 121), ("matching", 500), (service, 100), ("peer", 9000), ("operator", 9000)):
        await sql.execute(CASE, AGENCY, owner, timedelta(seconds=late))
    await sql.close()
    async with database.opened(service) as db, db.loop() as connection:
        [one] = await auditor.failed(connection, service)
        assert (one.check, one.count, round(one.seconds / 10)) == ("open_overdue", 2, 50)
        [sliced] = await Round(CASES).step(connection, LIMITS)
        assert (sliced.check, sliced.count) == (one.check, one.count)


TIMER = """
INSERT INTO timers(timer_id, agency_id, lane, kind, key, subject_id, subject_version, due_at)
VALUES (gen_random_uuid(), $1, $2, 'look', $1, gen_random_uuid(), 1, region.now() - $3::interval)
"""


async def test_a_timer_that_nobody_runs_is_found_until_it_is_gone(loop: Connection, sql: Sql) -> None:
    for lane in (0, 1, 2):
        await sql.execute(TIMER, AGENCY, lane, timedelta(seconds=121))
        await sql.execute(TIMER, AGENCY, lane, timedelta(seconds=60))
    assert await found(loop) == {"timers_overdue": 3}
    await sql.execute("DELETE FROM timers WHERE due_at < region.now() - interval '2 minutes'")
    assert await found(loop) == {}


async def test_what_is_open_without_owner_or_due_time_is_found(loop: Connection, sql: Sql) -> None:
    await sql.execute("ALTER TABLE cases DROP CONSTRAINT cases_check")
    await sql.execute("INSERT INTO cases(case_id, agency_id, state) VALUES ($1, $2, 'lost')", uuid4(), AGENCY)
    assert await found(loop) == {"open_without_due": 1}
    assert await Round(CASES).step(loop, LIMITS) == [Finding("open_without_due", 1)]


PARKED = """
INSERT INTO parked(topic, part, pos, key, size, state, next_try, error_class, fingerprint)
VALUES ('peerline.intake', 0, $1, $2, 0, 'waiting', clock_timestamp() - $3::interval, 'Odd', '')
"""


async def test_a_parked_record_that_nobody_tries_is_found_and_what_waits_behind_it_is_not(
    loop: Connection, sql: Sql
) -> None:
    for pos, key, late in ((0, b"a", 121), (1, b"a", 500), (2, b"b", 60)):
        await sql.execute(PARKED, pos, key, timedelta(seconds=late))
    assert await found(loop) == {"parked_untried": 1}


FOREIGN = """
INSERT INTO parked(topic, part, pos, key, headers, record, size, state, next_try, parked_at, error_class, fingerprint)
VALUES ('peerline.intake', 0, $1, int8send($1), $2::jsonb, '', 0, 'waiting', clock_timestamp() - interval '1 hour',
        clock_timestamp() - $3::interval, 'UnknownEvent', '')
"""


async def test_a_parked_record_that_waits_for_the_release_that_knows_it_is_not_found_before_its_day_is_over(
    loop: Connection, sql: Sql
) -> None:
    day = timedelta(hours=24)
    foreign, known = (json.dumps([["ce_type", name]]) for name in ("intake.unheard_of.v9", min(KNOWN)))
    await sql.execute(FOREIGN, 0, foreign, timedelta(hours=2))
    # Its day is over, and who is to try it has just been told.
    await sql.execute(FOREIGN, 1, foreign, day + timedelta(seconds=60))
    assert await found(loop) == {}
    await sql.execute(FOREIGN, 2, foreign, day + timedelta(seconds=121))
    assert await found(loop) == {"parked_untried": 1}
    await sql.execute(FOREIGN, 3, known, timedelta(hours=2))
    assert await found(loop) == {"parked_untried": 2}


async def test_a_consumer_that_has_stopped_is_found_until_it_goes_on(db: Database) -> None:
    kafka = Kafka()
    watching = Auditor(db, kafka, replica="0", limits=LIMITS)
    kafka.halted = 2
    assert await watching.once() == [Finding("consumer_stopped", 2)]
    kafka.halted = 0
    assert await watching.once() == []


async def test_an_event_that_does_not_reach_the_bus_is_found(loop: Connection, sql: Sql) -> None:
    for age in (31, 5):
        await sql.execute(
            """INSERT INTO outbox(event_id, agency_id, lane, topic, key, route, type, payload, created_at)
               VALUES (gen_random_uuid(), $1, 1, 't', $1, $1, 't', '', clock_timestamp() - $2::interval)""",
            *(AGENCY, timedelta(seconds=age)),
        )
    assert await found(loop) == {"outbox_old": 1}


async def test_positions_beyond_the_end_and_commits_ahead_of_them_are_found(loop: Connection, sql: Sql) -> None:
    await sql.execute("INSERT INTO positions VALUES ($1, $2, 7)", *PLACE)
    assert await found(loop, bounds={PLACE: (7, 7)}, committed={PLACE: 7}) == {}
    assert await found(loop, bounds={PLACE: (0, 6)}) == {"position_beyond_end": 1}
    assert await found(loop, bounds={PLACE: (8, 9)}) == {"position_before_begin": 1}
    assert await found(loop, bounds={PLACE: (0, 9)}, committed={PLACE: 8}) == {"committed_ahead": 1}


async def write(db: Database, *acts: str) -> None:
    async with db.transaction([AGENCY]) as tx:
        await record(tx, [Entry(AGENCY, act, subject=uuid4()) for act in acts])


async def sealed(database: TestDatabase, loop: Connection, service: str = SERVICE) -> None:
    one = Sealer(database.login(loop_of(service), service))
    for _ in range(3):
        await one.sealed(loop)


async def test_an_entry_that_nobody_seals_is_found(
    db: Database, loop: Connection, sql: Sql, database: TestDatabase
) -> None:
    await write(db, "act")
    assert await found(loop) == {}
    await sql.execute("UPDATE audit SET at = at - interval '31 s'")
    assert await found(loop) == {"audit_unsealed": 1}
    await sealed(database, loop)
    assert await found(loop) == {}


async def test_an_entry_that_was_edited_is_found_until_it_is_as_it_was(
    db: Database, loop: Connection, sql: Sql, database: TestDatabase
) -> None:
    await write(db, "one", "two", "three")
    await sealed(database, loop)
    await sql.execute("UPDATE audit SET act = 'none' WHERE act = 'two'")
    assert await found(loop) == {"audit_chain": 1}
    await sql.execute("UPDATE audit SET act = 'two' WHERE act = 'none'")
    assert await found(loop) == {}


async def test_an_old_entry_that_was_edited_is_found_in_the_rounds_that_the_loop_makes(
    db: Database, loop: Connection, sql: Sql, database: TestDatabase
) -> None:
    await write(db, *["act"] * 900)
    await sealed(database, loop)
    await sql.execute("UPDATE audit SET act = 'none' WHERE id = 450")
    assert await found(loop) == {}
    watching = Auditor(db, Kafka(), replica="0", limits=LIMITS)
    seen = [[one.check for one in await watching.once()] for _ in range(4)]
    # The round stays where it has found something.
    assert seen == [[], ["audit_chain"], ["audit_chain"], ["audit_chain"]]
    await sql.execute("UPDATE audit SET act = 'act' WHERE id = 450")
    assert [await watching.once() for _ in range(3)] == [[], [], []]


async def test_cases_that_never_began_or_were_never_closed_are_found(database: TestDatabase) -> None:
    sql = await database.superuser()
    await sql.execute("SET search_path = intake")
    async with database.opened("intake") as db, db.loop() as loop:
        await write(db, BEGUN, BEGUN, CLOSED)
        await sql.execute(CASE, AGENCY, "peer", timedelta(0))
        assert await auditor.failed(loop, "intake", effects=[effects.cases]) == []
        await sealed(database, loop, "intake")
        assert await auditor.failed(loop, "intake", effects=[effects.cases]) == []
        await sql.execute(CASE, AGENCY, "peer", timedelta(0))
        assert await auditor.failed(loop, "intake", effects=[effects.cases]) == [Finding("audit_effects", 1)]
    await sql.close()


async def test_the_beat_has_names_and_counts_and_stops_while_a_check_fails(db: Database, sql: Sql) -> None:
    kafka = Kafka({PLACE: (0, 3)})
    watching = Auditor(db, kafka, replica="0", limits=LIMITS)
    await watching.once()
    clean = await sql.fetchval("SELECT clean_at FROM region.heartbeats")
    kafka.away = True
    await sql.execute(TIMER, AGENCY, 0, timedelta(seconds=300))
    assert {one.check for one in await watching.once()} == {"bus_unreachable", "timers_overdue"}
    details = json.loads(await sql.fetchval("SELECT details FROM region.heartbeats"))
    assert 300 <= details["timers_overdue"].pop("seconds") < 330
    assert details == {"bus_unreachable": {"count": 1, "seconds": 0}, "timers_overdue": {"count": 1}, "lag": 3}
    assert await sql.fetchval("SELECT clean_at FROM region.heartbeats") == clean
    kafka.away = False
    await sql.execute("DELETE FROM timers")
    assert await watching.once() == []
    assert await sql.fetchval("SELECT clean_at FROM region.heartbeats") > clean


async def test_a_service_writes_its_own_beats_and_reads_everybodys(database: TestDatabase) -> None:
    for service in ("intake", "notify"):
        async with database.opened(service) as db, db.loop() as loop:
            await heartbeats.beat(loop, service, "0", [], told={})
    async with database.opened("intake") as db, db.loop() as loop:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await heartbeats.beat(loop, "matching", "0", [], told={})
        await loop.execute("DELETE FROM region.heartbeats WHERE service = 'notify'")
        assert [one.service for one in await heartbeats.read(loop)] == ["intake", "notify"]


INTENT = """
INSERT INTO notify.intents(intent_id, agency_id, person_id, template, class, subject_id, expires_at, state, planned_at)
VALUES (gen_random_uuid(), $1, $1, 't', 'verify', $1, region.now() - interval '5 minutes', $2, region.now())
"""


async def test_the_slices_of_the_loop_find_what_the_view_shows(database: TestDatabase) -> None:
    sql = await database.superuser()
    await sql.execute(INTENT, AGENCY, "planned")
    await sql.execute(INTENT, AGENCY, "accepted")
    await sql.execute("SET search_path = notify")
    await sql.execute(CASE, AGENCY, "notify", timedelta(seconds=200))
    await sql.close()
    async with database.opened("notify") as db, db.loop() as loop:
        view = await open_things.every(loop, LIMITS)
        slices = [await Round(table).step(loop, LIMITS) for table in (CASES, WORDS)]
    assert ([one.count for one in view], [one.count for parts in slices for one in parts]) == ([2], [1, 1])


async def test_a_table_of_many_blocks_is_read_slice_by_slice(loop: Connection, sql: Sql) -> None:
    await sql.execute(
        "INSERT INTO cases SELECT gen_random_uuid(), $1, 0, 's', false, 'matching', region.now() + interval '1 hour'"
        " FROM generate_series(1, 1000)",
        AGENCY,
    )
    await sql.execute(CASE, AGENCY, "matching", timedelta(seconds=300))
    blocks = await sql.fetchval("SELECT pg_relation_size('cases') / 8192")
    going = Round(CASES, blocks=4)
    seen = [bool(await going.step(loop, LIMITS)) for _ in range(-(-blocks // 4))]
    assert seen == [False] * (len(seen) - 1) + [True]
    assert len(seen) > 2
    # It is told for the whole of the next round as well.
    assert all([bool(await going.step(loop, LIMITS)) for _ in seen])


async def test_a_pass_costs_the_same_however_many_rows_there_are(loop: Connection) -> None:
    await loop.execute("SET enable_seqscan = off")
    late = await loop.fetch(f"EXPLAIN (COSTS OFF) {auditor.LATE}", 120.0, ["t"], 24)
    plan = "\n".join(row[0] for row in late)
    part = CASES.part.replace("$3", "'(3,0)'").replace("$4", "'(9,0)'")
    sliced = "\n".join(row[0] for row in await loop.fetch(f"EXPLAIN (COSTS OFF) {part}"))
    # One row each: where the clock is, and up to where entries are sealed.
    assert set(re.findall(r"Seq Scan on (\w+)", plan)) <= {"clock", "audit_floor"}
    assert "Index Cond: ((lane = ANY" in plan
    assert "Tid Range Scan on cases" in sliced
