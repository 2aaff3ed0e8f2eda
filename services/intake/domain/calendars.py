"""When a person is there or away beside their weekly hours: what an agency says, as JSON or as iCalendar. Pure.

Kept is nothing but times: whatever else stands in a calendar (what an event is called, where, with whom) is not read.
Source: RFC 5545; repeating events are worked out by recurring-ical-events. Rules that could keep a machine busy (each
second, an interval of nothing, a million times) are refused before anything works them out. As it says in 3.3.5, a time
that the clocks skip is read by the offset before the change, and of one that they show twice the first is meant, unless
`Entry.later` says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.intake.domain.days import meant
from shared.availability import Span, Window, joined
from shared.errors import Problem, Refused

Means = Literal["there", "away"]
End = Literal["start", "end"]
ENDS: tuple[End, ...] = "start", "end"

MAX_ENTRIES = 200
MAX_LINES = 10_000
"""Of an iCalendar file: so many lines hold 200 events with whatever else programs write into them."""
LONGEST = timedelta(days=366)
SHOWN_TWICE = timedelta(hours=2)
"""So much do clocks go back at most."""
AHEAD = timedelta(days=60)
"""So far are repeating entries worked out; each day the region hears of one day more."""
MOST_WINDOWS = 500
MOST_TIMES = 2_000
_PERIOD = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 30}
_DAYS = r"(MO|TU|WE|TH|FR|SA|SU)"
_END = r"COUNT=[1-9]\d{0,2}|UNTIL=\d{8}(T\d{6}Z?)?"
_RULES = tuple(
    re.compile(rf"FREQ={rule.format(days=_DAYS)}(;({_END}))?(;WKST={_DAYS})?")
    for rule in (
        r"DAILY(;INTERVAL=[1-9]\d{{0,2}})?",
        r"WEEKLY(;INTERVAL=[1-9]\d?)?(;BYDAY={days}(,{days}){{0,6}})?",
        r"MONTHLY(;INTERVAL=([1-9]|1[01]))?(;BYMONTHDAY=(-1|[1-9]|[12]\d|3[01]))?",
        r"MONTHLY(;INTERVAL=([1-9]|1[01]))?;BYDAY=[+-]?[1-5]?{days}(,[+-]?[1-5]?{days}){{0,6}}(;BYSETPOS=-?1)?",
    )
)
"""The rules that are taken, parts in this order: each comes about within a few years, so none is looked for long."""
_ORDER = ("FREQ", "INTERVAL", "BYMONTHDAY", "BYDAY", "BYSETPOS", "COUNT", "UNTIL", "WKST")


def _wall(value: object) -> object:
    """A day stands for its midnight."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return f"{value}T00:00:00"
    return value


def _naive(value: datetime) -> datetime:
    if value.tzinfo is not None:
        raise PydanticCustomError("wall_clock", "a time as a clock on the wall shows it, without an offset")
    if not meant(value.date()):
        raise PydanticCustomError("out_of_range", "a day that somebody means")
    return value.replace(microsecond=0)


def _rule(value: str) -> str:
    named = {name: part for part in value.upper().split(";") for name in (part.partition("=")[0],)}
    sorted_parts = ";".join(named[name] for name in _ORDER if name in named)
    if not _is_moment(named.get("UNTIL", "")):
        raise PydanticCustomError("not_a_rule", "a rule that ends on a day that there is")
    whole = len(named) == value.count(";") + 1 and not set(named) - set(_ORDER)
    if not whole or not any(rule.fullmatch(sorted_parts) for rule in _RULES):
        raise PydanticCustomError("not_a_rule", "a rule of RFC 5545 that repeats by days, weeks or months")
    return sorted_parts


def _is_moment(until: str) -> bool:
    """Whether the last day of a rule is one; a rule without it is fine."""
    text = until.partition("=")[2].rstrip("Z")
    try:
        return not text or bool(datetime.strptime(text, "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d"))  # noqa: DTZ007
    except ValueError:
        return False


Wall = Annotated[datetime, BeforeValidator(_wall), AfterValidator(_naive)]


def _ends(later: tuple[End, ...]) -> tuple[End, ...]:
    return tuple(end for end in ENDS if end in later)


