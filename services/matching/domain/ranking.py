"""In which order suitable peers are asked, and why: a plain order with named parts that a coordinator can read.

Whoever rests after an emergency (72 h by default) comes last of all; they are asked for another emergency only when
nobody else suitable is left, which `search` sees to. Who is there comes before who is not; then what the requester
has stated, language and current training; then fair load: who carries least, then who was asked least lately. Among
equals each case begins at a place of its own, so that nobody is the favourite. No study gives weights for stated
wishes (domain, section 2): these are ours.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from services.matching.domain.eligibility import suits, trained
from services.matching.domain.loads import Ledger
from services.matching.domain.people import Calendar, Peer
from shared.events.intake import Ask
from shared.types import PersonId, Urgency

PREFERRED, AVOIDED, SAME_LANGUAGE, TRAINED = 2.0, -3.0, 1.0, 0.5


class Ranked(NamedTuple):
    """A candidate and what his place comes from. `rested`: not in the cool-down after an emergency."""

    peer: Peer
    available: bool
    factors: dict[str, float]
    rested: bool = True


_Key = tuple[bool, bool, float]
"""Resting, away, and the stated parts the other way round: the least comes first."""


class _Shelf(NamedTuple):
    """Peers whom nothing but their load tells apart: for each level of load the positions of its peers, ascending."""

    rested: bool
    available: bool
    levels: list[tuple[int, int]]
    on: dict[tuple[int, int], list[int]]


def is_crisis(ask: Ask) -> bool:
    """Whether the case counts as an emergency: crisis lane, crisis cap, anybody may be asked."""
    return ask.urgency is Urgency.EMERGENCY


def cap_of(ask: Ask) -> int:
    """How many cases of this kind a peer may carry, by the policy stamped on the case."""
    return ask.policy.crisis_cases_per_peer if is_crisis(ask) else ask.policy.open_cases_per_peer


def language_of(tag: str) -> str:
    """The language of a BCP 47 tag, without region or script."""
    return tag.partition("-")[0].lower()


def stated(peer: Peer, ask: Ask, *, trained_now: bool) -> dict[str, float]:
    """The parts of the order that load does not touch, without those that are nothing."""
    language = language_of(ask.language)
    speaks = language_of(peer.language) == language or f"language:{language}" in peer.attributes
    shares = {
        "prefer": PREFERRED * len(peer.attributes.intersection(ask.wishes.prefer)),
        "avoid": AVOIDED * len(peer.attributes.intersection(ask.wishes.avoid)),
        "language": SAME_LANGUAGE * speaks,
        "trained": TRAINED * trained_now,
    }
    return {name: share for name, share in shares.items() if share}


class Shelves:
    """The peers of one agency who suit one kind of ask, kept in order while their loads move.

    Made once per batch and kind of ask; asking for the best of 5,000 peers costs the same as of 50.
    """

    def __init__(self, peers: Sequence[Peer], ask: Ask, calendar: Calendar, ledger: Ledger) -> None:
        """Sorts in those who suit; the order in which `peers` come changes nothing."""
        self._peers = sorted(peers)
        self._crisis, self._cap, self._ledger = is_crisis(ask), cap_of(ask), ledger
        self._seen = len(ledger.log)
        self._calendar = calendar
        self._shares: dict[int, dict[str, float]] = {}
        self._shelf_of: dict[int, _Shelf] = {}
        self._by_key: dict[_Key, _Shelf] = {}
        self._keys: list[_Key] = []
        self._level_of: dict[int, tuple[int, int]] = {}
        self._position = {peer.person: place for place, peer in enumerate(self._peers)}
        for place, peer in enumerate(self._peers):
            today = calendar.today(peer.time_zone)
            if not suits(peer, ask, today):
                continue
            self._shares[place] = stated(peer, ask, trained_now=trained(peer, today))
            self._put(place)

    def _shelf(self, peer: Peer, share: float) -> _Shelf:
        """Where such a peer stands, with a place in the order if nobody has stood there yet."""
        rest = self._ledger.of(peer.person).rest_until
        key = (rest is not None and rest > self._calendar.now, not self._calendar.there(peer), -share)
        if key not in self._by_key:
            self._by_key[key] = _Shelf(not key[0], not key[1], [], {})
            insort(self._keys, key)
        return self._by_key[key]

    def _put(self, place: int) -> None:
        """Where a peer now belongs; nowhere when he is at his cap."""
        load = self._ledger.of(self._peers[place].person)
        if load.taken(crisis=self._crisis) >= self._cap:
            return
        level = (load.open + load.crisis, load.asked)
        shelf = self._shelf_of[place] = self._shelf(self._peers[place], sum(self._shares[place].values()))
        if level not in shelf.on:
            shelf.on[level] = []
            insort(shelf.levels, level)
        insort(shelf.on[level], place)
        self._level_of[place] = level

    def _take(self, place: int) -> None:
        level = self._level_of.pop(place, None)
        if level is None:
            return
        shelf = self._shelf_of[place]
        places = shelf.on[level]
        del places[bisect_left(places, place)]
        if not places:
            del shelf.on[level]
            del shelf.levels[bisect_left(shelf.levels, level)]

    def _catch_up(self) -> None:
        for person in self._ledger.log[self._seen :]:
            place = self._position.get(person)
            if place is not None and place in self._shares:
                self._take(place)
                self._put(place)
        self._seen = len(self._ledger.log)

    def best(self, case_id: UUID, without: Container[PersonId]) -> Iterator[Ranked]:
        """Whoever may still be asked, best first. Take what is needed before any load moves again."""
        self._catch_up()
        for shelf in (self._by_key[key] for key in self._keys):
            for level in shelf.levels:
                places = shelf.on[level]
                start = case_id.int % len(places)
                for step in range(len(places)):
                    place = places[(start + step) % len(places)]
                    if self._peers[place].person not in without:
                        yield self._ranked(place, shelf)

    def find(self, person: PersonId) -> Ranked | None:
        """This one person, if he suits and has room."""
        self._catch_up()
        place = self._position.get(person)
        if place is None or place not in self._level_of:
            return None
        return self._ranked(place, self._shelf_of[place])

    def _ranked(self, place: int, shelf: _Shelf) -> Ranked:
        carried, asked = self._level_of[place]
        factors = {"available": 1.0 if shelf.available else 0.0, **self._shares[place]}
        factors |= {} if shelf.rested else {"resting": -1.0}
        factors |= {"load": float(-carried), "asked": float(-asked)}
        return Ranked(self._peers[place], shelf.available, factors, shelf.rested)
