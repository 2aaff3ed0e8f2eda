"""Requests and their cases as rows. Everything of a requester is sealed before it comes here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.intake.domain.case import Case, from_json, next_by, stands, to_json
from shared import doors
from shared.db import Transaction
from shared.types import AgencyId, CaseId

CODE_DOOR = "code"


@dataclass(frozen=True)
class NewRequest:
    """A request to write, with everything sealed; its code is reserved already.

    `named`: it holds names or a unit that a directory may come to know.
    """

    case_id: CaseId
    agency_id: AgencyId
    reference: str
    case: Case
    digest: bytes
    jurisdiction: str
    avoid_people: bytes | None = None
    about_me: bytes | None = None
    named: bool = False
    notice_version: str | None = None
    notice_digest: str | None = None

    @property
    def next_by(self) -> datetime:
        """By when the requester was told to expect something."""
        due = next_by(self.case)
        if due is None:
            raise TypeError("a case that begins has a due time")
        return due


@dataclass(frozen=True)
class Answered:
    """What was answered to a request that came before, and the keyed digest of its body."""

    case_id: CaseId
    reference: str
    digest: bytes
    next_by: datetime
    noticed: bool


_RESERVE = """
INSERT INTO doors(hash, agency_id, kind, subject, key)
SELECT h, a, 'code', c, c FROM unnest($1::bytea[], $2::uuid[], $3::uuid[]) t(h, a, c) ORDER BY h
ON CONFLICT DO NOTHING RETURNING subject, (SELECT region.now()) AS now
"""


async def reserve(
    tx: Transaction, codes: Sequence[tuple[bytes, AgencyId, CaseId]]
) -> tuple[set[CaseId], datetime | None]:
    """Take these codes for these new cases; a code that leads somewhere already is left out of the answer.

    The region's time comes with it, to save a round trip; None when nothing was taken.
    """
    rows = await tx.connection.fetch(
        _RESERVE, [code for code, _, _ in codes], [agency for _, agency, _ in codes], [case for _, _, case in codes]
    )
    return {CaseId(row["subject"]) for row in rows}, (rows[0]["now"] if rows else None)


# The ids are new and random: nobody can be waiting for these anchors, so they are written as they will stand.
_BEGIN = """
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::jsonb[],
                         $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[], $12::timestamptz[], $13::text[],
                         $14::text[], $15::text[])
           g(case_id, agency_id, stands, owner, due_at, reference, state, reach, avoid_people, about_me, digest,
             next_by, jurisdiction, notice_version, notice_digest)),
anchored AS (
    INSERT INTO cases(case_id, agency_id, state, owner, due_at)
    SELECT case_id, agency_id, stands, owner, due_at FROM given ORDER BY case_id)
INSERT INTO requests(case_id, agency_id, reference, state, reach, avoid_people, about_me, digest,
                     answered_next_by, jurisdiction, notice_version, notice_digest)
SELECT case_id, agency_id, reference, state, reach, avoid_people, about_me, digest, next_by, jurisdiction,
       notice_version, notice_digest
  FROM given ORDER BY case_id
"""


async def begin(tx: Transaction, new: Sequence[NewRequest]) -> None:
    """Write new cases: their anchors and their requests."""
    standing = [stands(one.case) for one in new]
    await tx.connection.execute(
        _BEGIN,
        [one.case_id for one in new],
        [one.agency_id for one in new],
        [where.name for where in standing],
        [where.owner for where in standing],
        [where.due for where in standing],
        [one.reference for one in new],
        [to_json(one.case) for one in new],
        [one.case.reach for one in new],
        [one.avoid_people for one in new],
        [one.about_me for one in new],
        [one.digest for one in new],
        [one.next_by for one in new],
        [one.jurisdiction for one in new],
        [one.notice_version for one in new],
        [one.notice_digest for one in new],
    )


_ANSWERED = """
SELECT d.hash, r.case_id, r.reference, r.digest, r.answered_next_by, r.notice_version
  FROM doors d JOIN requests r ON r.case_id = d.subject AND r.agency_id = d.agency_id
 WHERE d.hash = ANY ($1::bytea[]) AND d.kind = 'code'
