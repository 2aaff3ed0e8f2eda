"""A whole region for one test: its own database and topics, its own keys, and the services as real processes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from deploy.local.engines import Endpoints
from deploy.local.ports import Ports, free_ports
from deploy.local.region import LocalRegion, Secrets, keyring_in
from shared.migrate import OPERATOR, SERVICES
from shared.vault import make_keyring
from tests.harness.databases import Sql, TestDatabase
from tests.harness.mails import Mail, Mailbox
from tests.harness.services import Service, spawn
from tests.harness.topics import Topics

FIRST = "0"
SESSION_TIMEOUT_MS = 6_000
"""The shortest that the broker allows: a killed consumer's partitions move after it."""


class Region:
    """Use the fixture `region`. Everything here goes through real doors, but for `sql` and `move_clock`."""

    def __init__(self, database: TestDatabase, topics: Topics, folder: Path, http: aiohttp.ClientSession) -> None:
        self.database, self.topics, self.folder, self.http = database, topics, folder, http
        self.ports: Ports = free_ports()
        self.mailbox = Mailbox(self.endpoints.mailbox_url, http)
        self.services: dict[tuple[str, str], Service] = {}
        self.keyring = keyring_in(folder)
        make_keyring(self.keyring)
        self.fingerprint_key = secrets.token_hex(32)
        self.fault_marker = folder / "fault"
        self._sql: Sql | None = None

    @property
    def endpoints(self) -> Endpoints:
        return self.database.cluster.endpoints

    @property
    def local(self) -> LocalRegion:
        """The same region as `make up` knows it: its tools work on this one too."""
        return LocalRegion(
            state=self.folder,
            endpoints=self.endpoints,
            ports=self.ports,
            secrets=Secrets(passwords=self.database.cluster.passwords, fingerprint_key=self.fingerprint_key),
            database=self.database.name,
            topic_prefix=self.topics.prefix,
            environment="test",
        )

    def url(self, service: str) -> str:
        """Where a service's first replica listens."""
        return self.local.url(service)

    def environment(self, service: str, *, replica: str = FIRST) -> dict[str, str]:
        """What a service's process finds in its environment."""
        return self.local.service_environment(service, replica=replica) | {
            "PEERLINE_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }

    async def start(
        self,
        service: str,
        *,
        replica: str = FIRST,
        fault: str = "",
        env: Mapping[str, str] | None = None,
        ready: bool = True,
        root: Path | None = None,
    ) -> Service:
        """Start a replica; returns when it is ready. `fault` is `point[:topic-or-kind][:nth]` of `shared.faults`.

        `root` is where its source lies, for a replica of another release.
        """
        environment = self.environment(service, replica=replica) | dict(env or {})
        if fault:
            environment |= {"PEERLINE_FAULT": fault, "PEERLINE_FAULT_MARKER": str(self.fault_marker)}
        if replica != FIRST:
            self.topics.tired = True
        running = await spawn(
            service,
            replica=replica,
            environment=environment,
            port=self.ports.named()[service] if replica == FIRST else None,
            log=self.folder / f"{service}.{replica}.log",
            root=root,
        )
        self.services[service, replica] = running
        if ready:
            await running.ready(self.http)
        return running

    async def start_all(self, **options: Any) -> None:
        """All four services; returns when every one is ready."""
        for service in SERVICES:
            await self.start(service, ready=False, **options)
        for service in SERVICES:
            await self.services[service, FIRST].ready(self.http)

    async def kill(self, service: str, *, replica: str = FIRST) -> None:
        """SIGKILL one replica."""
        await self.services[service, replica].kill()

    async def stop(self, service: str | None = None, *, replica: str = FIRST) -> None:
        """Stop one replica cleanly, or every process."""
        chosen = [self.services[service, replica]] if service else list(self.services.values())
        for one in chosen:
            if one.running:
                one.process.terminate()
        for one in chosen:
            if one.running:
                await one.stop()

    async def sql(self) -> Sql:
        """A superuser's connection, which sees every row; kept for the whole test."""
        if self._sql is None:
            self._sql = await self.database.superuser()
        return self._sql

    async def operator(self) -> Sql:
        """A connection as the operator's command has it. The caller closes it."""
        return await self.database.connect(OPERATOR)

    async def move_clock(self, by: timedelta) -> None:
        """Move the region's clock forward; it stays a running clock."""
        await (await self.sql()).execute("UPDATE region.clock SET shift = shift + $1", by)

    async def mails(self, *, to: str) -> list[Mail]:
        """All mails to an address so far, the oldest first."""
        return await self.mailbox.mails(to=to)

    async def close(self) -> None:
        """Kill what still runs; a test that cares for a clean stop asks for it."""
        for one in self.services.values():
            # The broker waits for who was killed: nobody else may be of its groups meanwhile.
            self.topics.tired |= one.running
            await one.kill()
        if self._sql is not None:
            await self._sql.close()


@asynccontextmanager
async def opened(database: TestDatabase, topics: Topics, folder: Path) -> AsyncIterator[Region]:
    """A region without any service started."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        region = Region(database, topics, folder, http)
        try:
            yield region
        finally:
            await region.close()
