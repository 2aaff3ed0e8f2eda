"""The read model of the directory and of verifications. Whatever is older than what is known changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from shared.availability import Window, text_of
from shared.db import Transaction
from shared.events.intake import AgencySet
from shared.news import Listed, Verified
from shared.types import AgencyId, PersonId

# Tokens and kinds of help hold no blanks: an array of arrays cannot be unnested row by row, joined texts can.
_SET_PERSONS = """
INSERT INTO peers(person_id, agency_id, revision, active, role, attributes, offers, designated_from, designated_to,
                  trained_until, hours, time_zone, language, windows, hours_alone, bearer)
SELECT p, a, r, c, o, string_to_array(t, ' '), string_to_array(h, ' '), f, u, n, w, z, l, s, d, b
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bool[], $5::text[], $6::text[], $7::text[], $8::date[],
              $9::date[], $10::date[], $11::text[], $12::text[], $13::text[], $14::text[],
              $15::bool[], $16::uuid[])
       x(p, a, r, c, o, t, h, f, u, n, w, z, l, s, d, b) ORDER BY p, a
ON CONFLICT (person_id, agency_id) DO UPDATE
   SET revision = excluded.revision, active = excluded.active, role = excluded.role, attributes = excluded.attributes,
       offers = excluded.offers, designated_from = excluded.designated_from, designated_to = excluded.designated_to,
       trained_until = excluded.trained_until, hours = excluded.hours, time_zone = excluded.time_zone,
       language = excluded.language, windows = excluded.windows, hours_alone = excluded.hours_alone,
       bearer = excluded.bearer
 WHERE peers.revision < excluded.revision
RETURNING agency_id, person_id, active AND verified AND role = 'peer' AS useful,
          role <> 'peer' AND EXISTS (SELECT FROM peers was WHERE was.person_id = peers.person_id
                                        AND was.agency_id = peers.agency_id AND was.role = 'peer') AS moved
"""


async def set_persons(
    tx: Transaction, persons: Sequence[Listed]
) -> tuple[set[AgencyId], list[tuple[AgencyId, PersonId]]]:
    """Persons as they are now, each once.

    Returns the agencies in which one who can be asked is new or has changed, and who of these people was
    a peer and is something else now, with their agency.
    """
    if not persons:
        return set(), []
    facts = [one.fact for one in persons]
    rows = await tx.connection.fetch(
        _SET_PERSONS,
        [one.person for one in persons],
        [one.agency_id for one in persons],
        [fact.revision for fact in facts],
        [fact.active for fact in facts],
        [fact.role for fact in facts],
        [" ".join(fact.attributes) for fact in facts],
        [" ".join(fact.offers) for fact in facts],
        [fact.designated_from for fact in facts],
        [fact.designated_to for fact in facts],
        [fact.trained_until for fact in facts],
        [fact.hours for fact in facts],
        [fact.time_zone for fact in facts],
        [fact.language for fact in facts],
        [text_of(Window(one.on, one.start, one.end) for one in fact.spans) for fact in facts],
        [fact.spans_alone for fact in facts],
        [fact.bearer for fact in facts],
    )
    useful = {AgencyId(row["agency_id"]) for row in rows if row["useful"]}
    return useful, [(AgencyId(row["agency_id"]), PersonId(row["person_id"])) for row in rows if row["moved"]]


_VERIFY = """
INSERT INTO peers(person_id, agency_id, verified, verified_revision)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bool[], $4::bigint[]) t(p, a, v, r) ORDER BY p, a
ON CONFLICT (person_id, agency_id) DO UPDATE
   SET verified = excluded.verified, verified_revision = excluded.verified_revision
 WHERE peers.verified_revision <= excluded.verified_revision
RETURNING agency_id, active AND verified AND role = 'peer' AS useful
"""


async def verify(tx: Transaction, people: Sequence[Verified]) -> set[AgencyId]:
    """Persons of agencies, each once, known from the directory or not yet. Returns as `set_persons`."""
    if not people:
        return set()
    rows = await tx.connection.fetch(
        _VERIFY,
        [one.person for one in people],
        [one.agency_id for one in people],
        [one.verified for one in people],
        [one.revision for one in people],
    )
    return {AgencyId(row["agency_id"]) for row in rows if row["useful"]}


_SET_AGENCIES = """
WITH told AS (
    INSERT INTO agencies(agency_id, revision, active, time_zone)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bool[], $4::text[]) t(a, r, c, z) ORDER BY a
    ON CONFLICT (agency_id) DO UPDATE
       SET revision = excluded.revision, active = excluded.active, time_zone = excluded.time_zone
     WHERE agencies.revision < excluded.revision
           -- Kept by a version that had no zones: what is told again every day has it.
        OR (agencies.revision = excluded.revision AND agencies.time_zone = '')
    RETURNING agency_id, active),
stamped AS (
    -- People are read with the zone of their agency.
    UPDATE rosters r SET stamp = gen_random_uuid() FROM told t WHERE r.agency_id = t.agency_id)
SELECT agency_id, active FROM told
"""


async def set_agencies(tx: Transaction, agencies: Sequence[tuple[AgencyId, AgencySet]]) -> set[AgencyId]:
    """Whether these agencies are there, and their zones, each once. The caller holds their stamps.

    Returns those that are, of which something newer was told.
    """
    if not agencies:
        return set()
    rows = await tx.connection.fetch(
        _SET_AGENCIES,
        [agency for agency, _ in agencies],
        [fact.revision for _, fact in agencies],
        [fact.active for _, fact in agencies],
        [fact.time_zone for _, fact in agencies],
    )
    return {AgencyId(row["agency_id"]) for row in rows if row["active"]}
