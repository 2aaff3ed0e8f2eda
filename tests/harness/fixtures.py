"""The fixtures of every test that needs engines; `tests/conftest.py` offers them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.engines import Endpoints
from deploy.local.timeline import Watcher, watching
from tests.harness import databases, engines, region
from tests.harness import town as towns
from tests.harness.bus import Bus, bus_of
from tests.harness.databases import Cluster, TestDatabase
from tests.harness.region import Region
from tests.harness.topics import Pool, Topics
from tests.harness.town import Town


@pytest.fixture(scope="session", name="own_engines")
def _own_engines() -> Iterator[tuple[Endpoints, bool]]:
    try:
        with engines.running() as found:
            yield found
    except engines.NoEngines as error:
        pytest.exit(f"The engines did not start: {error}", returncode=3)


@pytest.fixture(scope="session", name="engines")
def _engines(own_engines: tuple[Endpoints, bool]) -> Endpoints:
    """Where Kafka, PostgreSQL, mail and traces answer; started once per run."""
    return own_engines[0]


@pytest.fixture(scope="session")
def cluster(own_engines: tuple[Endpoints, bool]) -> Iterator[Cluster]:
    """PostgreSQL with the region's roles and a migrated template."""
    endpoints, own = own_engines
    made = asyncio.run(databases.prepare(endpoints, own=own))
    yield made
    asyncio.run(databases.drop(made, made.template))


@pytest.fixture(scope="session")
def pool(cluster: Cluster) -> Pool:
    """The topic prefixes of this run."""
    return Pool(cluster)


@pytest_asyncio.fixture
async def database(cluster: Cluster) -> AsyncIterator[TestDatabase]:
    """A migrated database of this test alone."""
    async with databases.fresh(cluster) as fresh:
        yield fresh


@pytest_asyncio.fixture
async def topics(pool: Pool) -> AsyncIterator[Topics]:
    """Empty topics under a prefix of this test alone."""
    async with pool.taken() as taken:
        yield taken


@pytest_asyncio.fixture(name="region")
async def _region(database: TestDatabase, topics: Topics, tmp_path: Path) -> AsyncIterator[Region]:
    """A region of this test alone; start its services as the test needs them."""
    async with region.opened(database, topics, tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture
async def town(region: Region) -> AsyncIterator[Town]:
    """The demo region of this test alone, made through the real doors, everybody verified."""
    async with towns.opened(region) as opened:
        yield opened


@pytest_asyncio.fixture
async def bus(region: Region) -> AsyncIterator[Bus]:
    """What other services would say in this region, for one new agency."""
    async with bus_of(region) as opened:
        yield opened


@pytest_asyncio.fixture
async def seen(region: Region) -> AsyncIterator[Watcher]:
    """Everything that is published in this region from now on."""
    async with watching(region.topics.kafka, region.topics.prefix) as watcher:
        yield watcher
