"""What intake and notify would say, said by a test on the real bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer
from uuid_utils.compat import uuid7

from shared.events import Envelope, Fact, encode, source_of, to_headers
from shared.events.intake import Ask, CrisisRaised
from shared.events.notify import PageReplied, PageVerb
from shared.events.policy import Capabilities, Policy
from shared.events.referral import RungPaged
from shared.types import AgencyId, CaseId, EventId, Help, PersonId, Relation, Structure, Urgency
from tests.harness.region import Region

ANA, BEN = PersonId(uuid4()), PersonId(uuid4())


class Bus:
    """Publishes facts of an agency as their services do."""

    def __init__(self, producer: AIOKafkaProducer, prefix: str, agency: AgencyId) -> None:
        self._producer, self._prefix, self.agency = producer, prefix, agency

    async def say(self, case: CaseId, fact: Fact, *, event_id: UUID | None = None) -> None:
        """Publish a fact about a case and wait for the broker."""
        envelope = Envelope(
            event_id=EventId(event_id or uuid7()),
            type=fact.type,
            source=source_of(fact.TOPIC),
            time=datetime.now(UTC),
            subject=case,
            agency_id=self.agency,
        )
        await self._producer.send_and_wait(
            self._prefix + fact.TOPIC.name, encode(fact), key=str(case).encode(), headers=to_headers(envelope)
        )


@asynccontextmanager
async def bus_of(region: Region) -> AsyncIterator[Bus]:
    """A bus for one agency."""
    producer = AIOKafkaProducer(bootstrap_servers=region.topics.kafka, acks="all")
    await producer.start()
    try:
        yield Bus(producer, region.topics.prefix, AgencyId(uuid4()))
    finally:
        await producer.stop()


def crisis(*rungs: tuple[PersonId, ...], rung_within_s: int = 300) -> CrisisRaised:
    """An emergency as intake raises it."""
    none = Capabilities(consult=False, accept_referral=False, direct_employee=False, direct_family=False)
    policy = Policy(
        structure=Structure.TEAM_COORDINATOR,
        capabilities=none,
        offers_out=3,
        answer_within_s=180,
        contact_within_s=600,
        choose_within_s=0,
        rung_within_s=rung_within_s,
        grace_s=0,
        open_cases_per_peer=4,
        crisis_cases_per_peer=1,
        crisis_cooldown_s=0,
    )
    ask = Ask(
        relation=Relation.OFFICER,
        urgency=Urgency.EMERGENCY,
        help=(Help.TALK,),
        choose="anyone",
        release="on_accept",
        manner="call",
        language="en",
        policy=policy,
    )
    return CrisisRaised(ask=ask, jurisdiction="US-UT", rungs=rungs)


def reply(paged: RungPaged, person: PersonId, verb: PageVerb) -> PageReplied:
    """What notify says when a paged person has pressed a button."""
    page = next(page for page, whom in paged.pages if whom == person)
    return PageReplied(
        reply=uuid4(), page=page, ladder=paged.ladder, person=person, verb=verb, received_at=datetime.now(UTC)
    )
