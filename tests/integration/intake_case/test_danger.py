"""Danger in an open case, said by its requester or by the peer, and danger to somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services.intake import subscribers
from shared import clock
from shared.db import Transaction
from shared.delivery import Delivery, Received
from shared.errors import SealBroken, Unprocessable
from shared.events.envelope import NOTIFY_CRISIS
from shared.events.intake import (
    ContactReleased,
    ContactReleasedInCrisis,
    CrisisRaised,
    DirectAsked,
    OutreachAsked,
    RequestSubmitted,
)
from shared.events.notify import DangerReported
from shared.events.referral import HumanContactConfirmed, LadderAcknowledged, RungPaged
from shared.types import REGION, CaseId, PersonId
from shared.vault import load
from tests.harness.databases import TestDatabase
from tests.harness.probe import Sender
from tests.harness.waiting import eventually
from tests.integration.intake_case import front as fronts
from tests.integration.intake_case.front import LINE, Front
from tests.integration.intake_case.test_case import accepted, peer
from tests.integration.intake_case.test_clinical import clinician, numbers

ORDINARY = 4
"""Connections of the pool that `TestDatabase.opened` opens."""


def coordinator(ref: str = "c1") -> dict[str, str]:
    return {"person_ref": ref, "role": "coordinator", "name": f"Person {ref}", "contact": f"{ref}@home.test"}


async def raised(front: Front, case: CaseId) -> CrisisRaised:
    (fact,) = [one for one in await front.facts(case) if isinstance(one, CrisisRaised)]
    return fact


async def helpers(front: Front) -> tuple[dict[str, PersonId], PersonId]:
    """A clinician on call, two coordinators, and the region's duty; all verified."""
    on_call = clinician() | {"attributes": ["licence:us-ut", "on_call"]}
    ids = await front.upload(peer(), coordinator(), coordinator("c2"), on_call)
    duty = await front.duty("Dee Duty", "dee@home.test")
    await front.verified(*ids.values())
    await front.verified(duty, agency=REGION)
    return ids, duty


async def test_an_emergency_in_an_open_case_pages_by_rungs_and_releases_at_once(front: Front) -> None:
    await front.structured("clinical-supervisor")
    ids, duty = await helpers(front)
    code, case = await front.begun(release="ask_me", avoid_people=["Person c1"])
    await accepted(front, case, ids["p1"])
    answer = await front.post(code, "emergency")
    assert (answer.status, answer.json["urgency"], answer.json["state"]) == (200, "emergency", "released")
    fact = await raised(front, case)
    assert fact.rungs == ((ids["doc"],), (ids["c2"],), (duty,))
    assert fact.ask.policy.answer_within_s == 180
    assert [type(one) for one in await front.facts(case)][1:] == [CrisisRaised, ContactReleased]
    assert "Do not wait" in answer.json["says"][0]


async def test_an_emergency_is_raised_once_by_one_tap(front: Front) -> None:
    code, case = await front.begun()
    for _ in range(2):
        assert (await front.post(code, "emergency", key="tap-00001")).status == 200
    await raised(front, case)
    # Danger waits for no header. Said again it is told again, and begins no second ladder while one lives.
    assert (await front.json("POST", "/v1/case/emergency", code=code)).status == 200


async def test_an_emergency_in_a_case_without_a_peer_asks_peers_too(front: Front) -> None:
    await front.structured("clinical-supervisor")
    code, case = await front.begun(want="clinician")
    await front.post(code, "emergency")
    assert [type(one) for one in await front.facts(case)] == [DirectAsked, CrisisRaised, RequestSubmitted]


async def test_a_case_that_is_over_says_where_to_ask_anew(front: Front) -> None:
    code, _ = await front.begun()
    await front.post(code, "close")
    answer = await front.post(code, "emergency", key="key-0002")
    assert (answer.status, answer.json["type"]) == (409, "/problems/case-over")
    assert (answer.json["ask"], answer.json["page"]) == ("/v1/agencies/riverton/requests", "/a/riverton")
    assert numbers(answer) >= {"988", "911", LINE}


