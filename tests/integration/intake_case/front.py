"""intake's whole app on a real database, called as a server calls it, and a superuser's eyes beside it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import FastAPI
from pydantic import SecretBytes, SecretStr

from services.intake import subscribers
from services.intake.actions import cases, names
from services.intake.actions.agencies import add_agency
from services.intake.actions.duty import DutyPerson, add_duty
from services.intake.app import desk_of, intake_app
from services.intake.domain import codes
from services.intake.domain.agency import Agency, Line
from services.intake.domain.directory import index_of
from services.intake.settings import IntakeSettings
from shared import clock
from shared.db import Database, open_pool
from shared.delivery import Received
from shared.events import FACTS, Envelope, Fact
from shared.events.notify import ContactVerified
from shared.forgetting import TIMER, Listing
from shared.migrate import OPERATOR, app_of
from shared.timers import claim, in_one_transaction
from shared.types import REGION, AgencyId, CaseId, EventId, Lane, PersonId
from shared.vault import Keyring, make_keyring, read_keyring
from tests.harness.databases import Sql, TestDatabase
from tests.harness.health import UNASKED
from tests.unit.shared.asgi import Answer, call

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NOTICE = {"version": "us-ut-employee-en-1"}
LINE = "+18015550100"


def hash_of(code: str) -> str:
    return codes.hash_of(code)


@dataclass
class Front:
    """`sql` sees everything; `app` is the service's door; one agency, `riverton`, is there from the start."""

    db: Database
    operator: Database
    keyring: Keyring
    settings: IntakeSettings
    app: FastAPI
    sql: Sql
    agency: Agency
    key: str
    made: int = field(default=0)

    # --- the doors

    async def json(self, method: str, path: str, body: Any = None, *, code: str = "", **headers: str) -> Answer:
        named = dict(JSON) | {name.replace("_", "-"): value for name, value in headers.items()}
        if code:
            named["Authorization"] = f"Bearer {code}"
        return await call(
            self.app, method, path, headers=named, body=b"" if body is None else json.dumps(body).encode()
        )

    def code(self) -> str:
        """A fresh code."""
        self.made += 1
        return codes.code_from(self.made.to_bytes(16, "big"))

    async def ask(self, code: str, *, slug: str = "riverton", **changed: Any) -> Answer:
        body: dict[str, Any] = {
            "relation": "officer",
            "urgency": "routine",
            "help": ["talk"],
            "notice": NOTICE,
            "code_hash": hash_of(code),
        }
        body |= changed
        return await self.json(
            "POST", f"/v1/agencies/{slug}/requests", {name: one for name, one in body.items() if one is not None}
        )

    async def begun(self, **changed: Any) -> tuple[str, CaseId]:
        """A code and its new case."""
        code = self.code()
        answer = await self.ask(code, **changed)
        assert answer.status == 201, answer.body
        return code, (await self.cases())[-1]

    async def status(self, code: str) -> Any:
        answer = await self.json("GET", "/v1/case", code=code)
        assert answer.status == 200, answer.body
        return answer.json

    async def post(self, code: str, name: str, *, key: str = "key-0001") -> Answer:
        return await self.json("POST", f"/v1/case/{name}", code=code, Idempotency_Key=key)

    async def page(self, method: str, path: str, fields: Any = (), *, cookie: str = "", asks: str = "") -> Answer:
        headers = dict(FORM) | ({"Cookie": cookie} if cookie else {}) | ({"Accept-Language": asks} if asks else {})
        return await call(self.app, method, path, headers=headers, body=urlencode(fields, doseq=True).encode())

    # --- the directory

    async def upload(self, *people: dict[str, Any]) -> dict[str, PersonId]:
        """The agency's directory; returns the ids by name."""
        answer = await self.json(
            "PUT", "/v1/agency/directory", {"people": list(people)}, code=self.key, **await self._tag()
        )
        assert answer.status == 200, answer.body
        rows = await self.sql.fetch("SELECT person_id, ref_index FROM people")
        by_index = {row["ref_index"]: PersonId(row["person_id"]) for row in rows}
        index = self.keyring.derived("index")
        return {
            one["person_ref"]: by_index[index_of(index, self.agency.agency_id, "ref", one["person_ref"])]
            for one in people
        }

    async def _tag(self) -> dict[str, str]:
        read = await self.json("GET", "/v1/agency/directory", code=self.key)
        standing = {name.lower(): value for name, value in read.headers.items()}.get("etag", "")
        revision = await self.sql.fetchval(
            "SELECT directory_revision FROM agencies WHERE agency_id = $1", self.agency.agency_id
        )
        return {"If_Match": standing} if revision else {"If_None_Match": "*"}

    async def structured(self, structure: str, **changed: Any) -> None:
        """The agency's structure from now on, with a contract that lasts where it needs one."""
        given = {"structure": structure} | changed
        if structure != "team-coordinator":
            given |= {"contract": {"from": "2020-01-01", "to": None}}
        answer = await self.json("PUT", "/v1/agency/structure", given, code=self.key, If_Match="*")
        assert answer.status == 200, answer.body

    async def verified(self, *people: PersonId, agency: AgencyId | None = None) -> None:
        """As if notify had said that these have opened the link in their mail."""
        home = agency or self.agency.agency_id
        async with self.db.transaction([home]) as tx:
            await subscribers.ordinary(tx, [self._received(home, one, ContactVerified(revision=1)) for one in people])

    async def duty(self, name: str, contact: str) -> PersonId:
        """A regional duty coordinator."""
        return await add_duty(self.operator, self.keyring, DutyPerson(name, contact, "en", "America/Denver"))

    # --- the bus and the timers

    async def hear(self, case: CaseId, *facts: Fact, agency: AgencyId | None = None) -> None:
        """As if these facts had come from the bus, in one batch."""
        home = agency or self.agency.agency_id
        received = [self._received(home, case, fact) for fact in facts]
        async with self.db.transaction([home]) as tx:
            await subscribers.ordinary(tx, received)
        async with self.db.transaction([home, REGION]) as tx:
            await subscribers.crisis(tx, received)

    def _received(self, agency: AgencyId, subject: UUID, fact: Fact) -> Received:
        envelope = Envelope(
            EventId(clock.ordered_id()), fact.type, "/peerline/test", clock.now(), subject, agency, None
        )
        return Received(envelope, fact, fact.TOPIC.name)

    async def move_clock(self, by: timedelta) -> None:
        await self.sql.execute("UPDATE region.clock SET shift = shift + $1", by)

    async def fire(self) -> list[str]:
        """Run every timer that is due; returns their kinds."""
        fired = await claim(self.db, Lane.ORDINARY)
        if fired:
            await in_one_transaction(self.db, cases.fire)(fired)
        return [one.kind for one in fired]

    async def rounds(self, page: int = names.PAGE) -> list[str]:
        """Run every round that is due; returns their kinds."""
        fired = [one for one in await claim(self.db, Lane.BULK) if one.kind not in TIMER.values()]
        if fired:
            work = partial(names.fire, keyring=self.keyring, page=page)
            await in_one_transaction(self.db, work, beside=[REGION])(fired)
        return sorted(one.kind for one in fired)

    async def listed(self) -> list[str]:
        """Run what lists destroyed keys outside of the database, though nothing is listed here; returns the kinds."""
        fired = [one for one in await claim(self.db, Lane.BULK) if one.kind in TIMER.values()]
        await in_one_transaction(self.db, Listing(None).fire)(fired)
        return sorted(one.kind for one in fired)

    # --- what stands in the database

    async def cases(self) -> list[CaseId]:
        rows = await self.sql.fetch(
            """SELECT subject FROM audit WHERE act IN ('request_submitted', 'crisis_raised', 'direct_asked')
                GROUP BY subject ORDER BY min(id)"""
        )
        return [CaseId(row["subject"]) for row in rows]

    async def facts(self, case: CaseId) -> list[Fact]:
        """What was said of a case, in order."""
        rows = await self.sql.fetch("SELECT type, payload FROM outbox WHERE key = $1 ORDER BY id", case)
        return [FACTS[row["type"]].model_validate_json(row["payload"]) for row in rows]

    async def tables_holding(self, case: CaseId) -> set[str]:
        """Every table of intake and the vault in which any column of any row holds the case's id, in any form."""
        tables = await self.sql.fetch(
            """SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
                WHERE table_schema IN ('intake', 'vault') AND table_type = 'BASE TABLE'"""
        )
        found = set()
        for table in tables:
            sought = f"SELECT count(*) FROM {table['name']} t WHERE t::text ILIKE ANY ($1)"  # noqa: S608
            forms = [f"%{case}%", f"%{case.hex}%", f"%{str(case).encode().hex()}%"]
            if await self.sql.fetchval(sought, forms):
                found.add(str(table["name"]))
        return found


