"""Dead letters as the operator has them: seen without content, replayed in order, discarded with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import permutations
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from aiokafka.errors import KafkaConnectionError

from shared import clock, dead_letters, parking
from shared.db import Database, Transaction, open_pool
from shared.delivery import Delivery
from shared.errors import Refused
from shared.events.envelope import INTAKE, INTAKE_CRISIS
from shared.events.intake import CaseClosing, CaseWithdrawn
from shared.migrate import OPERATOR
from shared.parking import Raw
from shared.types import REGION, CaseId
from tests.harness.databases import Sql, TestDatabase
from tests.harness.probe import SERVICE, Probe, Sender, a_case, numbered
from tests.harness.waiting import eventually

KEY = b"fingerprint key of these tests, 32+ bytes"
UNKNOWN = {"ce_type": b"intake.not_known_yet.v9"}


@pytest_asyncio.fixture
async def operator(database: TestDatabase, db: Database) -> AsyncIterator[Database]:
    """The operator's login, in the schema of the service whose letters these are."""
    del db
    pool = await open_pool(database.login(OPERATOR, SERVICE), size=2)
    yield Database(pool, pool, SERVICE)
    await pool.close()


class Desk:
    """A consumer, and the bus behind it as far as a test wants one."""

    def __init__(self, db: Database, sql: Sql) -> None:
        self.probe, self.sender, self.sql = Probe(), Sender(), sql
        self.bus: dict[int, Raw] = {}
        self.silent = False
        topics = [INTAKE.name, INTAKE_CRISIS.name]
        self.delivery = Delivery(
            db, self.probe.absorb, group="matching.ordinary", topics=topics, fingerprint_key=KEY, reread=self.reread
        )

    async def reread(self, raw: Raw) -> Raw | None:
        if self.silent:
            raise KafkaConnectionError
        return self.bus.get(raw.pos)

    async def killed(self, *raws: Raw) -> list[int]:
        """Take records, and let those that are parked for their own fault be dead. Returns the numbers of the dead."""
        await self.delivery.take(raws)
        await self.sql.execute(
            "UPDATE parked SET state = 'dead', next_try = NULL, due_at = clock_timestamp()"
            " WHERE error_class <> 'Behind' AND state = 'waiting'"
        )
        return [row["seq"] for row in await self.sql.fetch("SELECT seq FROM parked WHERE state = 'dead' ORDER BY seq")]

    async def effects(self) -> list[int | None]:
        return [row["n"] for row in await self.sql.fetch("SELECT n FROM effects ORDER BY seq")]

    async def parked(self) -> list[tuple[str, str]]:
        rows = await self.sql.fetch("SELECT state, error_class FROM parked ORDER BY seq")
        return [(row["state"], row["error_class"]) for row in rows]

    async def audited(self) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.sql.fetch("SELECT agency_id, act, subject, cause, actor FROM audit")]

    @asynccontextmanager
    async def retrying(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.delivery.retry_parked())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def drained(self) -> bool:
        return not await self.parked()


@pytest.fixture
def desk(db: Database, sql: Sql) -> Desk:
    return Desk(db, sql)


async def shown(operator: Database, **which: Any) -> list[dead_letters.Letter]:
    async with operator.loop() as connection:
        return await dead_letters.letters(connection, **which)


async def test_a_letter_tells_where_it_is_and_what_stands_behind_it_and_nothing_of_its_content(
    desk: Desk, operator: Database
) -> None:
    case = a_case()
    desk.probe.bad = {0}
    raws = [desk.sender.raw(numbered(n), case) for n in range(3)]
    (seq,) = await desk.killed(*raws, desk.sender.raw(numbered(9), a_case()))
    (letter,) = await shown(operator)
    assert (letter.service, letter.seq, letter.case, letter.kept) == (SERVICE, seq, case, True)
    assert (letter.topic, letter.part, letter.pos) == (INTAKE.name, 0, 0)
    assert (letter.type, letter.error_class, letter.size) == (
        "intake.peer_chosen.v1",
        "Unprocessable",
        len(raws[0].value),
    )
    assert (letter.state, letter.ahead, letter.behind, letter.overdue) == ("dead", 0, 2, True)
    assert [one.state for one in await shown(operator, dead_only=False)] == ["dead", "waiting", "waiting"]


