"""The one core on a real database: set-based, in order per case, all or nothing, gone without a trace at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

import asyncpg
import pytest

from shared import anchors, casework, checks, clock, doors, effects, timers
from shared.anchors import Anchor
from shared.casework import Decided, Ending, Input, Standing, Wake
from shared.db import Database, Transaction
from shared.delivery import Delivery
from shared.errors import LostClaim, Unprocessable
from shared.events.matching import ReplySettled
from shared.parking import Ticket, park
from shared.timers import Fired
from shared.types import AgencyId, CaseId, Lane
from tests.harness.databases import Sql
from tests.harness.probe import Probe, Sender, a_case, numbered
from tests.harness.waiting import eventually

AGENCY = AgencyId(clock.random_id())
DUE = clock.now() + timedelta(hours=1)


@dataclass(frozen=True)
class Tally:
    """A case that counts: the sum of what was added, and every addition."""

    case: CaseId
    total: int = 0
    ended: bool = False


@dataclass(frozen=True)
class Add:
    """Add a number; 13 is refused for ever."""

    n: int


@dataclass(frozen=True)
class End:
    """The case is over."""

    how: Literal["withdrawn", "closed"]


class Counting:
    """A book over the table `effects`: one row per case."""

    async def load(self, tx: Transaction, cases: Mapping[CaseId, Anchor]) -> dict[CaseId, Tally]:
        rows = await tx.connection.fetch("SELECT case_id, n FROM effects WHERE case_id = ANY ($1::uuid[])", list(cases))
        kept = {row["case_id"]: row["n"] for row in rows}
        return {case: Tally(case, kept.get(case, 0)) for case in cases}

    def decide(self, state: Tally, what: Input) -> Decided[Tally]:
        match what.what:
            case Add(13):
                raise Unprocessable("n: 13")
            case Add(n):
                total = state.total + n
                fact = ReplySettled(reply=state.case, outcome="noted")
                wake = Wake("probe", state.case, total, DUE)
                return Decided(replace(state, total=total), (fact,), (wake,), ("added",))
            case End(how):
                return Decided(replace(state, ended=True), ending=how)
            case _:
                return Decided(state)

    def standing(self, state: Tally) -> Standing:
        return Standing("ended") if state.ended else Standing("counting", "matching", DUE)

    async def save(self, tx: Transaction, before: Mapping[CaseId, Tally], after: Mapping[CaseId, Tally]) -> None:
        await self.purge(tx, list(before))
        await tx.connection.execute(
            "INSERT INTO effects(agency_id, case_id, n) SELECT $1, * FROM unnest($2::uuid[], $3::int[])",
            AGENCY,
            list(after),
            [state.total for state in after.values()],
        )

    async def purge(self, tx: Transaction, cases: Collection[CaseId]) -> None:
        await tx.connection.execute("DELETE FROM effects WHERE case_id = ANY ($1::uuid[])", list(cases))


async def folded(db: Database, inputs: Sequence[Input], agency: AgencyId = AGENCY) -> dict[CaseId, Tally]:
    async with db.transaction({agency}) as tx:
        return await casework.fold(tx, inputs, Counting())


def adds(case: CaseId, *numbers: int) -> list[Input]:
    return [Input(AGENCY, case, Add(n)) for n in numbers]


async def rows_of(sql: Sql) -> dict[str, int]:
    """How many rows each table of matching's schema holds; empty ones are left out, and the sealer's one row."""
    names = await sql.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'matching' AND tablename <> 'audit_floor'"
    )
    counts = {}
    for row in names:
        name = row["tablename"]
        counts[name] = await sql.fetchval(f'SELECT count(*) FROM "{name}"')  # noqa: S608
    return {name: count for name, count in counts.items() if count}


async def test_inputs_of_a_case_are_folded_in_their_order(db: Database, sql: Sql) -> None:
    case = a_case()
    states = await folded(db, adds(case, 1, 2, 3))
    states |= await folded(db, adds(case, 4))
    assert states[case].total == 10
    assert [row["subject_version"] for row in await sql.fetch("SELECT * FROM timers ORDER BY timer_id")] == [
        1,
        3,
        6,
        10,
    ]
    assert await sql.fetchval("SELECT version FROM cases") == 2


async def test_a_case_stands_with_owner_and_due_time_until_it_is_over(db: Database, sql: Sql) -> None:
    case = a_case()
    await folded(db, adds(case, 1))
    row = await sql.fetchrow("SELECT state, owner, due_at, terminal FROM cases")
    await folded(db, [Input(AGENCY, case, End("withdrawn"))])
    assert tuple(row or ()) == ("counting", "matching", DUE, False)
    over = await sql.fetchrow("SELECT state, owner, due_at, terminal FROM cases")
    assert tuple(over or ()) == ("ended", None, None, True)


async def test_any_number_of_cases_costs_the_same_number_of_statements(db: Database) -> None:
    async def statements(cases: int) -> int:
        seen: list[str] = []
        async with db.transaction({AGENCY}) as tx:

            def keep(record: Any) -> None:
                seen.append(record.query)

            tx.connection.add_query_logger(keep)
            await casework.fold(tx, [one for _ in range(cases) for one in adds(a_case(), 1, 2)], Counting())
            tx.connection.remove_query_logger(keep)
        return len(seen)

    # The first use of an array type makes the driver ask what it is.
    await statements(1)
    assert await statements(200) == await statements(1) <= 10


async def test_one_refused_input_leaves_nothing_of_the_batch(db: Database, sql: Sql) -> None:
    with pytest.raises(Unprocessable):
        await folded(db, [*adds(a_case(), 1), *adds(a_case(), 13)])
    assert await rows_of(sql) == {}


async def test_facts_leave_in_the_order_in_which_they_were_decided(db: Database, sql: Sql) -> None:
    cases = [a_case() for _ in range(5)]
    await folded(db, [one for n in range(4) for case in cases for one in adds(case, n + 1)])
    keys = [row["key"] for row in await sql.fetch("SELECT key FROM outbox ORDER BY id")]
    assert keys == cases * 4


async def test_acts_at_the_same_time_on_one_case_are_each_counted_once(db: Database) -> None:
    case = a_case()
    await asyncio.gather(*(folded(db, adds(case, 1)) for _ in range(20)))
    assert (await folded(db, adds(case, 0)))[case].total == 20


async def test_whoever_comes_second_to_a_case_waits_and_sees_what_the_first_has_written(db: Database, sql: Sql) -> None:
    case = a_case()
    async with db.transaction([AGENCY]) as tx:
        await anchors.lock(tx, {case: AGENCY})

    async def second() -> int:
        async with db.transaction([AGENCY]) as tx:
            return (await anchors.lock(tx, {case: AGENCY}))[case].version

    async def waits() -> bool:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(await sql.fetchval(waiting))

    async with db.transaction([AGENCY]) as tx:
        held = await anchors.lock(tx, {case: AGENCY})
        behind = asyncio.create_task(second())
        await eventually(waits, 5, what="the second waits for the lock", every=0.01)
        await anchors.save(tx, list(held.values()))
    assert await behind == 1


async def test_batches_that_share_cases_in_any_order_never_deadlock(db: Database) -> None:
    cases = [a_case() for _ in range(6)]
    orders = [cases, cases[::-1], cases[3:] + cases[:3], cases[::2] + cases[1::2]]
    await asyncio.gather(*(folded(db, [i for case in order for i in adds(case, 1)]) for order in orders * 5))
    assert {state.total for state in (await folded(db, [i for c in cases for i in adds(c, 0)])).values()} == {20}


async def test_a_case_of_another_agency_is_refused_and_not_touched(db: Database, sql: Sql) -> None:
    case, other = a_case(), AgencyId(clock.random_id())
    await folded(db, adds(case, 1))
    before = await rows_of(sql)
    with pytest.raises(Unprocessable, match="agency of the case"):
        await claimed_by(db, other, case)
    assert await rows_of(sql) == before


async def claimed_by(db: Database, other: AgencyId, case: CaseId) -> None:
    async with db.transaction({AGENCY, other}) as tx:
        await casework.fold(tx, [Input(AGENCY, case, Add(1)), Input(other, case, Add(1))], Counting())


async def test_a_closed_case_leaves_its_id_and_what_has_to_go_out_and_nothing_else(db: Database, sql: Sql) -> None:
    case, stays = a_case(), a_case()
    await folded(db, adds(stays, 1))
    async with db.transaction({AGENCY}) as tx:
        await casework.fold(tx, adds(case, 1, 2), Counting())
        door = doors.Door(AGENCY, "code", case, case)
        await doors.add(tx, [(b"hash", door, None)])
        await park(tx, [Ticket(Sender(AGENCY).raw(numbered(1), case), "Probe", agency_id=AGENCY)], b"k")
        await casework.fold(tx, [Input(AGENCY, case, End("closed"))], Counting())
    left = await rows_of(sql)
    assert left == {"cases": 1, "effects": 1, "timers": 1, "outbox": 3, "audit": 4, "tombstones": 1}
    assert await sql.fetchval("SELECT case_id = $1 AND closed FROM tombstones", case)


async def test_a_withdrawn_case_is_buried_and_its_rows_wait_for_the_close(db: Database, sql: Sql) -> None:
    case = a_case()
    await folded(db, [*adds(case, 1), Input(AGENCY, case, End("withdrawn"))])
    assert await sql.fetchval("SELECT NOT closed FROM tombstones WHERE case_id = $1", case)
    assert (await rows_of(sql))["effects"] == 1
    await sql.execute("UPDATE tombstones SET at = at - interval '13 days 23 hours'")
    await folded(db, [Input(AGENCY, case, End("closed"))])
    # A case may be held for long between the two: its tombstone lives from the close on.
    assert await sql.fetchval(
        "SELECT closed AND at > clock_timestamp() - interval '1 hour' FROM tombstones WHERE case_id = $1", case
    )
    assert "effects" not in await rows_of(sql)


async def test_the_tombstone_of_another_agency_ends_no_case(db: Database, sql: Sql) -> None:
    case, stranger = a_case(), AgencyId(clock.random_id())
    async with db.transaction({stranger}) as tx:
        await anchors.bury(tx, {case: stranger}, closed=True)
    async with db.transaction({AGENCY, stranger}) as tx:
        states = await casework.fold(tx, adds(case, 1), Counting())
    assert states[case].total == 1
    assert (await rows_of(sql))["cases"] == 1


@pytest.mark.parametrize(("how", "act"), [("closed", "case_closed"), ("withdrawn", "case_withdrawn")])
async def test_a_tombstone_has_its_act_and_its_cause(how: Ending, act: str, db: Database, sql: Sql) -> None:
    case, cause = a_case(), clock.ordered_id()
    await folded(db, [*adds(case, 1), Input(AGENCY, case, End(how), cause)])
    assert await sql.fetchval("SELECT cause FROM audit WHERE act = $1 AND subject = $2", act, case) == cause
    async with db.loop() as loop:
        assert checks.of_effects(await effects.ends(loop)) == []


async def test_a_timer_whose_work_closes_its_own_case_is_done(db: Database, sql: Sql) -> None:
    async def close(tx: Transaction, fired: Sequence[Fired]) -> None:
        await casework.fold(tx, [Input(one.agency_id, CaseId(one.key), End("closed")) for one in fired], Counting())

    await folded(db, [*adds(a_case(), 1, 2), *adds(a_case(), 1)])
    await sql.execute("UPDATE region.clock SET shift = interval '2 hours'")
    await timers.in_one_transaction(db, close)(await timers.claim(db, Lane.ORDINARY))
    assert {"cases", "timers", "effects"} & set(await rows_of(sql)) == set()


async def test_a_stale_anchor_loses_its_claim(db: Database) -> None:
    case = a_case()
    async with db.transaction({AGENCY}) as tx:
        stale = (await anchors.lock(tx, {case: AGENCY}))[case]
    await folded(db, adds(case, 1))
    with pytest.raises(LostClaim):
        await saved(db, stale)


async def saved(db: Database, anchor: Anchor) -> None:
    async with db.transaction({AGENCY}) as tx:
        await anchors.save(tx, [anchor])


async def test_an_open_case_without_owner_or_due_time_cannot_be_written(db: Database, sql: Sql) -> None:
    case = a_case()
    await folded(db, adds(case, 1))
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute("UPDATE cases SET owner = NULL")
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute("UPDATE cases SET due_at = NULL")


async def test_events_through_delivery_are_traced_to_what_they_cause(db: Database, sql: Sql) -> None:
    async def absorb(tx: Transaction, received: Sequence[Any]) -> None:
        inputs = [Input(one.envelope.agency_id, one.case_id, Add(1), one.envelope.event_id) for one in received]
        await casework.fold(tx, inputs, Counting())

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sender = Sender(AGENCY)
    delivery = Delivery(db, absorb, group="matching.ordinary", topics=["peerline.intake"], fingerprint_key=b"k")
    await delivery.take([sender.raw(numbered(1), a_case(), headers={"traceparent": trace.encode()})])
    passed_on = [
        await sql.fetchval("SELECT traceparent FROM outbox"),
        await sql.fetchval("SELECT traceparent FROM timers"),
    ]
    cause = await sql.fetchval("SELECT cause = event_id FROM audit, inbox")
    assert all(one.split("-")[1] == trace.split("-")[1] for one in passed_on)
    assert cause


def test_the_probe_is_a_book() -> None:
    book: casework.Book[Tally] = Counting()
    assert book.standing(Tally(a_case())).owner == "matching"
    assert Probe().batches == []
