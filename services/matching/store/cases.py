"""The rows of cases: searches, offers, assignments, refusals. Whoever calls holds the locks of their anchors."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.matching.domain.case import (
    Assigned,
    Assignment,
    Case,
    Choosing,
    InContact,
    Offer,
    OfferState,
    Open,
    Searching,
    Stage,
    Unserved,
    stands,
)
from shared.db import Row, Transaction
from shared.events.intake import Ask
from shared.types import AgencyId, CaseId, PersonId

_LOAD = """
SELECT case_id, agency_id, ask, phase, chooses, hungry, turn, since, until, waits_for, waits_until FROM searches
 WHERE case_id = ANY ($1::uuid[])
"""
_LOAD_OFFERS = """
SELECT case_id, offer_id, person_id, expires_at, crisis, factors, state, version, bearer FROM offers
 WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id, expires_at, offer_id
"""
_LOAD_ASSIGNMENTS = """
SELECT case_id, assignment_id, offer_id, person_id, contact_by, released, crisis, state, version, bearer
  FROM assignments
 WHERE case_id = ANY ($1::uuid[]) AND state <> 'ended'
"""
_LOAD_REFUSALS = "SELECT case_id, person_id, until, promised FROM refusals WHERE case_id = ANY ($1::uuid[])"


async def load(tx: Transaction, cases: Collection[CaseId]) -> dict[CaseId, Open]:
    """The open states of these locked cases."""
    if not cases:
        return {}
    ids = list(cases)
    rows = await tx.connection.fetch(_LOAD, ids)
    if not rows:
        return {}
    offers = _by_case(await tx.connection.fetch(_LOAD_OFFERS, ids))
    assignments = _by_case(await tx.connection.fetch(_LOAD_ASSIGNMENTS, ids))
    refusals = _by_case(await tx.connection.fetch(_LOAD_REFUSALS, ids))
    return {
        row["case_id"]: _state(row, offers[row["case_id"]], assignments[row["case_id"]], refusals[row["case_id"]])
        for row in rows
    }


def _by_case(rows: Sequence[Row]) -> Mapping[CaseId, list[Row]]:
    grouped: dict[CaseId, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["case_id"]].append(row)
    return grouped


def _state(row: Row, offers: Sequence[Row], assignments: Sequence[Row], refusals: Sequence[Row]) -> Open:
    case = Case(
        case_id=CaseId(row["case_id"]),
        agency_id=AgencyId(row["agency_id"]),
        ask=Ask.model_validate_json(row["ask"]),
        chooses=row["chooses"],
        since=row["since"],
        turn=row["turn"],
        hungry=row["hungry"],
        offers=tuple(_offer(offer) for offer in offers),
        kept_out={PersonId(one["person_id"]): one["until"] for one in refusals},
        waits_for=PersonId(row["waits_for"]) if row["waits_for"] else None,
        waits_until=row["waits_until"],
        promised=frozenset(PersonId(one["person_id"]) for one in refusals if one["promised"]),
    )
    match row["phase"]:
        case "searching":
            return Searching(case, row["until"])
        case "choosing":
            return Choosing(case, row["until"])
        case "unserved":
            return Unserved(case, row["until"])
        case "assigned":
            return Assigned(case, _assignment(assignments[0]), row["until"])
        case _:
            return InContact(case, _assignment(assignments[0]), row["until"])


def _offer(row: Row) -> Offer:
    return Offer(
        offer_id=row["offer_id"],
        person=PersonId(row["person_id"]),
        expires=row["expires_at"],
        crisis=row["crisis"],
        factors=json.loads(row["factors"]),
        state=OfferState(row["state"]),
        version=row["version"],
        bearer=_bearer(row),
    )


def _assignment(row: Row) -> Assignment:
    return Assignment(
        assignment_id=row["assignment_id"],
        offer_id=row["offer_id"],
        person=PersonId(row["person_id"]),
        contact_by=row["contact_by"],
        released=row["released"],
        crisis=row["crisis"],
        stage=Stage(row["state"]),
        version=row["version"],
        bearer=_bearer(row),
    )


def _bearer(row: Row) -> PersonId | None:
    return PersonId(row["bearer"]) if row["bearer"] else None


_SAVE = """
INSERT INTO searches(case_id, agency_id, ask, phase, chooses, hungry, turn, since, until, waits_for,
                     waits_until)
