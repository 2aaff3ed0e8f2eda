"""Facts leave a service through its outbox: written in the transaction that made them true, published by the relay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared import clock
from shared.db import Transaction, outbox_wake
from shared.events import Fact, encode
from shared.types import AgencyId


@dataclass(frozen=True)
class Draft:
    """A fact about to be emitted. `key` is its case, or the thing itself; directory facts route by agency."""

    agency_id: AgencyId
    key: UUID
    fact: Fact
    route: UUID | None = None


_EMIT = """
INSERT INTO outbox(event_id, agency_id, lane, topic, key, route, type, traceparent, payload)
SELECT e.id, e.agency_id, e.lane, e.topic, e.key, e.route, e.type, e.traceparent, e.payload
  FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
              $9::bytea[]) WITH ORDINALITY
       e(id, agency_id, lane, topic, key, route, type, traceparent, payload, n)
 ORDER BY e.n
"""


async def emit(tx: Transaction, drafts: Sequence[Draft]) -> None:
    """Write facts to the outbox in this order. The caller has locked their cases, so ids follow commit order."""
    if not drafts:
        return
    lanes = [draft.fact.TOPIC.lane for draft in drafts]
    await tx.connection.execute(
        _EMIT,
        [clock.ordered_id() for _ in drafts],
        [draft.agency_id for draft in drafts],
        [lane.value for lane in lanes],
        [draft.fact.TOPIC.name for draft in drafts],
        [draft.key for draft in drafts],
        [draft.route or draft.key for draft in drafts],
        [draft.fact.type for draft in drafts],
        [tx.traces.get(draft.key) for draft in drafts],
        [encode(draft.fact) for draft in drafts],
    )
    tx.wakes.update(outbox_wake(lane) for lane in lanes)