class Entry(BaseModel):
    """From `start` until `end` the person is there, or away; times as a clock on the wall of their zone shows them.

    `repeats` is a rule of RFC 5545 (`FREQ=DAILY;INTERVAL=8`), `but_not` the days on which it begins all the same not.
    `later` names what is meant the second time where clocks that go back show it twice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    means: Means
    start: Wall
    end: Wall
    repeats: Annotated[str, Field(max_length=200), AfterValidator(_rule)] | None = None
    but_not: tuple[date, ...] = Field(default=(), max_length=100)
    later: Annotated[tuple[End, ...], AfterValidator(_ends)] = Field(default=(), max_length=2)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        shortest = -SHOWN_TWICE if self.later == ("end",) else timedelta(0)
        if not shortest < self.end - self.start <= LONGEST:
            raise PydanticCustomError("before_start", "it ends after it begins, within a year")
        if self.later and self.repeats:
            raise PydanticCustomError("not_a_rule", "which of two equal times is meant, of a single time only")
        return self


class Calendar(BaseModel):
    """All entries of a person. `alone`: they are there in these times only, whatever the directory says of hours."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    alone: bool = False
    entries: tuple[Entry, ...] = Field(default=(), max_length=MAX_ENTRIES)

    def also(self, *entries: Entry) -> Calendar:
        """The same with these entries too; what said the opposite of the very same time goes.

        Raises `Refused` 422 when they are too many.
        """
        opposite = {one.model_copy(update={"means": "away" if one.means == "there" else "there"}) for one in entries}
        all_of_them = tuple(dict.fromkeys((*(one for one in self.entries if one not in opposite), *entries)))
        if len(all_of_them) > MAX_ENTRIES:
            raise Refused("calendar-invalid", 422, (Problem("/entries", "too-many"),))
        return Calendar(alone=self.alone, entries=all_of_them)

    def but(self, entry: Entry) -> Calendar:
        """The same without this one."""
        return Calendar(alone=self.alone, entries=tuple(one for one in self.entries if one != entry))

    def without(self, means: Means) -> Calendar:
        """The same without the entries that mean this."""
        return Calendar(alone=self.alone, entries=tuple(one for one in self.entries if one.means != means))


def read_in(entry: Entry, zone: str, other: str) -> Entry:
    """A single time of one zone as the clocks of another one show it."""
    walls = {end: at.astimezone(ZoneInfo(other)) for end, at in _moments(entry, zone)}
    said = {end: at.replace(tzinfo=None, fold=0) for end, at in walls.items()}
    later = tuple(end for end, at in walls.items() if at.fold)
    return Entry(means=entry.means, start=said["start"], end=said["end"], later=later)


def _moments(entry: Entry, zone: str) -> tuple[tuple[End, datetime], ...]:
    """Both ends of an entry in its zone."""
    place = ZoneInfo(zone)
    ends: tuple[tuple[End, datetime], ...] = ("start", entry.start), ("end", entry.end)
    return tuple((end, wall.replace(tzinfo=place, fold=int(end in entry.later))) for end, wall in ends)


def _backwards(entry: Entry, zone: str) -> bool:
    """Whether it ends before it begins, by which of two equal times is meant."""
    (_, start), (_, end) = _moments(entry, zone)
    return bool(entry.later) and end.astimezone(UTC) <= start.astimezone(UTC)


def refuse_backwards(calendar: Calendar, zone: str) -> None:
    """Raise `Refused` 422 for an entry that ends before it begins where its clocks show an hour twice."""
    wrong = [place for place, one in enumerate(calendar.entries) if _backwards(one, zone)]
    if wrong:
        raise Refused("calendar-invalid", 422, tuple(Problem(f"/entries/{one}/end", "before-start") for one in wrong))


def still_ahead(calendar: Calendar, now: datetime) -> Calendar:
    """The same without single times that are over, in whatever zone."""
    over = now.replace(tzinfo=None) - timedelta(days=2)
    return Calendar(
        alone=calendar.alone, entries=tuple(one for one in calendar.entries if one.repeats or one.end > over)
    )


def windows_of(calendar: Calendar, zone: str, now: datetime) -> tuple[Window, ...]:
    """What the entries come to from yesterday until `AHEAD`, in UTC and in order; the next ones where they are many.

    Neighbours that mean the same are one window.
    """
    begin, end = now - timedelta(days=1), now + AHEAD
    found = []
    for means in ("there", "away"):
        own = [one for one in calendar.entries if one.means == means and not _backwards(one, zone)]
        spans = joined(_occurrences(own, zone, begin, end))
        found += [Window(means == "there", start, until) for start, until in spans]
    return tuple(sorted(found, key=lambda one: (one.start, one.on)))[:MOST_WINDOWS]


