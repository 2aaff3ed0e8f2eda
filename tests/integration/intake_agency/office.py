"""The agency's doors on a real database, called as a server calls them, and a superuser's eyes beside them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from services.intake.actions.agencies import add_agency
from services.intake.domain.agency import Agency
from services.intake.routes.agency import LARGER_BODIES, router
from shared import clock
from shared.db import Database, open_pool
from shared.events import FACTS, Fact
from shared.http import foundation
from shared.migrate import OPERATOR
from shared.types import AgencyId
from shared.vault import Keyring, make_keyring, read_keyring
from tests.harness.databases import Sql, TestDatabase
from tests.unit.shared.asgi import Answer, call

DIRECTORY = "/v1/agency/directory"
FIRST = {"If-None-Match": "*"}


def peer(ref: str, **fields: Any) -> dict[str, Any]:
    return {"person_ref": ref, "role": "peer", "name": f"Peer {ref}", "contact": f"{ref}@home.test"} | fields


def member(ref: str, **fields: Any) -> dict[str, Any]:
    return {"person_ref": ref, "role": "member", "name": f"Member {ref}"} | fields


@dataclass
class Office:
    """`sql` sees everything; `operator` is what the command has; `app` is the service's door."""

    db: Database
    operator: Database
    keyring: Keyring
    app: FastAPI
    sql: Sql

    async def in_june(self) -> date:
        """Sets the region's clock to a day at noon from which no change of clocks is near; returns that day."""
        await self.sql.execute("UPDATE region.clock SET shift = '2026-06-15T18:00Z'::timestamptz - now()")
        return date(2026, 6, 15)

    async def take_on(self, slug: str, **fields: Any) -> tuple[Agency, str]:
        """A new agency as `peerline agency add` makes it, and its first key."""
        wanted: dict[str, Any] = {
            "agency_id": AgencyId(clock.random_id()),
            "revision": 1,
            "active": True,
            "name": f"{slug} police",
            "slug": slug,
            "kind": "police",
            "jurisdiction": "US-UT",
            "languages": ("en", "es"),
            "time_zone": "America/Denver",
            "mail_domain": f"{slug}.gov",
        }
        return await add_agency(self.operator, self.keyring, Agency(**wanted | fields))

    async def ask(self, method: str, path: str, key: str, *, body: bytes = b"", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await call(self.app, method, path, body=body, headers={"Authorization": f"Bearer {key}"} | named)

    async def put(self, key: str, people: list[dict[str, Any]], *, check: bool = False, tag: str = "") -> Answer:
        """PUT a directory as JSON; the first one without `tag`."""
        headers = {"Content_Type": "application/json"} | ({"If_Match": tag} if tag else {"If_None_Match": "*"})
        path = f"{DIRECTORY}?check=true" if check else DIRECTORY
        return await self.ask("PUT", path, key, body=json.dumps({"people": people}).encode(), **headers)

    async def facts(self, agency: Agency | None = None) -> list[tuple[str, Fact]]:
        """What stands in intake's outbox, in order: key and fact."""
        rows = await self.sql.fetch(
            "SELECT key, type, payload FROM outbox WHERE $1::uuid IS NULL OR agency_id = $1 ORDER BY id",
            agency.agency_id if agency else None,
        )
        return [(str(row["key"]), FACTS[row["type"]].model_validate_json(row["payload"])) for row in rows]

    async def forget_facts(self) -> None:
        """As if the relay had published everything."""
        await self.sql.execute("DELETE FROM outbox")

    async def count(self, table: str, agency: Agency) -> int:
        found: int = await self.sql.fetchval(f"SELECT count(*) FROM {table} WHERE agency_id = $1", agency.agency_id)  # noqa: S608
        return found


@asynccontextmanager
async def opened(database: TestDatabase, folder: Path) -> AsyncIterator[Office]:
    """intake's agency doors over this test's database."""
    make_keyring(folder / "keyring.json")
    keyring = read_keyring(folder / "keyring.json")
    sql = await database.superuser()
    await sql.execute("SET search_path = intake")
    pool = await open_pool(database.login(OPERATOR, "intake"), size=2)
    async with database.opened("intake") as db:
        app = FastAPI()
        app.include_router(router(db, keyring))
        foundation(app, larger_bodies=LARGER_BODIES)
        try:
            yield Office(db, Database(pool, pool, "intake"), keyring, app, sql)
        finally:
            await pool.close()
            await sql.close()
