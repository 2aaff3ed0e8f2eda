"""What Prometheus is told: a closed list of gauges over the whole region, read as `loop` when it asks.

No agency, no person, no case is ever a label, and how long somebody has waited is told in whole minutes: in a small
agency a time can name a person. Source: Prometheus text exposition format 0.0.4.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from shared.checks import CHECKS
from shared.db import Connection
from shared.types import Lane, Urgency

Name = Literal[
    "peerline_auditor_clean_seconds",
    "peerline_checks_failed",
    "peerline_consumer_lag_records",
    "peerline_consumers_over_limit",
    "peerline_open_overdue",
    "peerline_open_things",
    "peerline_open_without_due",
    "peerline_outbox_oldest_seconds",
    "peerline_outbox_records",
    "peerline_parked_records",
    "peerline_timers_overdue",
    "peerline_unserved",
    "peerline_unserved_oldest_seconds",
]

OVER_LIMIT: Name = "peerline_consumers_over_limit"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"
_LANES = tuple(lane.name.lower() for lane in Lane)
_URGENCIES = tuple(urgency.value for urgency in Urgency)
_STATE = re.compile(r"[a-z][a-z_]{0,40}")


@dataclass(frozen=True)
class Gauge:
    """What a metric means; its one label besides the service, and the values that this may have.

    Known values are told even when nothing is there, so that an alarm can tell "none" from "not asked".
    """

    meaning: str
    label: str = ""
    values: tuple[str, ...] = ()


GAUGES: Mapping[Name, Gauge] = {
    "peerline_auditor_clean_seconds": Gauge("Since the auditor last found everything in order, in any replica."),
    "peerline_checks_failed": Gauge("What a failed check of the auditor has counted.", "check", CHECKS),
    "peerline_consumer_lag_records": Gauge("Records on the bus that have not taken effect yet."),
    "peerline_consumers_over_limit": Gauge(
        "1 where a consumer has parked too much: it has stopped; on the crisis lane it goes on.", "lane"
    ),
    "peerline_open_overdue": Gauge("Open things whose due time has passed.", "state"),
    "peerline_open_things": Gauge("Open things.", "state"),
    "peerline_open_without_due": Gauge("Open things without an owner or a due time: must be 0."),
    "peerline_outbox_oldest_seconds": Gauge("Age of the oldest event that is not yet on the bus.", "lane", _LANES),
    "peerline_outbox_records": Gauge("Events that are not yet on the bus.", "lane", _LANES),
    "peerline_parked_records": Gauge("Records held back: to be tried again, or dead.", "state", ("waiting", "dead")),
    "peerline_timers_overdue": Gauge("Timers more than 10 s late.", "lane", _LANES),
    "peerline_unserved": Gauge("Requests that nobody has accepted.", "urgency", _URGENCIES),
    "peerline_unserved_oldest_seconds": Gauge(
        "How long the oldest request that nobody has accepted has waited, in whole minutes.", "urgency", _URGENCIES
    ),
}
"""Every metric there is."""

_HOUSE = """
SELECT 'peerline_outbox_records' AS name, lane::text AS label, count(*)::float8 AS value FROM outbox GROUP BY lane
UNION ALL
SELECT 'peerline_outbox_oldest_seconds', lane::text,
       greatest(0, extract(epoch FROM clock_timestamp() - min(created_at)))::float8 FROM outbox GROUP BY lane
UNION ALL
SELECT 'peerline_parked_records', state, count(*)::float8 FROM parked GROUP BY state
UNION ALL
SELECT 'peerline_timers_overdue', lane::text, count(*)::float8 FROM timers
 WHERE due_at < region.now() - interval '10 s' GROUP BY lane
UNION ALL
SELECT 'peerline_open_things', state, count(*)::float8 FROM open_things GROUP BY state
UNION ALL
SELECT 'peerline_open_overdue', state, count(*) FILTER (WHERE due_at < region.now())::float8
  FROM open_things GROUP BY state
UNION ALL
SELECT 'peerline_open_without_due', '', count(*)::float8 FROM open_things WHERE owner IS NULL OR due_at IS NULL
UNION ALL
SELECT * FROM (
    SELECT 'peerline_auditor_clean_seconds', '', extract(epoch FROM clock_timestamp() - max(clean_at))::float8
      FROM region.heartbeats WHERE service = current_schema()
    UNION ALL
    SELECT 'peerline_consumer_lag_records', '', max((details ->> 'lag')::float8)
      FROM region.heartbeats WHERE service = current_schema() AND checked_at > clock_timestamp() - interval '1 minute'
) known(name, label, value) WHERE value IS NOT NULL
UNION ALL
SELECT 'peerline_checks_failed', name, max((details -> name ->> 'count')::float8)
  FROM region.heartbeats, unnest(failed) name
 WHERE service = current_schema() AND checked_at > clock_timestamp() - interval '1 minute' GROUP BY name
"""


@dataclass(frozen=True)
class Sample:
    """One value; `label` is that of the metric's own label."""

    name: Name
    value: float
    label: str = ""


@dataclass(frozen=True)
class Source:
    """Reads the samples of some metrics over a connection as `loop`."""

    names: tuple[Name, ...]
    read: Callable[[Connection], Awaitable[list[Sample]]]


async def _house(connection: Connection) -> list[Sample]:
    return [
        Sample(row["name"], row["value"], _LANES[int(row["label"])] if row["label"].isdecimal() else row["label"])
        for row in await connection.fetch(_HOUSE)
    ]


_APART = (OVER_LIMIT, "peerline_unserved", "peerline_unserved_oldest_seconds")
HOUSE = Source(tuple(name for name in GAUGES if name not in _APART), _house)
"""What every service can tell: outbox, parked records, timers, open things."""


def exposition(service: str, names: Iterable[Name], samples: Iterable[Sample]) -> str:
    """The samples of these metrics as Prometheus reads them. A label of another shape is told as `other`."""
    told: dict[Name, dict[str, float]] = {name: dict.fromkeys(GAUGES[name].values, 0.0) for name in sorted(names)}
    for sample in samples:
        label = sample.label if _allowed(GAUGES[sample.name], sample.label) else OTHER
        told[sample.name][label] = told[sample.name].get(label, 0.0) + sample.value
    lines: list[str] = []
    for name, values in told.items():
        gauge = GAUGES[name]
        lines += [f"# HELP {name} {gauge.meaning}", f"# TYPE {name} gauge"]
        lines += [f"{name}{{{_labels(service, gauge, label)}}} {value:g}" for label, value in values.items()]
    return "\n".join([*lines, ""])


def _allowed(gauge: Gauge, label: str) -> bool:
    if not gauge.label:
        return not label
    return label in gauge.values if gauge.values else bool(_STATE.fullmatch(label))


def _labels(service: str, gauge: Gauge, label: str) -> str:
    own = f',{gauge.label}="{label}"' if gauge.label else ""
    return f'service="{service}"{own}'
