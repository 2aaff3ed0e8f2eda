"""Every service keeps one row per case and locks it before it reads or writes anything of that case.

That lock is what makes outbox ids of one case follow commit order, and what two replicas meet at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db import Transaction
from shared.errors import LostClaim
from shared.types import AgencyId, CaseId


@dataclass(frozen=True)
class Anchor:
    """Where a case stands in this service: terminal, or with an owner and a due time."""

    case_id: CaseId
    agency_id: AgencyId
    version: int
    state: str
    terminal: bool
    owner: str | None
    due_at: datetime | None


PLACEHOLDER = "heard_of"
"""The state of a case that a service has heard of before the event that starts it."""

_PLACE = """
INSERT INTO cases(case_id, agency_id, state, owner, due_at)
SELECT c, a, $3, 'operator', (SELECT region.now()) + interval '1 day'
  FROM unnest($1::uuid[], $2::uuid[]) t(c, a) ORDER BY c, a
ON CONFLICT DO NOTHING
"""
_LOCK = """
SELECT case_id, agency_id, version, state, terminal, owner, due_at FROM cases
 WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id FOR UPDATE
"""
_SAVE = """
UPDATE cases c SET version = c.version + 1, state = u.state, terminal = u.terminal, owner = u.owner, due_at = u.due_at
  FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::bool[], $6::text[], $7::timestamptz[])
       u(case_id, agency_id, version, state, terminal, owner, due_at)
 WHERE c.case_id = u.case_id AND c.agency_id = u.agency_id AND c.version = u.version
"""


async def lock(tx: Transaction, cases: Mapping[CaseId, AgencyId], *, make_missing: bool = True) -> dict[CaseId, Anchor]:
    """Lock the anchors of these cases in ascending order, after making those that are missing, unless told not to.

    A case that belongs to another agency than said is neither found nor made known: it is absent.
    """
    if not cases:
        return {}
    ids = sorted(cases)
    if make_missing:
        await tx.connection.execute(_PLACE, ids, [cases[case] for case in ids], PLACEHOLDER)
    # A statement of its own, so that it sees what the lock waited for.
    rows = await tx.connection.fetch(_LOCK, ids)
    found = [Anchor(**row) for row in rows]
    # Beside another agency's case of the same id nothing is done: what follows goes by the case alone, and alone, with
    # one agency in view, it reaches that agency's rows only.
    torn = {anchor.case_id for anchor in found if cases[anchor.case_id] != anchor.agency_id}
    return {anchor.case_id: anchor for anchor in found if anchor.case_id not in torn}


async def save(tx: Transaction, anchors: Sequence[Anchor]) -> None:
    """Write where these locked cases now stand. Raises `LostClaim` when a version is not the one that was read."""
    if not anchors:
        return
    status = await tx.connection.execute(
        _SAVE,
        [a.case_id for a in anchors],
        [a.agency_id for a in anchors],
        [a.version for a in anchors],
        [a.state for a in anchors],
        [a.terminal for a in anchors],
        [a.owner for a in anchors],
        [a.due_at for a in anchors],
    )
    if status != f"UPDATE {len(anchors)}":
        raise LostClaim


_BURY = """
INSERT INTO tombstones(case_id, agency_id, closed)
SELECT c, a, d FROM unnest($1::uuid[], $2::uuid[], $3::bool[]) t(c, a, d) ORDER BY c, a
ON CONFLICT (case_id, agency_id) DO UPDATE
   SET closed = tombstones.closed OR excluded.closed, at = clock_timestamp()
"""


async def bury(tx: Transaction, cases: Mapping[CaseId, AgencyId], *, closed: bool) -> None:
    """Leave tombstones: later events of these cases are no-ops, for 14 days from the last word.

    `closed` means that the case was purged as well.
    """
    ids = sorted(cases)
    await tx.connection.execute(_BURY, ids, [cases[case] for case in ids], [closed] * len(ids))


_BURIED = """
SELECT case_id, agency_id FROM tombstones JOIN unnest($1::uuid[], $2::uuid[]) t(c, a) ON case_id = c AND agency_id = a
"""


async def buried(tx: Transaction, cases: Collection[tuple[CaseId, AgencyId]]) -> set[tuple[CaseId, AgencyId]]:
    """Which of these cases have a tombstone of their own agency here; what another agency has left buries nothing."""
    listed = list(cases)
    rows = await tx.connection.fetch(_BURIED, [case for case, _ in listed], [agency for _, agency in listed])
    return {(CaseId(row["case_id"]), AgencyId(row["agency_id"])) for row in rows}


async def purge(tx: Transaction, cases: Collection[CaseId]) -> None:
    """Remove what every service holds of these cases: timers, doors, parked records and the anchor, last."""
    ids = list(cases)
    keys = [str(case).encode() for case in ids]
    parked = await tx.connection.fetch("DELETE FROM parked WHERE key = ANY ($1::bytea[]) RETURNING seq, attempts", keys)
    tx.purged_parked.update((row["seq"], row["attempts"]) for row in parked)
    purged = await tx.connection.fetch("DELETE FROM timers WHERE key = ANY ($1::uuid[]) RETURNING timer_id, fence", ids)
    tx.purged_timers.update((row["timer_id"], row["fence"]) for row in purged)
    await tx.connection.execute("DELETE FROM doors WHERE key = ANY ($1::uuid[])", ids)
    await tx.connection.execute("DELETE FROM cases WHERE case_id = ANY ($1::uuid[])", ids)