SELECT c, a, k::jsonb, p, o, h, t, s, u, w, l
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bool[], $6::bool[], $7::int[], $8::timestamptz[],
              $9::timestamptz[], $10::uuid[], $11::timestamptz[]) x(c, a, k, p, o, h, t, s, u, w, l) ORDER BY c
ON CONFLICT (case_id, agency_id) DO UPDATE
   SET ask = excluded.ask, phase = excluded.phase, chooses = excluded.chooses, hungry = excluded.hungry,
       turn = excluded.turn, since = excluded.since, until = excluded.until, waits_for = excluded.waits_for,
       waits_until = excluded.waits_until
"""


async def save(tx: Transaction, states: Sequence[Open]) -> None:
    """Write where these locked cases stand."""
    if not states:
        return
    cases = [state.case for state in states]
    await tx.connection.execute(
        _SAVE,
        [case.case_id for case in cases],
        [case.agency_id for case in cases],
        [case.ask.model_dump_json() for case in cases],
        [stands(state).name for state in states],
        [case.chooses for case in cases],
        [case.hungry for case in cases],
        [case.turn for case in cases],
        [case.since for case in cases],
        [state.until for state in states],
        [case.waits_for for case in cases],
        [case.waits_until for case in cases],
    )


_SAVE_OFFERS = """
INSERT INTO offers(offer_id, agency_id, case_id, person_id, state, expires_at, crisis, factors, version, bearer)
SELECT o, a, c, p, s, e, k, f::jsonb, v, b
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::bool[], $8::text[],
              $9::int[], $10::uuid[]) u(o, a, c, p, s, e, k, f, v, b)
ON CONFLICT (offer_id, agency_id) DO UPDATE SET state = excluded.state, version = excluded.version
"""


async def save_offers(tx: Transaction, offers: Sequence[tuple[Case, Offer]]) -> None:
    """Write new and moved offers. Those that are accepted come last, so that `one_accepted` never sees two."""
    accepted = [one for one in offers if one[1].state is OfferState.ACCEPTED]
    await _save_offers(tx, [one for one in offers if one[1].state is not OfferState.ACCEPTED])
    await _save_offers(tx, accepted)


async def _save_offers(tx: Transaction, offers: Sequence[tuple[Case, Offer]]) -> None:
    if not offers:
        return
    await tx.connection.execute(
        _SAVE_OFFERS,
        [offer.offer_id for _, offer in offers],
        [case.agency_id for case, _ in offers],
        [case.case_id for case, _ in offers],
        [offer.person for _, offer in offers],
        [offer.state for _, offer in offers],
        [offer.expires for _, offer in offers],
        [offer.crisis for _, offer in offers],
        [json.dumps(offer.factors) for _, offer in offers],
        [offer.version for _, offer in offers],
        [offer.bearer for _, offer in offers],
    )


_END_ASSIGNMENTS = "UPDATE assignments SET state = 'ended' WHERE assignment_id = ANY ($1::uuid[])"
_SAVE_ASSIGNMENTS = """
INSERT INTO assignments(assignment_id, agency_id, case_id, offer_id, person_id, state, contact_by, released, crisis,
                        version, bearer)
SELECT i, a, c, o, p, s, b, r, k, v, w
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::timestamptz[], $8::bool[],
              $9::bool[], $10::int[], $11::uuid[]) u(i, a, c, o, p, s, b, r, k, v, w)
ON CONFLICT (assignment_id, agency_id) DO UPDATE
   SET state = excluded.state, contact_by = excluded.contact_by, released = excluded.released,
       version = excluded.version
