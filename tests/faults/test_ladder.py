"""kill -9 of every service while a ladder climbs: it goes on, no rung twice and never down, until somebody is there."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest

from deploy.local import demo, walk
from shared.events.envelope import REFERRAL_CRISIS
from shared.events.intake import CaseClosed
from shared.events.referral import HumanContactConfirmed, LadderEnded, LadderStarted, RungPaged
from shared.types import CaseId
from tests.faults.kills import Course, Kill
from tests.faults.stand import POLICY, Stand
from tests.faults.story import Story
from tests.harness.waiting import eventually
from tests.trust.town import Document, person

pytestmark = pytest.mark.asyncio(loop_scope="module")

A_RUNG = timedelta(seconds=901)
assert int(str(POLICY["rung_within_s"])) < A_RUNG.total_seconds()
SUPERVISED: Document = {"structure": "clinical-supervisor", "contract": {"from": "2020-01-01"}}
CLIMBS = (
    Kill("referral", "after-commit", "rung", "ask"),
    Kill("notify", "after-consume", REFERRAL_CRISIS.name, "ask"),
    Kill("intake", "after-commit", REFERRAL_CRISIS.name, "ask"),
    # Beside the ladder peers are asked: matching dies over an offer that nobody has answered.
    Kill("matching", "after-consume", "offer", "ask"),
)
"""Who dies of each climb. The last one finds the top of the ladder, which is paged again and never gone down from."""


async def staffed(stand: Stand) -> list[list[str]]:
    """An agency with somebody on every rung, all verified; the addresses of each rung, the first one first."""
    mark = stand.duty.partition("@")[2]
    on_call = person("K1", "clinician", "Kim Low", contact=f"kim@{mark}", attributes=["licence:us-ut", "on_call"])
    other = person("K2", "clinician", "Lou Hoe", contact=f"lou@{mark}", attributes=["licence:us-ut"])
    deputy = person("C2", "coordinator", "Max Doe", contact=f"max@{mark}", attributes=["deputy"])
    new = (on_call, other, deputy)
    await stand.town.put(stand.agency, "structure", SUPERVISED)
    await stand.town.put(stand.agency, "directory", {"people": [*stand.agency.people, *new]})
    for one in new:
        mail = await stand.town.mailbox.next("/v/", [one["contact"]], within_s=60)
        await demo.verify(mail.link, stand.agency.pin)
    query = "SELECT count(*) FROM intake.people WHERE verified AND role IN ('clinician', 'coordinator')"

    async def known() -> bool:
        found: int = await (await stand.sql()).fetchval(query)
        return found == len(new) + len(stand.agency.coordinators)

    await eventually(known, 30, what="everybody is verified")
    await stand.at_rest()
    return [
        [on_call["contact"]],
        stand.agency.coordinators,
        [deputy["contact"], other["contact"]],
        [stand.duty],
    ]


def paged(stand: Stand, case: UUID) -> list[tuple[int, int]]:
    """Rung and number of pages of every paging so far."""
    return [(fact.rung, len(fact.pages)) for fact in stand.ledger.facts(case, RungPaged)]


async def test_a_ladder_climbs_on_whatever_dies_at_its_rungs_and_ends_with_a_confirmed_contact(stand: Stand) -> None:
    rungs = await staffed(stand)
    await stand.town.mailbox.forget_present()
    story = Story(stand, Course("emergency"))
    requester = await story.asked(urgency="emergency")
    case = story.case
    # After the top everybody is paged once more, nobody having said that they cannot: the last of the climbs.
    wanted = [(at, len(rung)) for at, rung in enumerate(rungs)] + [(len(rungs) - 1, sum(map(len, rungs)))]
    for climb, (kill, rung) in enumerate(zip((None, *CLIMBS), [*rungs, rungs[-1]], strict=True)):
        if kill is not None:
            stand.arm(kill)
            await stand.region.move_clock(A_RUNG)
            await stand.death(kill)
            await stand.revive(kill.service)
        # After the top all of them have mail again.
        told = rung if climb < len(rungs) else [one for below in rungs for one in below]
        last = [await stand.town.mail("/p/", [address]) for address in told][-1]
        assert paged(stand, case) == wanted[: climb + 1]
        assert (await requester.status())["emergency"]["contact"] is False
    await story.press(last, "acknowledge")
    await story.press(last, "contact_confirmed")
    assert (await stand.ledger.said(case, LadderEnded)).how == "contact"
    assert len(stand.ledger.facts(case, HumanContactConfirmed)) == len(stand.ledger.facts(case, LadderStarted)) == 1

    async def reads() -> bool:
        return bool((await requester.status())["emergency"]["contact"])

    await eventually(reads, 30, what="the requester reads of the contact")
    pages = Counter(one.person for one in await stand.letters(case) if one.purpose == "page")
    # Everybody was paged on their rung and once more with all the others, and never besides.
    assert set(pages.values()) == {2}
    assert len(pages) == sum(len(rung) for rung in rungs)
    assert paged(stand, case) == wanted
    assert (await requester.act("DELETE")).status == 200
    await stand.ledger.said(case, CaseClosed)
    await walk.purged(stand.region.local, CaseId(case))
    await stand.at_rest()
    stand.spoiled = False
