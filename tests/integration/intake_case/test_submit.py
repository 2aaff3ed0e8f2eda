"""A request is taken once, sealed, and told to the region."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest

from services.intake.actions.agencies import add_agency
from services.intake.actions.requests import Submission, submit
from services.intake.actions.structures import put_structure
from services.intake.app import desk_of
from services.intake.domain.request import Request
from services.intake.domain.structure import Wanted
from shared import vault
from shared.events.intake import CrisisRaised, RequestSubmitted
from shared.types import REGION, PersonId
from tests.integration.intake_case.front import LINE, NOTICE, Front, hash_of, hidden, riverton
from tests.unit.shared.asgi import call

BODY = {"relation": "officer", "urgency": "routine", "notice": NOTICE}
REACH = {"channel": "call", "address": "(801) 555-0123", "safe_times": "after 18:00", "leave_message": True}


def person(ref: str, role: str = "peer", **fields: Any) -> dict[str, Any]:
    contact = {} if role == "member" else {"contact": f"{ref}@home.test"}
    return {"person_ref": ref, "role": role, "name": f"Person {ref}"} | contact | fields


async def test_a_request_is_told_to_the_region_in_the_same_breath(front: Front) -> None:
    code = front.code()
    answer = await front.ask(code, topics=["sleep"])
    (case,) = await front.cases()
    (fact,) = await front.facts(case)
    assert isinstance(fact, RequestSubmitted)
    assert (answer.status, fact.ask.manner, fact.ask.policy.answer_within_s) == (201, "they_reach_you", 4 * 3600)
    assert fact.ask.topics == ()
    assert str(case) not in answer.body.decode()
    assert {one["call"] for one in answer.json["resources"]} >= {"988", "911", LINE}


async def test_a_repeat_is_answered_as_the_first_was(front: Front) -> None:
    code = front.code()
    first, again = await front.ask(code), await front.ask(code)
    assert (first.status, again.status) == (201, 200)
    assert {name: first.json[name] for name in ("reference", "next_by")} == {
        name: again.json[name] for name in ("reference", "next_by")
    }
    assert len(await front.cases()) == 1


async def test_the_same_code_for_another_request_is_refused(front: Front) -> None:
    code = front.code()
    await front.ask(code)
    other = await front.ask(code, help=["ride"])
    assert (other.status, other.json["type"]) == (422, "/problems/code-reused")
    assert other.json["errors"] == [{"pointer": "/code_hash", "code": "reused"}]


async def test_the_same_code_at_another_agency_is_refused_without_a_hint(front: Front) -> None:
    await add_agency(front.operator, front.keyring, riverton(slug="lakeside", jurisdiction="US-UT"))
    code = front.code()
    await front.ask(code)
    assert (await front.ask(code, slug="lakeside")).json["type"] == "/problems/code-reused"


async def test_many_at_once_with_one_code_are_one_request(front: Front) -> None:
    code = front.code()
    answers = await asyncio.gather(*(front.ask(code) for _ in range(8)), *(front.ask(front.code()) for _ in range(8)))
    assert sorted(one.status for one in answers[:8]) == [200] * 7 + [201]
    assert {one.status for one in answers[8:]} == {201}
    assert len(await front.cases()) == 9


async def test_a_refused_neighbour_in_the_same_moment_disturbs_nobody(front: Front) -> None:
    good, bad = front.code(), front.code()
    answers = await asyncio.gather(front.ask(good), front.ask(bad, notice={"version": "old"}), front.ask(front.code()))
    assert [one.status for one in answers] == [201, 409, 201]
    assert (await front.json("GET", "/v1/case", code=bad)).status == 404


async def test_nothing_typed_is_written_in_the_clear(front: Front) -> None:
    await front.begun(
        reach=REACH,
        avoid_people=["Canary Avoided"],
        wanted_people=["Canary Wanted"],
        about_me={"unit": "Canary Unit", "supervisor": "Canary Boss", "incident": "Canary Incident"},
    )
    rows = await front.sql.fetch("SELECT r::text AS row FROM requests r")
    outbox = await front.sql.fetch("SELECT encode(payload, 'escape') AS row FROM outbox")
    everything = " ".join(str(one["row"]) for one in (*rows, *outbox))
    assert "anary" not in everything
    assert "5550123" not in everything


async def test_what_is_sealed_opens_with_the_cases_key_alone(front: Front) -> None:
    _, case = await front.begun(reach=REACH)
    sealed = await front.sql.fetchval("SELECT reach FROM requests WHERE case_id = $1", case)
    async with front.db.transaction([front.agency.agency_id]) as tx:
        key = (await vault.load(tx, front.keyring, "case", [case]))[case]
    assert json.loads(key.open("reach", sealed)) == REACH | {"address": "+18015550123", "name": None}


async def _bars(front: Front, **changed: Any) -> set[PersonId]:
    _, case = await front.begun(**changed)
    (fact,) = await front.facts(case)
    assert isinstance(fact, RequestSubmitted | CrisisRaised)
    return set(fact.ask.bars)


async def test_named_people_are_barred_by_name_badge_or_reference(front: Front) -> None:
    ids = await front.upload(person("p1", name="Ana-María Peña"), person("p2", badge="0042"), person("p3"))
    assert await _bars(front, avoid_people=["ana maria pena", "42", "P3"]) == set(ids.values())


async def test_peers_are_wished_for_by_name_and_nobody_else_is(front: Front) -> None:
    ids = await front.upload(
        person("p1", name="Ana-María Peña"), person("p2", badge="0042"), person("c1", "coordinator"), person("p3")
    )
    _, case = await front.begun(wanted_people=["ana maria pena", "42", "c1"], avoid_people=["p3"])
    (fact,) = await front.facts(case)
    assert isinstance(fact, RequestSubmitted)
    assert (set(fact.ask.wanted), set(fact.ask.bars)) == ({ids["p1"], ids["p2"]}, {ids["p3"]})


async def test_a_fourth_wished_for_is_refused_and_in_an_emergency_left_out(front: Front) -> None:
    four = ["p1", "p2", "p3", "p4"]
    refused = await front.ask(front.code(), wanted_people=four)
    assert (refused.status, [one["pointer"] for one in refused.json["errors"]]) == (422, ["/wanted_people"])
    taken = await front.ask(front.code(), urgency="emergency", wanted_people=four)
    assert (taken.status, "/wanted_people" in str(taken.json["not_taken"])) == (201, True)


async def test_everybody_of_the_same_name_is_barred_and_members_are_not_named(front: Front) -> None:
    ids = await front.upload(
        person("p1", name="Jo Smith"), person("p2", name="Jo Smith"), person("m1", "member", name="Jo Smith")
    )
    assert await _bars(front, avoid_people=["Jo Smith"]) == {ids["p1"], ids["p2"]}


async def test_the_whole_chain_of_command_is_barred(front: Front) -> None:
    ids = await front.upload(
        person("chief", "coordinator"),
        person("lieutenant", supervisor_ref="chief"),
        person("sergeant", "member", supervisor_ref="lieutenant"),
        person("other"),
    )
    assert await _bars(front, about_me={"supervisor": "Person sergeant"}) == {ids["chief"], ids["lieutenant"]}


async def test_a_unit_bars_itself_and_everybody_above(front: Front) -> None:
    ids = await front.upload(
        person("chief", "coordinator"),
        person("mate", unit="Patrol", supervisor_ref="chief"),
        person("other", unit="K9"),
    )
    assert await _bars(front, about_me={"unit": "patrol"}) == {ids["chief"], ids["mate"]}


async def test_whoever_agrees_to_the_own_unit_bars_only_who_commands_it(front: Front) -> None:
    ids = await front.upload(
        person("sergeant", unit="Patrol", supervisor_ref="chief"),
        person("chief", "coordinator"),
        person("mate", unit="Patrol", supervisor_ref="sergeant"),
    )
    assert await _bars(front, about_me={"unit": "patrol", "unit_agreed": True}) == {ids["chief"], ids["sergeant"]}


async def test_scenario_42_whoever_asks_is_matched_outside_their_own_chain(front: Front) -> None:
    ids = await front.upload(
        person("chief", "coordinator"),
        person("boss", supervisor_ref="chief", unit="Staff"),
        person("me", "coordinator", supervisor_ref="boss", unit="Staff", badge="0042"),
        person("below", supervisor_ref="me"),
        person("further", supervisor_ref="below"),
        person("mate", unit="Staff"),
        person("other", supervisor_ref="chief"),
    )
    assert await _bars(front, about_me={"me": "42"}) == set(ids.values()) - {ids["other"]}
    agreed = await _bars(front, about_me={"me": "Person me", "unit_agreed": True})
    assert agreed == set(ids.values()) - {ids["other"], ids["mate"]}


async def test_an_emergency_pages_who_is_verified_and_not_barred_rung_by_rung(front: Front) -> None:
    ids = await front.upload(*(person(f"c{n}", "coordinator") for n in (1, 2, 3)), person("p1"))
    duty = await front.duty("Dee Duty", "dee@home.test")
    await front.verified(ids["c1"], ids["c2"])
    await front.verified(duty, agency=REGION)
    _, case = await front.begun(urgency="emergency", avoid_people=["Person c1"])
    (fact,) = await front.facts(case)
    assert isinstance(fact, CrisisRaised)
    assert fact.rungs == ((ids["c2"],), (duty,))
    assert (fact.ask.release, fact.ask.choose) == ("on_accept", "anyone")


async def test_a_clinician_is_paged_first_while_the_contract_lasts_and_can_be_barred(front: Front) -> None:
    ids = await front.upload(
        person("c1", "coordinator"), person("k1", "clinician", attributes=["on_call", "licence:us-ut"])
    )
    await front.verified(*ids.values())
    supervised = Wanted.model_validate({"structure": "clinical-supervisor", "contract": {"from": "2020-01-01"}})
    await put_structure(front.db, front.agency.agency_id, supervised, actor=None, matches=lambda _: None)
    found = []
    for avoided in ([], ["Person k1"]):
        _, case = await front.begun(urgency="emergency", avoid_people=avoided)
        (fact,) = await front.facts(case)
        assert isinstance(fact, CrisisRaised)
        assert fact.ask.policy.capabilities.on_call
        found.append(fact.rungs)
    assert found == [((ids["k1"],), (ids["c1"],)), ((ids["c1"],),)]


async def test_a_barred_duty_coordinator_is_no_rung_either(front: Front) -> None:
    duty = await front.duty("Dee Duty", "dee@home.test")
    await front.verified(duty, agency=REGION)
    _, case = await front.begun(urgency="emergency", avoid_people=["Duty, Dee"])
    (fact,) = await front.facts(case)
    assert isinstance(fact, CrisisRaised)
    assert fact.rungs == ()


@pytest.mark.parametrize("notice", [None, {"version": "old"}])
async def test_an_emergency_is_taken_before_its_notice_which_follows(front: Front, notice: Any) -> None:
    answer = await front.ask(front.code(), urgency="emergency", notice=notice)
    assert answer.status == 201
    assert answer.json["notice"]["version"] == NOTICE["version"]


async def test_an_emergency_is_taken_without_what_cannot_be_read_and_says_so(front: Front) -> None:
    ids = await front.upload(person("c1", "coordinator"), person("c2", "coordinator"))
    await front.verified(*ids.values())
    spoilt: dict[str, Any] = {
        "reach": {"channel": "call", "address": "12"},
        "avoid_people": ["Person c1", 7],
        "surprise": "Canary",
    }
    answer = await front.ask(front.code(), urgency="emergency", relation=None, notice="?", **spoilt)
    assert answer.status == 201
    named = {(one["pointer"], one["code"]) for one in answer.json["not_taken"]}
    assert {"/relation", "/reach", "/avoid_people/1", "/notice"} <= {pointer for pointer, _ in named}
    assert "Canary" not in answer.body.decode()
    (fact,) = await front.facts((await front.cases())[-1])
    assert isinstance(fact, CrisisRaised)
    assert (fact.rungs, fact.ask.relation) == (((ids["c2"],),), "officer")


async def test_an_emergency_without_a_code_is_refused_with_the_lines(front: Front) -> None:
    answer = await front.ask("", urgency="emergency", code_hash="?")
    assert (answer.status, answer.json["errors"]) == (422, [{"pointer": "/code_hash", "code": "not_a_code_hash"}])
    assert {one["call"] for one in answer.json["resources"]} >= {"988", "911"}


async def test_a_changed_notice_comes_back_with_the_refusal(front: Front) -> None:
    answer = await front.ask(front.code(), notice={"version": "old"})
    assert (answer.status, answer.json["type"]) == (409, "/problems/notice-changed")
    assert answer.json["notice"]["version"] == NOTICE["version"]
    assert answer.json["resources"]


async def test_the_notice_that_was_read_is_on_record(front: Front) -> None:
    await front.begun(relation="family", notice={"version": "us-ut-family-en-1"})
    (row,) = await front.sql.fetch("SELECT notice_version, notice_digest FROM requests")
    shown = await front.json("GET", "/v1/agencies/riverton/notice?relation=family")
    assert (row["notice_version"], row["notice_digest"]) == ("us-ut-family-en-1", shown.json["digest"])


async def test_the_trace_of_the_request_goes_on_with_its_event(front: Front) -> None:
    await front.begun()
    assert (await front.sql.fetchval("SELECT traceparent FROM outbox WHERE type LIKE 'intake.request%'"))[:3] == "00-"


async def test_the_code_is_kept_only_as_a_keyed_hash(front: Front) -> None:
    code, case = await front.begun()
    rows = await front.sql.fetch("SELECT encode(hash, 'base64') AS hash FROM doors WHERE subject = $1", case)
    assert len(rows) == 1
    assert hash_of(code)[:20] not in rows[0]["hash"].replace("+", "-").replace("/", "_")


async def test_twenty_requests_take_as_many_statements_as_one(front: Front) -> None:
    notices = desk_of(front.db, front.settings).notices

    async def statements(many: int) -> int:
        asked: list[str] = []
        requests = [Request.model_validate(BODY | {"code_hash": hash_of(front.code())}) for _ in range(many)]
        async with front.db.transaction([front.agency.agency_id]) as tx:
            with tx.connection.query_logger(lambda query: asked.append(query.query)):
                await submit(
                    tx, front.keyring, notices, [Submission(front.agency, one, one.canonical()) for one in requests]
                )
        return len(asked)

    # The first time a connection also asks the server about types.
    await statements(1)
    assert await statements(1) == await statements(20) == 5


async def test_an_emergency_by_the_page_is_answered_when_ordinary_doors_are_full(front: Front) -> None:
    shown = await front.page("GET", "/a/riverton")
    async with AsyncExitStack() as stack:
        while await _taken(front, stack):
            pass
        answer = await front.page("POST", "/a/riverton", hidden(shown, 0))
    assert (answer.status, len(await front.cases())) == (201, 1)


async def _taken(front: Front, stack: AsyncExitStack) -> bool:
    """Hold one more connection of the ordinary doors, if there is one left."""
    try:
        async with asyncio.timeout(0.5):
            await stack.enter_async_context(front.db.transaction([front.agency.agency_id]))
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
async def test_an_emergency_that_cannot_be_read_whole_is_taken_whatever_it_says_it_is(kind: str, front: Front) -> None:
    whole = json.dumps({"urgency": "emergency", "code_hash": hash_of(front.code()), "avoid_people": ["Peña"]})
    broken = whole.encode("latin-1").replace(b"]}", b"]")
    headers = {"Content-Type": kind}
    answer = await call(front.app, "POST", "/v1/agencies/riverton/requests", headers=headers, body=broken)
    assert (answer.status, len(await front.cases())) == (201, 1)
    ordinary = broken.replace(b"emergency", b"urgent")
    refused = await call(front.app, "POST", "/v1/agencies/riverton/requests", headers=headers, body=ordinary)
    assert (refused.status in {400, 422}, bool(refused.json["resources"])) == (True, True)


async def test_a_request_that_comes_again_after_its_withdrawal_begins_nothing_unless_in_danger(front: Front) -> None:
    code = front.code()
    assert (await front.ask(code)).status == 201
    assert (await front.json("DELETE", "/v1/case", code=code)).status == 200
    again = await front.ask(code)
    assert (again.status, again.json["type"].rpartition("/")[2]) == (409, "case-over")
    assert again.json["resources"]
    assert await front.sql.fetchval("SELECT count(*) FROM requests") == 0
    assert (await front.json("GET", "/v1/case", code=code)).status == 404
    assert (await front.ask(code, urgency="emergency")).status == 201


async def test_a_day_later_nothing_is_left_of_a_spent_code(front: Front) -> None:
    codes = front.code(), front.code()
    for code in codes:
        await front.ask(code)
        await front.json("DELETE", "/v1/case", code=code)
        await front.sql.execute("UPDATE region.clock SET shift = shift + interval '25 hours'")
    assert await front.sql.fetchval("SELECT count(*) FROM doors WHERE kind = 'spent'") == 1
