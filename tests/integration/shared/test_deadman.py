"""The dead man's switch of a region of real processes: red within its limit when something is wrong, then green."""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.migrate import SERVICES
from tests.harness.region import Region
from tests.harness.waiting import eventually
from tests.integration.shared.test_auditor import TIMER

AGENCY = UUID(int=7)
LIMIT_S = 15.0
QUICK = {"PEERLINE_DEADMAN_S": str(LIMIT_S), "PEERLINE_LATE_S": "5"}
Answer = tuple[int, dict[str, Any]]


async def asked(region: Region, service: str) -> Answer:
    async with region.http.get(f"{region.url(service)}/health/deadman") as answer:
        return answer.status, await answer.json()


async def green(region: Region, service: str = "intake", within: float = 30.0) -> dict[str, Any]:
    async def alive() -> dict[str, Any] | None:
        status, told = await asked(region, service)
        assert status == 200, told
        return told

    told: dict[str, Any] = await eventually(alive, within, what="all four auditors clean", every=0.3)
    return told


async def red(region: Region, of: str, failed: list[str], within: float) -> None:
    async def told() -> bool:
        status, said = await asked(region, "intake")
        assert (status, said["services"][of]["failed"]) == (503, failed)
        return True

    await eventually(told, within, what=f"{of}: {failed}", every=0.3)


@pytest.fixture
async def whole(region: Region) -> Region:
    await region.start_all(env=QUICK)
    await green(region)
    return region


async def test_every_service_tells_that_the_region_is_well_with_ages_and_names_alone(whole: Region) -> None:
    for service in SERVICES:
        told = await green(whole, service)
        assert set(told) == {"alive", "services"}
        assert set(told["services"]) == set(SERVICES)
        assert all(set(one) == {"age_s", "failed"} and one["failed"] == [] for one in told["services"].values())


async def test_a_frozen_service_turns_it_red_within_the_limit_and_green_when_it_goes_on(whole: Region) -> None:
    frozen = whole.services["referral", "0"]
    frozen.signal(signal.SIGSTOP)
    try:
        await red(whole, "referral", ["silent"], LIMIT_S + 8)
    finally:
        frozen.signal(signal.SIGCONT)
    await green(whole)


CASE = """
INSERT INTO matching.cases(case_id, agency_id, state, owner, due_at)
VALUES ($1, $2, 'searching', 'matching', region.now() + interval '1 second')
"""


async def test_an_open_thing_whose_timer_was_taken_away_turns_it_red_until_somebody_has_looked(whole: Region) -> None:
    sql = await whole.sql()
    await sql.execute(CASE, UUID(int=1), AGENCY)
    await red(whole, "matching", ["open_overdue"], LIMIT_S + 15)
    await sql.execute("UPDATE matching.cases SET due_at = region.now() + interval '1 hour'")
    await green(whole)


async def test_a_timer_that_is_leased_and_not_run_turns_it_red(whole: Region) -> None:
    sql = await whole.sql()
    await sql.execute("SET search_path = notify")
    await sql.execute(TIMER, AGENCY, 2, timedelta(seconds=60))
    await sql.execute("UPDATE timers SET leased_until = clock_timestamp() + interval '1 hour'")
    await red(whole, "notify", ["timers_overdue"], LIMIT_S + 8)
    await sql.execute("DELETE FROM timers")
    await green(whole)


async def test_a_position_beyond_the_end_turns_it_red_and_so_does_an_edited_audit_entry(whole: Region) -> None:
    sql = await whole.sql()
    await sql.execute(
        "INSERT INTO referral.positions VALUES ('peerline.intake', 0, 1000000000)"
        " ON CONFLICT (topic, part) DO UPDATE SET next_offset = excluded.next_offset"
    )
    await sql.execute("INSERT INTO intake.audit(agency_id, act) VALUES ($1, 'act')", AGENCY)
    await red(whole, "referral", ["position_beyond_end"], LIMIT_S + 8)
    await eventually(lambda: sql.fetchval("SELECT count(*) FROM intake.audit_chain"), what="the entry sealed")
    await sql.execute("UPDATE intake.audit SET act = 'another'")
    await red(whole, "intake", ["audit_chain"], LIMIT_S + 8)
    await sql.execute("UPDATE intake.audit SET act = 'act'")
    await sql.execute("DELETE FROM referral.positions")
    await green(whole)