async def test_an_emergency_in_an_open_case_waits_for_no_ordinary_connection(
    database: TestDatabase, tmp_path: Path
) -> None:
    async with fronts.opened(database, tmp_path) as front, AsyncExitStack() as busy:
        code, _ = await front.begun()
        for _ in range(ORDINARY):
            await busy.enter_async_context(front.db.transaction({front.agency.agency_id}))
        assert (await front.post(code, "emergency")).status == 200


async def test_a_peers_danger_button_raises_the_same_crisis(front: Front) -> None:
    ids, duty = await helpers(front)
    code, case = await front.begun(avoid_people=["Person c2"])
    released = await accepted(front, case, ids["p1"])
    danger = DangerReported(reply=uuid4(), assignment=released.assignment, person=ids["p1"], received_at=clock.now())
    await front.hear(case, danger)
    assert (await raised(front, case)).rungs == ((ids["c1"],), (duty,))
    status = await front.status(code)
    assert (status["urgency"], status["state"]) == ("emergency", "released")


async def test_danger_that_had_to_wait_still_reaches_the_regional_duty_coordinator(front: Front) -> None:
    ids, duty = await helpers(front)
    _, case = await front.begun(avoid_people=["Person c1", "Person c2"])
    released = await accepted(front, case, ids["p1"])
    danger = DangerReported(reply=uuid4(), assignment=released.assignment, person=ids["p1"], received_at=clock.now())
    broken = True

    async def absorb(tx: Transaction, received: Sequence[Received]) -> None:
        if broken:
            raise Unprocessable("not yet")
        await subscribers.crisis(tx, received)

    # As services/intake/app.py consumes the crisis lane.
    topics = [NOTIFY_CRISIS.name]
    lane = Delivery(front.db, absorb, group="-", topics=topics, fingerprint_key=b"k" * 32, beside=[REGION])
    await lane.take([Sender(agency=front.agency.agency_id).raw(danger, case)])
    broken = False
    await front.sql.execute("UPDATE parked SET next_try = clock_timestamp()")
    trying = asyncio.create_task(lane.retry_parked())
    try:
        await eventually(lambda: _none_parked(front))
    finally:
        trying.cancel()
    assert (await raised(front, case)).rungs == ((duty,),)


async def _none_parked(front: Front) -> bool:
    return not await front.sql.fetchval("SELECT count(*) FROM parked")


async def test_danger_of_a_case_nobody_knows_changes_nothing(front: Front) -> None:
    danger = DangerReported(reply=uuid4(), assignment=uuid4(), person=PersonId(uuid4()), received_at=clock.now())
    case = CaseId(uuid4())
    await front.hear(case, danger)
    assert await front.facts(case) == []


async def test_scenario_16_whoever_takes_the_page_is_shown_the_reach_and_the_next_one_too(front: Front) -> None:
    ids, _ = await helpers(front)
    code, case = await front.begun(reach={"channel": "call", "address": "801 555 0123", "name": "Sam"})
    await front.post(code, "emergency")
    ladder, expires = uuid4(), clock.now() + timedelta(minutes=5)
    await front.hear(case, RungPaged(ladder=ladder, rung=0, pages=((uuid4(), ids["c1"]),), expires=expires))
    await front.hear(case, LadderAcknowledged(ladder=ladder, person=ids["c1"]))
    await front.hear(case, RungPaged(ladder=ladder, rung=1, pages=((uuid4(), ids["c2"]),), expires=expires))
    assert "has not told us yet" in (await front.status(code))["says"][0]
    await front.hear(case, LadderAcknowledged(ladder=ladder, person=ids["c2"]))
    shown = [one.recipient for one in await front.facts(case) if isinstance(one, ContactReleasedInCrisis)]
    assert shown == [ids["c1"], ids["c2"]]


# --- somebody else


