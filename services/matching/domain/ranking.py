"""In which order suitable peers are asked, and why: a plain order with named parts that a coordinator can read.

Whoever rests after an emergency (72 h by default) comes last of all; they are asked for another emergency only when
nobody else suitable is left, which `search` sees to. Who is there comes before who is not; then the agency's own
people before its retirees, unless it is a retiree who asks or one is wished for; then what the requester has stated,
language and current training, each with the weight stamped on the case; then fair load: who carries least, then who
was asked least lately. Among equals each case begins at a place of its own, so that nobody is the favourite. Every
part is a number in the candidate's factors, and the factors alone give the order again (`place_of`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import merge
from math import fsum
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from services.matching.domain.eligibility import suits, trained
from services.matching.domain.loads import IDLE, Ledger, Load
from services.matching.domain.people import Calendar, Peer, language_of
from services.matching.domain.roster import Roster, point
from shared.events.intake import Ask
from shared.types import OTHER_AGENCY, PersonId, Relation, Urgency

STATED = ("prefer", "avoid", "language", "trained", "wanted")
"""The parts of the order that weigh against each other."""


class Ranked(NamedTuple):
    """A candidate and what his place comes from. `rested`: not in the cool-down after an emergency."""

    peer: Peer
    available: bool
    factors: dict[str, float]
    rested: bool = True


_Key = tuple[bool, bool, int, float]
"""Resting, away, tier, and the stated parts the other way round: the least comes first."""

_Level = tuple[int, int]
"""Cases carried, and how often asked lately."""

RETIRED = "retired"
"""The attribute by which a peer says so."""

NOTHING: Mapping[Any, Any] = MappingProxyType({})

Place = tuple[_Key, _Level]
"""Where somebody stands."""


def place_of(factors: Mapping[str, float]) -> Place:
    """The place that these factors come to, of all who were ranked for the same case at the same time.

    Nobody has to be looked up for it: what was stamped with an offer or a shortlist replays the order.
    """
    share = fsum(factors.get(part, 0) for part in STATED)
    key = factors.get("resting", 0) < 0, not factors["available"], -int(factors.get("tier", 0)), -share
    return key, (-int(factors["load"]), -int(factors["asked"]))


class _Shelf(NamedTuple):
    """Peers whom nothing but their load tells apart: for each level of load the positions of its peers, ascending."""

    rested: bool
    available: bool
    tier: int
    levels: list[_Level]
    on: dict[_Level, list[int]]


class _Kind(NamedTuple):
    """What all peers have in common who differ in nothing but who they are and what they carry."""

    shares: dict[str, float]
    away: bool
    tier: int
    stated: float
    """The sum of the shares, the other way round."""


def is_crisis(ask: Ask) -> bool:
    """Whether the case counts as an emergency: crisis lane, crisis cap, anybody may be asked."""
    return ask.urgency is Urgency.EMERGENCY


def cap_of(ask: Ask) -> int:
    """How many cases of this kind a peer may carry, by the policy stamped on the case."""
    return ask.policy.crisis_cases_per_peer if is_crisis(ask) else ask.policy.open_cases_per_peer


def tier(peer: Peer, ask: Ask) -> int:
    """How far a search has to widen for this peer: 0 at once, 1 and 2 when nobody nearer is there.

    An agency's own people come before its retirees; for a retiree it is the other way round, and whoever wishes for
    one has them among the first. Then come the peers whom other agencies lend, or first of all for whoever wishes for
    one of those. The requester's other wishes hold in every tier.
    """
    if peer.bearer is not None:
        return 0 if OTHER_AGENCY in {*ask.wishes.require, *ask.wishes.prefer} else 2
    retired = RETIRED in peer.attributes
    if ask.relation is Relation.RETIREE:
        return int(not retired)
    return int(retired and RETIRED not in {*ask.wishes.require, *ask.wishes.prefer})


def stated(peer: Peer, ask: Ask, *, trained_now: bool) -> dict[str, float]:
    """The parts of the order that load does not touch, without those that are nothing."""
    language, weights = language_of(ask.language), ask.policy.weights
    speaks = language_of(peer.language) == language or f"language:{language}" in peer.attributes
    shares = {
        "prefer": weights.prefer * peer.says(ask.wishes.prefer),
        "avoid": weights.avoid * peer.says(ask.wishes.avoid),
        "language": weights.language * speaks,
        "trained": weights.trained * trained_now,
    }
    return {name: share for name, share in shares.items() if share}


def personal(ask: Ask) -> dict[PersonId, dict[str, float]]:
    """What counts for single persons in this case alone: whom the requester has named, whatever that weighs."""
    return {person: {"wanted": ask.policy.weights.wanted} for person in ask.wanted}


class Shelves:
    """The peers of one agency who suit one kind of ask, kept in order while their loads move.

    Made once per batch and kind of ask; asking for the best of 5,000 peers costs the same as of 50.
    """

    def __init__(self, roster: Roster, ask: Ask, calendar: Calendar, ledger: Ledger) -> None:
        """Sorts in those who suit."""
        self._roster = roster
        self._ask, self._crisis, self._cap, self._ledger = ask, is_crisis(ask), cap_of(ask), ledger
        self._seen = len(ledger.log)
        self._calendar = calendar
        self._kind_of: dict[int, _Kind] = {}
        self._by_key: dict[_Key, _Shelf] = {}
        self._keys: list[_Key] = []
        self._stood: dict[int, tuple[_Shelf, _Level]] = {}
        self._away_until: dict[int, datetime] = {}
        of, carriers = ledger.of, roster.carriers
        for example, places in roster.alike(calendar):
            if calendar.off(example):
                if suits(example, ask, calendar.today(example.day_zone)):
                    self._away_until |= dict.fromkeys(places, calendar.off_until(example))
                continue
            kind = self._kind(example)
            if kind is None:
                continue
            self._kind_of |= dict.fromkeys(places, kind)
            idle = []
            for place in places:
                load = of(carriers[place])
                if load is IDLE:
                    idle.append(place)
                else:
                    self._put([place], kind, load)
            self._put(idle, kind, IDLE)

    def _kind(self, peer: Peer) -> _Kind | None:
        """What decides about this peer but load; None for one who does not suit."""
        today = self._calendar.today(peer.day_zone)
        if not suits(peer, self._ask, today):
            return None
        shares = stated(peer, self._ask, trained_now=trained(peer, today))
        return _Kind(shares, not self._calendar.there(peer), tier(peer, self._ask), -fsum(shares.values()))

    def _put(self, places: Sequence[int], kind: _Kind, load: Load) -> None:
        """Where peers with this load now belong, ascending.

        Nowhere when they are at their cap, or have said that nothing new shall be asked.
        """
        now = self._calendar.now
        if load.paused_until is not None and load.paused_until > now:
            self._away_until.update(dict.fromkeys(places, load.paused_until))
            return
        if not places or load.taken(crisis=self._crisis) >= self._cap:
            return
        level = _level(load)
        key = not load.rested(now), *kind[1:]
        shelf = self._by_key.get(key)
        if shelf is None:
            shelf = self._by_key[key] = _Shelf(not key[0], not kind.away, kind.tier, [], {})
            insort(self._keys, key)
        stand = shelf.on.get(level)
        if stand is None:
            shelf.on[level] = [*places]
            insort(shelf.levels, level)
        else:
            for place in places:
                insort(stand, place)
        self._stood.update(dict.fromkeys(places, (shelf, level)))

    def _take(self, place: int) -> None:
        stood = self._stood.pop(place, None)
        if stood is None:
            return
        shelf, level = stood
        places = shelf.on[level]
        del places[bisect_left(places, place)]
        if not places:
            del shelf.on[level]
            del shelf.levels[bisect_left(shelf.levels, level)]

    def _catch_up(self) -> None:
        for person in self._ledger.log[self._seen :]:
            place = self._roster.place_of_carrier.get(person)
            if place is not None and place in self._kind_of:
                self._take(place)
                self._put([place], self._kind_of[place], self._ledger.of(person))
        self._seen = len(self._ledger.log)

    def best(
        self, case_id: UUID, without: Container[PersonId], own: Mapping[PersonId, Mapping[str, float]] = NOTHING
    ) -> Iterator[Ranked]:
        """Whoever may still be asked, best first. Take what is needed before any load moves again.

        `own` are the parts that count in this case alone (`personal`): those few are taken out of their shelves and
        stand where they belong, before their equals.
        """
        self._catch_up()
        places = (self._roster.place_of.get(person) for person in own)
        apart = frozenset(place for place in places if place is not None and place in self._stood)
        if not apart:
            return (one for _, one in self._others(case_id, without, apart))
        single = [self._ranked(place, own[self._roster.people[place].person]) for place in apart]
        stand = sorted((place_of(one.factors), one) for one in single if one.peer.person not in without)
        return (one for _, one in merge(stand, self._others(case_id, without, apart), key=lambda pair: pair[0]))

    def _others(
        self, case_id: UUID, without: Container[PersonId], apart: Container[int]
    ) -> Iterator[tuple[Place, Ranked]]:
        begins, people = point(case_id), self._roster.people
        for key in self._keys:
            shelf = self._by_key[key]
            for level in shelf.levels:
                places = shelf.on[level]
                start = bisect_left(places, begins, key=self._roster.points.__getitem__)
                for step in range(len(places)):
                    place = places[(start + step) % len(places)]
                    if place not in apart and people[place].person not in without:
                        yield (key, level), self._ranked(place)

    def room_from(self, without: Container[PersonId]) -> datetime | None:
        """When the first of those who suit, and are not to be asked now, can be; None where nobody knows of any.

        Who is full is not among them: their room is told when it comes.
        """
        self._catch_up()
        people = self._roster.people
        ends = (until for place, until in self._away_until.items() if people[place].person not in without)
        return min(ends, default=None)

    def named(self, person: PersonId, own: Mapping[PersonId, Mapping[str, float]] = NOTHING) -> Ranked | None:
        """This one person, if he suits; one without room, or who is not to be asked now, as one who is not there."""
        found = self.find(person, own)
        place = self._roster.place_of.get(person)
        if found is not None or place is None:
            return found
        peer, load = self._roster.people[place], self._ledger.of(self._roster.carriers[place])
        kind = self._kind(peer)
        if kind is None:
            return None
        rested = load.rested(self._calendar.now)
        factors = _factors(kind._replace(away=True), _level(load), own.get(person, NOTHING), rested=rested)
        return Ranked(peer, available=False, factors=factors, rested=rested)

    def find(self, person: PersonId, own: Mapping[PersonId, Mapping[str, float]] = NOTHING) -> Ranked | None:
        """This one person, if he suits and has room."""
        self._catch_up()
        place = self._roster.place_of.get(person)
        if place is None or place not in self._stood:
            return None
        return self._ranked(place, own.get(person, {}))

    def _ranked(self, place: int, own: Mapping[str, float] = NOTHING) -> Ranked:
        shelf, level = self._stood[place]
        factors = _factors(self._kind_of[place], level, own, rested=shelf.rested)
        return Ranked(self._roster.people[place], shelf.available, factors, shelf.rested)


def _level(load: Load) -> _Level:
    return load.open + load.crisis, load.asked


def _factors(kind: _Kind, level: _Level, own: Mapping[str, float], *, rested: bool) -> dict[str, float]:
    """What a place comes from. Whoever was asked for by name stands in the first tier: the search widens for them."""
    factors = {"available": 0.0 if kind.away else 1.0, **kind.shares, **own}
    factors |= {} if rested else {"resting": -1.0}
    factors |= {"tier": float(-kind.tier)} if kind.tier and not own else {}
    return factors | {"load": float(-level[0]), "asked": float(-level[1])}
