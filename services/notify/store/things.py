"""The consults and referrals of cases, loaded and saved for many cases at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from services.notify.domain.things import Consult, Referral
from shared.db import Row, Transaction
from shared.types import AgencyId, CaseId, PersonId

ConsultRow = tuple[AgencyId, CaseId, Consult]
ReferralRow = tuple[AgencyId, CaseId, Referral]

_CONSULTS = """
SELECT case_id, consult_id, kind, state, topics, assignment_id, asked_by, question, answer FROM consults
 WHERE case_id = ANY ($1::uuid[]) ORDER BY made_at, consult_id
"""
_REFERRALS = """
SELECT case_id, referral_id, state, clinician_id, direct, assignment_id, confirmed FROM referrals
 WHERE case_id = ANY ($1::uuid[]) ORDER BY made_at, referral_id
"""


async def consults(tx: Transaction, cases: Collection[CaseId]) -> list[tuple[CaseId, Consult]]:
    """Every consult of these cases, the oldest first."""
    return [(CaseId(row["case_id"]), _consult(row)) for row in await tx.connection.fetch(_CONSULTS, list(cases))]


def _consult(row: Row) -> Consult:
    return Consult(
        consult_id=row["consult_id"],
        kind=row["kind"],
        state=row["state"],
        topics=tuple(row["topics"].split()),
        assignment=row["assignment_id"],
        asked_by=PersonId(row["asked_by"]) if row["asked_by"] is not None else None,
        question=row["question"],
        answer=row["answer"],
    )


async def referrals(tx: Transaction, cases: Collection[CaseId]) -> list[tuple[CaseId, Referral]]:
    """Every referral of these cases, the oldest first."""
    return [(CaseId(row["case_id"]), _referral(row)) for row in await tx.connection.fetch(_REFERRALS, list(cases))]


def _referral(row: Row) -> Referral:
    return Referral(
        referral_id=row["referral_id"],
        state=row["state"],
        clinician=PersonId(row["clinician_id"]) if row["clinician_id"] is not None else None,
        direct=row["direct"],
        assignment=row["assignment_id"],
        confirmed=frozenset(row["confirmed"].split()),
    )


_SAVE_CONSULTS = """
INSERT INTO consults(consult_id, agency_id, case_id, kind, state, topics, assignment_id, asked_by, question, answer)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::uuid[],
                     $9::bytea[], $10::bytea[])
ON CONFLICT (consult_id, agency_id) DO UPDATE
   SET kind = excluded.kind, state = excluded.state, topics = excluded.topics, assignment_id = excluded.assignment_id,
       asked_by = excluded.asked_by, question = excluded.question, answer = excluded.answer
"""


async def save_consults(tx: Transaction, rows: Sequence[ConsultRow]) -> None:
    """Add consults, or write where known ones now stand."""
    if rows:
        await tx.connection.execute(
            _SAVE_CONSULTS,
            [consult.consult_id for _, _, consult in rows],
            [agency for agency, _, _ in rows],
            [case for _, case, _ in rows],
            [consult.kind for _, _, consult in rows],
            [consult.state for _, _, consult in rows],
            [" ".join(consult.topics) for _, _, consult in rows],
            [consult.assignment for _, _, consult in rows],
            [consult.asked_by for _, _, consult in rows],
            [consult.question for _, _, consult in rows],
            [consult.answer for _, _, consult in rows],
        )


_SAVE_REFERRALS = """
INSERT INTO referrals(referral_id, agency_id, case_id, state, clinician_id, direct, confirmed, assignment_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::bool[], $7::text[], $8::uuid[])
ON CONFLICT (referral_id, agency_id) DO UPDATE
   SET state = excluded.state, clinician_id = excluded.clinician_id, direct = excluded.direct,
       confirmed = excluded.confirmed, assignment_id = excluded.assignment_id
"""


async def save_referrals(tx: Transaction, rows: Sequence[ReferralRow]) -> None:
    """Add referrals, or write where known ones now stand."""
    if rows:
        await tx.connection.execute(
            _SAVE_REFERRALS,
            [referral.referral_id for _, _, referral in rows],
            [agency for agency, _, _ in rows],
            [case for _, case, _ in rows],
            [referral.state for _, _, referral in rows],
            [referral.clinician for _, _, referral in rows],
            [referral.direct for _, _, referral in rows],
            [" ".join(sorted(referral.confirmed)) for _, _, referral in rows],
            [referral.assignment for _, _, referral in rows],
        )
