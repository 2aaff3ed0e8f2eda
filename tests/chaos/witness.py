"""A witness inside the database: every row that matters is noted when it is written, for most are purged with a case.

Triggers of the superuser's, in a schema of their own; no service sees or needs them. What is noted commits with the
row, so it is what has really happened.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from deploy.local.engines import Endpoints
from shared.db import UNAVAILABLE
from shared.migrate import SERVICES
from tests.chaos.history import Attempt, Intent, Said
from tests.harness.databases import Sql

_NOTES = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.notes(
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    transaction text NOT NULL DEFAULT pg_current_xact_id()::text, what text NOT NULL, row jsonb NOT NULL);
CREATE INDEX ON chaos.notes(what);
CREATE INDEX ON chaos.notes((row->>'hash'));
CREATE INDEX ON chaos.notes((row->>'link_id'));
CREATE FUNCTION chaos.note() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos.notes(what, row) VALUES (tg_table_schema || '.' || tg_table_name,
                                               to_jsonb(NEW) - '{payload,sealed}'::text[]);
    RETURN NULL;
END $$;
"""
WATCHED = (
    *(f"{service}.outbox" for service in SERVICES),
    *("notify.intents", "notify.attempts", "notify.links", "notify.doors", "notify.tombstones"),
)

Note = tuple[str, float, str, dict[str, Any]]
"""Table, time, transaction, row."""

_LINK = """
SELECT l.row->>'case_id' AS case, l.row->>'purpose' AS purpose, l.row->>'person_id' AS person,
       l.row->>'subject_id' AS subject, l.transaction
  FROM chaos.notes d JOIN chaos.notes l ON l.row->>'link_id' = d.row->>'subject' AND l.what = 'notify.links'
 WHERE d.what = 'notify.doors' AND d.row->>'hash' = '\\x' || encode($1, 'hex')
 ORDER BY l.n LIMIT 1
"""


class Eye:
    """A superuser's connection that comes back whenever it is cut."""

    def __init__(self, endpoints: Endpoints, database: str) -> None:
        self._endpoints, self._database = endpoints, database
        self._sql: Sql | None = None
        self._turn = asyncio.Lock()

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of a query; asked again until there is an answer."""
        async with self._turn:
            while True:
                try:
                    if self._sql is None or self._sql.is_closed():
                        self._sql = await self.connected()
                    rows: list[asyncpg.Record] = await self._sql.fetch(query, *arguments, timeout=30)
                except UNAVAILABLE:
                    await asyncio.sleep(0.1)
                else:
                    return rows

    async def run(self, script: str) -> None:
        """Statements without an answer, once."""
        sql = await self.connected()
        try:
            await sql.execute(script)
        finally:
            await sql.close()

    async def value(self, query: str, *arguments: object) -> Any:
        """The first column of the first row, or None."""
        rows = await self.fetch(query, *arguments)
        return rows[0][0] if rows else None

    async def close(self) -> None:
        if self._sql is not None:
            self._sql.terminate()

    async def connected(self) -> Sql:
        """A connection of the caller's own."""
        return await asyncpg.connect(
            host=self._endpoints.postgres_host,
            port=self._endpoints.postgres_port,
            user="postgres",
            password=self._endpoints.postgres_password,
            database=self._database,
            timeout=5,
        )


async def watch(eye: Eye) -> None:
    """Begin to take notes. Before any service has started."""
    trigger = "CREATE TRIGGER noted AFTER INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION chaos.note();"
    await eye.run(_NOTES + "".join(trigger.format(table) for table in WATCHED))


async def link_of(eye: Eye, hashed: bytes) -> Mapping[str, Any] | None:
    """Where a link leads or led: case, purpose, person, subject, and the transaction that made it."""
    rows = await eye.fetch(_LINK, hashed)
    return dict(rows[0]) if rows else None


async def notes(sql: Sql, *tables: str) -> list[Note]:
    """Everything noted of these tables, in order: table, time, transaction, row."""
    query = "SELECT what, extract(epoch FROM at)::float8 AS at, transaction, row FROM chaos.notes"
    rows = await sql.fetch(f"{query} WHERE what = ANY ($1) ORDER BY n", list(tables))
    return [(row["what"], row["at"], row["transaction"], json.loads(row["row"])) for row in rows]


def said(noted: Iterable[Note]) -> list[Said]:
    """The outboxes' rows."""
    return [
        Said(
            service=table.partition(".")[0],
            number=row["id"],
            event=UUID(row["event_id"]),
            topic=row["topic"],
            key=UUID(row["key"]),
            type=row["type"],
            at=at,
        )
        for table, at, _, row in noted
    ]


def sending(
    noted: Iterable[Note],
) -> tuple[dict[UUID, Intent], dict[UUID, Attempt], dict[tuple[str, UUID, UUID], UUID]]:
    """Intents, attempts, and the attempt of each (transaction, person, subject): a link knows those of its own."""
    intents, attempts, beginnings = dict[UUID, Intent](), dict[UUID, Attempt](), list[tuple[str, UUID]]()
    for table, at, transaction, row in noted:
        if table == "notify.intents":
            intents[UUID(row["intent_id"])] = _intent(row)
            continue
        attempt = UUID(row["attempt_id"])
        if attempt not in attempts:
            beginnings.append((transaction, attempt))
            attempts[attempt] = Attempt(
                attempt, UUID(row["intent_id"]), _id(row["case_id"]), at, _time(row["started_at"])
            )
        if row["outcome"] and not attempts[attempt].outcome:
            attempts[attempt].outcome, attempts[attempt].ended = row["outcome"], at
    whose = {}
    for transaction, attempt in beginnings:
        intent = intents[attempts[attempt].intent]
        whose[transaction, intent.person, intent.subject] = attempt
    return intents, attempts, whose


def _intent(row: Mapping[str, Any]) -> Intent:
    return Intent(
        intent=UUID(row["intent_id"]),
        case=_id(row["case_id"]),
        person=UUID(row["person_id"]),
        template=row["template"],
        subject=UUID(row["subject_id"]),
        expires=_time(row["expires_at"]),
        state=row["state"],
    )


def _id(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
