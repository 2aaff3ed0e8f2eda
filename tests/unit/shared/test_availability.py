"""When somebody can be asked: windows over weekly hours, clocks that change, and the gaps of a team."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.availability import Gap, Times, Window, gaps, text_of, windows_in
from shared.hours import Hours, parse_hours

ZONE = "America/Chicago"
MONDAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
"""Nine in the morning in Chicago."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(start: str, end: str, *, on: bool) -> Window:
    return Window(on, at(start), at(end))


def test_off_wins_over_on_and_on_over_the_hours() -> None:
    times = Times(
        parse_hours("Mon 08:00-12:00"),
        ZONE,
        (
            window("2026-11-23T20:00", "2026-11-24T02:00", on=True),
            window("2026-11-23T22:00", "2026-11-23T23:00", on=False),
        ),
    )
    asked = {
        "2026-11-23T15:00": True,
        "2026-11-23T19:00": False,
        "2026-11-23T21:00": True,
        "2026-11-23T22:30": False,
        "2026-11-23T23:30": True,
    }
    assert {text: times.there(at(text)) for text in asked} == asked
    assert [times.off(at(text)) for text in asked] == [False, False, False, True, False]


def test_windows_alone_leave_no_hours_and_nobody_knows_a_time_after_the_last() -> None:
    times = Times(Hours(), ZONE, (window("2026-11-24T03:00", "2026-11-24T11:00", on=True),), alone=True)
    assert not times.there(MONDAY)
    assert times.next_there(MONDAY) == at("2026-11-24T03:00")
    assert times.next_there(at("2026-11-24T11:00")) is None


def test_after_leave_the_hours_are_what_they_were_though_the_clocks_have_changed() -> None:
    leave = window("2026-10-20T05:00", "2026-11-03T05:00", on=False)
    times = Times(parse_hours("daily 08:00-18:00"), ZONE, (leave,))
    # The first of November is past: eight in the morning is fourteen hundred.
    assert times.next_there(at("2026-10-20T15:00")) == at("2026-11-03T14:00")


def test_gaps_are_joined_and_counted() -> None:
    day = Times(parse_hours("daily 08:00-16:00"), ZONE)
    evening = Times(parse_hours("daily 14:00-22:00"), ZONE)
    found = gaps([day, evening], MONDAY, MONDAY + timedelta(hours=24), least=1)
    assert found == [Gap(at("2026-11-24T04:00"), at("2026-11-24T14:00"), 0)]
    two = gaps([day, evening], MONDAY, MONDAY + timedelta(hours=24), least=2)
    assert [gap.there for gap in two] == [1, 1, 0, 1]
    assert gaps([], MONDAY, MONDAY + timedelta(hours=1), least=1) == [Gap(MONDAY, MONDAY + timedelta(hours=1), 0)]


@pytest.mark.parametrize(
    ("hours", "asked", "opens"),
    [
        # The first of November: the clocks show one o'clock twice, at six and at seven UTC.
        ("01:30-05:00", "2026-11-01T07:10", "2026-11-01T07:30"),
        ("20:00-01:30", "2026-11-01T06:30", "2026-11-01T07:00"),
        ("01:10-01:20", "2026-11-01T06:20", "2026-11-01T07:10"),
        # The eighth of March: after 01:59 comes 03:00, at eight UTC.
        ("02:30-05:00", "2026-03-08T07:30", "2026-03-08T08:00"),
        ("02:10-02:50", "2026-03-08T07:30", "2026-03-09T07:10"),
        ("Sun 02:10-02:50", "2026-03-02T07:30", "2026-03-15T07:10"),
        ("03:00-05:00", "2026-03-08T07:30", "2026-03-08T08:00"),
    ],
)
def test_the_next_time_where_the_clocks_change(hours: str, asked: str, opens: str) -> None:
    assert Times(parse_hours(hours), ZONE).next_there(at(asked)) == at(opens)


def test_an_hour_that_comes_twice_is_no_gap_the_second_time() -> None:
    night = Times(parse_hours("20:00-01:30"), ZONE)
    found = gaps([night], at("2026-11-01T05:00"), at("2026-11-02T05:00"), least=1)
    assert found == [
        Gap(at("2026-11-01T06:30"), at("2026-11-01T07:00"), 0),
        Gap(at("2026-11-01T07:30"), at("2026-11-02T02:00"), 0),
    ]


