"""How far a round of a relay looks: past what is stuck, and never past what a case has yet to commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from aiokafka.partitioner import DefaultPartitioner

from shared import anchors, outbox
from shared.db import Database, Signals, connect
from shared.events import decode, from_headers
from shared.migrate import loop_of
from shared.relay import BATCH, Relay
from shared.types import CaseId, Lane
from tests.harness.databases import TestDatabase
from tests.harness.outboxes import AGENCY, SERVICE, write
from tests.harness.probe import a_case, number_of, numbered
from tests.simulation.bus import PARTITIONS, Batch, Logs, Producer, Told

STUCK = 0


class Hampered(Producer):
    """Takes nothing for one partition; `then` happens when it is first asked to."""

    def __init__(self, logs: Logs, then: Callable[[], Awaitable[None]]) -> None:
        super().__init__(logs)
        self._then: Callable[[], Awaitable[None]] | None = then

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Told]:
        if partition == STUCK:
            then, self._then = self._then, None
            if then is not None:
                await then()
            self.mood = "refuse"
        return await super().send_batch(batch, topic, partition=partition)


def of_partition(number: int) -> CaseId:
    choose, places = DefaultPartitioner(), list(range(PARTITIONS))
    while choose(str(case := a_case()).encode(), places, places) != number:
        pass
    return case


async def test_a_younger_event_never_passes_one_of_its_case_that_was_not_committed_yet(database: TestDatabase) -> None:
    async with database.opened(SERVICE) as db:
        await _two_in_a_round(database, db)


async def _two_in_a_round(database: TestDatabase, db: Database) -> None:
    late = of_partition(STUCK + 1)
    async with db.transaction([AGENCY]) as tx:
        await anchors.lock(tx, {late: AGENCY})
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with db.transaction([AGENCY]) as tx:
            await anchors.lock(tx, {late: AGENCY})
            await outbox.emit(tx, [outbox.Draft(AGENCY, late, numbered(1))])
            waiting.set()
            await go_on.wait()

    early = asyncio.create_task(first())
    await waiting.wait()
    await write(db, [of_partition(STUCK)], BATCH)

    async def both_commit() -> None:
        go_on.set()
        await early
        async with db.transaction([AGENCY]) as tx:
            await anchors.lock(tx, {late: AGENCY})
            await outbox.emit(tx, [outbox.Draft(AGENCY, late, numbered(2))])

    logs = Logs()
    publisher: Any = Hampered(logs, both_commit)
    login = database.login(loop_of(SERVICE), SERVICE)
    relay, connection = (
        Relay(login, Lane.ORDINARY, publisher, Signals(), prefix=""),
        await connect(login, idle_timeout_s=60),
    )
    try:
        await relay.once(connection)
        await relay.once(connection)
    finally:
        await connection.close()
    assert numbers(logs, late) == [1, 2]


def numbers(logs: Logs, case: UUID) -> list[int | None]:
    return [
        number_of(decode(from_headers(raw.headers).type, raw.value))
        for raws in logs.of.values()
        for raw in raws
        if raw.key == str(case).encode()
    ]
