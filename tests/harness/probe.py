"""A handler of our own in a real service schema: it writes down what took effect, and fails when told to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from shared import clock
from shared.db import Transaction
from shared.delivery import Received
from shared.errors import Unprocessable
from shared.events import Envelope, Fact, encode, source_of, to_headers
from shared.events.intake import PeerChosen
from shared.migrate import app_of
from shared.parking import Raw
from shared.timers import Fired
from shared.types import AgencyId, CaseId, EventId, PersonId
from tests.harness.databases import TestDatabase

SERVICE = "matching"
_TABLE = """
CREATE TABLE {schema}.effects(
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, agency_id uuid NOT NULL, case_id uuid, event_id uuid,
    n integer);
ALTER TABLE {schema}.effects ENABLE ROW LEVEL SECURITY;
ALTER TABLE {schema}.effects FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON {schema}.effects TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.effects TO {app};
"""
_WRITE = """
INSERT INTO effects(agency_id, case_id, event_id, n)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[])
"""


async def make_table(database: TestDatabase, schema: str = SERVICE) -> None:
    """The table of effects, in a service's schema."""
    connection = await database.superuser()
    try:
        await connection.execute(_TABLE.format(schema=schema, app=app_of(schema)))
    finally:
        await connection.close()


async def note_fired(tx: Transaction, fired: Sequence[Fired]) -> None:
    """The work of timers: an effect each."""
    await tx.connection.execute(
        "INSERT INTO effects(agency_id, case_id) SELECT a, c FROM unnest($1::uuid[], $2::uuid[]) t(a, c)",
        [timer.agency_id for timer in fired],
        [timer.key for timer in fired],
    )


def numbered(n: int) -> PeerChosen:
    """A fact that carries a number."""
    return PeerChosen(person=PersonId(UUID(int=n)))


def number_of(fact: Fact) -> int | None:
    """The number in a fact of `numbered`."""
    return fact.person.int if isinstance(fact, PeerChosen) and fact.person else None


@dataclass
class Probe:
    """`absorb` for a Delivery. `bad` numbers are refused; `before` runs inside the transaction, ahead of the effect."""

    bad: set[int] = field(default_factory=set)
    before: Callable[[Transaction], Awaitable[None]] | None = None
    batches: list[int] = field(default_factory=list)
    error: type[Exception] = Unprocessable

    async def absorb(self, tx: Transaction, received: Sequence[Received]) -> None:
        self.batches.append(len(received))
        if self.before is not None:
            await self.before(tx)
        if any(number_of(one.fact) in self.bad for one in received):
            raise self.error("a number that is refused")
        await tx.connection.execute(
            _WRITE,
            [one.envelope.agency_id for one in received],
            [one.case_id for one in received],
            [one.envelope.event_id for one in received],
            [number_of(one.fact) for one in received],
        )


@dataclass
class Sender:
    """Makes records as the relay of the fact's service would, with offsets that grow per topic."""

    agency: AgencyId = field(default_factory=lambda: AgencyId(clock.random_id()))
    _next: dict[str, int] = field(default_factory=dict)

    def raw(
        self,
        fact: Fact,
        case: UUID,
        *,
        event_id: UUID | None = None,
        at: datetime | None = None,
        agency: AgencyId | None = None,
        headers: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Raw:
        """One record; `headers` replace those of the envelope by name."""
        topic = fact.TOPIC.name
        pos = self._next.get(topic, 0)
        self._next[topic] = pos + 1
        envelope = Envelope(
            event_id=EventId(event_id or clock.ordered_id()),
            type=fact.type,
            source=source_of(fact.TOPIC),
            time=at or clock.now(),
            subject=case,
            agency_id=agency or self.agency,
        )
        shown = dict(to_headers(envelope)) | dict(headers)
        return Raw(topic, 0, pos, str(case).encode(), tuple(shown.items()), encode(fact))


def a_case() -> CaseId:
    """A case nobody has heard of."""
    return CaseId(clock.random_id())
