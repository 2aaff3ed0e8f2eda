"""Weekly patterns of hours as people write them, such as `Mon-Fri 08:00-18:00; Sat 10:00-14:00`.

Pure. Times are what a clock on the wall shows in a zone, so a pattern keeps its meaning when daylight saving begins
or ends. A span that ends before it begins runs over midnight and belongs to the day on which it begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MAX_LENGTH = 500

_DAY_MINUTES = 24 * 60
_TIME = r"(?:[01]?\d|2[0-4]):?[0-5]\d"
_SPANS = re.compile(
    rf"^(?P<days>[a-z, /-]*?)\s*:?\s*(?P<spans>{_TIME}\s*-\s*{_TIME}(?:\s*,\s*{_TIME}\s*-\s*{_TIME})*)$"
)
_DAY = {day.lower(): number for number, day in enumerate(DAYS)} | {
    name: number
    for number, name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
}
_EVERY_DAY = frozenset(range(7))
_NAMED = {"": _EVERY_DAY, "daily": _EVERY_DAY, "weekdays": frozenset(range(5)), "weekends": frozenset({5, 6})}
_ALWAYS = {"", "always", "24/7", "24x7"}
_DASHES = str.maketrans({"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u00a0": " "})


class BadHours(ValueError):
    """The text is not a weekly pattern of hours."""


@dataclass(frozen=True, order=True)
class Span:
    """On these days of the week (0 is Monday), from `start` to `end`, in minutes after midnight."""

    days: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Hours:
    """Open during any of the spans; without spans, always."""

    spans: tuple[Span, ...] = ()

    def __str__(self) -> str:
        """The pattern as `parse_hours` reads it again; "" for always."""
        return "; ".join(f"{_days_text(span.days)} {_clock(span.start)}-{_clock(span.end)}" for span in self.spans)


def parse_hours(text: str) -> Hours:
    """Read a weekly pattern.

    Days: `Mon`, `Mon-Fri`, `Fri-Mon`, `Mon,Wed`, `daily`, `weekdays`, `weekends`, or none for every day.
    Times: `08:00-18:00`, `8:00-12:00,13:00-17:00`, `22:00-06:00` (over midnight), `00:00-24:00`. Parts are separated
    by `;` or a new line. "" and `24/7` mean always. Raises `BadHours`, whose text never quotes the input.
    """
    if len(text) > MAX_LENGTH:
        raise BadHours("too long")
    plain = " ".join(text.translate(_DASHES).lower().replace("\n", ";").split())
    if plain in _ALWAYS:
        return Hours()
    spans = [span for part in plain.split(";") if part.strip() for span in _spans_of(part.strip())]
    if not spans:
        raise BadHours("no hours")
    return Hours(tuple(spans))


def is_open(hours: Hours, at: datetime, zone: str) -> bool:
    """Whether `at` (aware) lies inside the pattern, read as wall-clock time in the IANA zone `zone`."""
    if not hours.spans:
        return True
    local = at.astimezone(ZoneInfo(zone))
    today, minute = local.weekday(), local.hour * 60 + local.minute
    return any(_covers(span, today, minute) for span in hours.spans)


def _covers(span: Span, today: int, minute: int) -> bool:
    if span.start < span.end:
        return today in span.days and span.start <= minute < span.end
    began_today = today in span.days and minute >= span.start
    began_yesterday = (today - 1) % 7 in span.days and minute < span.end
    return began_today or began_yesterday


def _spans_of(part: str) -> list[Span]:
    match = _SPANS.fullmatch(part)
    if match is None:
        raise BadHours("not a day and a span of time")
    days = tuple(sorted(_days_of(match["days"].strip(" ,"))))
    pairs = [pair.split("-") for pair in match["spans"].split(",")]
    return [Span(days, *_ends(start.strip(), end.strip())) for start, end in pairs]


def _ends(start: str, end: str) -> tuple[int, int]:
    begins, ends = _minute(start), _minute(end)
    if begins >= _DAY_MINUTES or begins == ends or ends > _DAY_MINUTES:
        raise BadHours("not a span of time")
    return begins, ends


def _minute(text: str) -> int:
    digits = text.replace(":", "")
    return int(digits[:-2]) * 60 + int(digits[-2:])


def _days_of(text: str) -> frozenset[int]:
    if text in _NAMED:
        return _NAMED[text]
    parts = [part for part in re.split(r"\s*[,/]\s*|\s+(?!-)(?<!-\s)", text) if part]
    return frozenset(day for part in parts for day in _range_of(part))


def _range_of(part: str) -> list[int]:
    names = [name.strip() for name in part.split("-")]
    if len(names) > 2 or any(name not in _DAY for name in names):  # noqa: PLR2004 - from and to
        raise BadHours("not a day of the week")
    first, last = _DAY[names[0]], _DAY[names[-1]]
    return [(first + step) % 7 for step in range((last - first) % 7 + 1)]


def _days_text(days: tuple[int, ...]) -> str:
    if len(days) > 2 and days == tuple(range(days[0], days[-1] + 1)):  # noqa: PLR2004 - two days are listed
        return f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
    return ",".join(DAYS[day] for day in days)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
