"""Peers as matching knows them, and when they are there: the directory's facts, no names and no contact points."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.hours import BadHours, Hours, is_open, parse_hours
from shared.types import PersonId, Role

DAYS_AHEAD = 8
"""A weekly pattern opens within a week; one day more for a span that begins earlier today."""


class Peer(NamedTuple):
    """A person of the directory. `time_zone` is the agency's; `hours` a weekly pattern in it, "" for always."""

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

    @property
    def useful(self) -> bool:
        """May be asked or told anything at all."""
        return self.active and self.verified

    @property
    def coordinates(self) -> bool:
        """Is told, as a count, that nobody was found."""
        return self.useful and self.role == Role.COORDINATOR


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


class Calendar:
    """Days and hours at one moment, each worked out once per zone and pattern."""

    def __init__(self, now: datetime) -> None:
        """`now` is the region's time."""
        self.now = now
        self._days: dict[str, date] = {}
        self._open: dict[tuple[str, str], bool] = {}

    def today(self, zone: str) -> date:
        """The date that a calendar on the wall shows in this zone."""
        day = self._days.get(zone)
        if day is None:
            day = self._days[zone] = self.now.astimezone(ZoneInfo(zone_named(zone))).date()
        return day

    def there(self, peer: Peer) -> bool:
        """Whether the peer's hours say that he can be asked now."""
        if not peer.hours:
            return True
        key = peer.hours, peer.time_zone
        answer = self._open.get(key)
        if answer is None:
            answer = self._open[key] = is_open(pattern(peer.hours), self.now, zone_named(peer.time_zone))
        return answer

    def next_there(self, peers: Iterable[Peer]) -> datetime | None:
        """When the first of these peers can be asked: now, later, or never (None) when there are none."""
        patterns = {(peer.hours, zone_named(peer.time_zone)) for peer in peers}
        return min((next_opening(pattern(hours), self.now, zone) for hours, zone in patterns), default=None)


def next_opening(hours: Hours, at: datetime, zone: str) -> datetime:
    """The first moment from `at` on (aware; the answer is in UTC) at which the pattern is open in this zone."""
    if is_open(hours, at, zone):
        return at.astimezone(UTC)
    place = ZoneInfo(zone)
    first = at.astimezone(place).date()
    days = (first + timedelta(days=ahead) for ahead in range(DAYS_AHEAD))
    openings = (
        datetime(day.year, day.month, day.day, *divmod(span.start, 60), tzinfo=place).astimezone(UTC)
        for day in days
        for span in hours.spans
        if day.weekday() in span.days
    )
    return min(opening for opening in openings if opening >= at)
