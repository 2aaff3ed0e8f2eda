"""What the auditor asks, and what an answer means. Pure: rows and numbers in, findings out.

A finding has the stable name of its check and counts, never an id or a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Check = Literal[
    "audit_chain",
    "audit_effects",
    "audit_unsealed",
    "bus_unreachable",
    "committed_ahead",
    "consumer_stands",
    "consumer_stopped",
    "open_overdue",
    "open_without_due",
    "outbox_old",
    "parked_untried",
    "position_before_begin",
    "position_beyond_end",
    "timers_overdue",
]
CHECKS: tuple[Check, ...] = get_args(Check)
SILENT = "silent"
"""Said of a service whose auditor has not been heard within the limit."""

SERVICES = ("intake", "matching", "referral", "notify")
"""Each has to be clean; each is an owner that is no human: what it owns and is late is a failed check."""

Place = tuple[str, int]
"""A logical topic and one of its partitions."""
Offsets = Mapping[Place, int]
Bounds = Mapping[Place, tuple[int, int]]
"""Where Kafka's partitions begin, since older records are deleted, and end."""


@dataclass(frozen=True)
class Limits:
    """How late is too late, in seconds. Region's time for what is due there, else the real one."""

    late_s: float = 120.0
    """Open things that a service owns, timers and parked records: the sweepers' lag."""
    outbox_s: float = 30.0
    unsealed_s: float = 30.0
    stands_s: float = 60.0
    """How long a consumer may stay where it is while there is more to read."""


@dataclass(frozen=True)
class Finding:
    """A check that failed: how often, and for the longest how many seconds (0: time has no part in it)."""

    check: Check
    count: int
    seconds: float = 0.0


def measured(rows: Iterable[tuple[Check, int, float]], limits: Limits) -> list[Finding]:
    """The findings among (check, count, seconds of the oldest) as the database has counted them."""
    floors: Mapping[Check, float] = {"outbox_old": limits.outbox_s, "audit_unsealed": limits.unsealed_s}
    return [
        Finding(check, count, seconds) for check, count, seconds in rows if count and seconds >= floors.get(check, 0)
    ]


def of_positions(stored: Offsets, *, committed: Offsets, bounds: Bounds) -> list[Finding]:
    """Whether positions and Kafka agree, at the places that are among `bounds`, which were looked up last.

    `committed` was looked up first: what is committed is stored, and what is stored was read.
    """
    at = read_up_to(stored, bounds)
    beyond = [place for place, (_, end) in bounds.items() if stored.get(place, 0) > end]
    before = [place for place, (begin, _) in bounds.items() if stored.get(place, begin) < begin]
    ahead = [place for place, offset in committed.items() if place in bounds and offset > at[place]]
    found: list[tuple[Check, list[Place]]] = [
        ("position_beyond_end", beyond),
        ("position_before_begin", before),
        ("committed_ahead", ahead),
    ]
    return [Finding(check, len(places)) for check, places in found if places]


def read_up_to(stored: Offsets, bounds: Bounds) -> Offsets:
    """Where each place stands. Where nothing was ever read, or what is stored is no more, at the beginning."""
    return {place: max(stored.get(place, 0), begin) for place, (begin, _) in bounds.items()}


def lag_of(stored: Offsets, bounds: Bounds) -> int:
    """Records at these places that have not taken effect yet."""
    return sum(max(0, bounds[place][1] - at) for place, at in read_up_to(stored, bounds).items())


Standing = Mapping[Place, tuple[int, float]]
"""Where a place stands and since when, in seconds that only go forward."""


def standing(before: Standing, stored: Offsets, bounds: Bounds, now: float) -> Standing:
    """The same one look later: who has moved, or has nothing more to read, stands since now."""
    after: dict[Place, tuple[int, float]] = {}
    for place, at in read_up_to(stored, bounds).items():
        then = before.get(place)
        still = then is not None and then[0] == at and at < bounds[place][1]
        after[place] = (at, then[1] if still and then else now)
    return after


def stands(places: Standing, now: float, limits: Limits) -> list[Finding]:
    """Consumers that have more to read and have not moved for too long."""
    waits = [now - since for _, since in places.values() if now - since > limits.stands_s]
    return [Finding("consumer_stands", len(waits), max(waits))] if waits else []


def halted(stopped: int) -> list[Finding]:
    """Consumers that have stopped by themselves: where they stand is not asked any more."""
    return [Finding("consumer_stopped", stopped)] if stopped else []


@dataclass(frozen=True)
class Effect:
    """Something that must add up: so many acts in the audit trail, so many effects in the tables."""

    name: str
    acts: int
    effects: int


def of_effects(effects: Iterable[Effect]) -> list[Finding]:
    """Effects that have no act, or acts without effect."""
    off = sum(abs(one.acts - one.effects) for one in effects)
    return [Finding("audit_effects", off)] if off else []


@dataclass(frozen=True)
class Beat:
    """What one replica's auditor has said last. `clean_s`: how long ago all was in order; None: not yet."""

    service: str
    replica: str
    checked_s: float
    clean_s: float | None
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pulse:
    """How a service is: seconds since its last clean pass (None: there was none), and what fails."""

    service: str
    age_s: float | None
    failed: tuple[str, ...]

    @property
    def alive(self) -> bool:
        """Nothing fails."""
        return not self.failed


def pulses(beats: Sequence[Beat], limit_s: float) -> list[Pulse]:
    """All four services. One is alive when a replica was clean within the limit and none that still checks is not.

    A replica that has gone silent while another one is clean has been taken over from, and is not counted.
    """
    found = []
    for service in SERVICES:
        heard = [one for one in beats if one.service == service and one.checked_s <= limit_s]
        ages = [one.clean_s for one in beats if one.service == service and one.clean_s is not None]
        age = min(ages, default=None)
        failed = {name for one in heard for name in one.failed}
        if not failed and (age is None or age > limit_s):
            failed = {SILENT}
        found.append(Pulse(service, age, tuple(sorted(failed))))
    return found