"""


async def answered(tx: Transaction, codes: Sequence[bytes]) -> dict[bytes, Answered]:
    """What was answered to the requests with these codes, as far as they are in view."""
    rows = await tx.connection.fetch(_ANSWERED, list(codes))
    return {
        row["hash"]: Answered(
            CaseId(row["case_id"]),
            row["reference"],
            row["digest"],
            row["answered_next_by"],
            noticed=row["notice_version"] is not None,
        )
        for row in rows
    }


async def load(tx: Transaction, cases: Collection[CaseId]) -> dict[CaseId, Case]:
    """The states of these cases; one that never was, or is purged, is absent."""
    rows = await tx.connection.fetch(
        "SELECT case_id, state, reach FROM requests WHERE case_id = ANY ($1::uuid[])", list(cases)
    )
    return {CaseId(row["case_id"]): from_json(row["state"], row["reach"]) for row in rows}


@dataclass(frozen=True)
class Kept:
    """A case with what its requester is shown beside it."""

    case: Case
    reference: str
    jurisdiction: str
    noticed: bool


async def load_kept(tx: Transaction, case_id: CaseId) -> Kept | None:
    """One case for its requester's eyes; None when it is gone."""
    row = await tx.connection.fetchrow(
        "SELECT state, reach, reference, jurisdiction, notice_version FROM requests WHERE case_id = $1", case_id
    )
    if row is None:
        return None
    return Kept(
        from_json(row["state"], row["reach"]),
        row["reference"],
        row["jurisdiction"],
        noticed=row["notice_version"] is not None,
    )


_SAVE = """
UPDATE requests r SET state = u.state, reach = u.reach
  FROM unnest($1::uuid[], $2::jsonb[], $3::bytea[]) u(case_id, state, reach)
 WHERE r.case_id = u.case_id
"""


async def save(tx: Transaction, cases: Mapping[CaseId, Case]) -> None:
    """Write the states of these locked cases."""
    if cases:
        await tx.connection.execute(
            _SAVE,
            list(cases),
            [to_json(case) for case in cases.values()],
            [case.reach for case in cases.values()],
        )


_SPEND = """
WITH old AS (DELETE FROM doors WHERE key = ANY ($2::uuid[]) AND kind = 'spent' AND expires_at <= region.now())
INSERT INTO doors(hash, agency_id, kind, subject, key, expires_at)
SELECT h, a, 'spent', a, a, region.now() + interval '1 day' FROM unnest($1::bytea[], $2::uuid[]) t(h, a)
"""


async def spent(tx: Transaction, codes: Collection[bytes]) -> set[bytes]:
    """Which of these codes were those of cases that are over, of the agencies in view."""
    rows = await tx.connection.fetch(
        "SELECT hash FROM doors WHERE hash = ANY ($1::bytea[]) AND kind = 'spent'", list(codes)
    )
    return {row["hash"] for row in rows}


async def unspend(tx: Transaction, codes: Collection[bytes]) -> None:
    """These codes may begin a case again: danger does not wait for a new one."""
    if codes:
        await tx.connection.execute("DELETE FROM doors WHERE hash = ANY ($1::bytea[]) AND kind = 'spent'", list(codes))


async def purge(tx: Transaction, cases: Collection[CaseId]) -> None:
    """Remove everything that is known of these cases here; anchors, doors and timers are removed by their own rooms.

    For a day the keyed hash of each code stays and leads nowhere: a request that comes again is not begun again.
    """
    ids = list(cases)
    spent = await tx.connection.fetch(
        "DELETE FROM doors WHERE key = ANY ($1::uuid[]) AND kind = 'code' RETURNING hash, agency_id", ids
    )
    await tx.connection.execute(_SPEND, [row["hash"] for row in spent], [row["agency_id"] for row in spent])
    await tx.connection.execute("DELETE FROM idempotency WHERE case_id = ANY ($1::uuid[])", ids)
    await tx.connection.execute("DELETE FROM requests WHERE case_id = ANY ($1::uuid[])", ids)


