"""AsyncAPI 3 of each service: FastStream says which groups read which topics, `docs/events` what travels there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faststream.kafka import KafkaBroker
from faststream.kafka.subscriber.usecase import LogicSubscriber
from faststream.specification.asyncapi import AsyncAPI

from shared.events import TOPICS, Topic
from shared.events.envelope import MAX_PAYLOAD
from tools.contracts.schemas import TRAVEL, Schema

FOLDER = Path("docs/events/asyncapi")
Document = dict[str, Any]
TEXT: Schema = {"type": "string"}
HEADERS: Schema = {
    "type": "object",
    "description": "CloudEvents 1.0 in Kafka's binary mode, and W3C trace context.",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_agency"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid"},
        "ce_type": TEXT,
        "ce_source": {"type": "string", "format": "uri-reference"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string", "format": "uuid"},
        "ce_dataschema": {"type": "string", "format": "uri-reference"},
        "ce_agency": {"type": "string", "format": "uuid"},
        "content-type": {"const": "application/json"},
        "traceparent": TEXT,
    },
}


def document(service: str, broker: KafkaBroker, schemas: Mapping[str, Schema]) -> Document:
    """The document of a service whose consumers are declared on `broker`; what it sends follows from the topics."""
    for topic in TOPICS.values():
        if topic.writer == service:
            broker.publisher(topic.name, title=topic.name)
    made = _of_faststream(service, broker)
    addresses = {name: channel["address"] for name, channel in made["channels"].items()}
    readers = [one for one in broker.subscribers if isinstance(one, LogicSubscriber)]
    groups = {topic.name: reader.group_id for reader in readers for topic in reader.topics}
    used: dict[str, Schema] = {}
    channels: Document = {}
    for name, channel in made["channels"].items():
        on_it = _on(TOPICS[addresses[name]], schemas, sent=TOPICS[addresses[name]].writer == service)
        used |= on_it
        messages = {kind: {"$ref": f"#/components/messages/{kind}"} for kind in on_it}
        channels[addresses[name]] = channel | {"description": _about(addresses[name]), "messages": messages}
    operations: Document = {}
    for operation in made["operations"].values():
        address = addresses[operation["channel"]["$ref"].rpartition("/")[2]]
        operations[f"{operation['action']} {address}".replace(" ", ".")] = _operation(
            operation["action"], address, list(channels[address]["messages"]), groups.get(address)
        )
    return made | {
        "channels": dict(sorted(channels.items())),
        "operations": dict(sorted(operations.items())),
        "components": {
            "messages": {kind: _message(kind, schema) for kind, schema in sorted(used.items())},
            "schemas": {"Headers": HEADERS},
        },
    }


def _on(topic: Topic, schemas: Mapping[str, Schema], *, sent: bool) -> dict[str, Schema]:
    """What may be on a topic. Earlier versions are read, and sent no more."""
    here = {kind: schema for kind, schema in schemas.items() if schema[TRAVEL]["topic"] == topic.name}
    return {kind: schema for kind, schema in here.items() if not (sent and "read_as" in schema[TRAVEL])}


def _of_faststream(service: str, broker: KafkaBroker) -> Document:
    specification = AsyncAPI(
        broker,
        title=f"Peerline {service}",
        version="1",
        description=f"What {service} hears and says on the bus. Written by `python -m tools.contracts write`.",
        schema_version="3.1.0",
    )
    made: Document = json.loads(specification.to_specification().to_json())
    return made


def _about(address: str) -> str:
    topic = TOPICS[address]
    kept = "compacted" if topic.compacted else "kept for seven days"
    return f"Written by {topic.writer} alone; {topic.lane.name.lower()} lane; {kept}; ordered per key."


def _operation(action: str, address: str, kinds: list[str], group: str | None) -> Document:
    refs = [{"$ref": f"#/channels/{address}/messages/{kind}"} for kind in kinds]
    made: Document = {
        "action": action,
        "title": f"{action} {address}",
        "channel": {"$ref": f"#/channels/{address}"},
        "messages": refs,
    }
    if group:
        made["bindings"] = {"kafka": {"groupId": {"type": "string", "enum": [group]}, "bindingVersion": "0.5.0"}}
    return made


def _message(kind: str, schema: Schema) -> Document:
    what = schema["description"].partition("\n\n")[0].replace("\n", " ")
    key = "the case" if schema[TRAVEL]["key"] == "case" else "the subject"
    return {
        "name": kind,
        "title": kind,
        "summary": what,
        "description": f"At most {MAX_PAYLOAD} bytes." + (" A stop event." if schema[TRAVEL]["stop"] else ""),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/Headers"},
        "payload": {"$ref": f"../{kind}.json"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "format": "uuid", "description": f"The id of {key}."},
                "bindingVersion": "0.5.0",
            }
        },
    }