def hidden(page: Answer, form: int) -> list[tuple[str, str]]:
    """The hidden fields of a page's n-th form."""
    forms = re.findall(r"<form.*?</form>", page.body.decode(), re.DOTALL)
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', forms[form])
    return [(html.unescape(name), html.unescape(value)) for name, value in found]


def form_to(page: Answer, action: str) -> list[tuple[str, str]]:
    """The hidden fields of the first form of a page that goes to an address ending so."""
    forms: Iterable[str] = re.findall(r"<form.*?</form>", page.body.decode(), re.DOTALL)
    places = [n for n, one in enumerate(forms) if re.search(rf'action="[^"#]*{re.escape(action)}(#problem)?"', one)]
    return hidden(page, places[0])


@asynccontextmanager
async def opened(database: TestDatabase, folder: Path, **changed: Any) -> AsyncIterator[Front]:
    """intake over this test's database, with one agency and one regional duty coordinator."""
    make_keyring(folder / "keyring.json")
    keyring = read_keyring(folder / "keyring.json")
    settings = IntakeSettings(
        environment="test",
        app_password=SecretStr("-"),
        loop_password=SecretStr("-"),
        fingerprint_key=SecretBytes(b"-" * 32),
        keyring=folder / "keyring.json",
        **{"requests_per_source": 1000, "requests_per_agency": 1000, "wrong_codes_per_source": 1000} | changed,
    )
    sql = await database.superuser()
    await sql.execute("SET search_path = intake")
    pool = await open_pool(database.login(OPERATOR, "intake"), size=2)
    operator = Database(pool, pool, "intake")
    agency, key = await add_agency(operator, keyring, riverton())
    async with database.opened("intake") as db:
        crisis = await open_pool(database.login(app_of("intake"), "intake"), size=2)
        app = intake_app(desk_of(db, settings, crisis=db.beside(crisis)), UNASKED)
        try:
            yield Front(db, operator, keyring, settings, app, sql, agency, key)
        finally:
            await crisis.close()
            await pool.close()
            await sql.close()


def riverton(**changed: Any) -> Agency:
    values: dict[str, Any] = {
        "agency_id": AgencyId(clock.random_id()),
        "revision": 1,
        "active": True,
        "name": "Riverton police",
        "slug": "riverton",
        "kind": "police",
        "jurisdiction": "US-UT",
        "languages": ("en", "es"),
        "time_zone": "America/Denver",
        "mail_domain": None,
        "lines": (Line("Riverton wellness line", LINE),),
    }
    return Agency(**values | changed)
