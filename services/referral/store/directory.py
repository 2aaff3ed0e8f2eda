"""The read model of the directory and of verifications. Whatever is older than what is known changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from services.referral.domain.world import NOTHING, Person
from shared.db import Row, Transaction
from shared.events.intake import AgencySet
from shared.events.policy import Capabilities
from shared.news import Listed, Verified
from shared.types import AgencyId, PersonId, Role

Member = tuple[AgencyId, PersonId]
"""A person of an agency: what another agency says of the same person is about somebody else."""


def _member(row: Row) -> Member:
    return AgencyId(row["agency_id"]), PersonId(row["person_id"])


# Tokens hold no blanks: an array of arrays cannot be unnested row by row, joined texts can.
_SET_PERSONS = """
INSERT INTO people(person_id, agency_id, revision, active, role, attributes, language)
SELECT p, a, r, c, o, string_to_array(t, ' '), l
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bool[], $5::text[], $6::text[], $7::text[])
       x(p, a, r, c, o, t, l) ORDER BY p, a
ON CONFLICT (person_id, agency_id) DO UPDATE
   SET revision = excluded.revision, active = excluded.active, role = excluded.role, attributes = excluded.attributes,
       language = excluded.language
 WHERE people.revision < excluded.revision
RETURNING agency_id, person_id, active AND role = 'clinician' AS clinician
"""


async def set_persons(tx: Transaction, persons: Sequence[Listed]) -> set[Member]:
    """Persons as they are now, each once. Returns those whose row is new or has changed and who are no clinicians."""
    if not persons:
        return set()
    facts = [one.fact for one in persons]
    rows = await tx.connection.fetch(
        _SET_PERSONS,
        [one.person for one in persons],
        [one.agency_id for one in persons],
        [fact.revision for fact in facts],
        [fact.active for fact in facts],
        [fact.role for fact in facts],
        [" ".join(fact.attributes) for fact in facts],
        [fact.language for fact in facts],
    )
    return {_member(row) for row in rows if not row["clinician"]}


_SET_AGENCIES = """
INSERT INTO agencies(agency_id, revision, active, capabilities)
SELECT a, r, o, c::jsonb FROM unnest($1::uuid[], $2::bigint[], $3::bool[], $4::text[]) t(a, r, o, c) ORDER BY a
ON CONFLICT (agency_id) DO UPDATE
   SET revision = excluded.revision, active = excluded.active, capabilities = excluded.capabilities
 WHERE agencies.revision < excluded.revision
"""


async def set_agencies(tx: Transaction, agencies: Sequence[tuple[AgencyId, AgencySet]]) -> None:
    """What these agencies are and may now, each once; one that is not active may nothing clinical."""
    if agencies:
        await tx.connection.execute(
            _SET_AGENCIES,
            [agency for agency, _ in agencies],
            [fact.revision for _, fact in agencies],
            [fact.active for _, fact in agencies],
            [(fact.capabilities if fact.active else NOTHING).model_dump_json() for _, fact in agencies],
        )


_VERIFY = """
INSERT INTO people(person_id, agency_id, verified, verified_revision)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bool[], $4::bigint[]) t(p, a, v, r) ORDER BY p, a
ON CONFLICT (person_id, agency_id) DO UPDATE
   SET verified = excluded.verified, verified_revision = excluded.verified_revision
 WHERE people.verified_revision <= excluded.verified_revision
RETURNING agency_id, person_id, verified
"""


async def verify(tx: Transaction, people: Sequence[Verified]) -> set[Member]:
    """Persons of agencies, each once, known from the directory or not yet. Returns whom nothing can be sent to now."""
    if not people:
        return set()
    rows = await tx.connection.fetch(
        _VERIFY,
        [one.person for one in people],
        [one.agency_id for one in people],
        [one.verified for one in people],
        [one.revision for one in people],
    )
    return {_member(row) for row in rows if not row["verified"]}


PEOPLE = """
SELECT agency_id, person_id, role, attributes, language FROM people
 WHERE agency_id = ANY ($1::uuid[]) AND active AND verified AND role IN ('peer', 'coordinator', 'clinician')
   AND agency_id <> ALL (ARRAY(SELECT g.agency_id FROM agencies g
                                WHERE g.agency_id = ANY ($1::uuid[]) AND NOT g.active))
 ORDER BY agency_id, person_id
"""


async def people(tx: Transaction, agencies: Collection[AgencyId]) -> dict[AgencyId, list[Person]]:
    """Who of these agencies is there and can be told things: once per batch, not per case.

    Nobody of an agency that is not active any more; one that was not heard of yet is.
    """
    found: dict[AgencyId, list[Person]] = defaultdict(list)
    for agency, person, role, attributes, language in await tx.connection.fetch(PEOPLE, list(agencies)):
        found[AgencyId(agency)].append(Person(PersonId(person), Role(role), frozenset(attributes), language))
    return found


async def capabilities(tx: Transaction, agencies: Collection[AgencyId]) -> dict[AgencyId, Capabilities]:
    """What these agencies may now; one that was not heard of is absent."""
    rows = await tx.connection.fetch(
        "SELECT agency_id, capabilities FROM agencies WHERE agency_id = ANY ($1::uuid[])", list(agencies)
    )
    return {AgencyId(row["agency_id"]): Capabilities.model_validate_json(row["capabilities"]) for row in rows}
