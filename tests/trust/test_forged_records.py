"""Records that no service of the region has written: they change nothing, whoever's records travel with them."""

from __future__ import annotations

from services.matching import subscribers
from shared import clock
from shared.delivery import Delivery
from shared.events.intake import CaseClosed, CaseWithdrawn
from shared.parking import Raw
from shared.types import AgencyId
from tests.harness.probe import Sender
from tests.trust.scene import people
from tests.trust.tables import Row, holding, rows, settled
from tests.trust.town import Town

KEY = b"fingerprint key of these tests, 32+ bytes"


async def taken(town: Town, *raws: Raw) -> None:
    """What matching makes of these records in one batch."""
    async with town.region.database.opened("matching") as db:
        topics = sorted({raw.topic for raw in raws})
        delivery = Delivery(db, subscribers.crisis, group="matching.forged", topics=topics, fingerprint_key=KEY)
        await delivery.take(raws)


async def test_a_record_of_another_writer_is_dead_at_once_and_changes_nothing(town: Town) -> None:
    agency = await town.agency("forged-town", people("forged-town"))
    case = await town.case_of(await town.ask(agency))
    sql = await town.region.sql()
    await settled(sql)
    before = [row for row in holding(await rows(sql), case) if row.schema == "matching"]
    sender = Sender(AgencyId(agency.agency_id))
    await taken(town, sender.raw(CaseWithdrawn(), case, headers={"ce_source": b"/peerline/notify"}))
    after = await rows(sql)
    kept = [row for row in holding(after, case) if row.schema == "matching" and row.name != "parked"]
    assert sorted(row.text for row in kept) == sorted(row.text for row in before)
    parked = [row.values["state"] for row in after if row.table == "matching.parked"]
    assert parked == ["dead"]


async def test_an_end_in_the_name_of_another_agency_ends_nothing_even_beside_its_owners_records(town: Town) -> None:
    owner = await town.agency("owner-town", people("owner-town"))
    case = await town.case_of(await town.ask(owner))
    sql = await town.region.sql()
    await settled(sql)

    def own(listed: list[Row]) -> list[str]:
        return sorted(
            row.text
            for row in holding(listed, case)
            if row.schema == "matching" and row.values.get("agency_id") == str(owner.agency_id)
        )

    before = own(await rows(sql))
    assert before
    sender = Sender(AgencyId(owner.agency_id))
    beside = sender.raw(CaseWithdrawn(), clock.random_id())
    forged = sender.raw(CaseClosed(), case, agency=AgencyId(clock.random_id()))
    await taken(town, beside, forged)
    assert own(await rows(sql)) == before
