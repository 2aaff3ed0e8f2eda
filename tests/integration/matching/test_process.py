"""matching as a real process on the real bus: a request becomes an offer, and a kill loses nothing."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from deploy.local.timeline import Watcher
from shared.events.intake import CrisisRaised, RequestSubmitted
from shared.events.matching import NobodyFound, OfferExpired, OfferMade, PeerAssigned
from shared.events.notify import ContactVerified
from shared.types import CaseId, PersonId, Urgency
from tests.harness.bus import Bus
from tests.harness.region import Region
from tests.harness.waiting import eventually
from tests.integration.matching.bench import person_set, persons
from tests.integration.matching.test_walk_on_postgres import answer
from tests.unit.matching.given import ask


async def staffed(bus: Bus, *people: PersonId) -> None:
    """The running process knows these peers, verified."""
    for person in people:
        await bus.say(person, person_set())
        await bus.say(person, ContactVerified(revision=1))
    sql = await bus.region.sql()

    async def known() -> bool:
        useful = "SELECT count(*) FROM matching.peers WHERE active AND verified AND person_id = ANY ($1::uuid[])"
        return bool(await sql.fetchval(useful, list(people)) == len(people))

    await eventually(known, within=30)


async def test_a_request_is_offered_and_accepted_over_the_bus(region: Region, bus: Bus, seen: Watcher) -> None:
    await region.start("matching")
    case, people = CaseId(uuid4()), persons(2)
    await staffed(bus, *people)
    await bus.say(case, RequestSubmitted(ask=ask()))
    _, offer = await seen.first(OfferMade, case=case)
    assert offer.person in people
    await bus.say(case, answer(offer.offer, offer.person, "accept"))
    assert (await seen.first(PeerAssigned, case=case))[1].offer == offer.offer


async def test_an_emergency_moves_on_by_itself_when_nobody_answers(region: Region, bus: Bus, seen: Watcher) -> None:
    await region.start("matching")
    case = CaseId(uuid4())
    await staffed(bus, *persons(1))
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
    await staffed(bus, *people)
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
