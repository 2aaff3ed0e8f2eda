"""Calendars of people: read from JSON and iCalendar, kept as times alone, worked out with clocks that change."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from pydantic import ValidationError

from services.intake.domain.calendars import (
    AHEAD,
    MAX_ENTRIES,
    MAX_LINES,
    MOST_WINDOWS,
    Calendar,
    Entry,
    calendar_in,
    ical_of,
    read_in,
    refuse_backwards,
    refuse_too_many,
    refuse_too_often,
    still_ahead,
    windows_of,
)
from shared.errors import Refused

ZONE = "America/Denver"
NOW = datetime(2026, 10, 29, 15, 0, tzinfo=UTC)


def entry(**changed: object) -> Entry:
    said = {"means": "there", "start": "2026-10-30T22:00", "end": "2026-10-31T06:00"} | changed
    return Entry.model_validate(said)


def starts(calendar: Calendar) -> list[str]:
    return [one.start.isoformat()[:16] for one in windows_of(calendar, ZONE, NOW)]


def test_four_nights_on_and_four_off_keep_their_hour_when_the_clocks_change() -> None:
    nights = tuple(
        entry(start=f"2026-10-{27 + n}T22:00", end=f"2026-10-{28 + n}T06:00", repeats="FREQ=DAILY;INTERVAL=8")
        for n in range(4)
    )
    # Ten at night is four hundred UTC before the first of November, and five hundred after.
    assert starts(Calendar(entries=nights))[:5] == [
        "2026-10-29T04:00",
        "2026-10-30T04:00",
        "2026-10-31T04:00",
        "2026-11-05T05:00",
        "2026-11-06T05:00",
    ]


def test_days_that_are_left_out_are_not_there_and_neighbours_are_one_window() -> None:
    days = entry(start="2026-11-02", end="2026-11-03", repeats="FREQ=DAILY;UNTIL=20261108", but_not=["2026-11-05"])
    (first, second) = windows_of(Calendar(entries=(days,)), ZONE, NOW)
    assert (first.start.day, first.end.day, second.start.day) == (2, 5, 6)


def test_leave_and_shifts_are_told_apart() -> None:
    leave = entry(means="away", start="2026-11-10", end="2026-11-20")
    assert [one.on for one in windows_of(Calendar(entries=(entry(), leave)), ZONE, NOW)] == [True, False]


def test_what_is_written_as_icalendar_is_read_back_the_same() -> None:
    entries = (
        entry(),
        entry(means="away", start="2026-11-10", end="2026-11-20"),
        entry(repeats="FREQ=WEEKLY;BYDAY=MO,TH;INTERVAL=2;COUNT=9", but_not=["2026-11-12"]),
    )
    written = ical_of(Calendar(entries=entries), ZONE)
    assert calendar_in(written, ZONE, means="there", alone=False) == Calendar(entries=entries)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("20261101T070000Z", "20261101T080000Z"),
        ("20261101T073000Z", "20261101T083000Z"),
        ("20261101T083000Z", "20261101T093000Z"),
        ("20261101T073000Z", "20261101T082000Z"),
        ("20261101T083000Z", "20261101T084500Z"),
    ],
)
def test_an_hour_that_comes_twice_is_kept_as_it_was_meant(start: str, end: str) -> None:
    """The first of November in Denver: one o'clock is at seven and at eight UTC."""
    event = f"BEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:{start}\r\nDTSTART:{start}\r\nDTEND:{end}\r\nEND:VEVENT"
    body = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{event}\r\nEND:VCALENDAR\r\n"
    said = calendar_in(body.encode(), ZONE, means="there", alone=False)
    kept = Calendar.model_validate_json(said.model_dump_json(exclude_defaults=True))
    meant = [datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for text in (start, end)]
    assert [[one.start, one.end] for one in windows_of(kept, ZONE, NOW)] == [meant]
    assert calendar_in(ical_of(kept, ZONE), ZONE, means="there", alone=False) == kept


def test_a_shift_within_an_hour_that_is_skipped_is_no_time_at_all() -> None:
    before = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
    skipped = entry(start="2026-03-07T02:30", end="2026-03-07T03:15", repeats="FREQ=DAILY;COUNT=3")
    assert [one.start.day for one in windows_of(Calendar(entries=(skipped,)), ZONE, before)] == [7, 9]
    # From 02:30 by the offset before the change, as RFC 5545 reads it: 03:30.
    (longer,) = windows_of(Calendar(entries=(entry(start="2026-03-08T02:30", end="2026-03-08T05:00"),)), ZONE, before)
    assert (longer.start.hour, longer.start.minute, longer.end.hour) == (9, 30, 11)


