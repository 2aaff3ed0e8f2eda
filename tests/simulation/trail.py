"""I8, and what the auditor of a running region looks at: asked of a simulated one, in which everything is at rest."""

from __future__ import annotations

from shared import auditor, effects
from shared.db import connect
from shared.migrate import SERVICES, loop_of
from shared.sealer import Sealer
from tests.simulation.ground import simulated
from tests.simulation.region import Region
from tests.simulation.watch import Broken

_IDLE_S = 60.0


async def whole(region: Region) -> None:
    """Seal what is not sealed, then let the auditor look. Raises `Broken` where one of its checks fails."""
    for service in SERVICES:
        await _sealed(region, service)
        connection = await connect(simulated(region.database.login(loop_of(service), service)), idle_timeout_s=_IDLE_S)
        try:
            # sql-in-loop: one service after the other
            found = await auditor.failed(
                connection,
                service,
                committed=region.committed(service),
                bounds={place: (0, region.logs.end(place)) for place in region.logs.of},
                effects=[effects.ends, *([effects.cases] if service == "intake" else [])],
            )
        finally:
            await connection.close()
        if found:
            raise Broken(f"I8 {found[0].check}: {service}: {found}")


async def _sealed(region: Region, service: str) -> None:
    login = region.database.login(loop_of(service), service)
    sealer, connection = Sealer(login), await connect(login, idle_timeout_s=_IDLE_S)
    try:
        # sql-in-loop: batch by batch
        while await sealer.sealed(connection):
            pass
    finally:
        await connection.close()
