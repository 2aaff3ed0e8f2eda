"""Keys that a restored backup has brought back are destroyed again by the list that lies outside of the database."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from services.intake.actions import destroyed
from shared import clock
from shared.events.intake import CaseClosed
from shared.forgetting import TIMER, Listing, read
from shared.timers import claim
from shared.types import Lane
from shared.vault import Subject
from tests.integration.intake_case.front import Front


def of(front: Front, case: UUID) -> Subject:
    return Subject(front.agency.agency_id, "case", case)


async def key(front: Front, case: UUID) -> bool:
    """Whether the key of the case is there."""
    return bool(await front.sql.fetchval("SELECT wrapped IS NOT NULL FROM vault.data_keys WHERE subject_id = $1", case))


async def replayed(front: Front, *cases: UUID) -> list[Subject]:
    async with front.db.transaction([front.agency.agency_id]) as tx:
        return await destroyed.replay(tx, [of(front, case) for case in cases])


async def test_a_destroyed_key_is_written_down_outside_by_a_timer(front: Front, tmp_path: Path) -> None:
    code, case = await front.begun()
    assert (await front.json("DELETE", "/v1/case", code=code)).status == 200
    due = [one for one in await claim(front.db, Lane.BULK) if one.kind == TIMER["case"]]
    async with front.db.transaction([front.agency.agency_id]) as tx:
        await Listing(tmp_path / "list").fire(tx, due)
    assert read([tmp_path / "list"]) == [of(front, case)]


async def test_a_case_whose_key_was_destroyed_is_ended_and_every_service_is_told(front: Front) -> None:
    code, case = await front.begun()
    other_code, other = await front.begun()
    assert await replayed(front, case) == [of(front, case)]
    assert (await front.json("GET", "/v1/case", code=code)).status == 404
    assert (await front.json("GET", "/v1/case", code=other_code)).status == 200
    assert (await key(front, case), await key(front, other)) == (False, True)
    said = "SELECT count(*) FROM intake.outbox WHERE key = $1 AND type = $2"
    closed = CaseClosed.model_fields["type"].default
    assert await front.sql.fetchval(said, case, closed) == 1
    assert await replayed(front, case) == []


async def test_under_a_legal_hold_the_case_is_over_and_its_key_stays(front: Front) -> None:
    _, case = await front.begun()
    await front.sql.execute("UPDATE vault.data_keys SET held = true WHERE subject_id = $1", case)
    assert await replayed(front, case) == [of(front, case)]
    assert await key(front, case)
    assert await front.sql.fetchval("SELECT state FROM intake.cases WHERE case_id = $1", case) == "withdrawn"


async def test_the_list_is_replayed_at_the_start(front: Front, tmp_path: Path) -> None:
    _, case = await front.begun()
    listed = tmp_path / "list"
    listed.write_text(f"{clock.now().date()} case {front.agency.agency_id} {case}\n")
    await destroyed.replayed(front.db, tmp_path / "there is none")
    assert await key(front, case)
    await destroyed.replayed(front.db, listed)
    assert not await key(front, case)


async def test_a_list_that_cannot_be_read_is_no_reason_to_wait(front: Front, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\xff\xfe")
    with pytest.raises(destroyed.UnreadableList):
        await destroyed.replayed(front.db, tmp_path / "list")
