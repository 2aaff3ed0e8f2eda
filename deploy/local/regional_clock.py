"""The clock of a local region, by which everything falls due: how far it is ahead of the machine's, and moving it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from deploy.local.region import LocalRegion
from shared.db import Connection, Login, connect


async def ahead(region: LocalRegion) -> timedelta:
    """How far it is ahead."""
    async with _connected(region) as connection:
        shift: timedelta = await connection.fetchval("SELECT shift FROM region.clock")
        return shift


async def put_forward(region: LocalRegion, by: timedelta) -> None:
    """Let time pass. Production has no such door: its services refuse to start on a clock that was moved."""
    async with _connected(region) as connection:
        await connection.execute("UPDATE region.clock SET shift = shift + $1", by)


@asynccontextmanager
async def _connected(region: LocalRegion) -> AsyncIterator[Connection]:
    where = region.endpoints
    login = Login(
        where.postgres_host, where.postgres_port, region.database, "postgres", where.postgres_password, "region"
    )
    connection = await connect(login, idle_timeout_s=60)
    try:
        yield connection
    finally:
        await connection.close()
