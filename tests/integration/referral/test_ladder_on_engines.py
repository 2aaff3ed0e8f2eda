"""referral as a real process on the real bus and database: the ladder's life, kills and the purge."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from deploy.local.timeline import Watcher
from shared.events.intake import CaseClosed, CaseClosing, CaseWithdrawn
from shared.events.notify import PageSettled
from shared.events.referral import CrisisReplySettled, LadderEnded, RungPaged
from shared.types import CaseId
from tests.harness.bus import Bus
from tests.harness.region import Region
from tests.harness.waiting import eventually
from tests.integration.referral.bench import page_reply
from tests.unit.referral.given import ANA, BEN, crisis

TABLES = ("ladders", "pages", "timers", "cases")


async def paged(bus: Bus, seen: Watcher, case: CaseId) -> RungPaged:
    await bus.say(case, crisis((ANA, BEN)))
    return (await seen.first(RungPaged, case=case))[1]


def kinds(seen: Watcher, case: CaseId) -> list[str]:
    return [one.fact.type.split(".")[1] for one in seen.of(case) if one.fact.type.startswith("referral.")]


def outcomes(seen: Watcher, case: CaseId) -> list[str]:
    return [one.fact.outcome for one in seen.of(case) if isinstance(one.fact, CrisisReplySettled)]


async def open_thing(region: Region, case: CaseId) -> tuple[str, str] | None:
    operator = await region.operator()
    try:
        row = await operator.fetchrow("SELECT state, owner FROM referral.open_things WHERE id = $1", case)
        return (row["state"], row["owner"]) if row else None
    finally:
        await operator.close()


async def rows_of(region: Region, case: CaseId) -> dict[str, int]:
    sql = await region.sql()
    columns = {"timers": "key"}
    return {
        table: await sql.fetchval(
            f"SELECT count(*) FROM referral.{table} WHERE {columns.get(table, 'case_id')} = $1",  # noqa: S608
            case,
        )
        for table in TABLES
    }


async def test_an_emergency_is_taken_to_people_until_one_has_spoken_with_the_requester(
    region: Region, bus: Bus, seen: Watcher
) -> None:
    await region.start("referral")
    case = CaseId(uuid4())
    rung = await paged(bus, seen, case)
    assert await open_thing(region, case) == ("paging", "referral")
    await bus.say(case, page_reply(rung, BEN, "acknowledge"))
    await bus.say(case, page_reply(rung, ANA, "acknowledge"))
    await bus.say(case, page_reply(rung, BEN, "contact_confirmed"))
    await seen.first(LadderEnded, case=case)
    await eventually(lambda: len(outcomes(seen, case)) == 3)
    assert outcomes(seen, case) == ["acknowledged", "covered", "noted"]
    assert await open_thing(region, case) is None


async def test_a_rung_that_stays_silent_is_the_operators_and_already_due(
    region: Region, bus: Bus, seen: Watcher
) -> None:
    await region.start("referral")
    case = CaseId(uuid4())
    rung = await paged(bus, seen, case)
    page, person = rung.pages[0]
    await bus.say(case, PageSettled(page=page, ladder=rung.ladder, person=person, outcome="accepted"))
    await region.move_clock(timedelta(seconds=301))

    async def silent() -> bool:
        return await open_thing(region, case) == ("silent", "operator")

    await eventually(silent)
    sql = await region.sql()
    assert await sql.fetchval("SELECT due_at <= region.now() FROM referral.cases WHERE case_id = $1", case)
    assert await sql.fetchval("SELECT outcome FROM referral.pages WHERE page_id = $1", page) == "accepted"


async def test_events_that_come_twice_take_effect_once(region: Region, bus: Bus, seen: Watcher) -> None:
    await region.start("referral")
    case, twice = CaseId(uuid4()), uuid4()
    for _ in range(2):
        await bus.say(case, crisis((ANA,)), event_id=twice)
    rung = (await seen.first(RungPaged, case=case))[1]
    answer = page_reply(rung, ANA, "acknowledge")
    for _ in range(2):
        await bus.say(case, answer, event_id=answer.reply)
    last = CaseId(uuid4())
    await paged(bus, seen, last)
    await eventually(lambda: outcomes(seen, case) == ["acknowledged"])
    assert kinds(seen, case) == ["ladder_started", "rung_paged", "ladder_acknowledged", "reply_settled"]


async def test_a_withdrawal_ends_it_and_the_close_purges_every_row_of_the_case(
    region: Region, bus: Bus, seen: Watcher
) -> None:
    await region.start("referral")
    case = CaseId(uuid4())
    await paged(bus, seen, case)
    await bus.say(case, CaseWithdrawn())
    assert (await seen.first(LadderEnded, case=case))[1].how == "ended"
    await bus.say(case, CaseClosed())

    async def gone() -> bool:
        return not any((await rows_of(region, case)).values())

    await eventually(gone)
    sql = await region.sql()
    assert await sql.fetchval("SELECT closed FROM referral.tombstones WHERE case_id = $1", case)
    await bus.say(case, crisis((ANA,)))
    await paged(bus, seen, CaseId(uuid4()))
    assert kinds(seen, case).count("rung_paged") == 1


async def test_an_ordinary_case_leaves_nothing_waiting_in_referral(region: Region, bus: Bus) -> None:
    await region.start("referral")
    case = CaseId(uuid4())
    await bus.say(case, CaseClosing())
    sql = await region.sql()

    async def heard() -> bool:
        return bool(await sql.fetchval("SELECT state = 'ended' FROM referral.cases WHERE case_id = $1", case))

    await eventually(heard)
    assert await open_thing(region, case) is None


async def test_a_kill_after_the_commit_pages_nobody_twice(region: Region, bus: Bus, seen: Watcher) -> None:
    await region.start("referral", fault="after-commit:peerline.intake.crisis")
    case = CaseId(uuid4())
    await bus.say(case, crisis((ANA, BEN)))
    await region.services["referral", "0"].ended()
    assert (await rows_of(region, case))["pages"] == 2
    await region.start("referral")
    await seen.first(RungPaged, case=case)
    await paged(bus, seen, CaseId(uuid4()))
    assert kinds(seen, case) == ["ladder_started", "rung_paged"]
