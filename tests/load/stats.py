"""Percentiles, drain rates and ratios: numbers in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """How long things took, in milliseconds. `count` is the number of measurements behind it."""

    p50: float
    p95: float
    p99: float
    count: int


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest measured value that at least `share` (0 to 1) of all do not exceed; `ordered` is ascending.

    Nearest rank: never a value between two measurements, so a p99 is something that has really happened.
    """
    if not ordered:
        raise ValueError("no measurements")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def latency(seconds: Iterable[float]) -> Latency:
    """Summarise durations in seconds. Raises ValueError when there are none."""
    ordered = sorted(1000 * one for one in seconds)
    p50, p95, p99 = (percentile(ordered, share) for share in (0.50, 0.95, 0.99))
    return Latency(round(p50, 3), round(p95, 3), round(p99, 3), len(ordered))


def drain_rate(begun: float, ended: Collection[float]) -> float:
    """Cases a second: how many have ended, by the time from `begun` (seconds) to the last end.

    The whole time counts, the slow start as well: the middle alone would flatter a pipeline whose first stages run
    ahead and leave the last one the whole machine.
    """
    if not ended:
        raise ValueError("nothing has ended")
    elapsed = max(ended) - begun
    if elapsed <= 0:
        raise ValueError("everything ended before it began")
    return len(ended) / elapsed


def backlogs(begun: Collection[float], ended: Collection[float], moments: Sequence[float]) -> list[int]:
    """How many cases were open at each moment."""
    return [sum(one <= at for one in begun) - sum(one <= at for one in ended) for at in moments]


def grows(open_cases: Sequence[int], *, slack: int) -> bool:
    """Whether a backlog grows: its last third is on average more than `slack` cases above its first third."""
    third = len(open_cases) // 3
    if not third:
        return False
    return sum(open_cases[-third:]) / third - sum(open_cases[:third]) / third > slack


def ratio(value: float, floor: float) -> float:
    """`value` in floors."""
    if floor <= 0:
        raise ValueError("a floor is above zero")
    return round(value / floor, 3)