@pytest.mark.parametrize("column", ["record", "headers", "key", "fingerprint"])
async def test_the_operator_cannot_read_content_headers_or_key(column: str, operator: Database) -> None:
    async with operator.loop() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"SELECT {column} FROM parked")  # noqa: S608 - from the list above


async def test_a_type_that_no_contract_could_have_is_not_shown(desk: Desk, operator: Database) -> None:
    odd = {"ce_type": b"intake.not.a.type of J. Doe"}
    await desk.killed(desk.sender.raw(CaseClosing(), a_case(), headers=odd))
    assert [one.type for one in await shown(operator)] == [None]


async def test_a_replayed_letter_takes_effect_and_those_behind_it_follow(desk: Desk, operator: Database) -> None:
    desk.probe.bad, case = {0}, a_case()
    (seq,) = await desk.killed(*(desk.sender.raw(numbered(n), case) for n in range(4)))
    desk.probe.bad = set()
    await dead_letters.replay(operator, [seq])
    async with desk.retrying():
        await eventually(desk.drained)
    assert await desk.effects() == [0, 1, 2, 3]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_several_letters_of_one_key_keep_their_order_in_whatever_order_they_are_replayed(
    order: Sequence[int], desk: Desk, operator: Database
) -> None:
    case = a_case()
    bad = [desk.sender.raw(CaseClosing(), case, headers=UNKNOWN) for _ in range(3)]
    good = [desk.sender.raw(numbered(n), case) for n in range(3)]
    # Each dead one before a good one, all of one key.
    letters = await desk.killed(*(raw for pair in zip(bad, good, strict=True) for raw in pair))
    async with desk.retrying():
        for index in order:
            await known_now(desk.sql, letters[index], 10 + index)
            await dead_letters.replay(operator, [letters[index]])
        await eventually(desk.drained)
    assert await desk.effects() == [10, 0, 11, 1, 12, 2]


async def known_now(sql: Sql, seq: int, number: int) -> None:
    """As if the upgrade had come that knows this type: it reads as the number."""
    await sql.execute(
        "UPDATE parked SET record = convert_to($2, 'UTF8'),"
        " headers = replace(headers::text, 'not_known_yet.v9', 'peer_chosen.v1')::jsonb WHERE seq = $1",
        *(seq, numbered(number).model_dump_json()),
    )


async def test_a_replay_is_audited_with_the_case_and_the_event_and_nobody_as_actor(
    desk: Desk, operator: Database
) -> None:
    case, event = a_case(), clock.ordered_id()
    desk.probe.bad = {0}
    (seq,) = await desk.killed(desk.sender.raw(numbered(0), case, event_id=event))
    await dead_letters.replay(operator, [seq])
    assert await desk.audited() == [
        {"agency_id": desk.sender.agency, "act": "dead_letter.replayed", "subject": case, "cause": event, "actor": None}
    ]


async def test_a_replay_that_fails_for_one_letter_changes_nothing_of_the_others(desk: Desk, operator: Database) -> None:
    desk.probe.bad = {0}
    (seq,) = await desk.killed(desk.sender.raw(numbered(0), a_case()))
    with pytest.raises(Refused, match="no-such-dead-letter"):
        await dead_letters.replay(operator, [seq, seq + 1])
    assert (await desk.parked(), await desk.audited()) == ([("dead", "Unprocessable")], [])


async def test_a_letter_replayed_while_it_is_being_tried_takes_effect_once(
    db: Database, desk: Desk, operator: Database
) -> None:
    desk.probe.bad, case = {0}, a_case()
    (seq,) = await desk.killed(desk.sender.raw(numbered(0), case), desk.sender.raw(numbered(1), case))
    desk.probe.bad = set()
    await dead_letters.replay(operator, [seq])
    trying, go_on = asyncio.Event(), asyncio.Event()

    async def hold(_: Transaction) -> None:
        if not trying.is_set():
            trying.set()
            await go_on.wait()

    desk.probe.before = hold
    async with desk.retrying():
        await trying.wait()
        await dead_letters.replay(operator, [seq])
        # A second replica claims it now and waits for the id that the first one has taken.
        async with Desk(db, desk.sql).retrying():
            await eventually(lambda: attempts(desk.sql, seq, 1))
            go_on.set()
            await eventually(desk.drained)
    assert await desk.effects() == [0, 1]


