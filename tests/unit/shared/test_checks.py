"""What the answers of the auditor's statements mean, and when a service is alive."""

from __future__ import annotations

import pytest

from shared import checks
from shared.checks import SERVICES, Beat, Effect, Finding, Limits

PLACE, OTHER = ("peerline.intake", 0), ("peerline.intake", 1)
LIMITS = Limits()
Rows = list[tuple[checks.Check, int, float]]


def test_nothing_counted_is_no_finding_and_ages_below_their_limit_are_none() -> None:
    rows: list[tuple[checks.Check, int, float]] = [
        ("timers_overdue", 0, 0),
        ("outbox_old", 1, 29),
        ("audit_unsealed", 9, 3),
    ]
    assert checks.measured(rows, LIMITS) == []
    rows = [("timers_overdue", 2, 130), ("outbox_old", 1, 31)]
    assert checks.measured(rows, LIMITS) == [Finding("timers_overdue", 2, 130), Finding("outbox_old", 1, 31)]


@pytest.mark.parametrize(
    ("stored", "committed", "bounds", "found"),
    [
        ({PLACE: 5}, {PLACE: 5}, {PLACE: (0, 5)}, []),
        ({PLACE: 5}, {}, {PLACE: (5, 9)}, []),
        ({PLACE: 5}, {PLACE: 3}, {PLACE: (0, 5)}, []),
        ({}, {}, {PLACE: (0, 0)}, []),
        # Nothing was ever read where everything had been deleted before: who begins there commits the beginning.
        ({}, {PLACE: 7}, {PLACE: (7, 7)}, []),
        ({PLACE: 5, OTHER: 7}, {}, {PLACE: (0, 4)}, ["position_beyond_end"]),
        ({PLACE: 5}, {}, {PLACE: (6, 9)}, ["position_before_begin"]),
        ({PLACE: 5}, {PLACE: 6}, {PLACE: (0, 9)}, ["committed_ahead"]),
        ({}, {PLACE: 1}, {PLACE: (0, 1)}, ["committed_ahead"]),
        ({PLACE: 5}, {PLACE: 6}, {PLACE: (0, 4)}, ["position_beyond_end", "committed_ahead"]),
        ({}, {PLACE: 6}, {}, []),
    ],
)
def test_positions_agree_with_kafka(
    stored: checks.Offsets, committed: checks.Offsets, bounds: checks.Bounds, found: list[str]
) -> None:
    assert [one.check for one in checks.of_positions(stored, committed=committed, bounds=bounds)] == found


def test_the_lag_is_what_is_there_and_was_not_read_yet() -> None:
    assert checks.lag_of({PLACE: 5}, {PLACE: (0, 9), OTHER: (3, 5)}) == 6


def test_a_consumer_stands_when_it_has_more_to_read_and_does_not_move_for_long() -> None:
    bounds = {PLACE: (0, 9), OTHER: (7, 7)}
    places = checks.standing({}, {PLACE: 5}, bounds, 0)
    places = checks.standing(places, {PLACE: 5}, bounds, 61)
    assert checks.stands(places, 61, LIMITS) == [Finding("consumer_stands", 1, 61)]
    assert checks.stands(places, 60, LIMITS) == []
    moved = checks.standing(places, {PLACE: 6}, bounds, 62)
    assert checks.stands(moved, 100, LIMITS) == []


def test_what_has_just_come_in_does_not_stand_though_nothing_had_come_for_long() -> None:
    places = checks.standing({}, {PLACE: 5}, {PLACE: (0, 5)}, 0)
    places = checks.standing(places, {PLACE: 5}, {PLACE: (0, 5)}, 1000)
    places = checks.standing(places, {PLACE: 5}, {PLACE: (0, 6)}, 1005)
    assert checks.stands(places, 1010, LIMITS) == []


def test_effects_and_acts_that_are_not_as_many_are_counted() -> None:
    assert checks.of_effects([Effect("cases", 3, 3)]) == []
    assert checks.of_effects([Effect("cases", 3, 5), Effect("tombstones", 2, 1)]) == [Finding("audit_effects", 3)]


def beats(*more: Beat, without: str = "") -> list[Beat]:
    return [Beat(service, "0", 2, 2) for service in SERVICES if service != without] + list(more)


def pulse(heard: list[Beat], service: str = "referral") -> tuple[bool, float | None, tuple[str, ...]]:
    [one] = [one for one in checks.pulses(heard, 60) if one.service == service]
    return one.alive, one.age_s, one.failed


def test_four_services_that_were_clean_within_the_limit_are_alive() -> None:
    assert all(one.alive for one in checks.pulses(beats(), 60))
    assert [one.service for one in checks.pulses([], 60)] == list(SERVICES)


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ((), (False, None, ("silent",))),
        ((Beat("referral", "0", 61, 61),), (False, 61, ("silent",))),
        ((Beat("referral", "0", 1, 30, ("outbox_old",)),), (False, 30, ("outbox_old",))),
        ((Beat("referral", "0", 1, None, ("b", "a")),), (False, None, ("a", "b"))),
        ((Beat("referral", "0", 61, 61, ("outbox_old",)),), (False, 61, ("silent",))),
        ((Beat("referral", "0", 90, 90), Beat("referral", "1", 3, 3)), (True, 3, ())),
        ((Beat("referral", "0", 90, 95, ("a",)), Beat("referral", "1", 3, 3)), (True, 3, ())),
        ((Beat("referral", "0", 2, 9, ("a",)), Beat("referral", "1", 3, 3)), (False, 3, ("a",))),
    ],
)
def test_a_service_is_alive_while_a_replica_is_clean_and_none_that_checks_is_not(
    heard: tuple[Beat, ...], expected: tuple[bool, float | None, tuple[str, ...]]
) -> None:
    assert pulse(beats(*heard, without="referral")) == expected
