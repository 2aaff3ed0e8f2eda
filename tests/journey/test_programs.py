"""The three structures in one region: every scene of `make demo`, every cell of the capability table, and what changes.

The table stands in `table.py`. One region serves all tests of this module; each leaves its cases behind it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from rich.console import Console

from deploy.local.cast import SUMMIT
from deploy.local.mails import Mail
from deploy.local.scenes.__main__ import SCENES, played
from deploy.local.scenes.programs import clinical_is
from deploy.local.scenes.stage import BEGINNINGS, Stage, clinicians, coordinators
from deploy.local.walk import Requester
from shared.events.intake import ConsentGiven
from shared.events.policy import Capabilities
from shared.events.referral import (
    ConsentAsked,
    LadderEnded,
    NoClinicalPath,
    ReferralAccepted,
    ReferralInProgress,
    ReferralRejected,
    ReferralRequested,
    RungPaged,
)
from shared.types import CaseId, Structure
from tests.harness import databases
from tests.harness import region as regions
from tests.harness.databases import Cluster
from tests.harness.topics import Pool
from tests.journey import programs as towns
from tests.journey.programs import Programs, refused
from tests.journey.table import A_RUNG, CELLS, ROWS, Row, danger, never, persons

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="region")
async def _region(cluster: Cluster, pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Programs]:
    folder = tmp_path_factory.mktemp("programs")
    async with (
        databases.fresh(cluster) as database,
        pool.taken() as topics,
        regions.opened(database, topics, folder) as region,
        towns.opened(region) as programs,
    ):
        yield programs


@pytest_asyncio.fixture(loop_scope="module")
async def programs(region: Programs) -> Programs:
    """The region; what an earlier test has left in mailboxes, or of cases when it failed, is nobody's any more."""
    await region.stage.mailbox.forget_present()
    begun = (one.envelope.subject for one in region.stage.watcher.seen if isinstance(one.fact, BEGINNINGS))
    region.stage.cases += [CaseId(case) for case in begun if case not in region.stage.cases]
    return region


async def test_every_scene_of_make_demo_goes_as_it_should(programs: Programs, tmp_path: Path) -> None:
    before = len(programs.stage.cases)
    with (tmp_path / "scenes.txt").open("w") as file:
        failed = await played(programs.stage, Console(file=file, width=160))
    told = (tmp_path / "scenes.txt").read_text()
    assert failed == [], told
    programs.gone |= {name for name, _ in SCENES}
    assert len(SCENES) == len(programs.stage.cases) - before == told.count("its rows are purged everywhere")


async def test_the_table_has_a_cell_for_every_structure_and_row_and_a_row_for_every_capability() -> None:
    assert set(CELLS) == {(structure, row) for structure in Structure for row in ROWS}
    # Training is between the clinician and the team; nothing of it passes through here.
    assert set(ROWS.values()) == set(Capabilities.model_fields) - {"trains"}


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("structure", Structure)
async def test_what_a_structure_has_works_and_what_it_has_not_has_no_door(
    programs: Programs, structure: Structure, row: Row
) -> None:
    await CELLS[structure, row](programs)


# --- danger, under a Clinical Supervisor


async def test_scenario_16_high_risk_with_consent_keeps_the_peer_and_ends_in_a_confirmed_hand_off(
    programs: Programs,
) -> None:
    stage = programs.stage
    requester, case, mail = await stage.supported(SUMMIT)
    await danger(stage, mail)
    page = await stage.mail("/p/", clinicians(SUMMIT))
    assert persons(await stage.said(RungPaged, case)) == {await programs.on_call(SUMMIT)}
    await stage.answer(page, "acknowledge")
    await stage.answer(page, "contact_confirmed")
    assert (await stage.said(LadderEnded, case)).how == "contact"
    # The peer has stayed connected all the while, and brings the clinician in for what comes after.
    await stage.answer(mail, "contacted")
    asked = await consented(stage, requester, case, mail)
    await stage.answer(asked, "accept")
    accepted = await stage.said(ReferralAccepted, case)
    assert accepted.due - await programs.now() <= timedelta(hours=24)
    await stage.answer(asked, "handoff")
    never(stage, case, ReferralInProgress)
    await stage.answer(mail, "handoff")
    await stage.said(ReferralInProgress, case)
    status = await requester.status()
    assert (status["state"], status["emergency"]["contact"]) == ("in_contact", True)
    await programs.withdrawn(requester)


