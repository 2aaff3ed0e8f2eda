"""Two transactions at once over the same peers and the same case: the database keeps what memory decided."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest

from services.matching import actions
from services.matching.domain.case import HeardOf
from services.matching.domain.decide import LookAgain
from shared.casework import Input
from shared.errors import LostClaim
from shared.events import Fact
from shared.events.intake import CaseClosed, CaseWithdrawn, RequestSubmitted
from shared.events.matching import NobodyFound, OfferMade, PeerAssigned
from shared.types import CaseId, Urgency
from tests.harness.bench import Said, cases
from tests.integration.matching.bench import Bench, persons
from tests.integration.matching.test_walk_on_postgres import answer
from tests.unit.matching.given import ask, one, outcomes, told


async def test_one_accepted_is_enforced_by_the_database(bench: Bench) -> None:
    (case,), people = cases(1), persons(2)
    await bench.staff(*people)
    first, second = told(await bench.hear(case, RequestSubmitted(ask=ask(Urgency.URGENT))), OfferMade)
    await bench.hear(case, answer(first.offer, first.person, "accept"))
    with pytest.raises(asyncpg.UniqueViolationError, match="one_accepted"):
        await bench.sql.execute("UPDATE offers SET state = 'accepted' WHERE offer_id = $1", second.offer)


async def test_two_acceptances_at_the_same_time_on_two_connections(bench: Bench) -> None:
    (case,), people = cases(1), persons(2)
    await bench.staff(*people)
    offers = told(await bench.hear(case, RequestSubmitted(ask=ask(Urgency.URGENT))), OfferMade)
    replies = [Said(bench.agency, case, answer(offer.offer, offer.person, "accept")) for offer in offers]
    await asyncio.gather(*(bench.take(reply) for reply in replies))
    facts = await bench.out()
    assert sorted(outcomes(facts)) == ["accepted", "covered"]
    assert len(told(facts, PeerAssigned)) == 1
    assert sum(taken for taken, _ in (await bench.loads()).values()) == 1


async def test_a_storm_of_requests_over_several_connections_never_fills_anybody_above_the_cap(bench: Bench) -> None:
    people, asked = persons(5), RequestSubmitted(ask=ask())
    await bench.staff(*people)
    batches = [[Said(bench.agency, case, asked) for case in cases(10)] for _ in range(4)]
    await asyncio.gather(*(bench.take(*batch) for batch in batches))
    facts = await bench.out()
    assert Counter(offer.person for offer in told(facts, OfferMade)) == dict.fromkeys(people, 4)
    assert len(told(facts, NobodyFound)) == 20
    assert set((await bench.loads()).values()) == {(4, 0)}


async def test_who_was_filled_up_between_reading_and_writing_is_not_taken(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.staff(person)
    asked = Input(bench.agency, case, RequestSubmitted(ask=ask()))

    async def offered_too_late() -> None:
        async with bench.db.transaction({bench.agency}) as tx:
            book = actions.SearchBook(await tx.now(), uuid4, [asked])
            await book.load(tx, {})
            await bench.sql.execute("INSERT INTO peer_load(peer_id, open) VALUES ($1, 4)", person)
            decided = book.decide(HeardOf(), asked)
            assert any(isinstance(fact, OfferMade) for fact in decided.facts)
            await book.save(tx, {case: HeardOf()}, {case: decided.state})

    with pytest.raises(LostClaim):
        await offered_too_late()
    assert await bench.sql.fetchval("SELECT count(*) FROM offers") == 0


async def test_withdrawal_and_acceptance_at_the_same_time_leave_nothing_open(bench: Bench) -> None:
    (case,), people = cases(1), persons(1)
    await bench.staff(*people)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    await asyncio.gather(
        bench.take(Said(bench.agency, case, answer(offer.offer, offer.person, "accept"))),
        bench.take(Said(bench.agency, case, CaseWithdrawn()), group="crisis"),
    )
    assert await bench.loads() == {}
    anchor = await bench.row(case)
    assert anchor is not None
    assert anchor["state"] == "ended"


async def test_a_case_that_was_purged_before_it_looks_again_stays_away(bench: Bench) -> None:
    (case,), _ = cases(1), persons(1)
    await bench.hear(case, RequestSubmitted(ask=ask()))
    await bench.hear(case, CaseClosed(), group="crisis")
    async with bench.db.transaction({bench.agency}) as tx:
        await actions.take(tx, [Input(bench.agency, CaseId(case), LookAgain())])
    assert await bench.row(case) is None


async def test_a_time_out_and_an_answer_in_time_at_the_same_time_leave_one_peer_with_one_case(bench: Bench) -> None:
    (case,), people = cases(1), persons(2)
    await bench.staff(*people)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    in_time = datetime.now(UTC)
    await bench.move_clock(hours=4, seconds=31)
    facts: list[Fact] = []

    async def expire() -> None:
        facts.extend(await bench.fire())

    reply = Said(bench.agency, case, answer(offer.offer, offer.person, "accept", at=in_time))
    await asyncio.gather(expire(), bench.take(reply))
    facts += await bench.out()
    assert one(facts, PeerAssigned).person == offer.person
    assert await bench.loads() == {offer.person: (1, 0)}