"""


async def end_assignments(tx: Transaction, assignments: Sequence[UUID]) -> None:
    """These are over; first, so that a case never has two that stand."""
    if assignments:
        await tx.connection.execute(_END_ASSIGNMENTS, list(assignments))


async def save_assignments(tx: Transaction, assignments: Sequence[tuple[Case, Assignment]]) -> None:
    """Write the assignments that stand."""
    if not assignments:
        return
    await tx.connection.execute(
        _SAVE_ASSIGNMENTS,
        [one.assignment_id for _, one in assignments],
        [case.agency_id for case, _ in assignments],
        [case.case_id for case, _ in assignments],
        [one.offer_id for _, one in assignments],
        [one.person for _, one in assignments],
        [one.stage for _, one in assignments],
        [one.contact_by for _, one in assignments],
        [one.released for _, one in assignments],
        [one.crisis for _, one in assignments],
        [one.version for _, one in assignments],
        [one.bearer for _, one in assignments],
    )


_SAVE_REFUSALS = """
INSERT INTO refusals(case_id, agency_id, person_id, until, promised)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::bool[])
ON CONFLICT (case_id, person_id, agency_id) DO UPDATE SET until = excluded.until, promised = excluded.promised
"""


class Refusal(NamedTuple):
    """Who is kept out of a case, and until when; None for good."""

    agency_id: AgencyId
    case_id: CaseId
    person: PersonId
    until: datetime | None
    promised: bool = False


async def save_refusals(tx: Transaction, refusals: Sequence[Refusal]) -> None:
    """Write who is kept out."""
    if not refusals:
        return
    await tx.connection.execute(
        _SAVE_REFUSALS,
        [one.case_id for one in refusals],
        [one.agency_id for one in refusals],
        [one.person for one in refusals],
        [one.until for one in refusals],
        [one.promised for one in refusals],
    )


async def kept_out(tx: Transaction, cases: Collection[CaseId]) -> dict[CaseId, frozenset[PersonId]]:
    """Who is kept out of these locked cases; none where nobody is."""
    if not cases:
        return {}
    rows = await tx.connection.fetch(_LOAD_REFUSALS, list(cases))
    found = _by_case(rows)
    return {case: frozenset(PersonId(row["person_id"]) for row in found[case]) for case in cases}


_HELD_BY = """
SELECT a.case_id, a.agency_id, a.person_id
  FROM assignments a JOIN peers p ON p.person_id = a.person_id AND p.agency_id = a.agency_id
 WHERE a.state <> 'ended' AND a.person_id = ANY ($1::uuid[]) AND p.role <> 'peer'
 ORDER BY a.case_id
"""


class Held(NamedTuple):
    """Somebody has this case."""

    case_id: CaseId
    agency_id: AgencyId
    person: PersonId


async def held_by(tx: Transaction, people: Collection[PersonId]) -> list[Held]:
    """Which cases of the agencies in view those of these people have who are no peers. Locks nothing."""
    if not people:
        return []
    rows = await tx.connection.fetch(_HELD_BY, list(people))
    return [Held(CaseId(row["case_id"]), AgencyId(row["agency_id"]), PersonId(row["person_id"])) for row in rows]


_PURGE = """
WITH s AS (DELETE FROM searches WHERE case_id = ANY ($1::uuid[])),
     o AS (DELETE FROM offers WHERE case_id = ANY ($1::uuid[])),
     a AS (DELETE FROM assignments WHERE case_id = ANY ($1::uuid[]))
DELETE FROM refusals WHERE case_id = ANY ($1::uuid[])
"""


async def purge(tx: Transaction, cases: Collection[CaseId]) -> None:
    """Remove every row of these cases."""
    if cases:
        await tx.connection.execute(_PURGE, list(cases))


HUNGRY = """
SELECT case_id, agency_id FROM searches
 WHERE hungry AND agency_id = ANY ($1::uuid[])
 ORDER BY array_position(ARRAY['emergency', 'urgent', 'soon', 'routine'], urgency), since, case_id LIMIT $2
"""


async def hungry(tx: Transaction, agencies: Collection[AgencyId], limit: int) -> dict[CaseId, AgencyId]:
    """Searches of these agencies that would take more people than they found, in the order in which room goes to them.

    The most urgent first, of them who has waited longest. Locks nothing.
    """
    rows = await tx.connection.fetch(HUNGRY, list(agencies), limit)
    return {CaseId(row["case_id"]): AgencyId(row["agency_id"]) for row in rows}
