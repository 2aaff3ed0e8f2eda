"""A service's database with a table of effects, and superuser's eyes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.db import Database
from tests.harness import probe
from tests.harness.databases import Sql, TestDatabase


@pytest_asyncio.fixture
async def db(database: TestDatabase) -> AsyncIterator[Database]:
    """matching's two pools; its schema has the table `effects` of the probe."""
    await probe.make_table(database)
    async with database.opened(probe.SERVICE) as opened:
        yield opened


@pytest_asyncio.fixture
async def sql(database: TestDatabase) -> AsyncIterator[Sql]:
    """A superuser's connection with matching's schema first."""
    connection = await database.superuser()
    await connection.execute("SET search_path = matching")
    yield connection
    await connection.close()
