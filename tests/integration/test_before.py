"""Rows from before a migration: it tells of them as well as can be known, and leaves row security as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Literal
from uuid import uuid4

import pytest
import pytest_asyncio

from shared.migrate import steps
from tests.harness.databases import Sql, TestDatabase

pytestmark = pytest.mark.engines
FORCED = "SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE oid = ANY ($1::text[]::regclass[])"
REPLY = """
INSERT INTO notify.replies(reply_id, agency_id, case_id, person_id, subject_id, verb, received_at)
VALUES (gen_random_uuid(), $1, $2, gen_random_uuid(), $3, $4, $5)
"""
NOTIFYS = """
INSERT INTO notify.referrals(referral_id, agency_id, case_id, state, direct, confirmed, made_at)
VALUES (gen_random_uuid(), $1, $2, 'requested', $3, '', $4)
"""
PATHWAY = """
INSERT INTO referral.pathways(case_id, agency_id, stamped, assignment_id, peer_id, gone, given, waiting, ended)
VALUES ($2, $1, true, $3, gen_random_uuid(), '{}', '{}', '[]', false)
"""
REFERRALS = """
INSERT INTO referral.referrals(case_id, agency_id, referral_id, direct, stage, due_at, asked, confirmed, told, version)
VALUES ($2, $1, gen_random_uuid(), $3, 'consent', region.now(), '[]', '{}', false, 1)
"""
SEAT = """
INSERT INTO notify.matters(matter_id, agency_id, case_id, person_id, kind, state, released, made_at)
VALUES (gen_random_uuid(), $1, gen_random_uuid(), gen_random_uuid(), $2, 'accepted', $3, region.now())
"""


@pytest_asyncio.fixture
async def sql(database: TestDatabase) -> AsyncIterator[Sql]:
    opened = await database.superuser()
    yield opened
    await opened.close()


async def migrated_again(sql: Sql, service: str, words: str, phase: Literal["pre", "post"] = "pre") -> None:
    [step] = [one for one in steps(phase) if one.schema == service and one.name.endswith(f"_{words}.sql")]
    async with sql.transaction():
        await sql.execute(f"SET LOCAL search_path = {service}; SET LOCAL ROLE {service}_owner")
        await sql.execute(step.sql)


async def test_a_referral_of_before_belongs_to_the_support_of_the_last_wish_before_it(sql: Sql) -> None:
    agency, case, first, later = uuid4(), uuid4(), uuid4(), uuid4()
    now = await sql.fetchval("SELECT region.now()")
    await sql.execute("ALTER TABLE notify.referrals DROP COLUMN assignment_id")
    said: list[tuple[Any, str, int]] = [(uuid4(), "clinician", 9), (first, "clinician", 5), (uuid4(), "close", 4)]
    for subject, verb, hours in [*said, (later, "clinician", 1)]:
        await sql.execute(REPLY, agency, case, subject, verb, now - timedelta(hours=hours))
    for direct in (False, True):
        await sql.execute(NOTIFYS, agency, case, direct, now - timedelta(hours=3))
    await migrated_again(sql, "notify", "wanted_in")
    rows = await sql.fetch("SELECT direct, assignment_id FROM notify.referrals ORDER BY direct")
    assert [tuple(row) for row in rows] == [(False, first), (True, None)]
    assert await sql.fetchval(FORCED, ["notify.referrals", "notify.replies"])


async def test_a_pathways_referral_of_before_belongs_to_the_present_peer(sql: Sql) -> None:
    await sql.execute("ALTER TABLE referral.referrals DROP COLUMN assignment_id")
    cases = {direct: (uuid4(), uuid4(), uuid4()) for direct in (False, True)}
    for direct, (agency, case, assignment) in cases.items():
        await sql.execute(PATHWAY, agency, case, assignment)
        await sql.execute(REFERRALS, agency, case, direct)
    await migrated_again(sql, "referral", "wanted_in")
    rows = await sql.fetch("SELECT direct, assignment_id FROM referral.referrals ORDER BY direct")
    assert [tuple(row) for row in rows] == [(False, cases[False][2]), (True, None)]
    assert await sql.fetchval(FORCED, ["referral.referrals", "referral.pathways"])


async def test_a_release_of_before_runs_out_after_thirty_days_and_a_peers_never(sql: Sql) -> None:
    for kind, released in (("referral", True), ("referral", False), ("assignment", True)):
        await sql.execute(SEAT, uuid4(), kind, released)
    now = await sql.fetchval("SELECT region.now()")
    await migrated_again(sql, "notify", "released_until", "post")
    rows = await sql.fetch("SELECT kind, released, released_until FROM notify.matters")
    until = {(row["kind"], row["released"]): row["released_until"] for row in rows}
    assert timedelta(days=30) <= until["referral", True] - now < timedelta(days=30, minutes=5)
    assert (until["referral", False], until["assignment", True]) == (None, None)
    assert await sql.fetchval(FORCED, ["notify.matters"])