def test_only_a_single_time_can_be_the_second_of_two() -> None:
    with pytest.raises(ValidationError):
        entry(later=["end"], repeats="FREQ=DAILY")


FOREIGN = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Somebody//Rota//EN\r
BEGIN:VTIMEZONE\r
TZID:America/Denver\r
BEGIN:STANDARD\r
DTSTART:20071104T020000\r
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\r
TZOFFSETFROM:-0600\r
TZOFFSETTO:-0700\r
END:STANDARD\r
BEGIN:DAYLIGHT\r
DTSTART:20070311T020000\r
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\r
TZOFFSETFROM:-0700\r
TZOFFSETTO:-0600\r
END:DAYLIGHT\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
UID:one@example.test\r
DTSTAMP:20261001T000000Z\r
DTSTART;TZID=America/Denver:20261102T080000\r
DTEND;TZID=America/Denver:20261102T160000\r
RRULE:FREQ=WEEKLY;BYDAY=MO\r
SUMMARY:Canary: therapy with Dr. Name\r
LOCATION:Canary street 4\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:one@example.test\r
RECURRENCE-ID;TZID=America/Denver:20261109T080000\r
DTSTAMP:20261001T000000Z\r
DTSTART;TZID=America/Denver:20261110T080000\r
DTEND;TZID=America/Denver:20261110T160000\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:two@example.test\r
DTSTAMP:20261001T000000Z\r
DTSTART;VALUE=DATE:20261123\r
DTEND;VALUE=DATE:20261125\r
CATEGORIES:AWAY\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:three@example.test\r
DTSTAMP:20261001T000000Z\r
DTSTART:20261201T030000Z\r
DURATION:PT2H\r
END:VEVENT\r
END:VCALENDAR\r
"""


def test_a_calendar_from_elsewhere_is_read_with_an_occurrence_that_was_moved_and_no_word_of_it_kept() -> None:
    calendar = calendar_in(FOREIGN.encode(), ZONE, means="there", alone=True)
    assert calendar.alone
    assert "canary" not in calendar.model_dump_json().lower()
    found = [(one.on, one.start.isoformat()[:16]) for one in windows_of(calendar, ZONE, NOW)]
    assert found[:5] == [
        (True, "2026-11-02T15:00"),
        (True, "2026-11-10T15:00"),
        (True, "2026-11-16T15:00"),
        (False, "2026-11-23T07:00"),
        (True, "2026-11-23T15:00"),
    ]
    assert (True, "2026-12-01T03:00") in found


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;INTERVAL=5",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=1000000000",
        "FREQ=YEARLY",
        "FREQ=DAILY;BYHOUR=1,2",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=9MO",
        "FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=5",
        "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=31",
        "FREQ=WEEKLY\nRRULE:FREQ=SECONDLY",
    ],
)
def test_rules_that_could_keep_a_machine_busy_are_refused(rule: str) -> None:
    with pytest.raises(ValidationError):
        entry(repeats=rule)
    ics = FOREIGN.replace("FREQ=WEEKLY;BYDAY=MO", rule.splitlines()[0]).encode()
    if "\n" not in rule:
        with pytest.raises(Refused) as caught:
            calendar_in(ics, ZONE, means="there", alone=False)
        assert [(one.pointer, one.code) for one in caught.value.problems] == [("/entries/0", "not-an-event")]


@pytest.mark.parametrize(
    "rule", ["FREQ=MONTHLY;BYMONTHDAY=31;INTERVAL=4", "FREQ=MONTHLY;BYDAY=5MO", "FREQ=WEEKLY;BYDAY=SU", "FREQ=DAILY"]
)
def test_a_calendar_full_of_old_rules_is_worked_out_in_a_moment(rule: str) -> None:
    old = [entry(start=f"1990-02-01T{n // 60:02d}:{n % 60:02d}", end="1990-02-02", repeats=rule) for n in range(100)]
    began = time.process_time()
    windows_of(Calendar(entries=tuple(old)), ZONE, NOW)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("rule", ["FREQ=DAILY;INTERVAL=9", "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,SA", "FREQ=DAILY"])
def test_an_old_series_falls_on_the_days_that_it_always_fell_on(rule: str) -> None:
    old = entry(start="2001-01-06T08:00", end="2001-01-06T09:00", repeats=rule)
    counted = icalendar.vRecur.from_ical(rule)
    counted["UNTIL"] = datetime(2027, 1, 1, tzinfo=UTC)
    event = icalendar.Event()
    event.add("dtstart", old.start.replace(tzinfo=ZoneInfo(ZONE)))
    event.add("dtend", old.end.replace(tzinfo=ZoneInfo(ZONE)))
    event.add("rrule", counted)
    whole = icalendar.Calendar()
    whole.add_component(event)
    found = recurring_ical_events.of(whole).between(NOW - timedelta(days=1), NOW + AHEAD)
    assert starts(Calendar(entries=(old,))) == sorted(
        each["DTSTART"].dt.astimezone(UTC).isoformat()[:16] for each in found
    )


@pytest.mark.parametrize(
    ("changed", "pointer", "code"),
    [
        (("RRULE:FREQ=WEEKLY;BYDAY=MO", "RDATE:20261201T000000Z"), "/entries/0/repeats", "not-a-rule"),
        (("DTSTART;TZID=America/Denver:20261102T080000", "DTSTART:20261102T150000Z"), "/entries/0/start", "other-zone"),
        (("DTSTART:20261201T030000Z", "DTSTART:20261301T030000Z"), "/entries/3", "not-an-event"),
        (("DURATION:PT2H", "DURATION:-PT2H"), "/entries/3", "not-an-event"),
        (("DURATION:PT2H", "DURATION:P9999D"), "/entries/3", "not-an-event"),
    ],
)
def test_what_cannot_be_kept_is_named_by_its_place(changed: tuple[str, str], pointer: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        calendar_in(FOREIGN.replace(*changed, 1).encode(), ZONE, means="there", alone=False)
    assert [(one.pointer, one.code) for one in caught.value.problems] == [(pointer, code)]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"hello"])
def test_what_is_no_calendar_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        calendar_in(body, ZONE, means="there", alone=False)
    assert [(one.pointer, one.code) for one in caught.value.problems] == [("", "not-a-calendar")]


def test_more_windows_than_are_kept_are_refused_when_they_are_set_and_cut_when_a_day_has_passed() -> None:
    many = tuple(
        entry(start=f"2026-10-01T{hour:02d}:00", end=f"2026-10-01T{hour:02d}:30", repeats="FREQ=DAILY")
        for hour in range(10)
    )
    windows = windows_of(Calendar(entries=many), ZONE, NOW)
    assert len(windows) == MOST_WINDOWS
    assert windows[0].start < NOW + timedelta(days=1)
    with pytest.raises(Refused):
        refuse_too_many(windows)
    refuse_too_many(windows_of(Calendar(entries=many[:8]), ZONE, NOW))


def test_there_is_an_end_to_entries() -> None:
    full = Calendar(entries=tuple(entry(end=f"2026-11-01T{n // 60:02d}:{n % 60:02d}") for n in range(MAX_ENTRIES)))
    with pytest.raises(Refused):
        full.also(entry(means="away"))
    assert full.also(full.entries[0]) == full


def test_a_shift_that_is_given_back_is_as_if_it_had_never_been_given() -> None:
    night = {"start": "2026-11-05T22:00", "end": "2026-11-06T06:00"}
    away, there = entry(means="away", **night), entry(means="there", **night)
    giver, taker = Calendar().also(away), Calendar().also(there)
    giver, taker = giver.also(there), taker.also(away)
    assert (giver.entries, taker.entries) == ((there,), (away,))


def test_single_times_that_are_over_are_not_carried_along_and_series_are() -> None:
    old, series, next_one = (
        entry(start="2020-01-01", end="2020-01-02"),
        entry(start="2020-01-01", end="2020-01-02", repeats="FREQ=WEEKLY"),
        entry(start="2030-01-01", end="2030-01-02"),
    )
    assert still_ahead(Calendar(entries=(old, series, next_one)), NOW).entries == (series, next_one)


@pytest.mark.parametrize("until", ["20269999", "20260101T256199Z", "20260230"])
def test_a_rule_that_ends_on_no_day_is_refused(until: str) -> None:
    with pytest.raises(ValidationError):
        entry(repeats=f"FREQ=DAILY;UNTIL={until}")


@pytest.mark.parametrize(
    "line",
    [
        "RECURRENCE-ID:20261102T150000Z\r\nRECURRENCE-ID:20261103T150000Z",
        "RECURRENCE-ID:nonsense",
        "RECURRENCE-ID;VALUE=PERIOD:20261102T150000Z/PT1H",
        "RECURRENCE-ID;VALUE=DURATION:PT1H",
        "RECURRENCE-ID;VALUE=TIME:150000",
        "RECURRENCE-ID:00010101T000000Z",
        "CATEGORIES;VALUE=DATE:foo",
    ],
)
def test_a_calendar_that_is_garbled_is_refused_and_never_an_error_of_ours(line: str) -> None:
    body = FOREIGN.replace("BEGIN:VEVENT\r\n", f"BEGIN:VEVENT\r\n{line}\r\n", 1)
    assert line in body
    with pytest.raises(Refused) as caught:
        calendar_in(body.encode(), ZONE, means="there", alone=False)
    assert caught.value.status == 422


def test_an_event_that_was_called_off_is_none() -> None:
    called_off = FOREIGN.replace("BEGIN:VEVENT\r\n", "BEGIN:VEVENT\r\nSTATUS:CANCELLED\r\n", 1)
    every = calendar_in(FOREIGN.encode(), ZONE, means="there", alone=False)
    left = calendar_in(called_off.encode(), ZONE, means="there", alone=False)
    assert len(left.entries) == len(every.entries) - 1


def test_a_file_of_very_many_lines_is_refused_before_it_is_read() -> None:
    with pytest.raises(Refused) as caught:
        calendar_in(b"\r\n" * (MAX_LINES + 1), ZONE, means="there", alone=False)
    assert [one.code for one in caught.value.problems] == ["too-many"]


def test_a_calendar_that_would_keep_a_machine_busy_every_day_is_refused_when_it_is_set() -> None:
    rota = Calendar(entries=(entry(repeats="FREQ=DAILY;INTERVAL=8"), entry(repeats="FREQ=WEEKLY;BYDAY=MO,TU")))
    refuse_too_often(rota)
    daily = tuple(entry(end=f"2026-11-01T10:{n:02d}", repeats="FREQ=DAILY") for n in range(40))
    with pytest.raises(Refused):
        refuse_too_often(Calendar(entries=daily))
    long = entry(end="2027-10-30", repeats="FREQ=DAILY")
    with pytest.raises(Refused):
        refuse_too_often(Calendar(entries=(long, long.model_copy(update={"means": "away"}), *[long] * 4)))


@pytest.mark.parametrize(
    ("start", "later", "seen"),
    [
        ("2026-07-01T08:00:00", (), "2026-07-01T10:00:00"),
        # New York's clocks have gone back when Denver's show this hour; Denver's show it twice.
        ("2026-11-01T01:30:00", (), "2026-11-01T02:30:00"),
        ("2026-11-01T01:30:00", ("start",), "2026-11-01T03:30:00"),
    ],
)
def test_a_single_time_is_read_by_the_clocks_of_another_zone(start: str, later: tuple[str, ...], seen: str) -> None:
    entry = Entry.model_validate({"means": "away", "start": start, "end": "2026-12-01T00:00:00", "later": later})
    moved = read_in(entry, "America/Denver", "America/New_York")
    assert moved.start.isoformat() == seen
    assert read_in(moved, "America/New_York", "America/Denver") == entry


@pytest.mark.parametrize(
    ("start", "end", "later"),
    [
        ("2026-11-01T12:00:00", "2026-11-01T11:30:00", ("end",)),
        ("2026-11-01T01:30:00", "2026-11-01T01:45:00", ("start",)),
    ],
)
def test_what_ends_before_it_begins_is_refused_where_an_hour_comes_twice(
    start: str, end: str, later: tuple[str, ...]
) -> None:
    entry = Entry.model_validate({"means": "away", "start": start, "end": end, "later": later})
    backwards = Calendar(entries=(entry,))
    with pytest.raises(Refused) as refused:
        refuse_backwards(backwards, "America/Chicago")
    assert [one.pointer for one in refused.value.problems] == ["/entries/0/end"]
    assert windows_of(backwards, "America/Chicago", datetime(2026, 10, 31, tzinfo=UTC)) == ()


def test_which_of_two_equal_times_is_meant_reads_the_same_in_any_order() -> None:
    said = {"means": "away", "start": "2026-11-01T01:30:00", "end": "2026-11-01T01:45:00"}
    ends = [Entry.model_validate(said | {"later": later}).later for later in (["end", "start"], ["end", "end"])]
    assert ends == [("start", "end"), ("end",)]
