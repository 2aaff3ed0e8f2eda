"""A front of intake for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.harness.databases import TestDatabase
from tests.integration.intake_case import front as fronts
from tests.integration.intake_case.front import Front


@pytest_asyncio.fixture
async def front(database: TestDatabase, tmp_path: Path) -> AsyncIterator[Front]:
    async with fronts.opened(database, tmp_path) as opened:
        yield opened
