"""A backup is restored while Kafka is newer: what happened since is laid aside, and what has ended stays ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from deploy.local.mails import Mail
from deploy.local.region import destroyed_in
from deploy.local.walk import Requester
from shared import forgetting
from shared.events.envelope import INTAKE
from shared.events.intake import CaseClosed, CaseWithdrawn
from shared.events.matching import OfferMade, PeerAssigned
from shared.events.referral import LadderAcknowledged, RungPaged
from shared.migrate import SERVICES
from tests.faults import stand as stands
from tests.faults.stand import Stand
from tests.harness.databases import Cluster
from tests.harness.topics import Pool
from tests.harness.waiting import eventually
from tests.restore import backup

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Asked:
    """Somebody who has asked, their case, and the mail of the first offer in it."""

    requester: Requester
    case: UUID
    offer: Mail | None = None

    async def answer(self) -> int:
        """The status that their code is answered with."""
        return (await self.requester.act("GET")).status


@dataclass
class Lived:
    """A region that was restored: what stood at the backup, what was begun after it, what the command told."""

    stand: Stand
    file: Path
    answered: Asked
    withdrawn: Asked
    endangered: Asked
    held: Asked
    under_way: Asked
    begun: Asked
    emergency: Asked
    dry: dict[str, object]
    told: dict[str, object]
    code: int
    offers_before: dict[UUID, int]


async def asked(stand: Stand, *, mailed: bool = True, **changes: object) -> Asked:
    requester = await stand.town.ask(stand.agency, **changes)
    case = await stand.town.case_of(requester)
    return Asked(requester, case, await stand.town.mail("/m/", stand.agency.contacts) if mailed else None)


async def killed(stand: Stand) -> None:
    for service in SERVICES:
        await stand.region.kill(service)
    sql = await stand.region.sql()
    await sql.close()
    stand.region._sql = None  # noqa: SLF001 - the database that it leads to goes


async def started(stand: Stand) -> None:
    for service in SERVICES:
        await stand.revive(service)


@asynccontextmanager
async def lived(stand: Stand, folder: Path) -> AsyncIterator[Lived]:
    """A backup in the midst of things, ten more minutes in a few seconds, a disaster, and the backup again."""
    answered, withdrawn, endangered, held = [await asked(stand) for _ in range(4)]
    await stand.town.press(stand.agency, _mail(withdrawn), "accept")
    await withdrawn.requester.until("released")
    await stand.at_rest()
    # Said before the backup, and not yet taken by matching.
    await stand.region.stop("matching")
    under_way = await asked(stand, mailed=False)
    await backup.dumped(stand.region.database, folder / "backup")
    await stand.revive("matching")
    await stand.ledger.said(under_way.case, OfferMade)
    await stand.town.mail("/m/", stand.agency.contacts)
    await stand.town.press(stand.agency, _mail(answered), "accept")
    await answered.requester.until("released")
    assert (await withdrawn.requester.act("DELETE")).status == 200
    await stand.ledger.said(withdrawn.case, CaseClosed)
    await (await stand.sql()).execute("UPDATE vault.data_keys SET held = true WHERE subject_id = $1", held.case)
    assert (await held.requester.act("DELETE")).status == 200
    await stand.ledger.said(held.case, CaseWithdrawn)
    begun = await asked(stand)
    emergency = await asked(stand, mailed=False, urgency="emergency")
    await stand.ledger.said(emergency.case, RungPaged)
    assert (await endangered.requester.act("POST", "/emergency")).status == 200
    await stand.ledger.said(endangered.case, RungPaged)
    await stand.at_rest()
    await eventually(lambda: withdrawn.case in listed(stand), what="the destroyed key is written down")
    refused, _ = await backup.finish(stand.region)
    assert refused == 3
    await killed(stand)
    await backup.restored(stand.region.database, folder / "backup")
    offers = {one.case: len(stand.ledger.facts(one.case, OfferMade)) for one in (under_way, begun, emergency)}
    dry_code, dry = await backup.finish(stand.region, "--dry-run")
    code, told = await backup.finish(stand.region)
    assert dry_code == code
    await started(stand)
    yield Lived(
        stand,
        folder / "backup",
        answered,
        withdrawn,
        endangered,
        held,
        under_way,
        begun,
        emergency,
        dry,
        told,
        code,
        offers,
    )


def _mail(one: Asked) -> Mail:
    assert one.offer is not None
    return one.offer


def listed(stand: Stand) -> set[UUID]:
    path = destroyed_in(stand.region.folder)
    return {one.subject_id for one in forgetting.read([path])} if path.is_file() else set()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def after(cluster: Cluster, pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    folder = tmp_path_factory.mktemp("restored")
    # Where a topic begins later than at 0, Kafka has dropped something: what topics used before would look like.
    async with stands.opened(cluster, pool.unused(), folder) as stand, lived(stand, folder) as one:
        yield one


async def test_the_command_tells_what_was_lost_and_does_what_a_dry_run_says(after: Lived) -> None:
    assert after.code == 1
    assert after.dry == after.told
    assert {(one["case"], one["emergency"]) for one in after.told["lost"]} == {  # type: ignore[attr-defined]
        (str(after.begun.case), False),
        (str(after.emergency.case), True),
    }
    assert after.told["ended_again"] == 2
    assert [one["case"] for one in after.told["endangered"]] == [str(after.endangered.case)]  # type: ignore[attr-defined]
    assert (after.told["held_again"], after.told["forgotten"]) == ([str(after.held.case)], [])
    back = {str(one.case) for one in (after.answered, after.endangered, after.under_way)}
    assert back == set(after.told["gone_back"])  # type: ignore[call-overload]


async def test_a_case_that_went_on_stands_where_it_stood_and_goes_on_from_there(after: Lived) -> None:
    assert await after.answered.requester.until("asked")
    await after.stand.town.press(after.stand.agency, _mail(after.answered), "accept")
    await after.answered.requester.until("released")
    # The acceptance of the time that is lost, and the one of now.
    assert len(after.stand.ledger.facts(after.answered.case, PeerAssigned)) == 2


async def test_what_was_withdrawn_since_stays_withdrawn_and_its_key_destroyed(after: Lived) -> None:
    assert await after.withdrawn.answer() == 404
    sql, case = await after.stand.sql(), after.withdrawn.case
    key = "SELECT wrapped IS NULL AND destroyed_at IS NOT NULL FROM vault.data_keys WHERE subject_id = $1"
    assert await sql.fetchval(key, case)

    async def gone() -> bool:
        left = [f"SELECT case_id FROM {service}.cases" for service in SERVICES]  # noqa: S608
        return not await sql.fetchval(f"SELECT count(*) FROM ({' UNION ALL '.join(left)}) u WHERE case_id = $1", case)  # noqa: S608

    await eventually(gone, 30, what="the end of the case in every service")


async def test_what_was_withdrawn_under_a_legal_hold_is_over_and_its_key_held_again(after: Lived) -> None:
    sql, case = await after.stand.sql(), after.held.case
    key = "SELECT held AND wrapped IS NOT NULL FROM vault.data_keys WHERE subject_id = $1"
    assert await sql.fetchval(key, case)
    assert await sql.fetchval("SELECT state FROM intake.cases WHERE case_id = $1", case) == "withdrawn"


async def test_what_was_asked_since_is_gone_and_nobody_is_looked_for(after: Lived) -> None:
    for one in (after.begun, after.emergency):
        assert await one.answer() == 404
    await after.stand.at_rest()
    for one in (after.begun, after.emergency):
        assert len(after.stand.ledger.facts(one.case, OfferMade)) == after.offers_before[one.case]
        query = "SELECT count(*) FROM matching.cases WHERE case_id = $1"
        assert not await (await after.stand.sql()).fetchval(query, one.case)


async def test_what_was_on_its_way_at_the_backup_arrives_once(after: Lived) -> None:
    await after.stand.ledger.said(after.under_way.case, OfferMade)
    await after.stand.at_rest()
    assert (
        len(after.stand.ledger.facts(after.under_way.case, OfferMade)) == after.offers_before[after.under_way.case] + 1
    )


async def test_danger_in_a_case_that_there_is_pages_again_until_somebody_is_there(after: Lived) -> None:
    page = await after.stand.town.mail("/p/", after.stand.on_call)
    assert len(after.stand.ledger.facts(after.endangered.case, RungPaged)) >= 2
    await after.stand.town.press(after.stand.agency, page, "acknowledge")
    await after.stand.ledger.said(after.endangered.case, LadderAcknowledged)
    await after.stand.at_rest()


async def test_finishing_twice_changes_nothing_more(after: Lived) -> None:
    await after.stand.at_rest()
    await killed(after.stand)
    code, told = await backup.finish(after.stand.region)
    assert (code, told["records"], told["lost"]) == (0, 0, [])
    await started(after.stand)
    await after.stand.at_rest()


async def test_what_kafka_has_dropped_of_the_lost_time_is_not_passed_over_in_silence(after: Lived) -> None:
    await killed(after.stand)
    await backup.restored(after.stand.region.database, after.file)
    await backup.dropped(after.stand.region, INTAKE.name)
    code, told = await backup.finish(after.stand.region)
    assert (code, told["refused"]) == (3, "kafka-forgot")
    _, dry = await backup.finish(after.stand.region, "--dry-run")
    code, told = await backup.finish(after.stand.region, "--force")
    assert (code, told) == (1, dry)
    assert {one.rpartition("/")[0] for one in told["forgotten"]} == {INTAKE.name}  # type: ignore[attr-defined]
    await started(after.stand)
