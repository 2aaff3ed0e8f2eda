"""The rows of cases, less their ladders: pathways, consults, referrals. The caller holds their anchors' locks."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.referral.domain.case import Act, Case, Waiting
from services.referral.domain.consults import Consult
from services.referral.domain.referrals import Asked, Referral, Said, Stage
from services.referral.domain.world import Peer
from shared.db import Row, Transaction
from shared.events import decode, encode
from shared.events.intake import Ask
from shared.events.notify import ClinicianWanted, ConsultAsked, ResourcesOffered
from shared.types import AgencyId, CaseId, PersonId

_PATHWAYS = """
SELECT case_id, ask, stamped, assignment_id, peer_id, gone, former, given, waiting, ended, barred FROM pathways
 WHERE case_id = ANY ($1::uuid[])
"""
_CONSULTS = """
SELECT case_id, consult_id, kind, assignment_id, asked_by, wanted, role, topics, sealed, stage, due_at, asked, reminded,
       version
  FROM consults WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id, consult_id
"""
_REFERRALS = """
SELECT case_id, referral_id, direct, stage, due_at, consent_id, consent_until, clinician_id, asked, confirmed,
       held_from, told, version, assignment_id
  FROM referrals WHERE case_id = ANY ($1::uuid[])
"""


async def load(tx: Transaction, cases: Collection[CaseId]) -> dict[CaseId, Case]:
    """These locked cases without their ladders; one of which nothing is kept is absent."""
    if not cases:
        return {}
    ids = list(cases)
    rows = await tx.connection.fetch(_PATHWAYS, ids)
    if not rows:
        return {}
    consults: dict[CaseId, list[Consult]] = defaultdict(list)
    for row in await tx.connection.fetch(_CONSULTS, ids):
        consults[CaseId(row["case_id"])].append(_consult(row))
    referrals = {CaseId(row["case_id"]): _referral(row) for row in await tx.connection.fetch(_REFERRALS, ids)}
    return {
        case: Case(
            ask=Ask.model_validate_json(row["ask"]) if row["ask"] else None,
            stamped=row["stamped"],
            barred=frozenset(PersonId(one) for one in row["barred"]),
            peer=Peer(row["assignment_id"], PersonId(row["peer_id"])) if row["peer_id"] else None,
            gone=frozenset(row["gone"]),
            former=frozenset(PersonId(one) for one in row["former"]),
            given=frozenset(row["given"]),
            waiting=tuple(_waiting(one) for one in json.loads(row["waiting"])),
            consults=tuple(consults[case]),
            referral=referrals.get(case),
            ended=row["ended"],
        )
        for row in rows
        for case in [CaseId(row["case_id"])]
    }


def _waiting(kept: Mapping[str, str]) -> Waiting:
    act = decode(kept["type"], kept["act"].encode())
    if not isinstance(act, Act):
        raise TypeError("an act that waits")
    return Waiting(act, datetime.fromisoformat(kept["until"]), int(kept["turn"]))


def _kept(waiting: Waiting) -> Mapping[str, str]:
    act: ConsultAsked | ClinicianWanted | ResourcesOffered = waiting.act
    return {
        "type": act.type,
        "act": encode(act).decode(),
        "until": waiting.until.isoformat(),
        "turn": str(waiting.turn),
    }


def _consult(row: Row) -> Consult:
    return Consult(
        consult_id=row["consult_id"],
        kind=row["kind"],
        assignment=row["assignment_id"],
        asked_by=PersonId(row["asked_by"]),
        wanted=row["wanted"],
        topics=tuple(row["topics"]),
        sealed=row["sealed"],
        stage=row["stage"],
        due=row["due_at"],
        role=row["role"],
        asked=tuple(PersonId(one) for one in row["asked"]),
        reminded=row["reminded"],
        version=row["version"],
    )


def _referral(row: Row) -> Referral:
    return Referral(
        referral_id=row["referral_id"],
        direct=row["direct"],
        stage=Stage(row["stage"]),
        due=row["due_at"],
        assignment=row["assignment_id"],
        consent=row["consent_id"],
        consent_until=row["consent_until"],
        clinician=PersonId(row["clinician_id"]) if row["clinician_id"] else None,
        asked=tuple(_asked(*one) for one in json.loads(row["asked"])),
        confirmed=frozenset(row["confirmed"]),
        held_from=Stage(row["held_from"]) if row["held_from"] else None,
        told=row["told"],
        version=row["version"],
    )


def _asked(person: str, said: Said, times: int = 1) -> Asked:
    return Asked(PersonId(UUID(person)), said, times)


_SAVE = """
INSERT INTO pathways(case_id, agency_id, ask, stamped, assignment_id, peer_id, gone, former, given, waiting, ended,
                     barred)
