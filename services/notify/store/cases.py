"""The rows of a case: matters, intents and replies, loaded and saved for many cases at once."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping, Sequence

from services.notify.domain.case import Ending
from services.notify.domain.intents import Intent
from services.notify.domain.matters import Matter, Reply
from shared.db import Row, Transaction
from shared.types import AgencyId, CaseId, PersonId

MatterRow = tuple[AgencyId, CaseId, Matter]
ReplyRow = tuple[AgencyId, CaseId, Reply]
IntentRow = tuple[CaseId | None, Intent]


_KEPT = """
SELECT place FROM (VALUES
    ('tombstones', EXISTS (SELECT FROM tombstones WHERE case_id = ANY ($1::uuid[]))),
    ('matters', EXISTS (SELECT FROM matters WHERE case_id = ANY ($1::uuid[]))),
    ('intents', EXISTS (SELECT FROM intents WHERE case_id = ANY ($1::uuid[]))),
    ('replies', EXISTS (SELECT FROM replies WHERE case_id = ANY ($1::uuid[]))),
    ('consults', EXISTS (SELECT FROM consults WHERE case_id = ANY ($1::uuid[]))),
    ('referrals', EXISTS (SELECT FROM referrals WHERE case_id = ANY ($1::uuid[]))),
    ('waits', EXISTS (SELECT FROM waits WHERE case_id = ANY ($1::uuid[]))),
    ('quiet', EXISTS (SELECT FROM quiet WHERE case_id = ANY ($1::uuid[]))),
    ('barred', EXISTS (SELECT FROM barred WHERE case_id = ANY ($1::uuid[]))))
    AS kept(place, there) WHERE there
"""


async def kept(tx: Transaction, cases: Collection[CaseId]) -> frozenset[str]:
    """Where anything is kept of these locked cases. Most have little: what is not there need not be asked for."""
    return frozenset(row["place"] for row in await tx.connection.fetch(_KEPT, list(cases)))


_ENDINGS = """
SELECT case_id, closed FROM tombstones JOIN unnest($1::uuid[], $2::uuid[]) t(c, a) ON case_id = c AND agency_id = a
"""


async def endings(tx: Transaction, cases: Mapping[CaseId, AgencyId]) -> dict[CaseId, Ending]:
    """Which of these cases have ended, and how. Asked after the lock: a stop event may have come in between."""
    rows = await tx.connection.fetch(_ENDINGS, list(cases), list(cases.values()))
    return {CaseId(row["case_id"]): "closed" if row["closed"] else "withdrawn" for row in rows}


async def barred(tx: Transaction, cases: Collection[CaseId]) -> list[tuple[CaseId, PersonId]]:
    """Who must not be asked or told of these cases."""
    rows = await tx.connection.fetch(
        "SELECT case_id, person_id FROM barred WHERE case_id = ANY ($1::uuid[])", list(cases)
    )
    return [(CaseId(row["case_id"]), PersonId(row["person_id"])) for row in rows]


_SAVE_BARRED = """
INSERT INTO barred(case_id, agency_id, person_id) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])
ON CONFLICT DO NOTHING
"""


async def save_barred(tx: Transaction, rows: Sequence[tuple[AgencyId, CaseId, PersonId]]) -> None:
    """Add who must not be asked or told: that is never taken back."""
    if rows:
        await tx.connection.execute(
            _SAVE_BARRED, [case for _, case, _ in rows], [agency for agency, _, _ in rows], [one for _, _, one in rows]
        )


_MATTERS = """
SELECT case_id, matter_id, person_id, kind, state, expires_at, urgency, manner, ladder_id, sealed, released,
       released_until, earlier, part_of, about, advisers, clinical, slug, language, practice
  FROM matters WHERE case_id = ANY ($1::uuid[])
