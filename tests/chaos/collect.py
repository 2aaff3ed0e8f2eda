"""The end of a run: wait until nothing moves any more, then read databases, topics and mailbox as of one moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import aiohttp

from deploy.local.mailbox.pages import HIGHEST_LIMIT
from shared.broker import PARTITIONS
from shared.db import UNAVAILABLE
from shared.migrate import SERVICES
from tests.chaos import witness
from tests.chaos.history import History, Open, Record, Rest, Taken
from tests.chaos.mail import Beginning, Box
from tests.chaos.people import LEFT_OPEN, People
from tests.chaos.stand import Stand
from tests.faults.kills import GROUPS
from tests.faults.ledger import Ledger, kept
from tests.harness.databases import Sql
from tests.harness.topics import Topics

LOOK_EVERY_S = 1.0
NOT_YET: tuple[type[BaseException], ...] = (*UNAVAILABLE, AssertionError)
HEARD = {
    service: frozenset(topic for topics in groups.values() for topic in topics) for service, groups in GROUPS.items()
}
"""The topics of each service."""


async def collected(
    stand: Stand, people: People, box: Box, history: History, *, within_s: float, http: aiohttp.ClientSession
) -> str:
    """Fill in the history's end; returns what still moved when the time was over, "" when all was at rest."""
    until, moving = time.monotonic() + within_s, "everything"
    whose: Mapping[Beginning, UUID] = {}
    async with kept(Topics(stand.local.endpoints.kafka, "", PARTITIONS)) as ledger:
        while True:
            try:
                moving, whose = await _read(stand, people, ledger, history)
            except NOT_YET as error:
                moving = f"{type(error).__name__}: {error}"
            if not moving or time.monotonic() > until:
                break
            await asyncio.sleep(LOOK_EVERY_S)
    await box.read(http, HIGHEST_LIMIT)
    history.letters = [one.letter(whose) for one in box.came.values()]
    if history.rest is not None:
        history.rest = replace(history.rest, at_rest=not moving)
    return moving


async def _read(stand: Stand, people: People, ledger: Ledger, history: History) -> tuple[str, Mapping[Beginning, UUID]]:
    """Everything but the mailbox, as of one moment; what still moved then, and the attempts by their beginnings."""
    ends = await ledger.ends()
    sql = await stand.eye.connected()
    try:
        async with sql.transaction(isolation="repeatable_read", readonly=True):
            rest = await _rest(sql)
            said = witness.said(await witness.notes(sql, *(f"{service}.outbox" for service in SERVICES)))
            whose = await _sending(sql, history)
            moving = await _moving(sql)
    finally:
        sql.terminate()
    history.rest, history.said = rest, said
    history.records = [
        Record(
            one.topic, one.part, one.offset, one.event_id, one.subject, one.fact.type, one.fact.model_dump(mode="json")
        )
        for one in ledger.entries
    ]
    left = [number for number in rest.outbox.values() if number]
    missing = {
        service: len({one.event for one in history.records if one.topic in topics} - rest.inbox[service].keys())
        for service, topics in HEARD.items()
    }
    cases = set().union(*rest.cases.values())
    alive = [one.request.number for one in people.visits if one.request.case in cases and one.story not in LEFT_OPEN]
    for what, found in (("outboxes", left), ("not taken", [one for one in missing.values() if one]), ("cases", alive)):
        if found:
            return f"{what}: {found}", whose
    return moving or ("" if await ledger.ends() == ends else "topics"), whose


_MOVING = """
SELECT count(*) FROM notify.intents WHERE state IN ('planned', 'sending')
"""


async def _moving(sql: Sql) -> str:
    if number := await sql.fetchval(_MOVING):
        return f"{number} intents"
    for service in SERVICES:
        overdue = f"SELECT count(*) FROM {service}.timers WHERE due_at < region.now() - interval '3 s'"  # noqa: S608
        if number := await sql.fetchval(overdue):
            return f"{number} overdue timers of {service}"
    return ""


async def _rest(sql: Sql) -> Rest:
    async def each(query: str) -> Mapping[str, list[Mapping[str, object]]]:
        return {service: await sql.fetch(query.format(service=service)) for service in SERVICES}

    inbox = await each(
        "SELECT event_id, extract(epoch FROM seen_at)::float8 AS at, xmin::text AS x FROM {service}.inbox"
    )
    parked = await each(
        "SELECT '{service} ' || topic || ' ' || state || ' ' || error_class AS told FROM {service}.parked"
    )
    open_things = await each(
        "SELECT id, state, owner, extract(epoch FROM due_at)::float8 AS due FROM {service}.open_things"
    )
    accepted = "SELECT case_id, count(*) AS n FROM matching.offers WHERE state = 'accepted' GROUP BY 1"
    keys = "SELECT subject_id FROM vault.data_keys WHERE kind = 'case' AND destroyed_at IS NULL"
    return Rest(
        now=await sql.fetchval("SELECT extract(epoch FROM region.now())::float8"),
        at_rest=False,
        outbox={service: len(rows) for service, rows in (await each("SELECT id FROM {service}.outbox")).items()},
        parked=tuple(str(row["told"]) for rows in parked.values() for row in rows),
        inbox={
            service: {_id(row["event_id"]): Taken(float(str(row["at"])), str(row["x"])) for row in rows}
            for service, rows in inbox.items()
        },
        open=tuple(Open(service, **dict(row)) for service, rows in open_things.items() for row in rows),  # type: ignore[arg-type]
        cases={
            service: frozenset(_id(row["case_id"]) for row in rows)
            for service, rows in (await each("SELECT case_id FROM {service}.cases")).items()
        },
        accepted={row["case_id"]: row["n"] for row in await sql.fetch(accepted)},
        audited=frozenset(row["subject"] for row in await sql.fetch("SELECT DISTINCT subject FROM intake.audit")),
        keys=frozenset(row["subject_id"] for row in await sql.fetch(keys)),
    )


def _id(value: object) -> UUID:
    return UUID(str(value))


async def _sending(sql: Sql, history: History) -> Mapping[Beginning, UUID]:
    noted = await witness.notes(sql, "notify.intents", "notify.attempts")
    history.intents, history.attempts, whose = witness.sending(noted)
    for _, at, _, row in await witness.notes(sql, "notify.tombstones"):
        history.stops.setdefault(UUID(row["case_id"]), at)
    return whose