async def held(tx: Transaction, cases: Collection[CaseId]) -> set[CaseId]:
    """Which of these cases are under a legal hold: their keys must not be destroyed."""
    rows = await tx.connection.fetch(
        "SELECT subject_id FROM vault.data_keys WHERE kind = 'case' AND held AND subject_id = ANY ($1::uuid[])",
        list(cases),
    )
    return {CaseId(row["subject_id"]) for row in rows}


_CLAIM = """
INSERT INTO idempotency(key_hash, agency_id, case_id, digest) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""


@dataclass(frozen=True)
class Keyed:
    """A POST of a requester with its keyed Idempotency-Key and the keyed digest of its body."""

    key_hash: bytes
    agency_id: AgencyId
    case_id: CaseId
    digest: bytes


async def claim(tx: Transaction, post: Keyed) -> bytes | None:
    """None when this POST is the first with its key; otherwise the digest of the one that came before."""
    if await tx.connection.fetchval(_CLAIM, post.key_hash, post.agency_id, post.case_id, post.digest):
        return None
    found: bytes | None = await tx.connection.fetchval(
        "SELECT digest FROM idempotency WHERE key_hash = $1 AND agency_id = $2", post.key_hash, post.agency_id
    )
    return found or b""


def code_hash(pepper: bytes, hashed: str) -> bytes:
    """How a code's door is found: the keyed hash of the hash that was sent."""
    return doors.keyed_hash(pepper, CODE_DOOR, hashed)


@dataclass(frozen=True)
class Named:
    """A request that names somebody, sealed with its case's key; where the agency lists conflicts (`listed`), any."""

    case_id: CaseId
    agency_id: AgencyId
    avoid_people: bytes | None
    about_me: bytes | None
    listed: bool


async def named(tx: Transaction, cases: Collection[CaseId]) -> list[Named]:
    """Those of these cases that name anybody. Locks nothing: what is sealed never changes."""
    rows = await tx.connection.fetch(
        """SELECT r.case_id, r.agency_id, r.avoid_people, r.about_me, a.conflicts_revision > 0 AS listed
             FROM requests r JOIN agencies a ON a.agency_id = r.agency_id
            WHERE r.case_id = ANY ($1::uuid[])
              AND (r.avoid_people IS NOT NULL OR r.about_me IS NOT NULL OR a.conflicts_revision > 0)""",
        list(cases),
    )
    return [Named(**row) for row in rows]


_NAMED_OF = """
SELECT w.n, r.case_id, r.agency_id, r.avoid_people, r.about_me, a.conflicts_revision > 0 AS listed
  FROM unnest($1::int[], $2::uuid[], $3::uuid[]) w(n, agency, after)
  JOIN agencies a ON a.agency_id = w.agency
 CROSS JOIN LATERAL (
       SELECT case_id, agency_id, avoid_people, about_me FROM requests r
        WHERE r.agency_id = w.agency AND r.case_id > w.after
          AND (avoid_people IS NOT NULL OR about_me IS NOT NULL OR a.conflicts_revision > 0)
        ORDER BY r.case_id LIMIT $4) r
 ORDER BY w.n, r.case_id
"""


async def named_of(tx: Transaction, wanted: Sequence[tuple[AgencyId, UUID]], limit: int) -> list[list[Named]]:
    """For each (agency, case): the next cases of the agency after that one that are looked at, at most `limit`."""
    rows = await tx.connection.fetch(
        _NAMED_OF,
        list(range(len(wanted))),
        [agency for agency, _ in wanted],
        [after for _, after in wanted],
        limit,
    )
    found: list[list[Named]] = [[] for _ in wanted]
    for row in rows:
        found[row["n"]].append(Named(**{name: value for name, value in row.items() if name != "n"}))
    return found
