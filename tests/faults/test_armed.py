"""No service starts in production with a fault armed, in whichever way it was armed."""

from __future__ import annotations

import asyncio

import pytest

from shared.faults import ORDER
from shared.migrate import SERVICES
from tests.harness.region import Region
from tests.harness.services import Service


@pytest.mark.parametrize("fault", ["before-offset:peerline.intake", f"{ORDER}/nowhere/at/all"])
async def test_no_service_starts_in_production_with_a_fault_armed(fault: str, region: Region) -> None:
    env = {"PEERLINE_ENVIRONMENT": "production", "PEERLINE_TOPIC_PREFIX": ""}

    async def refused(service: Service) -> None:
        assert await service.ended() not in {0, None}
        assert "FaultInProduction" in service.said()
        assert "is on the bus" not in service.said()

    started = [await region.start(service, fault=fault, env=env, ready=False) for service in SERVICES]
    await asyncio.gather(*(refused(service) for service in started))
    assert not region.fault_marker.exists()
