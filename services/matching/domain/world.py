"""Everything outside a case that deciding about it needs: the moment, new ids, the people, and what they carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.matching.domain.loads import Ledger
from services.matching.domain.people import Calendar, Peer
from services.matching.domain.ranking import Shelves, cap_of, is_crisis
from services.matching.domain.roster import Roster
from shared.events.intake import Ask
from shared.types import AgencyId, PersonId, Relation

NOBODY = Roster()


class World:
    """One batch's view. Deciding reads it and never changes it; whoever decides applies the moves to `ledger`."""

    def __init__(
        self,
        now: datetime,
        new_id: Callable[[], UUID],
        people: Mapping[AgencyId, Roster],
        duty: Sequence[PersonId],
        ledger: Ledger,
    ) -> None:
        """`people` are the peers and coordinators by agency; `duty` the region's coordinators."""
        self.now, self.new_id, self.ledger = now, new_id, ledger
        self.calendar = Calendar(now)
        self._people, self._duty = people, duty
        self._shelves: dict[object, Shelves] = {}

    def peer(self, agency: AgencyId, person: PersonId) -> Peer | None:
        """A person of this agency, if active and verified."""
        roster = self._people.get(agency, NOBODY)
        place = roster.place_of.get(person)
        return None if place is None else roster.people[place]

    def rested(self, person: PersonId) -> bool:
        """Whether this person is not in the cool-down after an emergency."""
        return self.ledger.of(person).rested(self.now)

    def shelves(self, agency: AgencyId, ask: Ask) -> Shelves:
        """The agency's peers who suit this kind of ask, in order. Made once for all cases that ask alike."""
        wishes = ask.wishes
        retiree = ask.relation is Relation.RETIREE
        wanted = ask.help, ask.language, retiree, wishes.require, wishes.prefer, wishes.avoid
        policy = ask.policy
        gates = policy.designation_required, policy.training_required
        key = agency, is_crisis(ask), cap_of(ask), wanted, gates, policy.weights
        found = self._shelves.get(key)
        if found is None:
            found = self._shelves[key] = Shelves(self._people.get(agency, NOBODY), ask, self.calendar, self.ledger)
        return found

    def to_tell(self, agency: AgencyId, without: frozenset[PersonId], *, own: bool) -> tuple[PersonId, ...]:
        """Who hears that nobody was found: the agency's coordinators (`own`), then the region's on duty."""
        theirs = (
            sorted(peer.person for peer in self._people.get(agency, NOBODY).people if peer.coordinates) if own else ()
        )
        return tuple(one for one in dict.fromkeys((*theirs, *sorted(self._duty))) if one not in without)
