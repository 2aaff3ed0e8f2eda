"""Whom the agencies have, and what each person carries: the loads are locked ascending, after the cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.matching.domain.loads import Change, Load
from services.matching.domain.people import Peer
from shared.db import Transaction
from shared.errors import LostClaim
from shared.types import AgencyId, PersonId

SEASON_DAYS = 30
"""`asked` is halved with every season that has begun since it was written."""


@dataclass(frozen=True)
class People:
    """Whom the agencies of a batch have, and what those people carry."""

    by_agency: Mapping[AgencyId, Sequence[Peer]]
    loads: Mapping[PersonId, Load]


PEOPLE = """
SELECT p.agency_id, p.person_id, p.role, p.attributes, p.offers, p.designated_from, p.designated_to, p.trained_until,
       p.hours, p.time_zone, p.language, l.open, l.crisis,
       l.asked >> greatest(least($2 - l.season, 31), 0) AS asked, l.rest_until
  FROM peers p LEFT JOIN peer_load l ON l.peer_id = p.person_id
 WHERE p.agency_id = ANY ($1::uuid[]) AND p.active AND p.verified AND p.role IN ('peer', 'coordinator')
   AND p.agency_id <> ALL (ARRAY(SELECT g.agency_id FROM agencies g
                                  WHERE g.agency_id = ANY ($1::uuid[]) AND NOT g.active))
 ORDER BY p.agency_id, p.person_id
"""


def season_of(now: datetime) -> int:
    """The number of thirty days since 1970."""
    return int(now.timestamp()) // (SEASON_DAYS * 86_400)


async def people(tx: Transaction, agencies: Collection[AgencyId], now: datetime) -> People:
    """Active and verified peers and coordinators of these agencies, with their loads: once per batch, not per case.

    Nobody of an agency that is not active any more; one that was not heard of yet is.
    """
    rows = await tx.connection.fetch(PEOPLE, list(agencies), season_of(now))
    found: dict[AgencyId, list[Peer]] = defaultdict(list)
    loads: dict[PersonId, Load] = {}
    for row in rows:
        agency, person, role, attributes, offers, begins, ends, trained, hours, zone, language, *load = row
        found[agency].append(
            Peer(
                PersonId(person),
                active=True,
                role=role,
                verified=True,
                attributes=frozenset(attributes),
                offers=frozenset(offers),
                designated_from=begins,
                designated_to=ends,
                trained_until=trained,
                hours=hours,
                time_zone=zone,
                language=language,
            )
        )
        if load[0] is not None:
            loads[PersonId(person)] = Load(*load)
    return People(found, loads)


_HOLD = """
INSERT INTO peer_load(peer_id, season)
SELECT p, $2 FROM unnest($1::uuid[]) t(p) ORDER BY p
ON CONFLICT (peer_id) DO UPDATE SET season = peer_load.season WHERE false
"""
_TAKE = """
UPDATE peer_load l
   SET open = l.open + u.open, crisis = l.crisis + u.crisis,
       asked = (l.asked >> greatest(least($8 - l.season, 31), 0)) + u.asked, season = $8,
       rest_until = greatest(l.rest_until, u.rest_until), apart = false
  FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[], $7::timestamptz[])
       u(peer, open, crisis, asked, open_limit, crisis_limit, rest_until)
 WHERE l.peer_id = u.peer AND l.open <= u.open_limit AND l.crisis <= u.crisis_limit
"""


async def take_loads(tx: Transaction, changes: Sequence[Change], now: datetime) -> None:
    """Write what a batch has reserved and freed. Raises `LostClaim` when somebody else filled a peer up meanwhile."""
    if not changes:
        return
    season, peers = season_of(now), [change.person for change in changes]
    # Makes missing rows and locks all of them, ascending; a statement of its own, so that the next one sees what the
    # lock waited for.
    await tx.connection.execute(_HOLD, peers, season)
    status = await tx.connection.execute(
        _TAKE,
        peers,
        [change.open for change in changes],
        [change.crisis for change in changes],
        [change.asked for change in changes],
        [change.open_limit for change in changes],
        [change.crisis_limit for change in changes],
        [change.rest_until for change in changes],
        season,
    )
    if status != f"UPDATE {len(changes)}":
        raise LostClaim


_APART = """
WITH touched AS (SELECT peer_id FROM peer_load WHERE NOT apart ORDER BY peer_id FOR UPDATE)
UPDATE peer_load l SET apart = true FROM touched t WHERE l.peer_id = t.peer_id
"""


async def write_apart(tx: Transaction) -> None:
    """Write the loads that cases have changed once more, so that no transaction joins them to a case."""
    await tx.connection.execute(_APART)
