"""A bench for each test, empty or with everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.types import Role
from tests.harness.bench import benched
from tests.harness.databases import TestDatabase
from tests.integration.referral.bench import LICENCE, Bench
from tests.unit.referral.given import CARL, CLEO, COLE, CORA, CS, DORA, PAUL, PETRA, SUPERVISOR


@pytest_asyncio.fixture
async def bench(database: TestDatabase) -> AsyncIterator[Bench]:
    async with benched(Bench, database) as made:
        yield made


@pytest_asyncio.fixture
async def staffed(bench: Bench) -> Bench:
    """An agency with everybody, under a Clinical Supervisor."""
    await bench.may(SUPERVISOR, CS)
    await bench.staff(PETRA, PAUL, role=Role.PEER)
    await bench.staff(CORA, role=Role.COORDINATOR)
    await bench.staff(COLE, role=Role.COORDINATOR, attributes=("deputy",))
    await bench.staff(CLEO, role=Role.CLINICIAN, attributes=(LICENCE, "on_call"))
    await bench.staff(CARL, role=Role.CLINICIAN, attributes=(LICENCE, "deputy"))
    await bench.on_duty(DORA)
    return bench
