"""The numbers of the load test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load import stats

TIMES = st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=200)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.01, 1), (0.50, 50), (0.501, 51), (0.95, 95), (0.99, 99), (1.0, 100)]
)
def test_a_percentile_is_the_nearest_rank(share: float, expected: float) -> None:
    assert stats.percentile([float(one) for one in range(1, 101)], share) == expected


def test_the_percentile_of_one_measurement_is_that_measurement() -> None:
    assert stats.percentile([7.0], 0.5) == stats.percentile([7.0], 0.99) == 7.0


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no measurements"):
        stats.latency([])


@given(TIMES, st.floats(min_value=0, max_value=1))
def test_a_percentile_was_measured_and_is_not_exceeded_by_its_share(times: list[float], share: float) -> None:
    ordered = sorted(times)
    found = stats.percentile(ordered, share)
    assert found in ordered
    assert sum(one <= found for one in ordered) >= share * len(ordered)


def test_latency_takes_seconds_in_any_order_and_tells_milliseconds() -> None:
    found = stats.latency([0.003, 0.001, 0.002])
    assert found == stats.Latency(p50=2.0, p95=3.0, p99=3.0, count=3)


@given(TIMES)
def test_higher_percentiles_are_never_lower(times: list[float]) -> None:
    found = stats.latency(times)
    assert found.p50 <= found.p95 <= found.p99


def test_a_drain_rate_counts_the_whole_time_from_the_beginning() -> None:
    assert stats.drain_rate(100.0, [104.0, 101.0, 105.0]) == pytest.approx(3 / 5)


@pytest.mark.parametrize("ended", [[], [10.0], [9.0]])
def test_a_drain_rate_needs_an_end_after_the_beginning(ended: list[float]) -> None:
    with pytest.raises(ValueError, match="ended"):
        stats.drain_rate(10.0, ended)


def test_a_backlog_is_what_has_begun_and_not_ended() -> None:
    assert stats.backlogs([0, 1, 2, 3], [2.5, 3.5], [0.5, 2.2, 2.6, 9]) == [1, 3, 2, 2]


@pytest.mark.parametrize(
    ("open_cases", "expected"),
    [
        ([5, 6, 4, 5, 6, 5], False),
        ([5, 5, 20, 40, 60, 80], True),
        ([80, 60, 40, 20, 5, 5], False),
        ([1, 2], False),
    ],
)
def test_a_backlog_grows_when_it_ends_clearly_above_its_beginning(open_cases: list[int], expected: bool) -> None:
    assert stats.grows(open_cases, slack=10) is expected


def test_a_ratio_is_told_in_floors() -> None:
    assert stats.ratio(27.0, 9.0) == 3.0


@pytest.mark.parametrize("floor", [0.0, -1.0])
def test_nothing_is_compared_with_a_floor_of_nothing(floor: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        stats.ratio(1.0, floor)
