"""What a record of the bus is to a consumer: an event to take in, or a ticket that says why it is parked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiokafka import ConsumerRecord

from shared import clock, inbox
from shared.brake import Outcome
from shared.errors import UnknownEvent, Unprocessable
from shared.events import TOPICS, Envelope, Fact, decode, from_headers, source_of
from shared.parking import Raw, Ticket
from shared.types import AgencyId, CaseId

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Received:
    """An event that takes effect now, for the first time."""

    envelope: Envelope
    fact: Fact
    topic: str

    @property
    def case_id(self) -> CaseId:
        """The record's key, for topics whose key is the case."""
        return CaseId(self.envelope.subject)

    @property
    def place(self) -> tuple[CaseId, AgencyId]:
        """The case together with the agency that it is said to be of."""
        return self.case_id, self.envelope.agency_id


@dataclass(frozen=True)
class Arrival:
    """A record that can be read, and what tells its content from another one under the same id."""

    raw: Raw
    received: Received
    digest: bytes


def agencies(sorted_out: Sequence[Arrival | Ticket]) -> set[AgencyId]:
    """Whose rows a batch touches: of what takes effect, and of what is parked and could be read that far."""
    named = (one.agency_id if isinstance(one, Ticket) else one.received.envelope.agency_id for one in sorted_out)
    return {agency for agency in named if agency is not None}


def apart(
    sorted_out: Sequence[Arrival | Ticket], behind: set[tuple[str, bytes]]
) -> tuple[list[Arrival], list[Ticket], list[Outcome]]:
    """What takes effect now, and what is parked: also whatever follows a parked record of its topic and key.

    The outcomes are those of all, for the limits: one key is counted once, however much it makes wait, and what waits
    for an upgrade is no fault of anybody.
    """
    passing: list[Arrival] = []
    parked: list[Ticket] = []
    outcomes: list[Outcome] = []
    for one in sorted_out:
        place = one.raw.topic, one.raw.key
        if isinstance(one, Ticket):
            outcomes.append(None if place in behind or one.error_class == UnknownEvent.__name__ else True)
            parked.append(one)
            behind.add(place)
        elif place in behind and not one.received.fact.STOP:
            outcomes.append(None)
            parked.append(ticket_of(one, "Behind"))
        else:
            outcomes.append(False)
            passing.append(one)
    return passing, parked, outcomes


def sorted_out(raw: Raw, park_as: str) -> Arrival | Ticket:
    """The event in a record, or a ticket saying why it is parked; `park_as` parks what has just failed."""
    try:
        arrival = understood(raw)
    except UnknownEvent:
        envelope = from_headers(raw.headers)
        return Ticket(raw, UnknownEvent.__name__, envelope.event_id, envelope.agency_id)
    except Unprocessable as error:
        log.error("a record of %s cannot be processed: %s", raw.topic, error)
        return Ticket(raw, Unprocessable.__name__, dead=True, keep=False)
    return ticket_of(arrival, park_as) if park_as else arrival


def understood(raw: Raw, *, of_any_age: bool = False) -> Arrival:
    """The event in a record. Raises `UnknownEvent`, or `Unprocessable` where it contradicts itself or its topic."""
    topic = TOPICS[raw.topic]
    envelope = from_headers(raw.headers)
    if envelope.source != source_of(topic) or not envelope.type.startswith(f"{topic.writer}."):
        raise Unprocessable("header ce_source")
    if raw.key != str(envelope.subject).encode():
        raise Unprocessable("record key")
    # Compacted topics carry full state with a revision: any age is good there.
    if not (topic.compacted or of_any_age) and envelope.time < clock.now() - timedelta(days=inbox.KEPT_DAYS):
        raise Unprocessable("header ce_time")
    fact = decode(envelope.type, raw.value)
    if fact.TOPIC.name != raw.topic:
        raise Unprocessable("header ce_type")
    return Arrival(raw, Received(envelope, fact, raw.topic), inbox.digest(envelope.type, raw.value))


def ticket_of(arrival: Arrival, error_class: str, *, dead: bool = False) -> Ticket:
    """A ticket for a record that can be read: it is kept as received."""
    envelope = arrival.received.envelope
    return Ticket(arrival.raw, error_class, envelope.event_id, envelope.agency_id, dead=dead)


def raw_of(record: ConsumerRecord, prefix: str) -> Raw:
    """A Kafka consumer record as delivery takes it; `prefix` stands before the logical topic name."""
    return Raw(
        topic=record.topic.removeprefix(prefix),
        part=record.partition,
        pos=record.offset,
        key=record.key or b"",
        headers=tuple(record.headers),
        value=record.value or b"",
    )