def test_after_leave_that_ends_tomorrow_the_weekly_hour_is_a_week_later() -> None:
    leave = window("2026-11-23T05:00", "2026-11-24T14:00", on=False)
    assert Times(parse_hours("Tue 07:00-07:30"), ZONE, (leave,)).next_there(MONDAY) == at("2026-12-01T13:00")


CHANGES = {
    "America/Chicago": ("2026-03-08T08:00", "2026-11-01T07:00"),
    "America/Denver": ("2026-03-08T09:00", "2026-11-01T08:00"),
    "America/Phoenix": ("2026-03-08T09:00", "2026-11-01T08:00"),
    "America/Havana": ("2026-03-08T05:00", "2026-11-01T05:00"),
    "Australia/Lord_Howe": ("2026-10-03T15:30", "2026-04-04T15:00"),
    "UTC": ("2026-03-08T08:00", "2026-11-01T07:00"),
}
"""Zones, some of which change their clocks, and a moment close to which both changes are. Lord Howe's are of half an
hour, Havana's at midnight; Phoenix and UTC have none."""
clocks = st.sampled_from([(zone, at(change)) for zone, changes in CHANGES.items() for change in changes])
around = st.integers(-36 * 60, 36 * 60).map(lambda minutes: timedelta(minutes=minutes))
spans = st.lists(
    st.tuples(st.booleans(), around, st.integers(1, 2000).map(lambda minutes: timedelta(minutes=minutes))), max_size=4
)
"""Windows about a change of clocks: on or off, from when, how long."""
patterns = st.sampled_from(
    (
        *("", "Mon-Fri 08:00-18:00", "22:00-06:00", "Sat 10:00-12:00", "01:30-05:00", "20:00-01:30", "02:30-05:00"),
        *("Sun 02:10-02:50", "01:40-02:20", "00:00-24:00", "Sun 00:00-24:00", "23:30-00:30; 01:45-01:50"),
    )
).map(parse_hours)


def windows_about(change: datetime, drawn: list[tuple[bool, timedelta, timedelta]]) -> tuple[Window, ...]:
    return tuple(Window(on, change + begins, change + begins + lasts) for on, begins, lasts in drawn)


@given(clocks, patterns, spans, st.booleans(), around)
def test_they_are_there_at_the_next_time_and_not_a_minute_before(
    clock: tuple[str, datetime],
    hours: Hours,
    drawn: list[tuple[bool, timedelta, timedelta]],
    alone: bool,
    since: timedelta,
) -> None:
    zone, change = clock
    times = Times(hours, zone, windows_about(change, drawn), alone)
    start = change + since
    opening = times.next_there(start)
    # Where the only hour of a week is skipped, the second week has one.
    walk = (start + timedelta(minutes=minute) for minute in range(16 * 24 * 60))
    assert opening == next((moment for moment in walk if times.there(moment)), None)


@given(spans)
def test_windows_are_read_as_they_were_written(drawn: list[tuple[bool, timedelta, timedelta]]) -> None:
    windows = windows_about(MONDAY, drawn)
    assert windows_in(text_of(windows)) == windows


@given(clocks, st.lists(st.tuples(patterns, spans, st.booleans()), max_size=4), st.integers(1, 3))
def test_gaps_are_what_a_walk_through_every_minute_finds(
    clock: tuple[str, datetime],
    team: list[tuple[Hours, list[tuple[bool, timedelta, timedelta]], bool]],
    least: int,
) -> None:
    zone, change = clock
    people = [Times(hours, zone, windows_about(change, drawn), alone) for hours, drawn, alone in team]
    start, end = change - timedelta(hours=36), change + timedelta(hours=36)
    minutes = [start + timedelta(minutes=minute) for minute in range(72 * 60)]
    counts = [(moment, sum(one.there(moment) for one in people)) for moment in minutes]
    walked = []
    for there, run in groupby(counts, key=itemgetter(1)):
        moments = [moment for moment, _ in run]
        if there < least:
            walked.append(Gap(moments[0], moments[-1] + timedelta(minutes=1), there))
    assert gaps(people, start, end, least) == walked
