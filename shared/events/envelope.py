"""CloudEvents 1.0 in Kafka binary mode: what stands in a record's headers, and what every fact has in common.

A fact is frozen, its fields are additive only, and unknown fields are ignored, so that a newer producer and an
older consumer understand each other. Source: CloudEvents 1.0 Kafka protocol binding, W3C Trace Context.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.errors import Unprocessable
from shared.types import AgencyId, EventId, Lane

Service = Literal["intake", "matching", "referral", "notify"]

MAX_PAYLOAD = 262_144
"""Bytes of one event's body, at most; the outbox refuses more."""


@dataclass(frozen=True)
class Topic:
    """A topic, its one writer and the road it belongs to. `keyed_by` tells what its key is."""

    name: str
    writer: Service
    lane: Lane
    compacted: bool = False


INTAKE = Topic("peerline.intake", "intake", Lane.ORDINARY)
INTAKE_CRISIS = Topic("peerline.intake.crisis", "intake", Lane.CRISIS)
DIRECTORY = Topic("peerline.directory", "intake", Lane.BULK, compacted=True)
CONTACTS = Topic("peerline.contacts", "intake", Lane.BULK, compacted=True)
MATCHING = Topic("peerline.matching", "matching", Lane.ORDINARY)
REFERRAL = Topic("peerline.referral", "referral", Lane.ORDINARY)
REFERRAL_CRISIS = Topic("peerline.referral.crisis", "referral", Lane.CRISIS)
NOTIFY = Topic("peerline.notify", "notify", Lane.ORDINARY)
NOTIFY_CRISIS = Topic("peerline.notify.crisis", "notify", Lane.CRISIS)

TOPICS: Mapping[str, Topic] = {
    topic.name: topic
    for topic in (
        INTAKE,
        INTAKE_CRISIS,
        DIRECTORY,
        CONTACTS,
        MATCHING,
        REFERRAL,
        REFERRAL_CRISIS,
        NOTIFY,
        NOTIFY_CRISIS,
    )
}


class Value(BaseModel):
    """A part of a fact."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", ser_json_bytes="base64", val_json_bytes="base64", hide_input_in_errors=True
    )


class Fact(Value):
    """Something that has happened. Subclasses add `type: Literal["service.fact.vN"]`, and say where they travel."""

    TOPIC: ClassVar[Topic]
    STOP: ClassVar[bool] = False
    """A stop event passes by whatever is parked before it and leaves a tombstone for its case."""

    KEYED_BY_CASE: ClassVar[bool] = True
    """False where the record's key is a person, an agency or another subject: that is never put on a span."""

    type: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """The headers of one record. `subject` is the record's key: the case, or the thing itself where there is none."""

    event_id: EventId
    type: str
    source: str
    time: datetime
    subject: UUID
    agency_id: AgencyId
    traceparent: str | None = None


def source_of(topic: Topic) -> str:
    """The `ce_source` that a topic's one writer puts on its records."""
    return f"/peerline/{topic.writer}"


def to_headers(envelope: Envelope) -> list[tuple[str, bytes]]:
    """The record headers of an envelope."""
    pairs = {
        "ce_specversion": "1.0",
        "ce_id": str(envelope.event_id),
        "ce_type": envelope.type,
        "ce_source": envelope.source,
        "ce_time": envelope.time.isoformat(),
        "ce_subject": str(envelope.subject),
        "ce_dataschema": f"/schemas/{envelope.type}.json",
        "ce_agency": str(envelope.agency_id),
        "content-type": "application/json",
    }
    if envelope.traceparent:
        pairs["traceparent"] = envelope.traceparent
    return [(name, value.encode()) for name, value in pairs.items()]


def from_headers(headers: Iterable[tuple[str, bytes]]) -> Envelope:
    """Read an envelope back. Raises `Unprocessable` naming the header that is missing or malformed."""
    raw = dict(headers)

    def text(name: str) -> str:
        try:
            return raw[name].decode()
        except (KeyError, UnicodeDecodeError, AttributeError):
            raise Unprocessable(f"header {name}") from None

    def identity(name: str) -> UUID:
        try:
            return UUID(text(name))
        except ValueError:
            raise Unprocessable(f"header {name}") from None

    try:
        time = datetime.fromisoformat(text("ce_time"))
    except ValueError:
        raise Unprocessable("header ce_time") from None
    if time.tzinfo is None:
        raise Unprocessable("header ce_time")
    return Envelope(
        event_id=EventId(identity("ce_id")),
        type=text("ce_type"),
        source=text("ce_source"),
        time=time,
        subject=identity("ce_subject"),
        agency_id=AgencyId(identity("ce_agency")),
        traceparent=text("traceparent") if "traceparent" in raw else None,
    )
