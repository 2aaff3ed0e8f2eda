"""An office of intake for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.harness.databases import TestDatabase
from tests.integration.intake_agency import office as offices
from tests.integration.intake_agency.office import Office


@pytest_asyncio.fixture
async def office(database: TestDatabase, tmp_path: Path) -> AsyncIterator[Office]:
    async with offices.opened(database, tmp_path) as opened:
        yield opened