async def attempts(sql: Sql, seq: int, number: int) -> bool:
    return bool(await sql.fetchval("SELECT attempts = $2 FROM parked WHERE seq = $1", seq, number))


async def test_a_try_that_was_under_way_cannot_undo_a_replay(db: Database, desk: Desk, operator: Database) -> None:
    desk.probe.bad = {0}
    (seq,) = await desk.killed(desk.sender.raw(numbered(0), a_case()))
    await dead_letters.replay(operator, [seq])
    await desk.sql.execute("UPDATE parked SET attempts = 7")
    async with db.loop() as connection:
        (late,) = await parking.claim(connection, [INTAKE.name])
        await dead_letters.replay(operator, [seq])
        await parking.put_back(connection, late, "Late", dead=True)
    assert await desk.parked() == [("waiting", "Unprocessable")]


async def test_what_a_frozen_try_does_to_a_letter_that_was_discarded_meanwhile_does_not_stay(
    db: Database, desk: Desk, operator: Database
) -> None:
    desk.probe.bad = {0}
    (seq,) = await desk.killed(desk.sender.raw(numbered(0), a_case()))
    await dead_letters.replay(operator, [seq])
    desk.probe.bad = set()
    async with db.loop() as connection:
        (frozen,) = await parking.claim(connection, [INTAKE.name])
    await desk.sql.execute("UPDATE parked SET state = 'dead', next_try = NULL, due_at = clock_timestamp()")
    await dead_letters.discard(operator, seq, "obsolete")
    await desk.delivery._retry(frozen)  # noqa: SLF001 - a frozen replica is nowhere else to be had in one process
    assert (await desk.effects(), await desk.parked()) == ([], [])


async def test_what_was_discarded_lets_those_behind_it_go_on_and_its_copy_has_no_effect(
    desk: Desk, operator: Database
) -> None:
    desk.probe.bad, case = {0}, a_case()
    first = desk.sender.raw(numbered(0), case, event_id=(event := clock.ordered_id()))
    behind = [desk.sender.raw(numbered(n), case) for n in (1, 2)]
    # The relay has sent it twice, as it may.
    (seq,) = await desk.killed(first, replace(first, pos=50), *behind)
    desk.probe.bad = set()
    await desk.sql.execute("UPDATE parked SET next_try = clock_timestamp() + interval '1 h' WHERE state = 'waiting'")
    await dead_letters.discard(operator, seq, "obsolete")
    async with desk.retrying():
        await eventually(desk.drained)
    assert await desk.effects() == [1, 2]
    (told,) = await desk.audited()
    assert (told["act"], told["subject"], told["cause"]) == ("dead_letter.discarded.obsolete", case, event)


async def test_what_is_not_dead_or_not_there_any_more_cannot_be_discarded(desk: Desk, operator: Database) -> None:
    desk.probe.bad = {0}
    await desk.delivery.take([desk.sender.raw(numbered(0), a_case())])
    seq = await desk.sql.fetchval("SELECT seq FROM parked")
    with pytest.raises(Refused, match="not-dead"):
        await dead_letters.discard(operator, seq, "obsolete")
    await desk.killed()
    await dead_letters.discard(operator, seq, "obsolete")
    with pytest.raises(Refused, match="no-such-dead-letter"):
        await dead_letters.discard(operator, seq, "obsolete")
    assert len(await desk.audited()) == 1


def unreadable(desk: Desk, case: CaseId, number: int) -> Raw:
    """A record that a bad deploy cannot read; the true one stands on the bus."""
    true = desk.sender.raw(numbered(number), case)
    desk.bus[true.pos] = true
    return true


