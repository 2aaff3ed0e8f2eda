"""A region is rolled from this release to the next, service by service, and no case notices.

The next release (`tests/upgrade/next_release.py`) says one fact in a second version, one that is new altogether, and
changes a table by a `pre` and a `post` migration. Everything is real: processes, Kafka, PostgreSQL, mails, pages.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.town import Town
from tests.upgrade.next_release import made
from tests.upgrade.roll import Roll

pytestmark = pytest.mark.engines


async def test_a_region_is_rolled_to_the_next_release_and_no_case_notices(town: Town, tmp_path: Path) -> None:
    roll = Roll(town, made(tmp_path / "next"))
    await roll.contracts_kept()
    long = await roll.accepted()

    assert "9001_pre" not in await roll.prepare("pre")
    await roll.a_case_is_walked()

    await consumers_first(roll)
    await producer_next(roll)

    await roll.prepare("post")
    assert await roll.contact_of(long) == ("before", None)
    await roll.contacted(long)
    await roll.ended(long)
    await roll.a_case_is_walked()
    await roll.at_rest()


async def consumers_first(roll: Roll) -> None:
    """Two releases of one service share its groups; what the old producer says is read in the new version."""
    for service in ("referral", "intake"):
        await roll.beside(service)
        await roll.a_case_is_walked()
        await roll.alone(service)
    walked = await roll.accepted()
    await roll.contacted(walked)
    assert await roll.contact_of(walked) == ("unsaid", None)
    await roll.ended(walked)


async def producer_next(roll: Roll) -> None:
    """One consumer is late: what it does not know waits there, in order, until a replica that knows it has come."""
    await roll.alone("matching")
    walked = await roll.accepted()
    await roll.contacted(walked)
    assert await roll.contact_of(walked) == ("spoken", True)
    assert await roll.parked("notify") == ["UnknownEvent", "UnknownEvent"]

    await roll.beside("notify")
    await roll.unparked("notify")
    await roll.ended(walked)
    await roll.a_case_is_walked()
    await roll.alone("notify")
