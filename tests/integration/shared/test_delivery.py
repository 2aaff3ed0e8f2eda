"""Delivery on a real database: each event takes effect once, in order; the bad one is parked alone."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from uuid import UUID

import pytest

from shared import anchors, clock, parking
from shared.db import Database, Transaction
from shared.delivery import Delivery
from shared.errors import LostClaim
from shared.events.envelope import INTAKE, INTAKE_CRISIS
from shared.events.intake import CaseClosed, CaseClosing, CaseWithdrawn
from shared.parking import Raw
from shared.types import AgencyId, CaseId
from tests.harness.databases import Sql
from tests.harness.probe import Probe, Sender, a_case, numbered
from tests.harness.waiting import eventually

KEY = b"fingerprint key of these tests, 32+ bytes"


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
def delivery(db: Database, probe: Probe) -> Delivery:
    topics = [INTAKE.name, INTAKE_CRISIS.name]
    return Delivery(db, probe.absorb, group="matching.ordinary", topics=topics, fingerprint_key=KEY)


async def effects(sql: Sql) -> list[int | None]:
    return [row["n"] for row in await sql.fetch("SELECT n FROM effects ORDER BY seq")]


async def parked(sql: Sql) -> list[tuple[int, str, str]]:
    rows = await sql.fetch("SELECT pos, state, error_class FROM parked ORDER BY seq")
    return [(row["pos"], row["state"], row["error_class"]) for row in rows]


@asynccontextmanager
async def retrying(delivery: Delivery) -> AsyncIterator[None]:
    task = asyncio.create_task(delivery.retry_parked())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_an_event_takes_effect_once_however_often_it_comes(delivery: Delivery, sender: Sender, sql: Sql) -> None:
    case, event = a_case(), clock.ordered_id()
    copies = [sender.raw(numbered(1), case, event_id=event) for _ in range(3)]
    await delivery.take(copies[:2])
    await delivery.take([copies[2]])
    assert await effects(sql) == [1]
    assert await parked(sql) == []


async def test_a_batch_takes_effect_in_its_order_in_one_transaction(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    cases = [a_case() for _ in range(10)]
    await delivery.take([sender.raw(numbered(n), cases[n % 10]) for n in range(200)])
    assert await effects(sql) == list(range(200))
    assert probe.batches == [200]
    assert await sql.fetchval("SELECT count(DISTINCT xmin::text) FROM effects") == 1


async def test_records_of_several_agencies_share_a_transaction(delivery: Delivery, sender: Sender, sql: Sql) -> None:
    agencies = [AgencyId(clock.random_id()) for _ in range(3)]
    await delivery.take([sender.raw(numbered(n), a_case(), agency=agencies[n % 3]) for n in range(9)])
    assert await effects(sql) == list(range(9))
    assert await sql.fetchval("SELECT count(DISTINCT agency_id) FROM effects") == 3


@pytest.mark.parametrize("together", [False, True])
async def test_the_same_id_with_another_content_is_parked_as_forged(
    together: bool, delivery: Delivery, sender: Sender, sql: Sql
) -> None:
    case, event = a_case(), clock.ordered_id()
    genuine, forged = (sender.raw(numbered(n), case, event_id=event) for n in (1, 2))
    for batch in [[genuine, forged]] if together else [[genuine], [forged]]:
        await delivery.take(batch)
    assert await effects(sql) == [1]
    assert await parked(sql) == [(1, "dead", "Forged")]


async def test_a_bad_record_is_parked_alone_and_its_neighbours_flow(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad = {3}
    await delivery.take([sender.raw(numbered(n), a_case()) for n in range(6)])
    assert await effects(sql) == [0, 1, 2, 4, 5]
    assert await parked(sql) == [(3, "waiting", "Unprocessable")]


async def test_an_unexpected_error_parks_too_and_blocks_nobody(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad, probe.error = {1}, ZeroDivisionError
    await delivery.take([sender.raw(numbered(n), a_case()) for n in range(3)])
    assert await effects(sql) == [0, 2]
    assert await parked(sql) == [(1, "waiting", "ZeroDivisionError")]


async def test_what_follows_a_parked_record_of_its_topic_and_key_parks_behind_it(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad, case = {0}, a_case()
    await delivery.take(
        [sender.raw(numbered(0), case), sender.raw(numbered(1), case), sender.raw(numbered(2), a_case())]
    )
    await delivery.take([sender.raw(numbered(3), case), sender.raw(numbered(4), a_case())])
    assert await effects(sql) == [2, 4]
    assert [error for _, _, error in await parked(sql)] == ["Unprocessable", "Behind", "Behind"]


async def test_a_parked_record_holds_back_its_own_topic_only(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad, case = {0}, a_case()
    await delivery.take([sender.raw(numbered(0), case), sender.raw(CaseWithdrawn(), case)])
    assert await effects(sql) == [None]
    assert await parked(sql) == [(0, "waiting", "Unprocessable")]


async def test_a_stop_event_passes_by_what_is_parked_before_it(delivery: Delivery, sender: Sender, sql: Sql) -> None:
    case = a_case()
    unknown = sender.raw(CaseWithdrawn(), case, headers={"ce_type": b"intake.not_known_yet.v9"})
    await delivery.take([unknown, sender.raw(CaseWithdrawn(), case), sender.raw(CaseClosed(), case)])
    assert await effects(sql) == [None, None]
    assert await parked(sql) == [(0, "waiting", "UnknownEvent")]


async def test_an_event_of_a_buried_case_is_dropped_and_a_stop_is_not(
    db: Database, delivery: Delivery, sender: Sender, sql: Sql
) -> None:
    case = a_case()
    async with db.transaction({sender.agency}) as tx:
        await anchors.bury(tx, {case: sender.agency}, closed=False)
    await delivery.take(
        [sender.raw(numbered(1), case), sender.raw(CaseClosed(), case), sender.raw(numbered(2), a_case())]
    )
    assert await effects(sql) == [None, 2]
    assert await parked(sql) == []


async def test_what_another_agency_has_buried_under_the_same_id_drops_nothing(
    db: Database, delivery: Delivery, sender: Sender, sql: Sql
) -> None:
    case, stranger = a_case(), Sender()
    async with db.transaction({stranger.agency}) as tx:
        await anchors.bury(tx, {case: stranger.agency}, closed=True)
    # The stranger's record brings its tombstones into view of the same transaction.
    await delivery.take([sender.raw(numbered(1), case), stranger.raw(numbered(2), a_case())])
    assert await effects(sql) == [1, 2]


async def test_an_unknown_type_waits_a_day_and_then_is_dead(delivery: Delivery, sender: Sender, sql: Sql) -> None:
    case = a_case()
    await delivery.take(
        [
            sender.raw(CaseClosing(), case, headers={"ce_type": b"intake.not_known_yet.v9"}),
            sender.raw(numbered(1), case),
        ]
    )
    assert await parked(sql) == [(0, "waiting", "UnknownEvent"), (1, "waiting", "Behind")]
    await sql.execute("UPDATE parked SET parked_at = parked_at - interval '25 hours', next_try = clock_timestamp()")
    async with retrying(delivery):
        await eventually(lambda: state_of(sql, 0, "dead"))
    assert await effects(sql) == []


async def test_an_unknown_type_is_left_to_a_replica_that_knows_it(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad = {1}
    unknown = sender.raw(CaseClosing(), a_case(), headers={"ce_type": b"intake.not_known_yet.v9"})
    await delivery.take([unknown, sender.raw(numbered(1), a_case())])
    await sql.execute("UPDATE parked SET next_try = clock_timestamp()")
    async with retrying(delivery):
        await eventually(lambda: tries(sql, 1, 1))
    assert await sql.fetchval("SELECT attempts FROM parked WHERE pos = 0") == 0


async def test_a_foreign_header_that_is_no_text_does_not_stop_the_retries_of_its_group(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad = {0}
    await delivery.take([sender.raw(numbered(0), a_case(), headers={"x-odd": b"\xff\xfe"})])
    await sql.execute("UPDATE parked SET next_try = clock_timestamp()")
    async with retrying(delivery):
        await eventually(lambda: tries(sql, 0, 1))
    assert await parked(sql) == [(0, "waiting", "Unprocessable")]


async def tries(sql: Sql, pos: int, number: int) -> bool:
    """Whether so many tries have ended: a record under way is leased for a minute, one put back waits its own pause."""
    row = await sql.fetchrow(
        "SELECT attempts, extract(epoch FROM next_try - clock_timestamp()) AS left FROM parked WHERE pos = $1", pos
    )
    return row is not None and row["attempts"] >= number and not 31 < (row["left"] or 0) < 61


async def state_of(sql: Sql, pos: int, state: str) -> bool:
    return bool(await sql.fetchval("SELECT state = $2 FROM parked WHERE pos = $1", pos, state))


def undecodable(sender: Sender, case: CaseId, kind: str) -> Raw:
    raw = sender.raw(CaseClosing(), case)
    match kind:
        case "body":
            return Raw(raw.topic, raw.part, raw.pos, raw.key, raw.headers, b'{"type": "leak me')
        case "header":
            return Raw(raw.topic, raw.part, raw.pos, raw.key, (("ce_id", b"\xff\xfe"),), raw.value)
        case "no headers":
            return Raw(raw.topic, raw.part, raw.pos, raw.key, (), raw.value)
        case _:
            return Raw(raw.topic, raw.part, raw.pos, b"\xff another key", raw.headers, raw.value)


@pytest.mark.parametrize("kind", ["body", "header", "no headers", "key"])
async def test_of_what_cannot_be_decoded_only_a_keyed_hash_stays(
    kind: str, delivery: Delivery, sender: Sender, sql: Sql
) -> None:
    bad = undecodable(sender, a_case(), kind)
    await delivery.take([bad, sender.raw(numbered(1), a_case())])
    row = await sql.fetchrow("SELECT * FROM parked")
    assert row is not None
    assert (row["state"], row["record"], row["headers"], row["size"]) == ("dead", None, None, len(bad.value))
    assert row["fingerprint"] == hmac.new(KEY, bad.value, hashlib.sha256).digest()
    assert await effects(sql) == [1]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("ce_source", b"/peerline/notify"),
        ("ce_type", b"notify.reply_received.v1"),
        ("ce_type", b"intake.case_closed.v1"),
        ("ce_subject", b"4f0c2a51-8f5e-4f0b-9a39-0f6f1f3d9c11"),
        ("ce_time", b"2020-01-01T00:00:00+00:00"),
    ],
)
async def test_a_record_whose_headers_contradict_it_has_no_effect(
    header: str, value: bytes, delivery: Delivery, sender: Sender, sql: Sql
) -> None:
    await delivery.take([sender.raw(numbered(1), a_case(), headers={header: value})])
    assert await effects(sql) == []
    assert [(state, error) for _, state, error in await parked(sql)] == [("dead", "Unprocessable")]


async def test_a_retry_resolves_and_the_next_behind_goes_at_once(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad, case = {0}, a_case()
    await delivery.take([sender.raw(numbered(n), case) for n in range(4)])
    probe.bad = set()
    # Those behind are not due for an hour: only their turn lets them go.
    await sql.execute(
        "UPDATE parked SET next_try = clock_timestamp() + CASE pos WHEN 0 THEN '0' ELSE interval '1 h' END"
    )
    async with retrying(delivery):
        await eventually(lambda: none_parked(sql))
    assert await effects(sql) == [0, 1, 2, 3]


async def test_a_retry_that_purges_its_own_case_takes_its_own_row_with_it(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad, case = {None}, a_case()  # type: ignore[arg-type]
    await delivery.take([sender.raw(CaseClosed(), case)])
    probe.bad = set()

    async def purge(tx: Transaction) -> None:
        await anchors.purge(tx, [case])

    probe.before = purge
    await sql.execute("UPDATE parked SET next_try = clock_timestamp()")
    async with retrying(delivery):
        await eventually(lambda: none_parked(sql))
    assert await effects(sql) == [None]


async def test_a_retry_sees_the_agencies_that_its_group_always_sees(
    db: Database, sender: Sender, sql: Sql, probe: Probe
) -> None:
    topics, beside = [INTAKE.name], AgencyId(clock.random_id())
    seen: list[frozenset[AgencyId]] = []

    async def look(tx: Transaction) -> None:
        seen.append(tx.agencies)

    probe.bad, probe.before = {0}, look
    lane = Delivery(db, probe.absorb, group="-", topics=topics, fingerprint_key=KEY, beside=[beside])
    await lane.take([sender.raw(numbered(0), a_case())])
    probe.bad = set()
    await sql.execute("UPDATE parked SET next_try = clock_timestamp()")
    async with retrying(lane):
        await eventually(lambda: none_parked(sql))
    assert set(seen) == {frozenset({sender.agency, beside})}


async def none_parked(sql: Sql) -> bool:
    return not await sql.fetchval("SELECT count(*) FROM parked")


async def test_a_record_that_fails_its_last_try_is_dead_and_due_for_the_operator(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad = {0}
    await delivery.take([sender.raw(numbered(0), a_case())])
    last = len(parking.PAUSES_S) - 1
    await sql.execute("UPDATE parked SET attempts = $1, next_try = clock_timestamp()", last - 1)
    async with retrying(delivery):
        await eventually(lambda: tries(sql, 0, last))
        assert await state_of(sql, 0, "waiting")
        await sql.execute("UPDATE parked SET next_try = clock_timestamp()")
        await eventually(lambda: state_of(sql, 0, "dead"))
    assert await sql.fetchval("SELECT due_at > clock_timestamp() AND attempts = $1 FROM parked", last + 1)


async def test_each_failed_try_waits_longer_than_the_one_before(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad = {0}
    await delivery.take([sender.raw(numbered(0), a_case())])
    waits = [await sql.fetchval("SELECT next_try - parked_at FROM parked")]
    async with retrying(delivery):
        for number in range(1, 4):
            await sql.execute("UPDATE parked SET next_try = clock_timestamp()")
            await eventually(lambda number=number: tries(sql, 0, number))  # type: ignore[misc]
            waits.append(await sql.fetchval("SELECT next_try - clock_timestamp() FROM parked"))
    assert [round(wait.total_seconds()) for wait in waits] == list(parking.PAUSES_S[:4])


async def test_positions_are_stored_in_the_transaction_of_the_effects(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    seen: list[int] = []

    async def look(_: Transaction) -> None:
        seen.append(await sql.fetchval("SELECT count(*) FROM positions"))

    probe.before = look
    positions = await delivery.take([sender.raw(numbered(n), a_case()) for n in range(5)])
    together = "SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM effects UNION SELECT xmin FROM positions) x"
    assert positions == {("peerline.intake", 0): 5}
    assert await sql.fetchval("SELECT next_offset FROM positions") == 5
    assert (seen, await sql.fetchval(together)) == ([0], 1)


async def test_a_cut_connection_is_not_now_and_never_bad(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    cuts = iter([True, True, False])

    async def cut(tx: Transaction) -> None:
        if next(cuts):
            await sql.execute(
                "SELECT pg_terminate_backend($1)", await tx.connection.fetchval("SELECT pg_backend_pid()")
            )

    probe.before = cut
    await delivery.take([sender.raw(numbered(n), a_case()) for n in range(3)])
    assert await effects(sql) == [0, 1, 2]
    assert await parked(sql) == []
    assert probe.batches == [3, 3, 3]


async def test_contention_is_run_again_and_never_parked(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    left = iter(range(7, -1, -1))

    async def contended(_: Transaction) -> None:
        if next(left, 0):
            raise LostClaim

    probe.before = contended
    await delivery.take([sender.raw(numbered(n), a_case()) for n in range(3)])
    assert await effects(sql) == [0, 1, 2]
    assert await parked(sql) == []


async def test_parking_the_same_record_twice_keeps_the_first(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad = {0}
    raw = sender.raw(numbered(0), a_case())
    await delivery.take([raw])
    await delivery.take([raw])
    assert await parked(sql) == [(0, "waiting", "Unprocessable")]


async def test_a_parked_event_can_still_be_claimed_by_its_retry(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad = {0}
    await delivery.take([sender.raw(numbered(0), a_case(), event_id=UUID(int=7))])
    assert await sql.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_parked_record_whose_id_was_seen_with_another_content_is_not_lost_in_silence(
    delivery: Delivery, sender: Sender, sql: Sql, probe: Probe
) -> None:
    probe.bad, event = {0}, clock.ordered_id()
    await delivery.take([sender.raw(numbered(0), a_case(), event_id=event)])
    await delivery.take([sender.raw(numbered(1), a_case(), event_id=event)])
    probe.bad = set()
    await sql.execute("UPDATE parked SET next_try = clock_timestamp()")
    async with retrying(delivery):
        await eventually(lambda: tries(sql, 0, 1))
    # No further try could help: it is the operator's at once.
    assert await parked(sql) == [(0, "dead", "Forged")]
    assert await effects(sql) == [1]


async def test_a_key_that_no_index_can_hold_blocks_no_partition(delivery: Delivery, sender: Sender, sql: Sql) -> None:
    bad = replace(sender.raw(numbered(1), a_case()), key=secrets.token_bytes(9000))
    await delivery.take([bad, sender.raw(numbered(2), a_case())])
    assert await effects(sql) == [2]
    assert [(state, error) for _, state, error in await parked(sql)] == [("dead", "Unprocessable")]


async def test_a_header_that_no_jsonb_can_hold_blocks_no_partition(
    delivery: Delivery, sender: Sender, sql: Sql
) -> None:
    headers = {"ce_type": b"intake.not_yet_known.v9", "x-trace": b"a\0b", "x-\0": b"c"}
    await delivery.take([sender.raw(numbered(1), a_case(), headers=headers), sender.raw(numbered(2), a_case())])
    assert await effects(sql) == [2]
    assert [(state, error) for _, state, error in await parked(sql)] == [("waiting", "UnknownEvent")]
