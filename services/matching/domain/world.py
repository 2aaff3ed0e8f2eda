"""Everything outside a case that deciding about it needs: the moment, new ids, the people, and what they carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.matching.domain.loads import Ledger
from services.matching.domain.people import Calendar, Peer
from services.matching.domain.ranking import Shelves, cap_of, is_crisis
from shared.events.intake import Ask
from shared.types import AgencyId, PersonId


class World:
    """One batch's view. Deciding reads it and never changes it; whoever decides applies the moves to `ledger`."""

    def __init__(
        self,
        now: datetime,
        new_id: Callable[[], UUID],
        people: Mapping[AgencyId, Sequence[Peer]],
        duty: Sequence[PersonId],
        ledger: Ledger,
    ) -> None:
        """`people` are the active and verified peers and coordinators by agency; `duty` the region's coordinators."""
        self.now, self.new_id, self.ledger = now, new_id, ledger
        self.calendar = Calendar(now)
        self._people, self._duty = people, duty
        self._found: dict[AgencyId, dict[PersonId, Peer]] = {}
        self._shelves: dict[object, Shelves] = {}

    def peer(self, agency: AgencyId, person: PersonId) -> Peer | None:
        """A person of this agency, if active and verified."""
        if agency not in self._found:
            self._found[agency] = {peer.person: peer for peer in self._people.get(agency, ())}
        return self._found[agency].get(person)

    def rested(self, person: PersonId) -> bool:
        """Whether this person is not in the cool-down after an emergency."""
        rest = self.ledger.of(person).rest_until
        return rest is None or rest <= self.now

    def shelves(self, agency: AgencyId, ask: Ask) -> Shelves:
        """The agency's peers who suit this kind of ask, in order. Made once for all cases that ask alike."""
        wishes = ask.wishes
        key = agency, is_crisis(ask), cap_of(ask), ask.help, ask.language, wishes.require, wishes.prefer, wishes.avoid
        found = self._shelves.get(key)
        if found is None:
            found = self._shelves[key] = Shelves(self._people.get(agency, ()), ask, self.calendar, self.ledger)
        return found

    def to_tell(self, agency: AgencyId, without: frozenset[PersonId]) -> tuple[PersonId, ...]:
        """Who hears that nobody was found: the agency's coordinators, then the region's on duty."""
        own = sorted(peer.person for peer in self._people.get(agency, ()) if peer.coordinates)
        return tuple(one for one in dict.fromkeys((*own, *sorted(self._duty))) if one not in without)
