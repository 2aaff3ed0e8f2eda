"""referral as a real process: what it hears on which topic, both lanes of timers, and a ladder across a kill."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from deploy.local.timeline import Watcher
from shared.events.intake import PersonSet, RequestSubmitted
from shared.events.notify import ContactVerified
from shared.events.referral import ConsultOpened, ConsultReminded, RungPaged
from shared.types import CaseId, Role
from tests.harness.bus import Bus
from tests.harness.region import Region
from tests.harness.waiting import eventually
from tests.unit.referral.given import ANA, BEN, CA, CLEO, ask, assigned, consult, crisis


async def there(region: Region, bus: Bus) -> None:
    """Cleo is in the directory and has verified a contact point, and referral knows of both."""
    clinician = PersonSet(
        revision=1,
        active=True,
        role=Role.CLINICIAN,
        attributes=("licence:us-ut",),
        time_zone="America/Denver",
        language="en-US",
    )
    await bus.say(CLEO, clinician)
    await bus.say(CLEO, ContactVerified(revision=1))
    sql = await region.sql()

    async def known() -> bool:
        return bool(await sql.fetchval("SELECT true FROM referral.people WHERE active AND verified"))

    await eventually(known)


async def test_a_consult_over_four_topics_is_opened_and_reminded_of(region: Region, bus: Bus, seen: Watcher) -> None:
    await region.start("referral")
    await there(region, bus)
    case = CaseId(uuid4())
    asked = consult("clinician")
    # notify's topic first: whatever comes in which order, the question is kept.
    await bus.say(case, asked)
    await bus.say(case, assigned())
    await bus.say(case, RequestSubmitted(ask=ask(CA)))
    opened = (await seen.first(ConsultOpened, case=case))[1]
    assert (opened.consult, opened.adviser) == (asked.consult, CLEO)
    await region.move_clock(timedelta(hours=12, seconds=1))
    assert (await seen.first(ConsultReminded, case=case))[1].adviser == CLEO


async def test_a_ladder_climbs_across_a_kill(region: Region, bus: Bus, seen: Watcher) -> None:
    await region.start("referral")
    case = CaseId(uuid4())
    await bus.say(case, crisis((ANA,), (BEN,)))
    await seen.first(RungPaged, case=case)
    await region.kill("referral")
    await region.move_clock(timedelta(seconds=301))
    await region.start("referral")

    def rungs() -> list[tuple[int, object]]:
        # A relay that was killed between sending and forgetting sends again: the same event, by its id.
        facts = {one.envelope.event_id: one.fact for one in seen.of(case)}
        return [(fact.rung, fact.pages[0][1]) for fact in facts.values() if isinstance(fact, RungPaged)]

    async def climbed() -> bool:
        assert rungs() == [(0, ANA), (1, BEN)]
        return True

    await eventually(climbed, what="the second rung")
