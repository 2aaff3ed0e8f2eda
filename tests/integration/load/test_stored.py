"""Copies of an agency, as the load test makes a million stored cases of a thousand real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from tests.harness.databases import Sql, TestDatabase
from tests.load import stored

AGENCY, CASE, OFFER, PERSON = (uuid4() for _ in range(4))
COPIES = 3
HEARD = UUID("01a217c3-0001-73c4-8001-000000000001")
"""Every group holds the number of a copy."""

_CASE = "INSERT INTO matching.cases(case_id, agency_id, state, owner, due_at) VALUES ($1, $2, 's', 'peer', now())"
_OFFER = """
INSERT INTO matching.offers(offer_id, agency_id, case_id, person_id, state, expires_at, crisis, factors, version)
VALUES ($1, $2, $3, $4, 'pending', now(), false, jsonb_build_object('case', $3::uuid), 1)
"""
_DOOR = "INSERT INTO matching.doors(hash, agency_id, kind, subject, key) VALUES ('\\x01', $1, 'code', $2, $2)"
_HEARD = "INSERT INTO matching.inbox(event_id, digest, seen_at) VALUES ($1, '\\x02', $2)"
_TOGETHER = """
SELECT c.case_id, c.agency_id, o.person_id, o.factors ->> 'case' AS named
  FROM matching.cases c JOIN matching.offers o USING (case_id, agency_id) JOIN matching.doors d ON d.key = c.case_id
"""


@pytest_asyncio.fixture
async def copied(database: TestDatabase) -> AsyncIterator[Sql]:
    """One case, one offer, one door and one claim, and three copies of them."""
    sql = await database.superuser()
    await sql.execute(_CASE, CASE, AGENCY)
    await sql.execute(_OFFER, OFFER, AGENCY, CASE, PERSON)
    await sql.execute(_DOOR, AGENCY, CASE)
    now = datetime.now(UTC)
    await sql.execute(_HEARD, HEARD, now)
    # Of something later.
    await sql.execute(_HEARD, uuid4(), now + timedelta(hours=1))
    await stored.copy(superuser(database), AGENCY, (now, now), COPIES)
    yield sql
    await sql.close()


def superuser(database: TestDatabase) -> dict[str, Any]:
    endpoints = database.cluster.endpoints
    return {
        "host": endpoints.postgres_host,
        "port": endpoints.postgres_port,
        "user": "postgres",
        "password": endpoints.postgres_password,
        "database": database.name,
    }


async def test_what_belonged_together_belongs_together_in_every_copy(copied: Sql) -> None:
    rows = await copied.fetch(_TOGETHER)
    assert len(rows) == COPIES + 1
    for name in ("case_id", "agency_id", "person_id"):
        assert len({row[name] for row in rows}) == COPIES + 1


async def test_ids_inside_of_documents_are_the_copies_own(copied: Sql) -> None:
    assert all(UUID(row["named"]) == row["case_id"] for row in await copied.fetch(_TOGETHER))


async def test_what_was_heard_then_is_copied_too_and_nothing_else(copied: Sql) -> None:
    assert await copied.fetchval("SELECT count(DISTINCT event_id) FROM matching.inbox") == COPIES + 2


async def test_more_copies_than_ids_can_tell_apart_are_refused(database: TestDatabase) -> None:
    now = datetime.now(UTC)
    with pytest.raises(ValueError, match="at most"):
        await stored.copy(superuser(database), AGENCY, (now, now), stored.MOST_COPIES + 1)
