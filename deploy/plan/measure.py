"""What a replayed month comes to: how long people waited, when nobody was there, and who carried how much. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from deploy.plan.replay import Replayed
from services.matching.domain.people import Peer
from shared.availability import gaps
from shared.types import Urgency

QUANTILES = (50, 90, 99)


@dataclass(frozen=True)
class Waited:
    """Of one urgency: requests, those whom nobody served, and minutes until a peer had accepted by percentile.

    Whoever nobody served has waited for ever: a percentile that falls on them is None, never.
    """

    requests: int
    unserved: int
    minutes: Mapping[int, float | None]


@dataclass(frozen=True)
class Outcome:
    """A month in numbers. `gini` is of cases per hour in which a peer was there: 0 is even, 1 is all on one."""

    peers: int
    waited: Mapping[Urgency, Waited]
    gap_hours: float
    longest_gap: tuple[datetime, datetime] | None
    gini: float
    most: int
    least: int
    hours: Mapping[tuple[int, int], float]
    """Peers there on average, by day of the week (0 is Monday) and hour, in the agency's zone."""

    def document(self) -> dict[str, object]:
        """The same as JSON."""
        return {
            "peers": self.peers,
            "waited": {
                urgency.value: {
                    "requests": one.requests,
                    "unserved": one.unserved,
                    **{f"p{q}_minutes": minutes for q, minutes in one.minutes.items()},
                }
                for urgency, one in self.waited.items()
            },
            "gap_hours": round(self.gap_hours, 1),
            "longest_gap": [moment.isoformat() for moment in self.longest_gap] if self.longest_gap else None,
            "gini": round(self.gini, 3),
            "most_cases": self.most,
            "least_cases": self.least,
        }


def outcome(replayed: Replayed, people: Sequence[Peer], zone: str) -> Outcome:
    """What came of it, for peers who may be asked at all."""
    asked = {one.asked.urgency for one in replayed.courses}
    holes = gaps([one.times for one in people], replayed.start, replayed.end, 1)
    carried = {one.person: replayed.accepted[one.person] for one in people}
    there = _there(replayed, people)
    return Outcome(
        peers=len(people),
        waited={urgency: _waited(replayed, urgency) for urgency in Urgency if urgency in asked},
        gap_hours=sum(((one.end - one.start).total_seconds() for one in holes), 0.0) / 3600,
        longest_gap=max(((one.start, one.end) for one in holes), key=lambda one: one[1] - one[0], default=None),
        gini=gini([carried[one.person] / hours for one in people if (hours := there[one.person.int]) > 0]),
        most=max(carried.values(), default=0),
        least=min(carried.values(), default=0),
        hours=_by_hour(replayed, people, zone),
    )


def _waited(replayed: Replayed, urgency: Urgency) -> Waited:
    own = [one for one in replayed.courses if one.asked.urgency is urgency]
    waits = sorted(one.waited.total_seconds() / 60 for one in own if one.waited is not None)
    return Waited(len(own), len(own) - len(waits), {q: quantile(waits, q, len(own)) for q in QUANTILES})


def quantile(ordered: Sequence[float], percent: int, of: int) -> float | None:
    """The smallest value that so many percent of `of` do not exceed; those who have no value exceed every one.

    None where there is no such value.
    """
    place = max(-(-of * percent // 100) - 1, 0)
    return round(ordered[place], 1) if place < len(ordered) else None


def gini(values: Sequence[float]) -> float:
    """The Gini coefficient of what people carry: mean difference over twice the mean. 0 for nothing."""
    total, ordered = sum(values), sorted(values)
    if not total:
        return 0.0
    n = len(ordered)
    return sum((2 * place - n + 1) * value for place, value in enumerate(ordered)) / (n * total)


def _hourly(replayed: Replayed) -> list[datetime]:
    hours = int((replayed.end - replayed.start).total_seconds() // 3600)
    return [replayed.start + timedelta(hours=hour) for hour in range(hours)]


def _there(replayed: Replayed, people: Sequence[Peer]) -> dict[int, int]:
    moments = _hourly(replayed)
    return {one.person.int: sum(map(one.times.there, moments)) for one in people}


def _by_hour(replayed: Replayed, people: Sequence[Peer], zone: str) -> dict[tuple[int, int], float]:
    place, times = ZoneInfo(zone), [one.times for one in people]
    found: dict[tuple[int, int], list[int]] = {}
    for moment in _hourly(replayed):
        local = moment.astimezone(place)
        found.setdefault((local.weekday(), local.hour), []).append(sum(one.there(moment) for one in times))
    return {key: sum(counts) / len(counts) for key, counts in found.items()}