SELECT c, a, k::jsonb, s, i, p, string_to_array(g, ' ')::uuid[], string_to_array(f, ' ')::uuid[],
       string_to_array(v, ' '), w::jsonb, e, string_to_array(b, ' ')::uuid[]
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
              $9::text[], $10::text[], $11::bool[], $12::text[]) u(c, a, k, s, i, p, g, f, v, w, e, b)
ON CONFLICT (case_id, agency_id) DO UPDATE
   SET ask = excluded.ask, stamped = excluded.stamped, assignment_id = excluded.assignment_id,
       peer_id = excluded.peer_id, gone = excluded.gone, former = excluded.former, given = excluded.given,
       waiting = excluded.waiting, ended = excluded.ended, barred = excluded.barred
"""


async def save(tx: Transaction, agencies: Mapping[CaseId, AgencyId], cases: Mapping[CaseId, Case]) -> None:
    """Write what is stamped on these locked cases and known of them."""
    if not cases:
        return
    states = list(cases.values())
    # An array of arrays cannot be unnested row by row: joined texts can, and ids and codes hold no blanks.
    await tx.connection.execute(
        _SAVE,
        list(cases),
        [agencies[case] for case in cases],
        [case.ask.model_dump_json() if case.ask else None for case in states],
        [case.stamped for case in states],
        [case.peer.assignment if case.peer else None for case in states],
        [case.peer.person if case.peer else None for case in states],
        [" ".join(sorted(str(one) for one in case.gone)) for case in states],
        [" ".join(sorted(str(one) for one in case.former)) for case in states],
        [" ".join(sorted(case.given)) for case in states],
        [json.dumps([_kept(one) for one in case.waiting]) for case in states],
        [case.ended for case in states],
        [" ".join(sorted(str(one) for one in case.barred)) for case in states],
    )


_SAVE_CONSULTS = """
INSERT INTO consults(case_id, agency_id, consult_id, kind, assignment_id, asked_by, wanted, role, topics, sealed,
                     stage, due_at, asked, reminded, version)
SELECT c, a, i, k, g, b, w, r, string_to_array(t, ' '), s, e, d, string_to_array(p, ' ')::uuid[], m, v
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
              $9::text[], $10::bytea[], $11::text[], $12::timestamptz[], $13::text[], $14::bool[], $15::int[])
       u(c, a, i, k, g, b, w, r, t, s, e, d, p, m, v)
ON CONFLICT (case_id, consult_id, agency_id) DO UPDATE
   SET sealed = excluded.sealed, role = excluded.role, stage = excluded.stage, due_at = excluded.due_at,
       asked = excluded.asked, reminded = excluded.reminded, version = excluded.version
