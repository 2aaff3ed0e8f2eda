"""Who would ask, and what peers would answer: drawn from a seed by parameters that are stated with every result. Pure.

No study gives these numbers for police; they are assumptions, and every one of them can be set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared.types import Urgency


@dataclass(frozen=True)
class Assumptions:
    """What a month is made of. Shares are between 0 and 1; times in minutes or days as named, means of exponentials."""

    requests: float = 40.0
    """In thirty days."""
    soon: float = 0.25
    urgent: float = 0.1
    emergency: float = 0.03
    """The rest is routine."""
    by_night: float = 0.45
    """Of the requests, those between ten at night and six in the morning."""
    spanish: float = 0.1
    accepts: float = 0.7
    """Of offers to somebody who is there; half as many of those who are not."""
    silent: float = 0.1
    """Never answers; whoever neither accepts nor is silent says "not now" or no, half and half."""
    answer_min: float = 25.0
    """Of routine requests; half of it for soon, a quarter for urgent, a tenth in an emergency."""
    lasts_days: float = 30.0
    gives_up_days: float = 3.0
    """Whoever has found nobody by then goes elsewhere, and counts as served by nobody."""

    def stated(self) -> dict[str, float]:
        """Every assumption by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_SLOWER = {Urgency.ROUTINE: 1.0, Urgency.SOON: 0.5, Urgency.URGENT: 0.25, Urgency.EMERGENCY: 0.1}
NIGHT_FROM, NIGHT_HOURS = 22, 8


class Asked(NamedTuple):
    """A request: when, how soon somebody is needed, and in which language."""

    at: datetime
    urgency: Urgency
    language: str


def month(assumed: Assumptions, start: datetime, days: int, zone: str, dice: Random) -> Iterator[Asked]:
    """Requests of so many days from `start` on, in order; by the hour as many as the assumptions say."""
    place = ZoneInfo(zone)
    moment, end = start, start + timedelta(days=days)
    per_hour = assumed.requests / 30 / 24
    rates = {
        True: per_hour * 24 * assumed.by_night / NIGHT_HOURS,
        False: per_hour * 24 * (1 - assumed.by_night) / (24 - NIGHT_HOURS),
    }
    fastest = max(rates.values())
    while fastest > 0:
        moment += timedelta(hours=dice.expovariate(fastest))
        if moment >= end:
            return
        # Thinned: of the hours in which fewer ask, as many fewer are kept.
        if dice.random() * fastest <= rates[_night(moment, place)]:
            yield Asked(moment, _urgency(assumed, dice), "es" if dice.random() < assumed.spanish else "en")


def _night(moment: datetime, place: ZoneInfo) -> bool:
    hour = moment.astimezone(place).hour
    return hour >= NIGHT_FROM or hour < (NIGHT_FROM + NIGHT_HOURS) % 24


def _urgency(assumed: Assumptions, dice: Random) -> Urgency:
    drawn = dice.random()
    for share, urgency in (
        (assumed.emergency, Urgency.EMERGENCY),
        (assumed.urgent, Urgency.URGENT),
        (assumed.soon, Urgency.SOON),
    ):
        if drawn < share:
            return urgency
        drawn -= share
    return Urgency.ROUTINE


class Answer(NamedTuple):
    """What a peer says to an offer, and after how long."""

    verb: str
    after: timedelta


def answer(assumed: Assumptions, urgency: Urgency, dice: Random, *, there: bool) -> Answer | None:
    """A peer's answer to an offer; None for silence."""
    accepts = assumed.accepts if there else assumed.accepts / 2
    after = timedelta(minutes=dice.expovariate(1 / (assumed.answer_min * _SLOWER[urgency])))
    drawn = dice.random()
    if drawn < assumed.silent:
        return None
    if drawn < assumed.silent + (1 - assumed.silent) * accepts:
        return Answer("accept", after)
    return Answer("not_now" if dice.random() < 0.5 else "decline", after)  # noqa: PLR2004 - half and half


def lasts(assumed: Assumptions, dice: Random) -> timedelta:
    """How long a support goes on after the first contact."""
    return timedelta(days=dice.expovariate(1 / assumed.lasts_days))
