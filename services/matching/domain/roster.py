"""The people of one agency, arranged once for all requests for which they are read.

Nothing of a case and nobody's load is in it, so it stays right until somebody of the agency changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from services.matching.domain.eligibility import designated, trained
from services.matching.domain.people import Calendar, Peer
from shared.types import PersonId

_RING = 2**128 - 1
_GOLDEN = 0x9E3779B97F4A7C15F39CC0605CEDC835
"""The golden ratio's part of 2**128, made odd (Knuth, The Art of Computer Programming 3, 6.4)."""


def point(one: UUID) -> int:
    """Where somebody stands on the ring of equals, and where a case begins to go round it.

    Multiplying by the golden ratio spreads ids that lie close together. A ring keeps its order when somebody comes or
    goes: more peers never change who of the others is asked, so nobody who was served goes without because of them.
    """
    return one.int * _GOLDEN & _RING


class Alike(NamedTuple):
    """Peers whom nothing tells apart on a day but who they are and what they carry."""

    example: Peer
    places: Sequence[int]
    """Where they stand in the roster, ascending."""


class Roster:
    """Active and verified peers and coordinators of one agency, in the order of the ring: a place is an index."""

    def __init__(self, people: Iterable[Peer] = ()) -> None:
        """The order in which `people` come changes nothing."""
        self.people = tuple(sorted(people, key=lambda one: point(one.person)))
        self.points = tuple(point(one.person) for one in self.people)
        self.carriers = tuple(one.carrier for one in self.people)
        self._zones = sorted({one.day_zone for one in self.people})
        self._arranged: tuple[tuple[date, ...], list[Alike]] | None = None

    @cached_property
    def place_of(self) -> dict[PersonId, int]:
        """By who somebody is in this agency."""
        return {one.person: place for place, one in enumerate(self.people)}

    @cached_property
    def place_of_carrier(self) -> dict[PersonId, int]:
        """By who carries what somebody takes on."""
        return {carrier: place for place, carrier in enumerate(self.carriers)}

    def alike(self, calendar: Calendar) -> list[Alike]:
        """Everybody, by what tells them apart: of a thousand people few differ in more than their dates.

        Worked out once a day, as dates decide by what day it is.
        """
        days = tuple(calendar.today(zone) for zone in self._zones)
        if self._arranged is None or self._arranged[0] != days:
            found: dict[tuple[object, ...], list[int]] = defaultdict(list)
            for place, peer in enumerate(self.people):
                found[_marks(peer, calendar.today(peer.day_zone))].append(place)
            self._arranged = days, [Alike(self.people[places[0]], places) for places in found.values()]
        return self._arranged[1]


def _marks(peer: Peer, today: date) -> tuple[object, ...]:
    """All of a peer but who it is, and of the dates only what they come to today."""
    told = peer.active, peer.verified, peer.role, peer.attributes, peer.offers, peer.language
    times = peer.hours, peer.time_zone, peer.windows, peer.alone
    return *told, *times, peer.bearer is None, designated(peer, today), trained(peer, today)
