"""Peers as matching knows them, and when they are there: the directory's facts, no names and no contact points."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.availability import Times, joined, windows_in
from shared.hours import BadHours, Hours, parse_hours
from shared.types import PersonId, Role


class Peer(NamedTuple):
    """A person of the directory. `hours` is a weekly pattern in `time_zone`, their own; "" for always.

    `windows`: what is otherwise than that, as `shared.availability.text_of` writes it; `alone`: only they count.
    """

    person: PersonId
    active: bool
    role: str
    verified: bool
    attributes: frozenset[str] = frozenset()
    offers: frozenset[str] = frozenset()
    designated_from: date | None = None
    designated_to: date | None = None
    trained_until: date | None = None
    hours: str = ""
    time_zone: str = "UTC"
    language: str = "en"
    windows: str = ""
    alone: bool = False
    bearer: PersonId | None = None
    """Of a peer whom another agency lends: who this is at home, and who carries what this one takes on."""
    agency_zone: str = ""
    """Where that is known; until then everybody's zone is their agency's."""

    @property
    def carrier(self) -> PersonId:
        """In whose name loads are counted: whoever serves several agencies is one person with one week."""
        return self.bearer or self.person

    @property
    def day_zone(self) -> str:
        """Whose days designation and training go by: the agency's, wherever the peer lives."""
        return self.agency_zone or self.time_zone

    def says(self, tokens: Collection[str]) -> int:
        """How many of these this peer says of themselves; the directory's column of the language says so too."""
        if not tokens:
            return 0
        spoken = f"language:{language_of(self.language)}", f"language:{self.language.lower()}"
        return sum(one in self.attributes or one in spoken for one in {*tokens})

    @property
    def useful(self) -> bool:
        """May be asked or told anything at all."""
        return self.active and self.verified

    @property
    def times(self) -> Times:
        """When this peer is there."""
        return Times(pattern(self.hours), zone_named(self.time_zone), windows_in(self.windows), self.alone)

    @property
    def coordinates(self) -> bool:
        """Is told, as a count, that nobody was found."""
        return self.useful and self.role == Role.COORDINATOR


def language_of(tag: str) -> str:
    """The language of a BCP 47 tag, without region or script."""
    return tag.partition("-")[0].lower()


@lru_cache(maxsize=4096)
def pattern(text: str) -> Hours:
    """The weekly pattern in a text; what cannot be read means always, so that nobody is lost to a typing error."""
    try:
        return parse_hours(text)
    except BadHours:
        return Hours()


@lru_cache(maxsize=1024)
def zone_named(name: str) -> str:
    """An IANA zone that can be computed with; UTC for an unknown one, so that one bad row stops no agency's cases."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"


_When = tuple[str, str, str, bool]


def _when(peer: Peer) -> _When:
    """What decides when somebody is there: equal for many."""
    return peer.hours, peer.time_zone, peer.windows, peer.alone


class Calendar:
    """Days and hours at one moment, each worked out once per zone and pattern."""

    def __init__(self, now: datetime) -> None:
        """`now` is the region's time."""
        self.now = now
        self._days: dict[str, date] = {}
        self._there: dict[tuple[object, ...], bool] = {}
        self._off: dict[tuple[object, ...], bool] = {}
        self._openings: dict[_When, datetime | None] = {}

    def today(self, zone: str) -> date:
        """The date that a calendar on the wall shows in this zone."""
        day = self._days.get(zone)
        if day is None:
            day = self._days[zone] = self.now.astimezone(ZoneInfo(zone_named(zone))).date()
        return day

    def there(self, peer: Peer) -> bool:
        """Whether the peer's hours say that he can be asked now."""
        return self._answered(peer, self._there, Times.there)

    def off(self, peer: Peer) -> bool:
        """Whether the peer is on leave, or has said that nothing shall be asked now."""
        return bool(peer.windows) and self._answered(peer, self._off, Times.off)

    def off_until(self, peer: Peer) -> datetime:
        """When the time ends in which nothing shall be asked of this peer, who is `off` now."""
        spans = joined((one.start, one.end) for one in peer.times.windows if not one.on)
        return next(end for start, end in spans if start <= self.now < end)

    def _answered(
        self, peer: Peer, known: dict[tuple[object, ...], bool], question: Callable[[Times, datetime], bool]
    ) -> bool:
        if not (peer.hours or peer.windows or peer.alone):
            return True
        key = _when(peer)
        answer = known.get(key)
        if answer is None:
            answer = known[key] = question(peer.times, self.now)
        return answer

    def next_there(self, peers: Iterable[Peer]) -> datetime | None:
        """When the first of these peers can be asked: now, later, or (None) nobody knows, or there are none."""
        openings = (self._opening(key, peer) for key, peer in {_when(peer): peer for peer in peers}.items())
        return min((opening for opening in openings if opening is not None), default=None)

    def _opening(self, key: _When, peer: Peer) -> datetime | None:
        if key not in self._openings:
            self._openings[key] = peer.times.next_there(self.now)
        return self._openings[key]