async def test_what_was_not_kept_is_read_from_the_bus_again_and_takes_effect_before_what_follows(
    desk: Desk, operator: Database, sql: Sql
) -> None:
    case = a_case()
    await desk.delivery.take([replace(unreadable(desk, case, 0), headers=()), desk.sender.raw(numbered(1), case)])
    (letter,) = await shown(operator)
    assert (letter.kept, letter.type, letter.behind) == (False, None, 1)
    await dead_letters.replay(operator, [letter.seq])
    async with desk.retrying():
        await eventually(desk.drained)
    assert await desk.effects() == [0, 1]
    (told,) = await desk.audited()
    assert told["agency_id"] == REGION
    assert await sql.fetchval("SELECT count(*) FROM inbox") == 2


async def test_what_the_bus_does_not_answer_for_keeps_no_other_waiting_and_uses_up_no_try(
    desk: Desk, operator: Database, sql: Sql
) -> None:
    (seq,) = await desk.killed(replace(unreadable(desk, a_case(), 0), headers=()))
    desk.probe.bad = {1}
    await desk.delivery.take([desk.sender.raw(numbered(1), a_case())])
    desk.probe.bad, desk.silent = set(), True
    await dead_letters.replay(operator, [seq])
    await sql.execute("UPDATE parked SET next_try = clock_timestamp() WHERE state = 'waiting'")
    assert await desk.delivery.retry_due() == 2
    assert await desk.effects() == [1]
    assert await sql.fetchval("SELECT attempts FROM parked WHERE seq = $1 AND next_try > clock_timestamp()", seq) == 0


@pytest.mark.parametrize("there", ["nothing", "another record", "what cannot be read"])
async def test_what_cannot_be_had_again_is_dead_again_at_once(there: str, desk: Desk, operator: Database) -> None:
    bad = replace(unreadable(desk, a_case(), 0), value=b"?")
    match there:
        case "nothing":
            desk.bus.clear()
        case "what cannot be read":
            desk.bus[bad.pos] = bad
        case _:
            assert desk.bus[bad.pos].value != bad.value
    (seq,) = await desk.killed(bad)
    await dead_letters.replay(operator, [seq])
    async with desk.retrying():
        await eventually(lambda: dead_again(desk))
    assert await desk.parked() == [("dead", "Unprocessable" if there == "what cannot be read" else "Gone")]
    assert await desk.effects() == []


async def dead_again(desk: Desk) -> bool:
    return [state for state, _ in await desk.parked()] == ["dead"]


async def test_what_was_not_kept_and_is_older_than_the_bus_remembers_cannot_be_replayed(
    desk: Desk, operator: Database, sql: Sql
) -> None:
    (seq,) = await desk.killed(replace(unreadable(desk, a_case(), 0), value=b"?"))
    await sql.execute("UPDATE parked SET parked_at = parked_at - interval '8 days'")
    with pytest.raises(Refused, match="not-on-the-bus"):
        await dead_letters.replay(operator, [seq])
    await dead_letters.discard(operator, seq, "unreadable")
    (told,) = await desk.audited()
    assert (told["agency_id"], told["act"]) == (REGION, "dead_letter.discarded.unreadable")


async def test_on_the_crisis_lane_tries_come_every_half_minute_and_a_dead_letter_is_due_in_a_quarter_of_an_hour(
    desk: Desk, sql: Sql
) -> None:
    desk.probe.bad = {None}  # type: ignore[arg-type]
    await desk.delivery.take([desk.sender.raw(CaseWithdrawn(), a_case())])
    await sql.execute("UPDATE parked SET attempts = 60, next_try = clock_timestamp()")
    async with desk.retrying():
        await eventually(lambda: put_back(sql))
    await desk.killed(replace(desk.sender.raw(CaseWithdrawn(), a_case()), value=b"?"))
    due = await sql.fetchval("SELECT max(due_at) - clock_timestamp() FROM parked WHERE NOT kept")
    assert 890 < due.total_seconds() <= 900


async def put_back(sql: Sql) -> bool:
    return bool(
        await sql.fetchval(
            "SELECT attempts = 61 AND next_try - clock_timestamp() BETWEEN '20 s' AND '30 s' FROM parked"
        )
    )
