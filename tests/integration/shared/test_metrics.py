"""The gauges over a real database, read with the rights of the loop and nothing more."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID, uuid4

import aiohttp
import pytest

from deploy.local.ports import free_ports
from services.matching.store.watch import UNSERVED
from shared import heartbeats
from shared.checks import Finding
from shared.metrics import HOUSE, Sample
from shared.migrate import SERVICES
from tests.harness.databases import Sql, TestDatabase
from tests.harness.region import Region

AGENCY = UUID("00000000-0000-4000-8000-0000000000aa")


async def read(database: TestDatabase, service: str) -> dict[tuple[str, str], float]:
    async with database.opened(service) as db, db.loop() as connection:
        sources = (HOUSE, UNSERVED) if service == "matching" else (HOUSE,)
        samples: list[Sample] = [one for source in sources for one in await source.read(connection)]
    return {(one.name, one.label): one.value for one in samples}


async def search(sql: Sql, urgency: str, phase: str, ago: timedelta, **ask: object) -> None:
    await sql.execute(
        """INSERT INTO matching.searches(case_id, agency_id, ask, phase, chooses, hungry, turn, since, until)
           VALUES ($1, $2, $3::jsonb, $4, false, false, 1, region.now() - $5::interval, region.now())""",
        *(uuid4(), AGENCY, json.dumps({"urgency": urgency, **ask}), phase, ago),
    )


@pytest.mark.parametrize("service", SERVICES)
async def test_an_empty_region_has_nothing_open_without_a_due_time(database: TestDatabase, service: str) -> None:
    assert await read(database, service) == {("peerline_open_without_due", ""): 0}


async def test_the_oldest_unserved_request_is_told_per_urgency_in_whole_minutes(database: TestDatabase) -> None:
    sql = await database.superuser()
    for urgency, phase, minutes in (("soon", "searching", 1.5), ("soon", "unserved", 7.7), ("routine", "assigned", 90)):
        await search(sql, urgency, phase, timedelta(minutes=minutes), practice=False)
    # What is only practised waits for nobody.
    await search(sql, "soon", "searching", timedelta(minutes=99), practice=True)
    await sql.close()
    told = await read(database, "matching")
    assert told["peerline_unserved", "soon"] == 2
    assert told["peerline_unserved_oldest_seconds", "soon"] == 7 * 60
    assert ("peerline_unserved", "routine") not in told


async def test_late_timers_dead_records_and_a_full_outbox_are_told(database: TestDatabase) -> None:
    sql = await database.superuser()
    await sql.execute(
        """INSERT INTO notify.timers(timer_id, agency_id, lane, kind, key, subject_id, subject_version, due_at)
           SELECT gen_random_uuid(), $1, 0, 'send', $1, gen_random_uuid(), 1, region.now() - late
             FROM unnest('{5 s,11 s,1 h}'::interval[]) late""",
        AGENCY,
    )
    await sql.execute(
        """INSERT INTO notify.outbox(event_id, agency_id, lane, topic, key, route, type, payload, created_at)
           VALUES (gen_random_uuid(), $1, 1, 't', $1, $1, 't', '', clock_timestamp() - interval '30 s')""",
        AGENCY,
    )
    await sql.execute(
        """INSERT INTO notify.parked(topic, part, pos, key, size, state, due_at, error_class, fingerprint)
           VALUES ('t', 0, 0, '', 0, 'dead', region.now(), 'Odd', '')"""
    )
    await sql.close()
    told = await read(database, "notify")
    assert (told["peerline_timers_overdue", "crisis"], told["peerline_parked_records", "dead"]) == (2, 1)
    assert told["peerline_outbox_records", "ordinary"] == 1
    assert 30 <= told["peerline_outbox_oldest_seconds", "ordinary"] < 60


async def test_what_the_auditor_has_found_and_how_far_consumers_are_behind_is_told(database: TestDatabase) -> None:
    async with database.opened("matching") as db, db.loop() as loop:
        await heartbeats.beat(loop, "matching", "0", [], told={"lag": 4})
        await heartbeats.beat(loop, "matching", "1", [Finding("outbox_old", 1, 40)], told={"lag": 3})
    told = await read(database, "matching")
    assert (told["peerline_consumer_lag_records", ""], told["peerline_checks_failed", "outbox_old"]) == (4, 1)
    assert 0 <= told["peerline_auditor_clean_seconds", ""] < 30
    assert "peerline_checks_failed" not in {name for name, _ in await read(database, "notify")}


async def test_a_service_answers_prometheus_on_a_port_of_its_own_and_not_on_its_doors(region: Region) -> None:
    port = free_ports().zipkin
    region.topics.tired = True
    await region.start("matching", env={"PEERLINE_METRICS_PORT": str(port)})
    async with aiohttp.ClientSession() as http:
        async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert (answer.status, answer.content_type) == (200, "text/plain")
            assert 'peerline_unserved{service="matching",urgency="emergency"} 0' in await answer.text()
        async with http.get(f"{region.url('matching')}/metrics") as answer:
            assert answer.status == 404
