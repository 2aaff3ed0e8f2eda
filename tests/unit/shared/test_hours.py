"""Weekly hours: how people write them, over midnight, and when clocks change."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.hours import BadHours, Hours, Span, is_open, parse_hours

DENVER = "America/Denver"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("24/7", ""),
        ("Mon-Fri 08:00-18:00; Sat 10:00-14:00", "Mon-Fri 08:00-18:00; Sat 10:00-14:00"),
        ("mon-fri 8:00-18:00", "Mon-Fri 08:00-18:00"),
        ("Mon – Fri: 8:00 – 18:00", "Mon-Fri 08:00-18:00"),
        ("Monday, Wednesday 0900-1700", "Mon,Wed 09:00-17:00"),
        ("Mon Wed Fri 09:00-17:00", "Mon,Wed,Fri 09:00-17:00"),
        ("Fri-Mon 08:00-09:00", "Mon,Fri,Sat,Sun 08:00-09:00"),
        ("weekends 08:00-12:00, 13:00-17:00", "Sat,Sun 08:00-12:00; Sat,Sun 13:00-17:00"),
        ("22:00-06:00", "Mon-Sun 22:00-06:00"),
        ("daily 00:00-24:00", "Mon-Sun 00:00-24:00"),
        ("Mon 08:00-09:00\nTue 08:00-09:00", "Mon 08:00-09:00; Tue 08:00-09:00"),
    ],
)
def test_what_people_write_is_read(text: str, canonical: str) -> None:
    assert str(parse_hours(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("Mon", "Mon 8-18", "Funday 08:00-09:00", "Mon 25:00-26:00", "Mon 24:30-25:00", "Mon 08:00-08:00", ";"),
        *("x" * 501, "Mon 08:00-09:60", "Mon-Tue-Wed 08:00-09:00", "Mon 24:00-06:00"),
    ],
)
def test_anything_else_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(BadHours) as caught:
        parse_hours(text)
    assert text not in str(caught.value)


def test_a_span_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = parse_hours("Fri 22:00-06:00")
    assert is_open(friday_night, at("2026-11-21T05:30"), DENVER)
    assert is_open(friday_night, at("2026-11-21T12:59"), DENVER)
    assert not is_open(friday_night, at("2026-11-21T13:00"), DENVER)
    assert not is_open(friday_night, at("2026-11-22T05:30"), DENVER)


def test_sunday_night_reaches_into_monday() -> None:
    assert is_open(parse_hours("Sun 22:00-06:00"), at("2026-11-23T12:00"), DENVER)
    assert not is_open(parse_hours("Mon 22:00-06:00"), at("2026-11-23T12:00"), DENVER)


def test_the_end_is_not_part_of_a_span_and_the_beginning_is() -> None:
    morning = parse_hours("Mon 08:00-09:00")
    assert is_open(morning, at("2026-11-23T15:00"), DENVER)
    assert not is_open(morning, at("2026-11-23T16:00"), DENVER)


def test_the_wall_clock_counts_when_daylight_saving_begins() -> None:
    # In Denver 02:00 became 03:00 on Sunday, 8 March 2026: 08:00 is 15:00 UTC the day before and 14:00 UTC then.
    morning = parse_hours("08:00-09:00")
    assert is_open(morning, at("2026-03-07T15:00"), DENVER)
    assert is_open(morning, at("2026-03-08T14:00"), DENVER)
    assert not is_open(morning, at("2026-03-08T15:00"), DENVER)


def test_the_hour_that_comes_twice_is_open_twice() -> None:
    # On 1 November 2026 the hour from 01:00 came twice in Denver.
    night = parse_hours("01:00-02:00")
    assert is_open(night, at("2026-11-01T07:30"), DENVER)
    assert is_open(night, at("2026-11-01T08:30"), DENVER)
    assert not is_open(night, at("2026-11-01T09:00"), DENVER)


def test_no_hours_mean_always() -> None:
    assert is_open(Hours(), at("2026-03-08T09:30"), DENVER)


SPANS = st.builds(
    lambda days, times: Span(tuple(sorted(days)), times[0], times[1]),
    st.sets(st.integers(0, 6), min_size=1),
    st.tuples(st.integers(0, 1439), st.integers(0, 1440)).filter(lambda times: times[0] != times[1]),
)


@given(st.lists(SPANS, min_size=1, max_size=4))
def test_every_pattern_reads_back_as_it_was_written(spans: list[Span]) -> None:
    hours = Hours(tuple(spans))
    assert parse_hours(str(hours)) == hours


@given(st.text(max_size=60))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    with suppress(BadHours):
        hours = parse_hours(text)
        assert parse_hours(str(hours)) == hours
