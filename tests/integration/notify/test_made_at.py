"""Matters from before it was kept when they were made: the migration tells it as well as it can be known."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from services.notify.store import links
from shared.migrate import steps
from shared.types import AgencyId, CaseId, PersonId
from tests.harness.databases import Sql, TestDatabase

pytestmark = pytest.mark.engines
MATTER = """
INSERT INTO notify.matters(matter_id, agency_id, case_id, person_id, kind, state, made_at)
VALUES ($1, $2, $3, $4, 'offer', 'open', $5)
"""
INTENT = """
INSERT INTO notify.intents(intent_id, agency_id, case_id, person_id, template, class, subject_id, expires_at, state,
                           planned_at)
VALUES (gen_random_uuid(), $1, $2, $3, 'offer', 'ordinary', $4, region.now(), 'accepted', $5)
"""
FORCED = """
SELECT bool_and(relforcerowsecurity) FROM pg_class
 WHERE oid IN ('notify.matters'::regclass, 'notify.intents'::regclass)
"""


async def migrated_again(sql: Sql) -> None:
    [step] = [one for one in steps("pre") if one.name == "0006_pre_made_at.sql"]
    async with sql.transaction():
        await sql.execute("SET LOCAL search_path = notify; SET LOCAL ROLE notify_owner")
        await sql.execute(step.sql)


async def test_a_matter_of_before_was_made_when_its_first_message_was_planned(database: TestDatabase) -> None:
    sql = await database.superuser()
    agency, case, person = AgencyId(uuid4()), CaseId(uuid4()), PersonId(uuid4())
    now = await sql.fetchval("SELECT region.now()")
    old, silent = uuid4(), PersonId(uuid4())
    try:
        await sql.execute("ALTER TABLE notify.matters ALTER made_at DROP NOT NULL")
        await sql.execute(MATTER, old, agency, case, person, None)
        await sql.execute(MATTER, uuid4(), agency, case, person, now)
        await sql.execute(MATTER, uuid4(), agency, case, silent, None)
        for hours in (2, 3):
            await sql.execute(INTENT, agency, case, person, old, now - timedelta(hours=hours))
        await migrated_again(sql)
        assert await sql.fetchval("SELECT count(*) FROM notify.matters WHERE made_at IS NULL") == 0
    finally:
        await sql.close()
    async with database.opened("notify") as db, db.transaction([agency]) as tx:
        assert await links.told_since(tx, person, case) == now - timedelta(hours=3)
        since = await links.told_since(tx, silent, case)
    assert since is not None
    assert since < now - timedelta(days=365)


async def test_the_tables_stay_under_row_security_after_it(database: TestDatabase) -> None:
    sql = await database.superuser()
    try:
        await sql.execute("ALTER TABLE notify.matters ALTER made_at DROP NOT NULL")
        await migrated_again(sql)
        forced = await sql.fetchval(FORCED)
        assert forced
    finally:
        await sql.close()
