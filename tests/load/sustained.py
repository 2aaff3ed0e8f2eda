"""The highest rate of requests that the region keeps up with: held for some seconds without a growing backlog."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.load import stats

FIRST, STEP = 0.6, 1.15
"""The first rate, in bursts' drain rates, and how much the next one is higher than the last."""
MOST_STEPS = 12
EVERY_S = 0.25
SLACK_S = 0.25
"""A backlog may end so many seconds' worth of cases above where it began; more is growth."""


@dataclass(frozen=True)
class Trial:
    """One rate that was tried: cases a second, how long cases took, and whether the backlog stayed where it was."""

    per_s: float
    held: bool
    latency: stats.Latency


@dataclass(frozen=True)
class Sustained:
    """The highest rate that was held for `seconds`, and every rate that was tried."""

    per_s: float
    seconds: float
    trials: tuple[Trial, ...]


Times = Sequence[tuple[float, float]]
"""When each case was due, and when its attempt began."""


def tried(times: Times, per_s: float) -> Trial:
    """What a rate came to."""
    begun, ended = [due for due, _ in times], [at for _, at in times]
    seconds = max(begun) - min(begun)
    moments = [min(begun) + number * EVERY_S for number in range(round(seconds / EVERY_S))]
    grows = stats.grows(stats.backlogs(begun, ended, moments), slack=round(SLACK_S * per_s))
    return Trial(per_s, not grows, stats.latency(at - due for due, at in times))


async def sustained(load: Callable[[int, float], Awaitable[Times]], guess: float, seconds: float) -> Sustained:
    """Raise the rate until a backlog grows; `guess` is about what can be expected, in cases a second.

    When even the first rate is not held, the rate is lowered until one is.
    """
    trials: list[Trial] = []
    rate = FIRST * guess
    for _ in range(MOST_STEPS):
        per_s = round(rate, 1)
        trials.append(tried(await load(round(per_s * seconds), per_s), per_s))
        held = [one for one in trials if one.held]
        if held and len(held) < len(trials):
            break
        rate = rate * STEP if held else rate / STEP
    best = max((one.per_s for one in trials if one.held), default=0.0)
    return Sustained(best, seconds, tuple(trials))
