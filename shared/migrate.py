"""Numbered SQL files, forward only: `NNNN_pre_words.sql` suits the code now running, `NNNN_post_words.sql` comes after.

The cluster's roles are made once by a superuser (`bootstrap`); after that only `peerline_migrator` changes schemas,
by becoming each schema's owner, who cannot log in. One advisory lock keeps two migrations apart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import asyncpg

SERVICES = ("intake", "matching", "referral", "notify")
MIGRATOR = "peerline_migrator"
OPERATOR = "peerline_operator"
EVERYBODY = "peerline_services"
"""A group role without login: what all services may do (the region's clock and agencies in view)."""

_ROOT = Path(__file__).resolve().parent.parent
_NAME = re.compile(r"^\d{4}_(pre|post)_[a-z0-9_]+\.sql$")
_LOCK = 0x6D6967
_ROLE = re.compile(r"^[a-z_][a-z0-9_]{0,39}$")

Phase = Literal["pre", "post"]


class BadMigration(Exception):
    """A migration file is misnamed, or one that was applied has been changed since."""


@dataclass(frozen=True)
class Server:
    """Where PostgreSQL listens."""

    host: str
    port: int


@dataclass(frozen=True)
class Step:
    """One migration for one schema. `series` is the folder it comes from."""

    schema: str
    series: str
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the rendered text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def app_of(service: str) -> str:
    """The login of a service's actions."""
    return f"{service}_app"


def loop_of(service: str) -> str:
    """The login of a service's loops."""
    return f"{service}_loop"


def owner_of(schema: str) -> str:
    """The role that owns a schema; it cannot log in."""
    return f"{schema}_owner"


def rendered(text: str, schema: str) -> str:
    """A migration with its schema and roles filled in."""
    names = {"schema": schema, "app": app_of(schema), "loop": loop_of(schema), "owner": owner_of(schema)}
    for placeholder, name in names.items():
        text = text.replace(f"{{{placeholder}}}", name)
    return text


def steps(phase: Phase) -> list[Step]:
    """Every migration of a phase, in the order in which they run: region, vault, then each service's house and own."""
    shared = _ROOT / "shared" / "migrations"
    found = [
        *_series("region", "region", shared / "region", phase),
        *_series("vault", "vault", shared / "vault", phase),
    ]
    for service in SERVICES:
        found += _series(service, "house", shared / "house", phase)
        found += _series(service, service, _ROOT / "services" / service / "migrations", phase)
    return found


def _series(schema: str, series: str, folder: Path, phase: Phase) -> Iterable[Step]:
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.match(path.name)
        if match is None:
            raise BadMigration(path.name)
        if match[1] == phase:
            yield Step(schema, series, path.name, rendered(path.read_text(), schema))


def _roles(passwords: Mapping[str, str]) -> list[str]:
    """Statements that make the cluster's roles; `passwords` by login."""
    statements = [f"CREATE ROLE {EVERYBODY} NOLOGIN"]
    for schema in ("region", "vault", *SERVICES):
        statements.append(f"CREATE ROLE {owner_of(schema)} NOLOGIN")
        statements.append(f"GRANT {EVERYBODY} TO {owner_of(schema)}")
    statements += [f"CREATE ROLE {login} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE" for login in logins()]
    for login, password in passwords.items():
        if login not in logins():
            raise BadMigration(login)
        quoted = password.replace("'", "''")
        statements.append(f"ALTER ROLE {login} PASSWORD '{quoted}'")
    statements += [f"GRANT {owner_of(schema)} TO {MIGRATOR}" for schema in ("region", "vault", *SERVICES)]
    for service in SERVICES:
        statements.append(f"GRANT {EVERYBODY} TO {app_of(service)}, {loop_of(service)}")
    return statements


def logins() -> list[str]:
    """Every role that can log in."""
    return [MIGRATOR, OPERATOR, *(name for service in SERVICES for name in (app_of(service), loop_of(service)))]


async def bootstrap(server: Server, superuser_password: str, passwords: Mapping[str, str]) -> None:
    """As superuser, once per cluster: make the roles, or only set their passwords where they exist."""
    connection = await _connect(server, "postgres", "postgres", superuser_password)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            existing = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
            wanted = [one for one in _roles(passwords) if not _already(one, existing)]
            await connection.execute("; ".join(wanted))
    finally:
        await connection.close()


def _already(statement: str, existing: set[str]) -> bool:
    match = re.match(r"CREATE ROLE (\w+)", statement)
    return match is not None and match[1] in existing


async def create_database(server: Server, superuser_password: str, name: str, *, template: str = "template1") -> None:
    """As superuser: a database that nobody but the region's roles may enter. An existing one is left as it is."""
    if not _ROLE.match(name):
        raise BadMigration(name)
    connection = await _connect(server, "postgres", "postgres", superuser_password)
    try:
        if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            return
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {MIGRATOR}")
        await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM public")
        await connection.execute(f"GRANT CONNECT ON DATABASE {name} TO {', '.join(logins())}")
    finally:
        await connection.close()


async def _connect(server: Server, database: str, user: str, password: str) -> asyncpg.Connection[Any]:
    return await asyncpg.connect(
        host=server.host, port=server.port, database=database, user=user, password=password, timeout=10
    )


_JOURNAL = """
CREATE SCHEMA IF NOT EXISTS migration;
CREATE TABLE IF NOT EXISTS migration.applied(
    schema text, series text, name text, digest text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (schema, series, name));
"""


async def migrate(server: Server, database: str, migrator_password: str, phase: Phase = "pre") -> list[str]:
    """Apply what is missing, each file in a transaction of its own. Returns what was applied. Raises `BadMigration`."""
    connection = await _connect(server, database, MIGRATOR, migrator_password)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(_JOURNAL)
        rows = await connection.fetch("SELECT schema, series, name, digest FROM migration.applied")
        applied = {(row["schema"], row["series"], row["name"]): row["digest"] for row in rows}
        done = []
        # sql-in-loop: each migration is a transaction of its own
        for step in steps(phase):
            known = applied.get((step.schema, step.series, step.name))
            if known is None:
                await _apply(connection, step)
                done.append(f"{step.schema}: {step.name}")
            elif known != step.digest:
                raise BadMigration(f"{step.series}/{step.name} was changed after it was applied")
        return done
    finally:
        await connection.close()


async def _apply(connection: asyncpg.Connection[Any], step: Step) -> None:
    async with connection.transaction():
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {step.schema} AUTHORIZATION {owner_of(step.schema)}")
        await connection.execute(f"SET LOCAL ROLE {owner_of(step.schema)}")
        await connection.execute(
            f"SET LOCAL search_path = {step.schema}; SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '60s'"
        )
        await connection.execute(step.sql)
        await connection.execute("RESET ROLE")
        await connection.execute(
            "INSERT INTO migration.applied(schema, series, name, digest) VALUES ($1, $2, $3, $4)",
            step.schema,
            step.series,
            step.name,
            step.digest,
        )