def refuse_too_many(windows: Sequence[Window]) -> None:
    """Raise `Refused` 422 for a calendar that comes to as many windows as are kept: the last ones may be missing.

    Only when it is set: one that was taken never stops a daily round, however the days fall.
    """
    if len(windows) >= MOST_WINDOWS:
        raise Refused("calendar-invalid", 422, (Problem("/entries", "too-many"),))


def refuse_too_often(calendar: Calendar) -> None:
    """Raise `Refused` 422 for a calendar that would keep a machine busy every day. Only when it is set, as above."""
    if sum(_times_ahead(one) for one in calendar.entries) > MOST_TIMES:
        raise Refused("calendar-invalid", 422, (Problem("/entries", "too-often"),))


def _times_ahead(one: Entry) -> float:
    """About how often an entry comes about in the days that are looked at."""
    if one.repeats is None:
        return 1
    parts = dict(part.split("=", 1) for part in one.repeats.split(";"))
    days = _PERIOD[parts["FREQ"]] * int(parts.get("INTERVAL", "1")) / (parts.get("BYDAY", "").count(",") + 1)
    return 1 + (AHEAD + (one.end - one.start)) / timedelta(days=days)


def _occurrences(entries: Sequence[Entry], zone: str, begin: datetime, end: datetime) -> Iterator[Span]:
    if not entries:
        return
    for event in recurring_ical_events.of(_ical(entries, zone, until=end)).between(begin, end):
        start, until = event["DTSTART"].dt.astimezone(UTC), event["DTEND"].dt.astimezone(UTC)
        # It may begin at a time that is skipped and be over before it.
        if start < until:
            yield start, until


def _ical(entries: Sequence[Entry], zone: str, *, until: datetime | None = None) -> icalendar.Calendar:
    """As iCalendar. With `until` no rule goes on after it, so that nothing looks further."""
    place = ZoneInfo(zone)
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Peerline//availability//EN")
    calendar.add("version", "2.0")
    for number, one in enumerate(entries if until is None else [_later(one, until) for one in entries]):
        event = icalendar.Event()
        event.add("uid", str(uuid5(NAMESPACE_URL, f"{number} {one.model_dump_json()}")))
        event.add("dtstamp", one.start.replace(tzinfo=place))
        for end, moment in _moments(one, zone):
            # iCalendar has no word for the second of two equal times in a zone, so both ends are told in UTC.
            event.add(f"dt{end}", moment.astimezone(UTC) if one.later else moment)
        event.add("summary", one.means)
        event.add("categories", [one.means.upper()])
        if one.repeats:
            rule = icalendar.vRecur.from_ical(one.repeats)
            if until is not None and not {"COUNT", "UNTIL"} & set(rule):
                rule["UNTIL"] = [until.astimezone(UTC)]
            event.add("rrule", rule)
        if one.but_not:
            at = one.start.timetz()
            event.add("exdate", [datetime.combine(day, at, tzinfo=place) for day in one.but_not])
        calendar.add_component(event)
    return calendar