"""


async def save_consults(
    tx: Transaction, agencies: Mapping[CaseId, AgencyId], consults: Sequence[tuple[CaseId, Consult]]
) -> None:
    """Write new and moved consults."""
    if not consults:
        return
    cases, states = [case for case, _ in consults], [one for _, one in consults]
    await tx.connection.execute(
        _SAVE_CONSULTS,
        cases,
        [agencies[case] for case in cases],
        [one.consult_id for one in states],
        [one.kind for one in states],
        [one.assignment for one in states],
        [one.asked_by for one in states],
        [one.wanted for one in states],
        [one.role for one in states],
        [" ".join(one.topics) for one in states],
        [one.sealed for one in states],
        [one.stage for one in states],
        [one.due for one in states],
        [" ".join(str(person) for person in one.asked) for one in states],
        [one.reminded for one in states],
        [one.version for one in states],
    )


_SAVE_REFERRALS = """
INSERT INTO referrals(case_id, agency_id, referral_id, direct, stage, due_at, consent_id, consent_until, clinician_id,
                      asked, confirmed, held_from, told, version, assignment_id)
SELECT c, a, r, x, s, d, o, u, p, k::jsonb, string_to_array(f, ' '), h, t, v, i
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bool[], $5::text[], $6::timestamptz[], $7::uuid[],
              $8::timestamptz[], $9::uuid[], $10::text[], $11::text[], $12::text[], $13::bool[], $14::int[],
              $15::uuid[])
       w(c, a, r, x, s, d, o, u, p, k, f, h, t, v, i)
ON CONFLICT (case_id, agency_id) DO UPDATE
   SET referral_id = excluded.referral_id, direct = excluded.direct, stage = excluded.stage,
       due_at = excluded.due_at, consent_id = excluded.consent_id, consent_until = excluded.consent_until,
       clinician_id = excluded.clinician_id, asked = excluded.asked, confirmed = excluded.confirmed,
       held_from = excluded.held_from, told = excluded.told, version = excluded.version,
       assignment_id = excluded.assignment_id
"""


async def save_referrals(
    tx: Transaction, agencies: Mapping[CaseId, AgencyId], referrals: Mapping[CaseId, Referral]
) -> None:
    """Write the referrals of these locked cases; a new one takes the place of one that is over."""
    if not referrals:
        return
    states = list(referrals.values())
    await tx.connection.execute(
        _SAVE_REFERRALS,
        list(referrals),
        [agencies[case] for case in referrals],
        [one.referral_id for one in states],
        [one.direct for one in states],
        [one.stage.value for one in states],
        [one.due for one in states],
        [one.consent for one in states],
        [one.consent_until for one in states],
        [one.clinician for one in states],
        [json.dumps([[str(asked.person), asked.said, asked.times] for asked in one.asked]) for one in states],
        [" ".join(sorted(one.confirmed)) for one in states],
        [one.held_from.value if one.held_from else None for one in states],
        [one.told for one in states],
        [one.version for one in states],
        [one.assignment for one in states],
    )


HELD_BY = """
SELECT r.case_id, r.agency_id, r.clinician_id
  FROM unnest($1::uuid[], $2::uuid[]) gone(agency_id, person_id)
  JOIN referrals r ON r.clinician_id = gone.person_id AND r.agency_id = gone.agency_id
 WHERE r.stage IN ('requested', 'accepted', 'on_hold', 'in_progress')
"""


async def held_by(
    tx: Transaction, clinicians: Collection[tuple[AgencyId, PersonId]]
) -> list[tuple[CaseId, AgencyId, PersonId]]:
    """Referrals that one of these clinicians has or is asked for, in the agencies in view. Locks nothing."""
    if not clinicians:
        return []
    rows = await tx.connection.fetch(
        HELD_BY, [agency for agency, _ in clinicians], [person for _, person in clinicians]
    )
    return [(CaseId(row["case_id"]), AgencyId(row["agency_id"]), PersonId(row["clinician_id"])) for row in rows]


_PURGE = """
WITH c AS (DELETE FROM consults WHERE case_id = ANY ($1::uuid[])),
     r AS (DELETE FROM referrals WHERE case_id = ANY ($1::uuid[]))
DELETE FROM pathways WHERE case_id = ANY ($1::uuid[])
"""


async def purge(tx: Transaction, cases: Collection[CaseId]) -> None:
    """Remove every consult, referral and pathway of these cases."""
    await tx.connection.execute(_PURGE, list(cases))
