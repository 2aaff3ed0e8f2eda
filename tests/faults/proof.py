"""At which step a process died, read from the database that it left behind and from the topics."""

from __future__ import annotations

from uuid import UUID

from tests.faults.kills import Kill
from tests.faults.ledger import Entry
from tests.faults.stand import Stand


async def prove(stand: Stand, kill: Kill, subject: UUID | None) -> None:
    """The state of things is that of this step and no other. `subject` is the case, or None for the directory."""
    await stand.ledger.ends()
    if kill.lane:
        assert await _consumed(stand, kill, subject), f"no record shows {kill}"
    elif kill.point in {"before-publish", "after-publish"}:
        assert await _published(stand, kill, subject), f"no outbox row shows {kill}"
    else:
        assert subject is not None
        await _OTHERS[kill.point, kill.what](stand, subject)


async def _consumed(stand: Stand, kill: Kill, subject: UUID | None) -> list[Entry]:
    """Records that show it. Effects and stored position are one transaction; the offset in Kafka comes after it."""
    sql = await stand.sql()
    rows = await sql.fetch(f"SELECT topic, part, next_offset FROM {kill.service}.positions")  # noqa: S608
    stored = {(row["topic"], row["part"]): row["next_offset"] for row in rows}
    committed = await stand.ledger.committed(f"{kill.service}.{kill.lane}")
    taken = await stand.inbox(kill.service)
    effects = kill.point in {"after-commit", "before-offset"}
    return [
        one
        for one in stand.ledger.entries
        if one.topic == kill.what
        and subject in {None, one.subject}
        and committed.get((one.topic, one.part), 0) <= one.offset
        and (stored.get((one.topic, one.part), 0) > one.offset) == effects
        and (one.event_id in taken) == effects
    ]


async def _published(stand: Stand, kill: Kill, subject: UUID | None) -> list[UUID]:
    """Outbox rows that show it: of a row that is still there the topic knows nothing yet, or knows it already."""
    sql = await stand.sql()
    rows = await sql.fetch(f"SELECT event_id, key FROM {kill.service}.outbox WHERE topic = $1", kill.what)  # noqa: S608
    there = {one.event_id for one in stand.ledger.entries if one.topic == kill.what}
    return [
        row["event_id"]
        for row in rows
        if subject in {None, row["key"]} and (row["event_id"] in there) == (kill.point == "after-publish")
    ]


_SENDING = """
SELECT i.subject_id, i.person_id FROM notify.intents i JOIN notify.attempts a ON a.attempt_id = i.attempt_id
 WHERE i.case_id = $1 AND i.state = 'sending' AND a.outcome IS NULL
"""


async def _attempted(stand: Stand, case: UUID) -> None:
    left = await _under_way(stand, case)
    letters = await stand.letters(case)
    assert left - {(one.subject, one.person) for one in letters}, "an attempt without a mail"


async def _provided(stand: Stand, case: UUID) -> None:
    left = await _under_way(stand, case)
    letters = await stand.letters(case)
    assert left & {(one.subject, one.person) for one in letters}, "a mail whose outcome is not recorded"


async def _under_way(stand: Stand, case: UUID) -> set[tuple[UUID, UUID]]:
    return {(row["subject_id"], row["person_id"]) for row in await (await stand.sql()).fetch(_SENDING, case)}


async def _claimed(stand: Stand, case: UUID, service: str, kind: str) -> None:
    query = f"SELECT count(*) FROM {service}.timers WHERE key = $1 AND kind = $2 AND leased_until > clock_timestamp()"  # noqa: S608
    assert await (await stand.sql()).fetchval(query, case, kind), "a leased timer"


async def _send_claimed(stand: Stand, case: UUID) -> None:
    await _claimed(stand, case, "notify", "send")
    planned = "SELECT count(*) FROM notify.intents WHERE case_id = $1 AND state = 'planned' AND attempt_id IS NULL"
    assert await (await stand.sql()).fetchval(planned, case), "an intent without an attempt"


async def _grace_claimed(stand: Stand, case: UUID) -> None:
    await _claimed(stand, case, "intake", "grace")
    assert await _destroyed(stand, case) is False


async def _grace_over(stand: Stand, case: UUID) -> None:
    assert await _destroyed(stand, case) is True
    assert not await (await stand.sql()).fetchval("SELECT count(*) FROM intake.cases WHERE case_id = $1", case)


async def _destroyed(stand: Stand, case: UUID) -> bool | None:
    query = "SELECT destroyed_at IS NOT NULL FROM vault.data_keys WHERE kind = 'case' AND subject_id = $1"
    found: bool | None = await (await stand.sql()).fetchval(query, case)
    return found


async def _offer_claimed(stand: Stand, case: UUID) -> None:
    await _claimed(stand, case, "matching", "offer")
    assert await _offers(stand, case) == ["pending"]


async def _offer_over(stand: Stand, case: UUID) -> None:
    assert await _offers(stand, case) == ["expired", "pending"]


async def _offers(stand: Stand, case: UUID) -> list[str]:
    rows = await (await stand.sql()).fetch("SELECT state FROM matching.offers WHERE case_id = $1 ORDER BY 1", case)
    return [row["state"] for row in rows]


async def _taken(stand: Stand, case: UUID) -> None:
    assert await (await stand.sql()).fetchval("SELECT count(*) FROM intake.requests WHERE case_id = $1", case) == 1


async def _answered(stand: Stand, case: UUID) -> None:
    verbs = await (await stand.sql()).fetch("SELECT verb FROM notify.replies WHERE case_id = $1", case)
    assert [row["verb"] for row in verbs] == ["accept"]


_OTHERS = {
    ("after-attempt", "send"): _attempted,
    ("after-provider", "send"): _provided,
    ("after-consume", "send"): _send_claimed,
    ("after-consume", "grace"): _grace_claimed,
    ("after-commit", "grace"): _grace_over,
    ("after-consume", "offer"): _offer_claimed,
    ("after-commit", "offer"): _offer_over,
    ("after-commit", "request"): _taken,
    ("after-commit", "answer"): _answered,
}
