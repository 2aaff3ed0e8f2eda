"""When so many records are parked that the fault is rather ours than theirs, a consumer stops instead of going on.

A bad deploy would otherwise empty a topic into dead letters, fast and in order. Idea: the limits on dead letters of
arroyo, Sentry's library for stream processing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

Outcome = bool | None
"""Of one record: parked for its own fault (True), taken (False), or neither (None), which is not counted."""


@dataclass(frozen=True)
class Limits:
    """Passed when `share` of the last `window` records were parked, `least` of them or more, or `run` in a row."""

    window: int = 200
    share: float = 0.2
    least: int = 20
    run: int = 25


@dataclass(frozen=True)
class Tally:
    """How the last records went, the oldest first, and how many were parked in a row until now."""

    recent: tuple[bool, ...] = ()
    run: int = 0


def counted(tally: Tally, outcomes: Sequence[Outcome], limits: Limits) -> tuple[Tally, int | None]:
    """The tally with these outcomes, and the index of the first with which a limit is passed, if there is one."""
    recent = deque(tally.recent, limits.window)
    parked, run, passed = sum(recent), tally.run, None
    for index, outcome in enumerate(outcomes):
        if outcome is None:
            continue
        if len(recent) == limits.window:
            parked -= recent[0]
        recent.append(outcome)
        parked += outcome
        run = run + 1 if outcome else 0
        if passed is None and outcome and _over(parked, len(recent), run, limits):
            passed = index
    return Tally(tuple(recent), run), passed


def over(tally: Tally, limits: Limits) -> bool:
    """Whether a limit is passed now."""
    return _over(sum(tally.recent), len(tally.recent), tally.run, limits)


def _over(parked: int, seen: int, run: int, limits: Limits) -> bool:
    return run >= limits.run or (parked >= limits.least and parked >= limits.share * seen)