async def test_scenario_15_immediate_danger_to_somebody_else_goes_the_crisis_way(front: Front) -> None:
    _, duty = await helpers(front)
    code = front.code()
    answer = await front.ask(code, about="someone_else", urgency="emergency", relation="family", notice=None)
    assert (answer.status, numbers(answer) >= {"988", "911", LINE}) == (201, True)
    assert "Stay with them" in " ".join(answer.json["coaching"])
    (case,) = await front.cases()
    fact = await raised(front, case)
    assert (fact.ask.about, fact.rungs[-1]) == ("someone_else", (duty,))
    ladder = uuid4()
    await front.hear(case, LadderAcknowledged(ladder=ladder, person=duty))
    (shown,) = [one for one in await front.facts(case) if isinstance(one, ContactReleasedInCrisis)]
    assert (shown.about, shown.recipient) == ("someone_else", duty)
    await front.hear(case, HumanContactConfirmed(ladder=ladder, person=duty))
    assert (await front.status(code))["emergency"]["contact"]
    # The caller's is the only case there is.
    assert await front.cases() == [case]


async def test_somebody_who_is_worried_is_coached_and_gets_a_case_of_their_own(front: Front) -> None:
    code = front.code()
    answer = await front.ask(code, about="someone_else")
    assert (answer.status, "outreach" in answer.json) == (201, False)
    assert any("988" in line for line in answer.json["coaching"])
    (case,) = await front.cases()
    (fact,) = await front.facts(case)
    assert isinstance(fact, RequestSubmitted)
    assert fact.ask.about == "someone_else"
    assert (await front.status(code))["coaching"] == answer.json["coaching"]


async def test_the_one_message_travels_sealed_and_is_kept_in_no_table_of_the_case(front: Front) -> None:
    outreach = {"channel": "mail", "address": "Pat.Canary@Home.test"}
    answer = await front.ask(front.code(), about="someone_else", outreach=outreach)
    assert (answer.status, answer.json["outreach"]) == (201, "asked")
    (case,) = await front.cases()
    _, told = await front.facts(case)
    assert isinstance(told, OutreachAsked)
    assert told.slug == "riverton"
    async with front.db.transaction([front.agency.agency_id]) as tx:
        key = (await load(tx, front.keyring, "outreach", [told.outreach]))[told.outreach]
        of_case = (await load(tx, front.keyring, "case", [case]))[case]
    assert key.open("outreach", told.sealed) == b"pat.canary@home.test"
    with pytest.raises(SealBroken):
        of_case.open("outreach", told.sealed)
    for table in ("requests", "outbox", "audit", "idempotency", "cases"):
        found = f"SELECT count(*) FROM {table} t WHERE t::text ILIKE '%canary%'"  # noqa: S608
        assert await front.sql.fetchval(found) == 0


async def test_with_the_case_the_key_of_its_outreach_goes(front: Front) -> None:
    code = front.code()
    await front.ask(code, about="someone_else", outreach={"channel": "mail", "address": "pat@home.test"})
    await front.ask(front.code(), about="someone_else", outreach={"channel": "mail", "address": "kim@home.test"})
    live = "SELECT count(*) FROM vault.data_keys WHERE kind = 'outreach' AND wrapped IS NOT NULL"
    assert await front.sql.fetchval(live) == 2
    assert (await front.json("DELETE", "/v1/case", code=code)).status == 200
    assert await front.sql.fetchval(live) == 1


async def test_in_an_emergency_no_mail_is_sent_to_anybody(front: Front) -> None:
    outreach = {"channel": "mail", "address": "pat@home.test"}
    answer = await front.ask(front.code(), about="someone_else", urgency="emergency", outreach=outreach)
    assert (answer.status, answer.json["outreach"]) == (201, "not-in-an-emergency")
    (case,) = await front.cases()
    assert [type(one) for one in await front.facts(case)] == [CrisisRaised]


async def test_a_message_for_nobody_else_or_with_a_name_is_refused_without_an_echo(front: Front) -> None:
    outreach = {"channel": "mail", "address": "canary@home.test"}
    own = await front.ask(front.code(), outreach=outreach)
    named = await front.ask(front.code(), about="someone_else", outreach=outreach | {"name": "Canary"})
    bad = await front.ask(front.code(), about="someone_else", outreach={"channel": "mail", "address": "canary"})
    assert [own.status, named.status, bad.status] == [422, 422, 422]
    assert own.json["errors"] == [{"pointer": "/outreach", "code": "only-for-someone-else"}]
    assert all(b"anary" not in one.body and LINE in numbers(one) for one in (own, named, bad))
