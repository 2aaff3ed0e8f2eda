"""A bench for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.harness.bench import benched
from tests.harness.databases import TestDatabase
from tests.integration.matching.bench import Bench


@pytest_asyncio.fixture
async def bench(database: TestDatabase) -> AsyncIterator[Bench]:
    async with benched(Bench, database) as made:
        yield made