"""


async def matters(tx: Transaction, cases: Collection[CaseId]) -> list[tuple[CaseId, Matter]]:
    """Every matter of these cases."""
    rows = await tx.connection.fetch(_MATTERS, list(cases))
    return [(CaseId(row["case_id"]), matter_of(row)) for row in rows]


def matter_of(row: Row) -> Matter:
    """The matter in a row."""
    return Matter(
        matter_id=row["matter_id"],
        person=PersonId(row["person_id"]),
        kind=row["kind"],
        state=row["state"],
        expires_at=row["expires_at"],
        urgency=row["urgency"],
        manner=row["manner"],
        ladder=row["ladder_id"],
        sealed=row["sealed"],
        earlier=tuple(b64decode(one) for one in row["earlier"].split()),
        released=row["released"],
        released_until=row["released_until"],
        part_of=row["part_of"],
        about=row["about"],
        advisers=tuple(row["advisers"].split()),
        clinical=row["clinical"],
        slug=row["slug"],
        language=row["language"],
        practice=row["practice"],
    )


_INTENTS = """
SELECT intent_id, agency_id, case_id, person_id, point_id, template, class, subject_id, expires_at, state, version,
       attempt_id, resent, planned_at
  FROM intents WHERE case_id = ANY ($1::uuid[])
"""


async def intents(tx: Transaction, cases: Collection[CaseId]) -> list[tuple[CaseId, Intent]]:
    """Every intent of these cases."""
    rows = await tx.connection.fetch(_INTENTS, list(cases))
    return [(CaseId(row["case_id"]), intent_of(row)) for row in rows]


def intent_of(row: Row) -> Intent:
    """The intent in a row."""
    return Intent(
        intent_id=row["intent_id"],
        agency_id=AgencyId(row["agency_id"]),
        person=PersonId(row["person_id"]),
        template=row["template"],
        klass=row["class"],
        subject=row["subject_id"],
        expires_at=row["expires_at"],
        planned_at=row["planned_at"],
        state=row["state"],
        point=row["point_id"],
        version=row["version"],
        attempt=row["attempt_id"],
        resent=row["resent"],
    )


_REPLIES = """
SELECT case_id, reply_id, person_id, subject_id, verb, received_at, outcome, codes FROM replies
 WHERE case_id = ANY ($1::uuid[])
"""


async def replies(tx: Transaction, cases: Collection[CaseId]) -> list[tuple[CaseId, Reply]]:
    """Every reply of these cases."""
    rows = await tx.connection.fetch(_REPLIES, list(cases))
    return [(CaseId(row["case_id"]), reply_of(row)) for row in rows]


def reply_of(row: Row) -> Reply:
    """The reply in a row."""
    return Reply(
        reply_id=row["reply_id"],
        person=PersonId(row["person_id"]),
        subject=row["subject_id"],
        verb=row["verb"],
        received_at=row["received_at"],
        outcome=row["outcome"],
        codes=tuple(row["codes"].split()),
    )


_SAVE_MATTERS = """
INSERT INTO matters(matter_id, agency_id, case_id, person_id, kind, state, expires_at, urgency, manner, ladder_id,
                    sealed, released, part_of, about, advisers, clinical, slug, language, released_until, earlier,
                    practice, made_at)
SELECT given.*, (SELECT region.now())
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[],
              $8::text[], $9::text[], $10::uuid[], $11::bytea[], $12::bool[], $13::uuid[], $14::text[], $15::text[],
              $16::text[], $17::text[], $18::text[], $19::timestamptz[], $20::text[], $21::bool[]) given
ON CONFLICT (matter_id, agency_id) DO UPDATE
   SET state = excluded.state, sealed = excluded.sealed, released = excluded.released, about = excluded.about,
       advisers = excluded.advisers, clinical = excluded.clinical, released_until = excluded.released_until,
       earlier = excluded.earlier
