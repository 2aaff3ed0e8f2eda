"""Which rate is kept up with."""

from __future__ import annotations

from collections.abc import Sequence

from tests.load.sustained import Times, sustained, tried


def cases(per_s: float, seconds: float, *, capacity: float) -> list[tuple[float, float]]:
    """Cases at an even pace, worked off one after the other at most so many a second."""
    free, times = 0.0, []
    for number in range(round(per_s * seconds)):
        due = number / per_s
        free = max(free, due) + 1 / capacity
        times.append((due, free))
    return times


def test_a_rate_below_capacity_is_held() -> None:
    found = tried(cases(100, 5, capacity=120), 100)
    assert found.held
    assert found.latency.count == 500


def test_a_rate_above_capacity_is_not() -> None:
    assert not tried(cases(150, 5, capacity=100), 150).held


class Machine:
    """A region that does at most so many cases a second."""

    def __init__(self, capacity: float) -> None:
        self.capacity = capacity
        self.asked: list[float] = []

    async def load(self, count: int, per_s: float) -> Times:
        self.asked.append(per_s)
        return cases(per_s, count / per_s, capacity=self.capacity)


def ascending(rates: Sequence[float]) -> bool:
    return list(rates) == sorted(rates)


async def test_the_rate_is_raised_until_a_backlog_grows() -> None:
    machine = Machine(100)
    found = await sustained(machine.load, guess=100, seconds=5)
    assert ascending(machine.asked)
    assert 85 <= found.per_s <= 105
    assert [one.held for one in found.trials] == [True] * (len(found.trials) - 1) + [False]


async def test_where_too_much_was_expected_the_rate_is_lowered_until_it_is_held() -> None:
    machine = Machine(100)
    found = await sustained(machine.load, guess=400, seconds=5)
    assert ascending(machine.asked[::-1])
    assert 85 <= found.per_s <= 105
