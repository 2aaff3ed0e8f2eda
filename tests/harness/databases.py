"""A database per test, copied from a template that the session migrates once."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import asyncpg

from deploy.local.engines import Endpoints
from shared.db import Database, Login, open_pool
from shared.migrate import MIGRATOR, OPERATOR, Server, app_of, bootstrap, create_database, logins, loop_of, migrate
from tests.harness.engines import lives

# The stubs are generic where the library is not.
if TYPE_CHECKING:
    Sql = asyncpg.Connection[Any]
else:
    Sql = asyncpg.Connection

SUPERUSER = "postgres"
_number = count(1)


@dataclass(frozen=True)
class Cluster:
    """The PostgreSQL of this run: the passwords of all logins, and the migrated template."""

    endpoints: Endpoints
    passwords: dict[str, str]
    template: str

    @property
    def server(self) -> Server:
        return Server(self.endpoints.postgres_host, self.endpoints.postgres_port)

    async def connect(self, database: str, user: str, password: str, **settings: str) -> Sql:
        return await asyncpg.connect(
            host=self.endpoints.postgres_host,
            port=self.endpoints.postgres_port,
            database=database,
            user=user,
            password=password,
            timeout=10,
            server_settings=settings,
        )

    async def superuser(self, database: str = "postgres") -> Sql:
        return await self.connect(database, SUPERUSER, self.endpoints.postgres_password)


@dataclass(frozen=True)
class TestDatabase:
    """One test's own database."""

    __test__ = False

    cluster: Cluster
    name: str

    async def superuser(self) -> Sql:
        """Sees every row of everybody."""
        return await self.cluster.superuser(self.name)

    async def connect(self, login: str, **settings: str) -> Sql:
        """As one of the region's logins; `settings` such as search_path="intake"."""
        return await self.cluster.connect(self.name, login, self.cluster.passwords[login], **settings)

    def login(self, user: str, schema: str) -> Login:
        """Where and as whom, as `shared.db` takes it."""
        endpoints = self.cluster.endpoints
        password = self.cluster.passwords.get(user, endpoints.postgres_password)
        return Login(endpoints.postgres_host, endpoints.postgres_port, self.name, user, password, schema)

    @asynccontextmanager
    async def opened(self, service: str, *, size: int = 4) -> AsyncIterator[Database]:
        """The two pools of a service, as its process opens them."""
        app = await open_pool(self.login(app_of(service), service), size=size)
        loop = await open_pool(self.login(loop_of(service), service), size=4)
        db = Database(app, loop, service)
        try:
            yield db
        finally:
            await db.close()


async def prepare(endpoints: Endpoints, *, own: bool) -> Cluster:
    """Roles and a migrated template. The roles of shared engines have the password that all developers use."""
    passwords = {login: secrets.token_urlsafe(12) if own else "pw" for login in logins()}
    cluster = Cluster(endpoints, passwords, f"peerline_template_{os.getpid()}")
    await bootstrap(cluster.server, endpoints.postgres_password, passwords)
    await _sweep(cluster)
    await drop(cluster, cluster.template)
    await create_database(cluster.server, endpoints.postgres_password, cluster.template)
    await migrate(cluster.server, cluster.template, passwords[MIGRATOR], "pre")
    await migrate(cluster.server, cluster.template, passwords[MIGRATOR], "post")
    return cluster


async def drop(cluster: Cluster, name: str) -> None:
    """Away with a database, whoever is still connected."""
    connection = await cluster.superuser()
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await connection.close()


async def _sweep(cluster: Cluster) -> None:
    """Drop the databases of killed runs on shared engines."""
    connection = await cluster.superuser()
    try:
        rows = await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'peerline%'")
    finally:
        await connection.close()
    for row in rows:
        found = re.fullmatch(r"peerline_(?:template|test)_(\d+)(?:_\d+)?", row["datname"])
        if found and not lives(int(found[1])):
            await drop(cluster, row["datname"])


@asynccontextmanager
async def fresh(cluster: Cluster) -> AsyncIterator[TestDatabase]:
    """A copy of the template, dropped at the end."""
    name = f"peerline_test_{os.getpid()}_{next(_number)}"
    await create_database(cluster.server, cluster.endpoints.postgres_password, name, template=cluster.template)
    try:
        yield TestDatabase(cluster, name)
    finally:
        await drop(cluster, name)


__all__ = ["OPERATOR", "Cluster", "Sql", "TestDatabase", "drop", "fresh", "prepare"]
