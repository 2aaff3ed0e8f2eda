"""Dead letters as the operator has them: seen without content, replayed or discarded, each act with its audit row.

A replayed one waits for its turn like any other parked record: first of its topic and key, with those behind it
following. Whatever the order of replays, order within topic and key stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import NAMESPACE_URL, UUID, uuid5

from shared import audit, inbox
from shared.db import Connection, Database, Row, Transaction
from shared.errors import Problem, Refused
from shared.types import REGION, AgencyId, EventId

Reason = Literal["forged", "unreadable", "done-by-hand", "obsolete"]
"""Why one is discarded: no service wrote it · nobody can read it and it cannot be had again · what it says was done in
another way · what it says means nothing any more."""

REASONS: tuple[Reason, ...] = get_args(Reason)
ON_THE_BUS_DAYS = 7
"""How long the bus has a record whose content was not kept."""


@dataclass(frozen=True)
class Letter:
    """A parked record without its content. `case` is None where its key names none.

    `can_be_had` when its content was kept or the bus still has it; `ahead` and `behind` count the records of its topic
    and key that are parked before and after it.
    """

    service: str
    seq: int
    case: UUID | None
    topic: str
    part: int
    pos: int
    type: str | None
    error_class: str
    state: Literal["waiting", "dead"]
    attempts: int
    parked_at: datetime
    due_at: datetime | None
    overdue: bool
    size: int
    kept: bool
    can_be_had: bool
    ahead: int
    behind: int


# What has no case stands behind nothing and holds back nothing: it was refused for its key, and so is the next one.
_LETTERS = """
SELECT * FROM (
    SELECT service, seq, subject AS case, topic, part, pos, type, error_class, state, attempts, parked_at, due_at,
           coalesce(due_at <= clock_timestamp(), false) AS overdue, size, kept,
           kept OR parked_at > clock_timestamp() - make_interval(days => $4) AS can_be_had,
           count(*) OVER (PARTITION BY service, topic, coalesce(subject::text, seq::text) ORDER BY seq) - 1 AS ahead,
           count(*) OVER (PARTITION BY service, topic, coalesce(subject::text, seq::text) ORDER BY seq DESC) - 1
               AS behind
      FROM (SELECT 'intake' AS service, seq, subject, topic, part, pos, type, error_class, state, attempts, parked_at,
                   due_at, size, kept FROM intake.parked
             UNION ALL
            SELECT 'matching', seq, subject, topic, part, pos, type, error_class, state, attempts, parked_at,
                   due_at, size, kept FROM matching.parked
             UNION ALL
            SELECT 'referral', seq, subject, topic, part, pos, type, error_class, state, attempts, parked_at,
                   due_at, size, kept FROM referral.parked
             UNION ALL
            SELECT 'notify', seq, subject, topic, part, pos, type, error_class, state, attempts, parked_at,
                   due_at, size, kept FROM notify.parked) every) counted
 WHERE ($1::text IS NULL OR service = $1) AND ($2::bigint IS NULL OR seq = $2) AND (state = 'dead' OR NOT $3)
 ORDER BY due_at, parked_at, service, seq
"""


async def letters(
    connection: Connection, *, service: str | None = None, seq: int | None = None, dead_only: bool = True
) -> list[Letter]:
    """Dead letters of one service or of all, the longest due first; and those still tried unless `dead_only`."""
    return [Letter(**row) for row in await connection.fetch(_LETTERS, service, seq, dead_only, ON_THE_BUS_DAYS)]


_KNOWN = """
SELECT seq, topic, part, pos, subject, event_id, agency_id, state, kept,
       kept OR parked_at > clock_timestamp() - make_interval(days => $2) AS can_be_had
  FROM parked WHERE seq = ANY ($1::bigint[])
"""
_REPLAY = """
UPDATE parked SET state = 'waiting', attempts = 0, next_try = clock_timestamp(), due_at = NULL,
       parked_at = clock_timestamp()
 WHERE seq = ANY ($1::bigint[]) RETURNING seq
"""


async def replay(db: Database, seqs: Sequence[int]) -> None:
    """Give these records of the service whose schema `db` has another round of tries, at once; all of them, or none.

    What was not kept is read from the bus again. Raises `Refused`: `no-such-dead-letter`, or `not-on-the-bus` for what
    was neither kept nor is there any more.
    """
    known = await _known(db, seqs)
    if lost := [row["seq"] for row in known if not row["can_be_had"]]:
        raise Refused("not-on-the-bus", problems=_about(lost, "forgotten"))
    async with db.transaction({_agency(row) for row in known}) as tx:
        done = await tx.connection.fetch(_REPLAY, list(seqs))
        _all_there(seqs, done)
        await audit.record(tx, [_entry(row, "dead_letter.replayed") for row in known])


async def discard(db: Database, seq: int, reason: Reason) -> None:
    """Give a dead letter up, and let what stands behind it go on; a copy of it that comes later has no effect either.

    Raises `Refused`: `no-such-dead-letter`, `not-dead`.
    """
    (row,) = await _known(db, [seq])
    if row["state"] != "dead":
        raise Refused("not-dead", problems=_about([seq], "waiting"))
    async with db.transaction({_agency(row)}) as tx:
        # In the order in which a try takes them: first the id, then the row.
        await inbox.spend(tx, {EventId(row["event_id"])} if row["event_id"] else set())
        await _remove(tx, row)
        await audit.record(tx, [_entry(row, f"dead_letter.discarded.{reason}")])


async def _remove(tx: Transaction, row: Row) -> None:
    gone = await tx.connection.fetch("DELETE FROM parked WHERE seq = $1 AND state = 'dead' RETURNING seq", row["seq"])
    _all_there([row["seq"]], gone)
    await tx.connection.execute(
        "UPDATE parked SET next_try = clock_timestamp() WHERE seq = (SELECT min(seq) FROM parked"
        " WHERE topic = $1 AND subject = $2) AND state = 'waiting'",
        row["topic"],
        row["subject"],
    )


async def _known(db: Database, seqs: Sequence[int]) -> list[Row]:
    async with db.loop() as connection:
        rows = await connection.fetch(_KNOWN, list(seqs), ON_THE_BUS_DAYS)
    _all_there(seqs, rows)
    return rows


def _all_there(seqs: Sequence[int], rows: Sequence[Row]) -> None:
    if missing := set(seqs) - {row["seq"] for row in rows}:
        raise Refused("no-such-dead-letter", status=404, problems=_about(sorted(missing), "unknown"))


def _about(seqs: Sequence[int], code: str) -> tuple[Problem, ...]:
    return tuple(Problem(f"/{seq}", code) for seq in seqs)


def _agency(row: Row) -> AgencyId:
    # Of what cannot be decoded nobody knows whose it is.
    return AgencyId(row["agency_id"]) if row["agency_id"] else REGION


def _entry(row: Row, act: str) -> audit.Entry:
    return audit.Entry(_agency(row), act, subject=row["subject"], cause=row["event_id"] or place_id(row))


def place_id(row: Row) -> UUID:
    """What the audit names as cause where a record has no event id that could be read: its place on the bus, hashed."""
    return uuid5(NAMESPACE_URL, f"{row['topic']}/{row['part']}/{row['pos']}")
