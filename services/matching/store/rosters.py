"""Whom the agencies have: read when somebody of an agency has changed, and kept in memory until the next change."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from services.matching.domain.people import Peer
from services.matching.domain.roster import Roster
from shared.db import Transaction
from shared.types import AgencyId

MOST_KEPT = 100_000
"""People of all agencies together who are kept in memory, at some 900 bytes each."""

STAMPS = """
SELECT r.agency_id, r.stamp FROM rosters r
 WHERE r.agency_id = ANY ($1::uuid[])
   AND NOT EXISTS (SELECT FROM agencies g WHERE g.agency_id = r.agency_id AND NOT g.active)
"""
PEOPLE = """
SELECT r.agency_id, r.stamp, p.person_id, p.role, p.attributes, p.offers, p.designated_from, p.designated_to,
       p.trained_until, p.hours, p.time_zone, p.language, p.windows, p.hours_alone, p.bearer,
       coalesce(g.time_zone, '')
  FROM rosters r JOIN peers p ON p.agency_id = r.agency_id LEFT JOIN agencies g ON g.agency_id = r.agency_id
 WHERE r.agency_id = ANY ($1::uuid[]) AND p.active AND p.verified AND p.role IN ('peer', 'coordinator')
"""


class Kept:
    """Rosters by agency, each under the stamp that it was read with; those that were not asked for lately go first."""

    def __init__(self, most: int) -> None:
        """`most` people are kept."""
        self._most, self._people = most, 0
        self._rosters: OrderedDict[AgencyId, tuple[UUID, Roster]] = OrderedDict()

    def get(self, agency: AgencyId, stamp: UUID) -> Roster | None:
        """The roster under this stamp."""
        found = self._rosters.get(agency)
        if found is None or found[0] != stamp:
            return None
        self._rosters.move_to_end(agency)
        return found[1]

    def put(self, agency: AgencyId, stamp: UUID, roster: Roster) -> None:
        """Keep this one instead of what was kept of this agency."""
        if agency in self._rosters:
            self._people -= len(self._rosters.pop(agency)[1].people)
        self._rosters[agency] = stamp, roster
        self._people += len(roster.people)
        while self._people > self._most:
            _, (_, gone) = self._rosters.popitem(last=False)
            self._people -= len(gone.people)


_KEPT = Kept(MOST_KEPT)


async def of(tx: Transaction, agencies: Collection[AgencyId]) -> dict[AgencyId, Roster]:
    """Active and verified peers and coordinators of these agencies: once per batch, not per case.

    Nobody of an agency that is not active any more; one that was not heard of yet is.
    """
    stamps = await tx.connection.fetch(STAMPS, list(agencies))
    found = {AgencyId(agency): _KEPT.get(AgencyId(agency), stamp) for agency, stamp in stamps}
    changed = [agency for agency, roster in found.items() if roster is None]
    read = await _read(tx, changed) if changed else {}
    return {agency: roster or read.get(agency) or Roster() for agency, roster in found.items()}


async def _read(tx: Transaction, agencies: Sequence[AgencyId]) -> dict[AgencyId, Roster]:
    """As the people are now, each agency's with the stamp of the same moment."""
    people: dict[tuple[AgencyId, UUID], list[Peer]] = defaultdict(list)
    # Of many peers few have words of their own: each set of words is made once.
    words: dict[tuple[str, ...], frozenset[str]] = {}

    def set_of(listed: Sequence[str]) -> frozenset[str]:
        known = words.get(key := tuple(listed))
        if known is None:
            known = words[key] = frozenset(key)
        return known

    for agency, stamp, person, role, attributes, offers, *rest in await tx.connection.fetch(PEOPLE, list(agencies)):
        peer = Peer._make((person, True, role, True, set_of(attributes), set_of(offers), *rest))
        people[AgencyId(agency), stamp].append(peer)
    found = {}
    for (agency, stamp), listed in people.items():
        found[agency] = Roster(listed)
        _KEPT.put(agency, stamp, found[agency])
    return found


async def hold(tx: Transaction, agencies: Collection[AgencyId]) -> None:
    """Lock these agencies' stamps, ascending, before anybody of theirs is changed: changes wait for each other."""
    await tx.connection.execute(
        "SELECT FROM rosters WHERE agency_id = ANY ($1::uuid[]) ORDER BY agency_id FOR UPDATE", sorted(agencies)
    )