def _later(one: Entry, until: datetime) -> Entry:
    """A series without a count as if it had begun not long ago: whoever works it out begins at its beginning."""
    rule = icalendar.vRecur.from_ical(one.repeats or "")
    days = {"DAILY": 1, "WEEKLY": 7}.get(rule.get("FREQ", [""])[0], 0) * rule.get("INTERVAL", [1])[0]
    old = (until.replace(tzinfo=None) - AHEAD - one.start - LONGEST).days - 2
    if not days or "COUNT" in rule or old <= days:
        return one
    passed = timedelta(days=old // days * days)
    return one.model_copy(update={"start": one.start + passed, "end": one.end + passed})


def ical_of(calendar: Calendar, zone: str) -> bytes:
    """The entries as iCalendar; `calendar_in` reads it back."""
    written: bytes = _ical(calendar.entries, zone).to_ical()
    return written


def calendar_in(body: bytes, zone: str, *, means: Means, alone: bool) -> Calendar:
    """The entries of an iCalendar file. `means`: what its events say where they do not by a category of their own.

    Raises `Refused` 422 `calendar-invalid` with the place of each problem (`/entries/0/start`), never a value.
    """
    if body.count(b"\n") > MAX_LINES:
        raise Refused("calendar-invalid", 422, (Problem("", "too-many"),))
    try:
        events = icalendar.Calendar.from_ical(body.decode("utf-8")).walk("VEVENT")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise Refused("calendar-invalid", 422, (Problem("", "not-a-calendar"),)) from None
    if len(events) > MAX_ENTRIES:
        raise Refused("calendar-invalid", 422, (Problem("/entries", "too-many"),))
    place = ZoneInfo(zone)
    entries: list[Entry] = []
    problems: list[Problem] = []
    moved: dict[str, list[date]] = {}
    for number, event in enumerate(events):
        try:
            # One occurrence that was moved stands for itself; its series leaves that day out.
            if (was := event.get("RECURRENCE-ID")) is not None:
                moved.setdefault(str(event.get("UID")), []).append(_local(was.dt, place).date())
        except (ValueError, TypeError, AttributeError, OverflowError):
            problems.append(Problem(f"/entries/{number}", "not-an-event"))
    for number, event in enumerate(events):
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        try:
            entries.append(_entry(event, place, means, moved))
        except _Unreadable as unreadable:
            problems.append(Problem(f"/entries/{number}{unreadable.field}", unreadable.code))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            problems.append(Problem(f"/entries/{number}", "not-an-event"))
    if problems:
        raise Refused("calendar-invalid", 422, tuple(problems))
    return Calendar(alone=alone, entries=tuple(entries))


class _Unreadable(Exception):
    """An event of a calendar that cannot be kept: which part of it, and why."""

    def __init__(self, field: str, code: str) -> None:
        super().__init__(code)
        self.field, self.code = field, code


def _entry(event: icalendar.Component, place: ZoneInfo, means: Means, moved: Mapping[str, Sequence[date]]) -> Entry:
    if "RDATE" in event or "EXRULE" in event:
        raise _Unreadable("/repeats", "not-a-rule")
    alone = "RECURRENCE-ID" in event
    rule = event.get("RRULE") if not alone else None
    if not isinstance(event, icalendar.Event):
        raise _Unreadable("", "not-an-event")
    starts, ends = event.start, event.end
    walls = {"start": _local(starts, place), "end": _local(ends, place)}
    if isinstance(rule, list):
        raise _Unreadable("/repeats", "not-a-rule")
    if rule is not None and not _same_clock(starts, place):
        # In another zone it would fall on other days, and move when the clocks do.
        raise _Unreadable("/start", "other-zone")
    left_out = [*_days(event.get("EXDATE"), place), *(() if alone else moved.get(str(event.get("UID")), ()))]
    said: dict[str, Any] = {
        "means": _meant(event, means),
        **{end: wall.replace(fold=0) for end, wall in walls.items()},
        "later": tuple(end for end, wall in walls.items() if wall.fold and rule is None),
        "repeats": rule.to_ical().decode() if rule is not None else None,
        "but_not": tuple(dict.fromkeys(left_out)) if rule is not None else (),
    }
    return Entry.model_validate(said)


def _same_clock(starts: date, place: ZoneInfo) -> bool:
    """Whether a series begins in this zone: in it by name, as a whole day, or by the wall's clock without a zone."""
    if not isinstance(starts, datetime) or starts.tzinfo is None:
        return True
    return str(getattr(starts.tzinfo, "key", starts.tzinfo)) == place.key


def _meant(event: icalendar.Event, means: Means) -> Means:
    said = {str(one).lower() for one in event.categories}
    if "away" in said:
        return "away"
    return "there" if "there" in said else means


def _local(moment: date, place: ZoneInfo) -> datetime:
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time())
    return (moment.astimezone(place) if moment.tzinfo is not None else moment).replace(tzinfo=None)


def _days(left_out: object, place: ZoneInfo) -> list[date]:
    lists = left_out if isinstance(left_out, list) else [left_out]
    found = (one for dates in lists if isinstance(dates, icalendar.vDDDLists) for one in dates.dts)
    return [_local(one.dt, place).date() for one in found if isinstance(one.dt, date)]
