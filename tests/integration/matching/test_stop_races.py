"""A stop event on the crisis lane races what the ordinary lane brings of the same case."""

from __future__ import annotations

import asyncio

from shared.events.intake import CaseClosed, CaseWithdrawn, RequestSubmitted
from tests.harness.bench import Said, benched, cases
from tests.harness.databases import TestDatabase
from tests.integration.matching.bench import Bench, persons
from tests.unit.matching.given import ask

RACES = 30


async def test_a_withdrawal_beside_the_request_leaves_no_case_behind(database: TestDatabase) -> None:
    async with benched(Bench, database) as bench:
        await bench.staff(*persons(RACES))
        for case in cases(RACES):
            await asyncio.gather(
                bench.take(Said(bench.agency, case, RequestSubmitted(ask=ask()))),
                bench.take(
                    Said(bench.agency, case, CaseWithdrawn()), Said(bench.agency, case, CaseClosed()), group="crisis"
                ),
            )

        assert await bench.sql.fetchval("SELECT count(*) FROM cases") == 0
        assert await bench.sql.fetchval("SELECT count(*) FROM offers") == 0
        assert await bench.sql.fetchval("SELECT coalesce(sum(open), 0) FROM peer_load") == 0
