"""The index page of `docs/events`, drawn from the schemas: who says what, where, and in which headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.events import TOPICS, Topic
from tools.contracts.schemas import TRAVEL, Schema, name_and_version

INTRODUCTION = """\
# Events

Every fact that travels between Peerline's services, as JSON Schema (draft 2020-12), one file per type and version.
Written by `python -m tools.contracts write` from `shared/events`; `make check` compares them, and refuses a change that
would break somebody who reads or writes a published version ([the rules](../architecture/contracts.md)). What each
service sends and receives stands in [asyncapi](asyncapi/) as AsyncAPI 3.

Nobody outside the region reads these topics: agencies use the [HTTP interface](../api/). This page is for who builds
beside the four services, and for who looks at a record.

## A record

- **Body**: one JSON object, UTF-8, at most 256 KiB. `type` names event and version. Unknown fields are ignored, so that
  a version can gain optional ones; what is left out has its default.
- **Key**: the id of the case, or of the subject (person, agency) where there is no case, as text. Records of one key
  arrive in order within a topic; across topics there is no order.
- **Sealed** fields are base64url: AES-256-GCM under a key of the case, person, consult or outreach. Keys never travel.
- **Headers**: CloudEvents 1.0 in Kafka's binary mode, and W3C trace context.

| Header | What |
|---|---|
| `ce_specversion` | `1.0` |
| `ce_id` | UUIDv7 of the event; it takes effect once, however often it is delivered |
| `ce_type` | type and version, as in the body |
| `ce_source` | `/peerline/` and the one service that writes the topic |
| `ce_time` | when it was said, ISO 8601 with an offset; refused when older than 14 days, on compacted topics never |
| `ce_subject` | the record's key |
| `ce_dataschema` | `/schemas/` and the name of the file here |
| `ce_agency` | whose case or person it is |
| `content-type` | `application/json` |
| `traceparent` | where there is a trace |

A **stop** event passes by whatever is parked of its case, and makes later events of the case no-ops.
"""


def page(schemas: Mapping[str, Schema]) -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(line for topic in TOPICS.values() for line in _section(topic, schemas))])


def _section(topic: Topic, schemas: Mapping[str, Schema]) -> Iterator[str]:
    kind = "compacted: the newest record of each key stays" if topic.compacted else "kept for seven days"
    yield f"## `{topic.name}`\n"
    yield f"Written by {topic.writer}; {kind}; {topic.lane.name.lower()} lane.\n"
    yield "| Event | Key | What it says |"
    yield "|---|---|---|"
    for name, schema in sorted(schemas.items(), key=lambda one: name_and_version(one[0])):
        if schema[TRAVEL]["topic"] == topic.name:
            yield f"| [{name}]({name}.json) | {schema[TRAVEL]['key']} | {_what(schema)} |"
    yield ""


def _what(schema: Schema) -> str:
    said = schema["description"].partition("\n\n")[0].replace("\n", " ")
    marks = "**stop** " if schema[TRAVEL]["stop"] else ""
    earlier = f" Read as {schema[TRAVEL]['read_as']}." if "read_as" in schema[TRAVEL] else ""
    return f"{marks}{said}{earlier}"
