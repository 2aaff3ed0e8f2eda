"""Real engines for the tests of the engines themselves, apart from those that all other tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.engines import Engines, forget, free_ports


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def own_engines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engines]:
    state: Path = tmp_path_factory.mktemp("engines") / "state"
    async with Engines(state=state, ports=free_ports(), durable=False) as engines:
        yield engines
    forget(state)


@pytest.fixture
def said() -> list[str]:
    return []
