"""When somebody can be asked: a weekly pattern, and windows of time that add to it or take away from it. Pure.

A window is a span between two moments (UTC), so it means the same whatever the clocks do; the pattern is what a clock
on the wall shows, see `shared.hours`. Off wins over on, and on over the pattern. Off means not to be asked at all
(leave, a pause); outside of the pattern means not now, if it can wait.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from heapq import merge
from operator import itemgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared.hours import Hours, is_open

DAYS_AHEAD = 15
"""A weekly pattern opens within a week, or two where the clocks skip its only hour; one day more for what is begun."""
_DAY = timedelta(days=1)
_DAY_SECONDS = 86_400


class Window(NamedTuple):
    """From `start` until before `end`, both aware. `on`: there in any case; else not to be asked."""

    on: bool
    start: datetime
    end: datetime

    def covers(self, at: datetime) -> bool:
        """Whether the moment lies in it."""
        return self.start <= at < self.end


class Times(NamedTuple):
    """When somebody is there. `alone`: the windows stand for themselves, there is no weekly pattern."""

    hours: Hours
    zone: str
    windows: tuple[Window, ...] = ()
    alone: bool = False

    def off(self, at: datetime) -> bool:
        """Not to be asked at all at this moment."""
        return any(window.covers(at) for window in self.windows if not window.on)

    def there(self, at: datetime) -> bool:
        """Whether this person can be asked at this moment (aware)."""
        covering = [window.on for window in self.windows if window.covers(at)]
        if covering:
            return all(covering)
        return not self.alone and is_open(self.hours, at, self.zone)

    def next_there(self, at: datetime) -> datetime | None:
        """The first moment from `at` on at which they can be asked, in UTC; None when no such moment is known."""
        if self.there(at):
            return at.astimezone(UTC)
        last = max((window.end for window in self.windows if window.end > at), default=at)
        presence = _Presence.of(self)
        coming = self._changes(at, last + timedelta(days=DAYS_AHEAD))
        return next((moment for moment in coming if presence.at(moment)), None)

    def changes(self, at: datetime, until: datetime) -> list[datetime]:
        """Every moment between the two at which they may come or go, in order and in UTC; at others they never do."""
        return list(self._changes(at, until))

    def _changes(self, at: datetime, until: datetime) -> Iterator[datetime]:
        bounds = sorted({bound.astimezone(UTC) for one in self.windows for bound in (one.start, one.end)})
        pattern = () if self.alone else _pattern_changes(self.hours, self.zone, at, until)
        # Lazily: whoever is there tomorrow needs no look at the week after.
        return (moment for moment in merge(bounds, pattern) if at < moment < until)


Span = tuple[datetime, datetime]
"""From a moment until before another one."""


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same time in order and without overlaps: neighbours are one span."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


class _Presence(NamedTuple):
    """The same answers as `Times.there` for many moments: its windows in order, without overlaps."""

    times: Times
    off: list[Span]
    on: list[Span]

    @classmethod
    def of(cls, times: Times) -> _Presence:
        off, on = (joined((one.start, one.end) for one in times.windows if one.on == on) for on in (False, True))
        return cls(times, off, on)

    def at(self, moment: datetime) -> bool:
        if _within(self.off, moment):
            return False
        if _within(self.on, moment):
            return True
        return not self.times.alone and is_open(self.times.hours, moment, self.times.zone)


def _within(spans: Sequence[Span], moment: datetime) -> bool:
    place = bisect_right(spans, moment, key=itemgetter(0)) - 1
    return place >= 0 and moment < spans[place][1]


def _pattern_changes(hours: Hours, zone: str, at: datetime, until: datetime) -> Iterator[datetime]:
    """In order, every moment (UTC) of these days at which the pattern may begin or end; more than do, never fewer."""
    edges = {timedelta(minutes=minute) for span in hours.spans for minute in (span.start, span.end)}
    day, last = at.astimezone(UTC).date(), until.astimezone(UTC).date()
    while edges and day <= last:
        midnight = datetime.combine(day, time(), UTC)
        offsets, shift = _clock_on(zone, day)
        # Where the clocks change, a wall shows some times twice and others never: each edge by either offset, and the
        # change itself, which leads into the midst of a span or out of it.
        yield from sorted({midnight + (edge - offset) % _DAY for edge in edges for offset in offsets} | shift)
        day += _DAY


@lru_cache(maxsize=8192)
def _clock_on(zone: str, day: date) -> tuple[frozenset[timedelta], frozenset[datetime]]:
    """The zone's offsets during a day of UTC, and the moment at which they change; no zone does so twice in a day."""
    place, begin = ZoneInfo(zone), datetime.combine(day, time(), UTC)

    def offset(second: int) -> timedelta:
        return (begin + timedelta(seconds=second)).astimezone(place).utcoffset() or timedelta(0)

    first, last = offset(0), offset(_DAY_SECONDS)
    if first == last:
        return frozenset({first}), frozenset()
    second = bisect_left(range(_DAY_SECONDS), 1, key=lambda one: offset(one) != first)
    return frozenset({first, last}), frozenset({begin + timedelta(seconds=second)})


def text_of(windows: Iterable[Window]) -> str:
    """Windows as one text, in seconds since 1970; "" for none. `windows_in` reads it."""
    rows = [[int(one.on), int(one.start.timestamp()), int(one.end.timestamp())] for one in windows]
    return json.dumps(rows, separators=(",", ":")) if rows else ""


@lru_cache(maxsize=8192)
def windows_in(text: str) -> tuple[Window, ...]:
    """What `text_of` wrote."""
    rows = json.loads(text) if text else []
    return tuple(Window(bool(on), _moment(start), _moment(end)) for on, start, end in rows)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Gap(NamedTuple):
    """From `start` until `end` (UTC) only `there` people of a team can be asked."""

    start: datetime
    end: datetime
    there: int


def gaps(team: Sequence[Times], at: datetime, until: datetime, least: int) -> list[Gap]:
    """When fewer than `least` of a team are there, between two moments; neighbours of one number are one gap."""
    begin = at.astimezone(UTC)
    steps: Counter[datetime] = Counter({begin: 0})
    for one in team:
        presence, before = _Presence.of(one), 0
        for moment in (begin, *one.changes(at, until)):
            now = int(presence.at(moment))
            if now != before:
                steps[moment] += now - before
            before = now
    moments, there = sorted(steps), 0
    found: list[Gap] = []
    for start, end in zip(moments, [*moments[1:], until.astimezone(UTC)], strict=True):
        there += steps[start]
        if there >= least:
            continue
        if found and (found[-1].end, found[-1].there) == (start, there):
            found[-1] = Gap(found[-1].start, end, there)
        else:
            found.append(Gap(start, end, there))
    return found