async def test_scenario_20_an_attempt_in_progress_waits_for_no_consent_and_is_acted_on_until_somebody_is_there(
    programs: Programs,
) -> None:
    stage = programs.stage
    requester, case, mail = await stage.supported(SUMMIT)
    await stage.answer(mail, "contacted")
    await danger(stage, mail)
    first = await stage.mail("/p/", clinicians(SUMMIT))
    _, beside = await stage.behind(mail)
    assert any(form.button("step_back") for form in beside.forms)
    # "I take this" is not yet "I have spoken with them": with no more than that, the next ones are paged as well.
    await stage.answer(first, "acknowledge")
    assert (await requester.status())["emergency"]["contact"] is False
    await stage.move_clock(2 * A_RUNG)
    second = await stage.mail("/p/", coordinators(SUMMIT))
    await stage.answer(second, "acknowledge")
    never(stage, case, LadderEnded)
    await stage.answer(first, "contact_confirmed")
    assert (await stage.said(LadderEnded, case)).how == "contact"
    never(stage, case, ConsentAsked, ConsentGiven)
    await programs.withdrawn(requester)


# --- what changes in mid-flight


async def wanting(stage: Stage) -> tuple[Requester, CaseId, Mail]:
    """A peer has said that a clinician is wanted, and the requester has been asked."""
    requester, case, mail = await stage.supported(SUMMIT, urgency="routine")
    await stage.answer(mail, "clinician")
    await stage.said(ConsentAsked, case)
    return requester, case, mail


async def consented(stage: Stage, requester: Requester, case: CaseId, mail: Mail | None = None) -> Mail:
    """The requester says yes (after the peer at `mail` has said that it is wanted); the first clinician's mail."""
    if mail is not None:
        await stage.answer(mail, "clinician")
        await stage.said(ConsentAsked, case)
    await clinical_is(stage, requester, "consent_asked")
    assert (await requester.act("PUT", "/consents/clinician")).status == 200
    return await asking(stage, clinicians(SUMMIT))


async def asking(stage: Stage, of: list[str]) -> Mail:
    """The mail that asks one of these clinicians; others that lead to such a page say what has come of it."""
    while True:
        mail = await stage.mail("/r/", of)
        _, page = await stage.behind(mail)
        if any(form.button("accept") for form in page.forms):
            return mail


async def handed_off(stage: Stage, case: CaseId, peer: Mail, clinician: Mail) -> None:
    """Both sides say that the hand-off has happened."""
    await stage.answer(peer, "handoff")
    await stage.answer(clinician, "handoff")
    await stage.said(ReferralInProgress, case)


async def test_scenario_43_three_open_referrals_keep_a_clinician_when_the_agency_loses_its_own_at_midnight(
    programs: Programs,
) -> None:
    stage = programs.stage
    asked, requested, accepted = [await wanting(stage) for _ in range(3)]
    first, taken = [await consented(stage, *one[:2]) for one in (requested, accepted)]
    await stage.answer(taken, "accept")
    await stage.said(ReferralAccepted, accepted[1])
    midnight = await programs.now() + timedelta(hours=1)
    async with programs.changed(SUMMIT, structure="team-coordinator", effective_from=midnight.isoformat()):
        await stage.move_clock(timedelta(hours=1, seconds=5))
        await programs.structure_known(SUMMIT)
        refused(await stage.sent(SUMMIT, want="clinician", help=["counselling"]))

        await handed_off(stage, accepted[1], accepted[2], taken)
        await stage.answer(first, "reject")
        await stage.said(ReferralRejected, requested[1])
        second = await asking(stage, [one for one in clinicians(SUMMIT) if one != first.to])
        await stage.answer(second, "accept")
        await handed_off(stage, requested[1], requested[2], second)
        last = await consented(stage, *asked[:2])
        await stage.answer(last, "accept")
        await handed_off(stage, asked[1], asked[2], last)
        for requester, *_ in (asked, requested, accepted):
            await programs.withdrawn(requester)


async def test_a_clinician_who_comes_later_widens_no_case_that_began_without_one(programs: Programs) -> None:
    stage = programs.stage
    async with programs.changed(SUMMIT, structure="team-coordinator"):
        requester, case, mail = await stage.supported(SUMMIT)
    assert "clinician" not in (await requester.status())["can"]
    refused(await requester.act("POST", "/clinician"))
    await stage.answer(mail, "clinician")
    assert (await stage.said(NoClinicalPath, case)).why == "no_clinician"
    await danger(stage, mail)
    await stage.mail("/p/", coordinators(SUMMIT))
    assert not persons(await stage.said(RungPaged, case)) & await programs.people(SUMMIT, "clinician")
    never(stage, case, ConsentAsked, ReferralRequested)
    await programs.withdrawn(requester)
    anew, begun = await stage.ask(SUMMIT, want="clinician", help=["counselling"])
    await stage.said(ReferralRequested, begun)
    await programs.withdrawn(anew)
