"""Everything is set-based: as many statements for five hundred cases as for one, and no table read from end to end."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from services.matching.store import cases as case_rows
from services.matching.store import loads, rosters
from shared.events.intake import CaseClosed, RequestSubmitted
from shared.events.matching import OfferMade
from shared.types import AgencyId, Urgency
from tests.harness.bench import Said, cases
from tests.integration.matching.bench import Bench, kinds, persons
from tests.integration.matching.test_walk_on_postgres import answer
from tests.unit.matching.given import ask, told

MANY = 500


async def test_a_batch_of_requests_takes_as_many_statements_as_one(bench: Bench) -> None:
    agencies = [AgencyId(uuid4()) for _ in range(10)]
    for agency in agencies:
        await bench.staff(*persons(20), agency=agency)
    asked = RequestSubmitted(ask=ask())
    await bench.take(Said(agencies[0], uuid4(), asked))
    for_one = kinds(bench.statements)
    await bench.out()
    await bench.take(*(Said(agencies[number % 10], case, asked) for number, case in enumerate(cases(MANY))))
    assert kinds(bench.statements) == for_one
    assert len(told(await bench.out(), OfferMade)) == MANY


async def test_a_batch_of_answers_takes_as_many_statements_as_one(bench: Bench) -> None:
    await bench.staff(*persons(10))
    asked = RequestSubmitted(ask=ask(Urgency.URGENT, stamped={"open_cases_per_peer": 50}))
    every = cases(101)
    await bench.take(*(Said(bench.agency, case, asked) for case in every))
    rows = await bench.sql.fetch("SELECT DISTINCT ON (case_id) case_id, offer_id, person_id FROM offers")
    first, *others = [
        Said(bench.agency, row["case_id"], answer(row["offer_id"], row["person_id"], "accept")) for row in rows
    ]
    await bench.take(first)
    for_one = kinds(bench.statements)
    await bench.take(*others)
    assert kinds(bench.statements) == for_one
    assert await bench.sql.fetchval("SELECT count(*) FROM assignments") == len(every)


async def test_a_batch_of_ends_takes_as_many_statements_as_one(bench: Bench) -> None:
    await bench.staff(*persons(10))
    asked = RequestSubmitted(ask=ask(stamped={"open_cases_per_peer": 50}))
    first, *others = cases(101)
    await bench.take(*(Said(bench.agency, case, asked) for case in (first, *others)))
    await bench.take(Said(bench.agency, first, CaseClosed()), group="crisis")
    for_one = kinds(bench.statements)
    await bench.take(*(Said(bench.agency, case, CaseClosed()) for case in others), group="crisis")
    assert kinds(bench.statements) == for_one
    assert await bench.loads() == {}
    assert await bench.sql.fetchval("SELECT count(*) FROM searches") == 0


async def test_timers_of_many_cases_fire_in_one_go(bench: Bench) -> None:
    await bench.staff(*persons(30))
    every = cases(100)
    await bench.take(*(Said(bench.agency, case, RequestSubmitted(ask=ask())) for case in every))
    await bench.out()
    await bench.move_clock(hours=4, seconds=31)
    facts = await bench.fire()
    assert len(told(facts, OfferMade)) == 100
    assert sum(taken for taken, _ in (await bench.loads()).values()) == 100


def nodes(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """Every node of a plan with the table it reads."""
    below = [found for child in plan.get("Plans", ()) for found in nodes(child)]
    return [(plan["Node Type"], plan.get("Relation Name", "")), *below]


@pytest.mark.parametrize("few", [1, 5])
async def test_people_and_hungry_searches_are_found_by_their_agency(bench: Bench, few: int) -> None:
    await bench.sql.execute(
        "INSERT INTO peers(person_id, agency_id, active, verified, role)"
        " SELECT gen_random_uuid(), a, true, true, 'peer'"
        " FROM (SELECT gen_random_uuid() AS a FROM generate_series(1, 400)) t, generate_series(1, 50)"
    )
    await bench.sql.execute("INSERT INTO peer_load(peer_id) SELECT person_id FROM peers")
    await bench.sql.execute(
        "INSERT INTO searches(case_id, agency_id, ask, phase, chooses, hungry, turn, since, until)"
        " SELECT gen_random_uuid(), agency_id, '{}', 'searching', false, random() < 0.02, 0, now(), now() FROM peers"
    )
    await bench.sql.execute("INSERT INTO agencies SELECT gen_random_uuid(), 1, true FROM generate_series(1, 20000)")
    await bench.sql.execute("ANALYZE peers, peer_load, rosters, searches, agencies")
    rows = await bench.sql.fetch("SELECT DISTINCT agency_id FROM peers LIMIT $1", few)
    agencies = [AgencyId(row["agency_id"]) for row in rows]
    peers = [row["person_id"] for row in await bench.sql.fetch("SELECT person_id FROM peers LIMIT 250")]
    async with bench.db.transaction(agencies) as tx:
        stamps = await tx.connection.fetchval("EXPLAIN (FORMAT json) " + rosters.STAMPS, agencies)
        people = await tx.connection.fetchval("EXPLAIN (FORMAT json) " + rosters.PEOPLE, agencies)
        carried = await tx.connection.fetchval("EXPLAIN (FORMAT json) " + loads.LOADS, peers, 1)
        hungry = await tx.connection.fetchval("EXPLAIN (FORMAT json) " + case_rows.HUNGRY, agencies, 500)
    for plan in (stamps, people, carried, hungry):
        found = nodes(json.loads(plan)[0]["Plan"])
        assert not [table for node, table in found if node == "Seq Scan"], found
