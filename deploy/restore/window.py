"""Which records of Kafka belong to a time that the restored database does not know.

The relay writes how far it has come in each partition in the statement that takes its events out of the outbox. So of
every record the restored database says whether it was published in its own past: it lies before that mark. Beyond it
lie repeats of what the database has still in an outbox, or published earlier, and what was said in the time that is
lost: of that no service's tables know anything, and nobody may act on it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.events import FACTS
from shared.events.envelope import (
    CONTACTS,
    DIRECTORY,
    INTAKE,
    INTAKE_CRISIS,
    MATCHING,
    NOTIFY,
    NOTIFY_CRISIS,
    REFERRAL,
    REFERRAL_CRISIS,
)
from shared.events.intake import CaseClosed, CaseWithdrawn, CrisisRaised, DirectAsked, RequestSubmitted
from shared.events.notify import DangerReported
from shared.types import AgencyId

Place = tuple[str, int]
"""A topic's logical name and a partition."""

HEARD: Mapping[str, frozenset[str]] = {
    "intake": frozenset(one.name for one in (MATCHING, REFERRAL, NOTIFY, REFERRAL_CRISIS, NOTIFY_CRISIS)),
    "matching": frozenset(one.name for one in (INTAKE, NOTIFY, INTAKE_CRISIS, DIRECTORY)),
    "referral": frozenset(one.name for one in (INTAKE, MATCHING, NOTIFY, INTAKE_CRISIS, NOTIFY_CRISIS, DIRECTORY)),
    "notify": frozenset(
        one.name for one in (INTAKE, MATCHING, REFERRAL, INTAKE_CRISIS, REFERRAL_CRISIS, CONTACTS, DIRECTORY)
    ),
}
"""What each service listens to."""
BEGINNINGS = frozenset(name for name, fact in FACTS.items() if fact in {RequestSubmitted, CrisisRaised, DirectAsked})
DANGER = frozenset(name for name, fact in FACTS.items() if fact in {CrisisRaised, DangerReported})
WITHDRAWN = frozenset(name for name, fact in FACTS.items() if fact is CaseWithdrawn)
CLOSED = frozenset(name for name, fact in FACTS.items() if fact is CaseClosed)
STOPS = frozenset(name for name, fact in FACTS.items() if fact.STOP)


@dataclass(frozen=True)
class Seen:
    """A record, as far as it matters here: no content of it is kept."""

    place: Place
    offset: int
    event: UUID
    agency: AgencyId
    subject: UUID
    type: str
    at: datetime
    digest: bytes


@dataclass(frozen=True)
class Known:
    """What the restored database knows: how far each partition was published, what waits in outboxes, its cases."""

    published: Mapping[Place, int]
    waiting: frozenset[UUID]
    cases: frozenset[UUID]


def lost(seen: Sequence[Seen], known: Known) -> list[Seen]:
    """The records of the time that is lost, each event once, in the order of their times."""
    past = {one.event for one in seen if one.offset < known.published.get(one.place, 0)} | known.waiting
    beyond = {one.event: one for one in seen if one.event not in past}
    return sorted(beyond.values(), key=lambda one: (one.at, one.place, one.offset))


def laid_aside(records: Collection[Seen], known: Known) -> dict[str, list[Seen]]:
    """What each service must not act on. It still hears of an end, and of danger in a case that there is."""
    aside = [
        one for one in records if one.type not in STOPS and not (one.type in DANGER and one.subject in known.cases)
    ]
    return {service: [one for one in aside if one.place[0] in topics] for service, topics in HEARD.items()}


def ended(records: Collection[Seen], known: Known) -> dict[UUID, AgencyId]:
    """The cases that have ended in the lost time and are there again."""
    return {one.subject: one.agency for one in records if one.type in STOPS and one.subject in known.cases}


def begun(records: Collection[Seen], known: Known) -> dict[UUID, Seen]:
    """The cases that were begun in the lost time and are not there, each with its first record; ended ones left out."""
    over = {one.subject for one in records if one.type in STOPS}
    found: dict[UUID, Seen] = {}
    for one in records:
        if one.type in BEGINNINGS and one.subject not in known.cases | over:
            found.setdefault(one.subject, one)
    return found


def in_danger(records: Collection[Seen]) -> dict[UUID, Seen]:
    """Each case of which danger was told in the lost time, at whatever point, with the last record that tells it."""
    over = {one.subject for one in records if one.type in STOPS}
    return {one.subject: one for one in records if one.type in DANGER and one.subject not in over}


def held(records: Collection[Seen], known: Known) -> dict[UUID, AgencyId]:
    """The cases that were withdrawn in the lost time and not closed: their keys were under a legal hold."""
    closed = {one.subject for one in records if one.type in CLOSED}
    return {
        one.subject: one.agency
        for one in records
        if one.type in WITHDRAWN and one.subject in known.cases and one.subject not in closed
    }


def forgotten(begins: Mapping[Place, int], known: Known) -> list[Place]:
    """The partitions of which Kafka has dropped something that was said after the backup."""
    return sorted(place for place, first in begins.items() if first > known.published.get(place, 0))


def gone_back(records: Collection[Seen], known: Known) -> set[UUID]:
    """The cases that stand again where they stood at the backup, though something has happened since."""
    return {one.subject for one in records if one.subject in known.cases} - ended(records, known).keys()