"""


async def save_matters(tx: Transaction, rows: Sequence[MatterRow]) -> None:
    """Add matters, or write where known ones now stand."""
    if rows:
        await tx.connection.execute(
            _SAVE_MATTERS,
            [matter.matter_id for _, _, matter in rows],
            [agency for agency, _, _ in rows],
            [case for _, case, _ in rows],
            [matter.person for _, _, matter in rows],
            [matter.kind for _, _, matter in rows],
            [matter.state for _, _, matter in rows],
            [matter.expires_at for _, _, matter in rows],
            [matter.urgency for _, _, matter in rows],
            [matter.manner for _, _, matter in rows],
            [matter.ladder for _, _, matter in rows],
            [matter.sealed for _, _, matter in rows],
            [matter.released for _, _, matter in rows],
            [matter.part_of for _, _, matter in rows],
            [matter.about for _, _, matter in rows],
            [" ".join(matter.advisers) for _, _, matter in rows],
            [matter.clinical for _, _, matter in rows],
            [matter.slug for _, _, matter in rows],
            [matter.language for _, _, matter in rows],
            [matter.released_until for _, _, matter in rows],
            [" ".join(b64encode(one).decode() for one in matter.earlier) for _, _, matter in rows],
            [matter.practice for _, _, matter in rows],
        )


_SAVE_INTENTS = """
INSERT INTO intents(intent_id, agency_id, case_id, person_id, point_id, template, class, subject_id, expires_at, state,
                    version, attempt_id, resent, planned_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::uuid[],
                     $9::timestamptz[], $10::text[], $11::int[], $12::uuid[], $13::bool[], $14::timestamptz[])
ON CONFLICT (intent_id, agency_id) DO UPDATE
   SET state = excluded.state, version = excluded.version, attempt_id = excluded.attempt_id, resent = excluded.resent
"""


async def save_intents(tx: Transaction, rows: Sequence[IntentRow]) -> None:
    """Add intents, or write where known ones now stand."""
    if rows:
        await tx.connection.execute(
            _SAVE_INTENTS,
            [intent.intent_id for _, intent in rows],
            [intent.agency_id for _, intent in rows],
            [case for case, _ in rows],
            [intent.person for _, intent in rows],
            [intent.point for _, intent in rows],
            [intent.template for _, intent in rows],
            [intent.klass for _, intent in rows],
            [intent.subject for _, intent in rows],
            [intent.expires_at for _, intent in rows],
            [intent.state for _, intent in rows],
            [intent.version for _, intent in rows],
            [intent.attempt for _, intent in rows],
            [intent.resent for _, intent in rows],
            [intent.planned_at for _, intent in rows],
        )


_SAVE_REPLIES = """
INSERT INTO replies(reply_id, agency_id, case_id, person_id, subject_id, verb, received_at, outcome, codes)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::timestamptz[],
                     $8::text[], $9::text[])
ON CONFLICT (reply_id, agency_id) DO UPDATE SET outcome = excluded.outcome
"""


async def save_replies(tx: Transaction, rows: Sequence[ReplyRow]) -> None:
    """Add replies, or write what came of known ones."""
    if rows:
        await tx.connection.execute(
            _SAVE_REPLIES,
            [reply.reply_id for _, _, reply in rows],
            [agency for agency, _, _ in rows],
            [case for _, case, _ in rows],
            [reply.person for _, _, reply in rows],
            [reply.subject for _, _, reply in rows],
            [reply.verb for _, _, reply in rows],
            [reply.received_at for _, _, reply in rows],
            [reply.outcome for _, _, reply in rows],
            [" ".join(reply.codes) for _, _, reply in rows],
        )


async def purge(tx: Transaction, cases: Collection[CaseId]) -> None:
    """Remove every row of these cases. Data-modifying parts of one statement see the same rows: none is left over."""
    await tx.connection.execute(_PURGE, list(cases))


_PURGE = """
WITH a AS (DELETE FROM attempts WHERE case_id = ANY ($1::uuid[])),
     l AS (DELETE FROM links WHERE case_id = ANY ($1::uuid[])),
     r AS (DELETE FROM replies WHERE case_id = ANY ($1::uuid[])),
     c AS (DELETE FROM consults WHERE case_id = ANY ($1::uuid[])),
     f AS (DELETE FROM referrals WHERE case_id = ANY ($1::uuid[])),
     w AS (DELETE FROM waits WHERE case_id = ANY ($1::uuid[])),
     q AS (DELETE FROM quiet WHERE case_id = ANY ($1::uuid[])),
     b AS (DELETE FROM barred WHERE case_id = ANY ($1::uuid[])),
     m AS (DELETE FROM matters WHERE case_id = ANY ($1::uuid[]))
DELETE FROM intents WHERE case_id = ANY ($1::uuid[])
"""
