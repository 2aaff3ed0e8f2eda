"""Every directory is told again once a day, with what was told before."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from services.intake.actions import published
from services.intake.actions.duty import DutyPerson, add_duty
from shared.events import Fact
from shared.events.intake import AgencySet
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
    assert len({row["due_at"] for row in rows}) == 4
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
