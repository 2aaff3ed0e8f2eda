"""Two agencies side by side: at every door what is foreign is answered as what is unknown, and nobody's rows move."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.trust import probes_intake, probes_notify
from tests.trust.calls import Call, answered, same
from tests.trust.probes_intake import Nothing, Probe, World
from tests.trust.probes_notify import HELD_CHANGES, held
from tests.trust.routes import Door, apps, doors
from tests.trust.scene import QUESTION, set_up
from tests.trust.tables import digests, of_agency, rows, settled
from tests.trust.town import Town

PROBES: Mapping[str, Mapping[Door, Probe | Nothing]] = {
    "intake": probes_intake.PROBES,
    "notify": probes_notify.PROBES,
}


async def their_rows(world: World) -> dict[str, str]:
    """A checksum per table of the rows of the agency that must not be felt."""
    listed = await rows(await world.town.region.sql())
    return digests(of_agency(listed, world.theirs.agency.agency_id))


async def two_agencies(town: Town) -> World:
    world = World(town, mine=await set_up(town, "birch"), theirs=await set_up(town, "alder", uploads=2))
    await settled(await town.region.sql())
    return world


async def differing(world: World, service: str, door: Door, probe: Probe | Nothing) -> list[str]:
    """What was answered otherwise to something foreign than to something unknown."""
    town, theirs = world.town, world.theirs.agency
    if isinstance(probe, Nothing):
        said = await answered(town.region, Call(service, *door))
        return [f"{door} names the agency"] if theirs.slug in said.text else []
    found, pairs = [], 0
    async for pair in probe(world):
        pairs += 1
        foreign = same(await answered(town.region, pair.foreign), pair.foreign)
        unknown = same(await answered(town.region, pair.unknown), pair.unknown)
        if foreign != unknown or foreign["status"] >= 500:
            found.append(f"{door}, pair {pairs}: {foreign['status']} and {unknown['status']}")
    return found if pairs else [f"{door} was not tried"]


async def test_every_door_of_the_route_tables_has_a_probe(tmp_path: Path) -> None:
    found = {name: doors(app) for name, app in apps(tmp_path).items()}
    assert all(found.values())
    assert found == {name: set(table) for name, table in PROBES.items()}


async def test_what_is_foreign_is_answered_as_what_is_unknown_and_changes_nothing(town: Town) -> None:
    world = await two_agencies(town)
    await nothing_of_the_other_agency_is_felt(world)
    await what_a_stranger_holds_shows_nothing_and_counts_only_the_try(world)


async def nothing_of_the_other_agency_is_felt(world: World) -> None:
    """Every door of both services, with every probe."""
    town = world.town
    before = await their_rows(world)
    assert len(before) > 10
    found = [
        one
        for service, table in PROBES.items()
        for door, probe in table.items()
        for one in await differing(world, service, door, probe)
    ]
    assert not found
    await settled(await town.region.sql())
    assert await their_rows(world) == before


async def what_a_stranger_holds_shows_nothing_and_counts_only_the_try(world: World) -> None:
    """A link with its own form and another's PIN; in the same two agencies, which take long to set up."""
    town = world.town
    before = await their_rows(world)
    async for one in held(world):
        answer = await answered(town.region, one.call)
        assert answer.status in {403, 409}, one.first
        assert "set-cookie" not in answer.headers, one.first
        assert not [told for told in ("somebody@reach.test", QUESTION) if told in answer.text], one.first
    await settled(await town.region.sql())
    after = await their_rows(world)
    assert {name for name in before | after if before.get(name) != after.get(name)} <= HELD_CHANGES
