"""When peers are there: the next opening, over nights, weekends and the change of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain.people import Calendar, pattern
from shared.availability import Times
from shared.hours import is_open
from tests.unit.matching.given import ANA, BEN, NOW, peer

ZONE = "America/Chicago"


@pytest.mark.parametrize(
    ("hours", "at", "opens"),
    [
        ("Mon-Fri 08:00-18:00", "2026-11-23T15:00", "2026-11-23T15:00"),
        ("Mon-Fri 08:00-18:00", "2026-11-24T03:00", "2026-11-24T14:00"),
        ("Mon-Fri 08:00-18:00", "2026-11-28T03:00", "2026-11-30T14:00"),
        ("22:00-06:00", "2026-11-23T15:00", "2026-11-24T04:00"),
        ("Mon 08:00-09:00", "2026-11-23T15:00", "2026-11-30T14:00"),
        # Clocks go back on the first of November: eight is thirteen hundred UTC before and fourteen hundred after.
        ("daily 08:00-18:00", "2026-10-31T23:30", "2026-11-01T14:00"),
        ("daily 08:00-18:00", "2026-10-30T23:30", "2026-10-31T13:00"),
        ("", "2026-11-23T15:00", "2026-11-23T15:00"),
    ],
)
def test_the_next_opening(hours: str, at: str, opens: str) -> None:
    asked, expected = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (at, opens))
    assert Times(pattern(hours), ZONE).next_there(asked) == expected


@given(
    st.sampled_from(("Mon-Fri 08:00-18:00", "22:00-06:00", "Sat 10:00-12:00; Sun 23:00-01:00", "Wed 00:00-24:00")),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - made aware
)
def test_it_is_open_then_and_never_before_now(hours: str, at: datetime) -> None:
    opening = Times(pattern(hours), ZONE).next_there(at)
    assert opening is not None
    assert at <= opening <= at + timedelta(days=8)
    assert is_open(pattern(hours), opening, ZONE)


def test_hours_that_cannot_be_read_mean_always() -> None:
    assert Calendar(NOW).there(peer(ANA, hours="whenever I can"))


def test_a_zone_that_does_not_exist_is_read_as_utc_and_stops_nobody() -> None:
    strange = peer(ANA, hours="Mon 14:00-16:00", time_zone="Mars/Olympus")
    calendar = Calendar(NOW)
    assert calendar.today(strange.time_zone) == NOW.date()
    assert calendar.there(strange)
    assert calendar.next_there((strange,)) == NOW


def test_the_first_of_several_opens_the_search_again() -> None:
    night = Calendar(NOW + timedelta(hours=12))
    people = (peer(ANA, hours="Mon-Fri 08:00-18:00"), peer(BEN, hours="Mon-Fri 06:00-14:00"))
    assert night.next_there(people) == datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert night.next_there(()) is None
