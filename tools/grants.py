"""Who may do what in PostgreSQL: `python -m tools.grants` prints the matrix as it is in a freshly migrated database.

`docs/architecture/grants.toml` keeps the matrix that was reviewed; a test compares the two. After a migration has
changed a grant: `python -m tools.grants > docs/architecture/grants.toml`, and read the difference.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local.engines import Engines, forget
from deploy.local.ports import free_ports
from deploy.local.region import LocalRegion, Secrets, prepare
from shared.migrate import SERVICES
from tools.lint.tree import ROOT

KEPT = ROOT / "docs" / "architecture" / "grants.toml"
HOUSE = "house"
SCHEMAS = ("region", "vault", *SERVICES)

Matrix = dict[str, dict[str, dict[str, str]]]
"""Section (`house`, or a schema), then role, then object: what the role may do with it, in alphabetical order."""

_GRANTS = """
WITH object(schema, name, acl, owner, kind) AS (
  SELECT n.oid, 'schema', n.nspacl, n.nspowner, 'n' FROM pg_namespace n
  UNION ALL SELECT c.relnamespace, c.relname, c.relacl, c.relowner, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END
    FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  UNION ALL SELECT p.pronamespace, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', p.proacl,
                   p.proowner, 'f' FROM pg_proc p
  UNION ALL SELECT t.typnamespace, 'type ' || t.typname, t.typacl, t.typowner, 'T' FROM pg_type t
   WHERE t.typacl IS NOT NULL)
SELECT n.nspname AS schema, coalesce(r.rolname, 'public') AS role, o.name AS object,
       string_agg(DISTINCT a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ' '
                  ORDER BY a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END) AS may
  FROM object o JOIN pg_namespace n ON n.oid = o.schema
 CROSS JOIN LATERAL aclexplode(coalesce(o.acl, acldefault(o.kind::"char", o.owner))) a
  LEFT JOIN pg_roles r ON r.oid = a.grantee
 WHERE n.nspname = ANY ($1::text[]) AND a.grantee <> o.owner
 GROUP BY 1, 2, 3
UNION ALL
SELECT n.nspname, coalesce(r.rolname, 'public'), c.relname || '.' || t.attname,
       string_agg(DISTINCT a.privilege_type, ' ' ORDER BY a.privilege_type)
  FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL aclexplode(t.attacl) a
  LEFT JOIN pg_roles r ON r.oid = a.grantee
 WHERE n.nspname = ANY ($1::text[]) AND a.grantee <> c.relowner
 GROUP BY 1, 2, 3
"""

_POLICIES = """
SELECT p.schemaname AS schema, p.tablename AS object, p.policyname AS name, p.cmd, p.permissive,
       p.roles::text[] AS roles, p.qual, p.with_check
  FROM pg_policies p WHERE p.schemaname = ANY ($1::text[]) ORDER BY 1, 2, 3
"""
IN_VIEW = "agency_id = ANY (( SELECT region.agencies() AS agencies)::uuid[])"
"""How PostgreSQL shows the condition of every agency's table."""


async def matrix(connection: asyncpg.Connection[Any]) -> Matrix:
    """What every role but the owners may do, as the catalogue of this database says."""
    found: Matrix = defaultdict(lambda: defaultdict(dict))
    for row in await connection.fetch(_GRANTS, list(SCHEMAS)):
        found[row["schema"]][row["role"]][row["object"]] = row["may"]
    return folded(found)


async def policies(connection: asyncpg.Connection[Any]) -> dict[str, dict[str, str]]:
    """Every row security policy by section and `table.policy`: for which commands, for whom, which rows."""
    found: Matrix = defaultdict(lambda: defaultdict(dict))
    for row in await connection.fetch(_POLICIES, list(SCHEMAS)):
        rows = shown(row["qual"], row["with_check"])
        roles = ", ".join(sorted(of_house(role, row["schema"]) for role in row["roles"]))
        only = "" if row["permissive"] == "PERMISSIVE" else " only"
        said = f"{row['cmd']} TO {roles}{only}: {rows}"
        found[row["schema"]]["policies"][f"{row['object']}.{row['name']}"] = said
    return {section: roles["policies"] for section, roles in folded(found).items()}


def shown(using: str | None, check: str | None) -> str:
    """The rows that a policy lets through, the usual condition shortened to `the agencies in view`."""
    parts = {" ".join(part.replace(IN_VIEW, "the agencies in view").split()) for part in (using, check) if part}
    return " / ".join(sorted(part.strip("()") if part.count("(") == 1 else part for part in parts))


def of_house(role: str, schema: str) -> str:
    """A service's own logins without the service's name, so that the four can be compared."""
    return role.replace(f"{schema}_app", "app").replace(f"{schema}_loop", "loop").replace(f"{schema}_owner", "owner")


def folded(found: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Matrix:
    """What is the same in all four services, once, as the section `house`."""
    sections: Matrix = {
        section: {of_house(role, section): dict(objects) for role, objects in roles.items()}
        for section, roles in found.items()
    }
    common: set[tuple[str, str, str]] = set.intersection(*(set(_flat(sections.get(name, {}))) for name in SERVICES))
    house: dict[str, dict[str, str]] = defaultdict(dict)
    for role, thing, may in common:
        house[role][thing] = may
        for service in SERVICES:
            del sections[service][role][thing]
    kept = {HOUSE: dict(house), **sections}
    return {name: {role: things for role, things in roles.items() if things} for name, roles in kept.items()}


def _flat(roles: Mapping[str, Mapping[str, str]]) -> Iterable[tuple[str, str, str]]:
    return ((role, thing, may) for role, things in roles.items() for thing, may in things.items())


def toml(grants: Matrix, rules: Mapping[str, Mapping[str, str]]) -> str:
    """Both as TOML, in a fixed order."""
    lines = ["# Written by `python -m tools.grants`; docs/architecture/grants.md says how to read it."]
    for section in (HOUSE, *SCHEMAS):
        for role in sorted(grants.get(section, {})):
            lines += ["", f"[{section}.{role}]", *_pairs(grants[section][role])]
        if rules.get(section):
            lines += ["", f"[policies.{section}]", *_pairs(rules[section])]
    return "\n".join([*lines, ""])


def _pairs(things: Mapping[str, str]) -> list[str]:
    return [
        f"'{name}' = '{things[name]}'" if "'" not in things[name] else f"'{name}' = \"{things[name]}\""
        for name in sorted(things)
    ]


async def _printed() -> str:
    with tempfile.TemporaryDirectory(prefix="peerline-grants-") as folder:
        state, ports = Path(folder), free_ports()
        engines = Engines(
            state=state,
            ports=ports,
            with_zipkin=False,
            durable=False,
            on_progress=lambda said: print(said, file=sys.stderr),
        )
        try:
            async with engines:
                region = LocalRegion(
                    state=state,
                    endpoints=await engines.start(),
                    ports=ports,
                    secrets=Secrets.made(),
                    environment="test",
                )
                await prepare(region, partitions=1)
                return await _read(region)
        finally:
            forget(state)


async def _read(region: LocalRegion) -> str:
    connection = await asyncpg.connect(
        host=region.endpoints.postgres_host,
        port=region.endpoints.postgres_port,
        database=region.database,
        user="postgres",
        password=region.endpoints.postgres_password,
    )
    try:
        return toml(await matrix(connection), await policies(connection))
    finally:
        await connection.close()


if __name__ == "__main__":
    print(asyncio.run(_printed()), end="")
