"""matching as a real process on the real bus: a request becomes an offer, and a kill loses nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest_asyncio
from aiokafka import AIOKafkaProducer
from uuid_utils.compat import uuid7

from deploy.local.timeline import Watcher, watching
from shared.events import Envelope, Fact, encode, source_of, to_headers
from shared.events.intake import CrisisRaised, RequestSubmitted
from shared.events.matching import NobodyFound, OfferExpired, OfferMade, PeerAssigned
from shared.events.notify import ContactVerified
from shared.types import AgencyId, CaseId, EventId, PersonId, Urgency
from tests.harness.region import Region
from tests.harness.waiting import eventually
from tests.integration.matching.bench import person_set, persons
from tests.integration.matching.test_walk_on_postgres import answer
from tests.unit.matching.given import ask


class Bus:
    """Says what intake and notify would say."""

    def __init__(self, region: Region, producer: AIOKafkaProducer) -> None:
        self.region, self.producer, self.agency = region, producer, AgencyId(uuid4())

    async def say(self, key: UUID, fact: Fact) -> None:
        envelope = Envelope(EventId(uuid7()), fact.type, source_of(fact.TOPIC), datetime.now(UTC), key, self.agency)
        await self.producer.send_and_wait(
            self.region.topics.named(fact.TOPIC.name), encode(fact), key=str(key).encode(), headers=to_headers(envelope)
        )

    async def staffed(self, *people: PersonId) -> None:
        """The running process knows these peers, verified."""
        for person in people:
            await self.say(person, person_set())
            await self.say(person, ContactVerified(revision=1))
        sql = await self.region.sql()

        async def known() -> bool:
            useful = "SELECT count(*) FROM matching.peers WHERE active AND verified AND person_id = ANY ($1::uuid[])"
            return bool(await sql.fetchval(useful, list(people)) == len(people))

        await eventually(known, within=30)


@asynccontextmanager
async def bus_of(region: Region) -> AsyncIterator[Bus]:
    producer = AIOKafkaProducer(bootstrap_servers=region.topics.kafka, acks="all")
    await producer.start()
    try:
        yield Bus(region, producer)
    finally:
        await producer.stop()


@pytest_asyncio.fixture
async def bus(region: Region) -> AsyncIterator[Bus]:
    async with bus_of(region) as made:
        yield made


@pytest_asyncio.fixture
async def seen(region: Region) -> AsyncIterator[Watcher]:
    async with watching(region.topics.kafka, region.topics.prefix) as watcher:
        yield watcher


async def test_a_request_is_offered_and_accepted_over_the_bus(region: Region, bus: Bus, seen: Watcher) -> None:
    await region.start("matching")
    case, people = CaseId(uuid4()), persons(2)
    await bus.staffed(*people)
    await bus.say(case, RequestSubmitted(ask=ask()))
    _, offer = await seen.first(OfferMade, case=case)
    assert offer.person in people
    await bus.say(case, answer(offer.offer, offer.person, "accept"))
    assert (await seen.first(PeerAssigned, case=case))[1].offer == offer.offer


async def test_an_emergency_moves_on_by_itself_when_nobody_answers(region: Region, bus: Bus, seen: Watcher) -> None:
    await region.start("matching")
    case = CaseId(uuid4())
    await bus.staffed(*persons(1))
    await bus.say(case, CrisisRaised(ask=ask(Urgency.EMERGENCY), jurisdiction="US-MT", rungs=()))
    await seen.first(OfferMade, case=case)
    await region.move_clock(timedelta(minutes=3, seconds=31))
    await seen.first(OfferExpired, case=case)
    await seen.first(NobodyFound, case=case)


async def test_a_killed_process_comes_back_and_nothing_was_lost_or_done_twice(
    region: Region, bus: Bus, seen: Watcher
) -> None:
    await region.start("matching")
    people, cases = persons(5), [CaseId(uuid4()) for _ in range(20)]
    await bus.staffed(*people)
    for case in cases[:10]:
        await bus.say(case, RequestSubmitted(ask=ask()))
    await seen.first(OfferMade, case=cases[0])
    await region.kill("matching")
    for case in cases[10:]:
        await bus.say(case, RequestSubmitted(ask=ask()))
    await region.start("matching")
    for case in cases:
        await seen.first(OfferMade, case=case, within_s=60)
    sql = await region.sql()
    assert await sql.fetchval("SELECT count(*) FROM matching.offers") == len(cases)
    assert await sql.fetchval("SELECT sum(open) FROM matching.peer_load") == len(cases)
