"""Every directory is told again once a day, with what was told before."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial

from services.intake.actions import published
from services.intake.actions.duty import DutyPerson, add_duty
from shared.events import Fact
from shared.events.intake import AgencySet, PersonSet, RenewalDue
from shared.timers import Fired, claim, finish, in_one_transaction
from shared.types import REGION, Lane
from tests.integration.intake_agency.office import Office, member, peer

DUTY = DutyPerson("Dee Duty", "dee@home.test", "en", "America/Denver")


async def told(office: Office) -> list[tuple[str, Fact]]:
    """What stands in the outbox, in any order; it is empty afterwards."""
    facts = await office.facts()
    await office.forget_facts()
    return sorted(facts, key=lambda one: (one[0], one[1].model_dump_json()))


async def turns(office: Office, page: int = published.PAGE) -> list[Fired]:
    """Every turn that is due is taken; rounds of names are left aside."""
    fired = await claim(office.db, Lane.BULK)
    own = [one for one in fired if one.kind == published.ROUND]
    if own:
        await in_one_transaction(office.db, partial(published.fire, page=page))(own)
    others = [one for one in fired if one.kind != published.ROUND]
    async with office.db.transaction({one.agency_id for one in others}) as tx:
        await finish(tx, others)
    return own


async def next_day(office: Office) -> None:
    await office.sql.execute("UPDATE region.clock SET shift = shift + $1", timedelta(days=1))


async def test_everything_is_told_again_as_it_was_told_first(office: Office) -> None:
    _, key = await office.take_on("riverton")
    await office.put(key, [peer("p1", badge="7", offers=["talk"]), peer("c1", role="coordinator"), member("m1")])
    await add_duty(office.operator, office.keyring, DUTY)
    first = await told(office)
    assert await turns(office) == []
    await next_day(office)
    assert len(await turns(office)) == 2
    assert await told(office) == first


async def test_a_removal_is_told_again_too_as_it_was_told_last(office: Office) -> None:
    _, key = await office.take_on("riverton")
    tag = (await office.put(key, [peer("p1"), peer("p2")])).headers["etag"]
    await told(office)
    await office.put(key, [peer("p1")], tag=tag)
    removed = await told(office)
    assert len(removed) == 2
    await next_day(office)
    await turns(office)
    again = await told(office)
    assert all(one in again for one in removed)


async def test_a_directory_goes_by_pages_and_the_next_day_again(office: Office) -> None:
    _, key = await office.take_on("riverton")
    await office.put(key, [peer(f"p{n}") for n in range(5)])
    first = await told(office)
    for _ in range(2):
        await next_day(office)
        assert [len(await turns(office, page=2)) for _ in range(4)] == [1, 1, 1, 0]
        assert await told(office) == first


async def test_each_agency_has_a_time_of_day_of_its_own(office: Office) -> None:
    agencies = [(await office.take_on(f"town{n}"))[0] for n in range(4)]
    rows = await office.sql.fetch("SELECT agency_id, due_at, region.now() AS now FROM timers WHERE kind = 'republish'")
    assert {row["agency_id"] for row in rows} == {agency.agency_id for agency in agencies}
    # Two may have the same second of a day, hardly all of them.
    assert len({row["due_at"] for row in rows}) > 1
    assert all(timedelta(0) < row["due_at"] - row["now"] <= timedelta(days=1) for row in rows)


async def test_the_region_is_no_agency_to_be_told_of(office: Office) -> None:
    await add_duty(office.operator, office.keyring, DUTY)
    await told(office)
    await next_day(office)
    assert [one.agency_id for one in await turns(office)] == [REGION]
    assert not any(isinstance(fact, AgencySet) for _, fact in await told(office))


async def test_two_agencies_are_told_in_as_many_statements_as_one(office: Office) -> None:
    for name in ("riverton", "lakeside"):
        _, key = await office.take_on(name)
        await office.put(key, [peer(f"p{n}") for n in range(3)])
    await next_day(office)
    fired = [one for one in await claim(office.db, Lane.BULK) if one.kind == published.ROUND]

    async def statements(some: list[Fired]) -> int:
        asked: list[str] = []
        async with office.db.transaction({one.agency_id for one in some}) as tx:
            with tx.connection.query_logger(lambda query: asked.append(query.query)):
                await published.fire(tx, some)
        return len(asked)

    # The first time a connection also asks the server about types.
    await statements(fired)
    assert len(fired) == 2
    assert await statements(fired[:1]) == await statements(fired)


async def renewals(office: Office) -> list[RenewalDue]:
    return [fact for _, fact in await told(office) if isinstance(fact, RenewalDue)]


async def test_what_runs_out_is_told_at_sixty_thirty_and_seven_days_and_each_once(office: Office) -> None:
    today = await office.in_june()
    agency, key = await office.take_on("riverton")
    ends = {"p1": 62, "p2": 400, "p3": 40}
    people = [
        peer(ref, designated_from="2020-01-01", trained_until=str(today + timedelta(days=days)))
        for ref, days in ends.items()
    ]
    # Designation may run out first.
    people[2] |= {"trained_until": "2099-12-31", "designated_to": str(today + timedelta(days=40))}
    await office.put(key, [*people, peer("c1", role="coordinator")])
    await office.sql.execute("UPDATE people SET verified = true WHERE agency_id = $1", agency.agency_id)
    rows = await office.sql.fetch("SELECT person_id, trained_until, designated_to, role FROM people")
    who = {
        row["person_id"]: "c1" if row["role"] == "coordinator" else "p3" if row["designated_to"] else "p1"
        for row in rows
        if row["role"] == "coordinator" or row["designated_to"] or row["trained_until"] < today + timedelta(days=100)
    }
    await told(office)
    days: dict[int, list[list[str]]] = {}
    for day in range(1, 64):
        await next_day(office)
        await turns(office)
        if facts := await renewals(office):
            days[day] = [sorted(who[person] for person in fact.people) for fact in facts]
            assert [who[person] for person in facts[0].coordinators] == ["c1"]
    assert days == {1: [["p3"]], 2: [["p1"]], 10: [["p3"]], 32: [["p1"]], 33: [["p3"]], 55: [["p1"]]}


async def test_a_renewed_training_is_told_of_when_it_runs_out_itself(office: Office) -> None:
    today = await office.in_june()
    agency, key = await office.take_on("riverton")
    tag = (await office.put(key, [peer("p1", trained_until=str(today + timedelta(days=20)))])).headers["etag"]
    await office.sql.execute("UPDATE people SET verified = true WHERE agency_id = $1", agency.agency_id)
    await next_day(office)
    await turns(office)
    assert len(await renewals(office)) == 1
    await office.put(key, [peer("p1", trained_until=str(today + timedelta(days=50)))], tag=tag)
    await next_day(office)
    await turns(office)
    assert len(await renewals(office)) == 1


async def test_what_has_run_out_already_hides_nothing_that_has_yet_to(office: Office) -> None:
    today = await office.in_june()
    agency, key = await office.take_on("riverton")
    lapsed = peer("p1", trained_until="2021-01-01", designated_to=str(today + timedelta(days=20)))
    await office.put(key, [lapsed | {"designated_from": "2020-01-01"}])
    await office.sql.execute("UPDATE people SET verified = true WHERE agency_id = $1", agency.agency_id)
    await next_day(office)
    await turns(office)
    assert len(await renewals(office)) == 1


async def test_who_comes_back_into_the_list_has_their_leave_worked_out_anew(office: Office) -> None:
    _, key = await office.take_on("riverton")
    tag = (await office.put(key, [peer("p1"), peer("p2")])).headers["etag"]
    start = (datetime.now(UTC) + timedelta(days=70)).date()
    leave = {"entries": [{"means": "away", "start": str(start), "end": str(start + timedelta(days=3))}]}
    path = "/v1/agency/availability/p1"
    stands = (await office.ask("GET", path, key)).headers["etag"]
    answer = await office.ask(
        "PUT", path, key, body=json.dumps(leave).encode(), If_Match=stands, Content_Type="application/json"
    )
    assert answer.status == 200
    tag = (await office.put(key, [peer("p2")], tag=tag)).headers["etag"]
    for _ in range(30):
        await next_day(office)
    await told(office)
    await office.put(key, [peer("p1"), peer("p2")], tag=tag)
    last = [fact for _, fact in await office.facts() if isinstance(fact, PersonSet)][-1]
    assert [(one.on, one.start.date() >= start - timedelta(days=1)) for one in last.spans] == [(False, True)]
