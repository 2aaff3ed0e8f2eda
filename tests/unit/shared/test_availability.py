"""When somebody can be asked: windows over weekly hours, clocks that change, and the gaps of a team."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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


moments = st.integers(0, 30 * 24 * 60).map(lambda minutes: MONDAY + timedelta(minutes=minutes))
spans = st.lists(
    st.tuples(st.booleans(), moments, st.integers(1, 5000)).map(
        lambda drawn: Window(drawn[0], drawn[1], drawn[1] + timedelta(minutes=drawn[2]))
    ),
    max_size=6,
).map(tuple)
patterns = st.sampled_from(("", "Mon-Fri 08:00-18:00", "22:00-06:00", "Sat 10:00-12:00")).map(parse_hours)


@given(patterns, spans, st.booleans(), moments)
def test_they_are_there_at_the_next_time_and_not_before(
    hours: Hours, windows: tuple[Window, ...], alone: bool, start: datetime
) -> None:
    times = Times(hours, ZONE, windows, alone)
    opening = times.next_there(start)
    if opening is None:
        assert not any(times.there(start + timedelta(hours=hour)) for hour in range(24 * 14))
        return
    assert times.there(opening)
    minutes = int((opening - start).total_seconds() // 60)
    assert not any(times.there(start + timedelta(minutes=minute)) for minute in range(0, minutes, 7))


@given(spans)
def test_windows_are_read_as_they_were_written(windows: tuple[Window, ...]) -> None:
    assert windows_in(text_of(windows)) == windows


@given(st.lists(st.tuples(patterns, spans, st.booleans()), max_size=4), st.integers(1, 3))
def test_a_gap_is_a_gap_all_the_time_and_nothing_else_is(
    team: list[tuple[Hours, tuple[Window, ...], bool]], least: int
) -> None:
    people = [Times(hours, ZONE, windows, alone) for hours, windows, alone in team]
    found = gaps(people, MONDAY, MONDAY + timedelta(hours=72), least)
    for minute in range(0, 72 * 60, 11):
        moment = MONDAY + timedelta(minutes=minute)
        there = sum(one.there(moment) for one in people)
        inside = [gap for gap in found if gap.start <= moment < gap.end]
        assert [gap.there for gap in inside] == ([there] if there < least else [])
