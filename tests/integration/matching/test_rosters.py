"""People are kept in memory until one of their agency changes; what is kept is what would be read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID, uuid4

import pytest

from services.matching.domain.people import Peer
from services.matching.domain.roster import Roster
from services.matching.store import rosters
from services.matching.store.rosters import Kept
from shared.events import Fact
from shared.events.notify import ContactStopped, ContactVerified
from shared.events.policy import Capabilities
from shared.migrate import steps
from shared.types import AgencyId, PersonId, Role, Structure
from tests.harness.bench import Said
from tests.integration.matching.bench import Bench, person_set, persons
from tests.unit.matching.given import ANA, BEN, EVA, peer

NO_CLINICIAN = Capabilities(consult=False, accept_referral=False, direct_employee=False, direct_family=False)


async def roster(bench: Bench, agency: AgencyId | None = None) -> Roster:
    agency = agency or bench.agency
    async with bench.db.transaction({agency}) as tx:
        return (await rosters.of(tx, {agency})).get(agency, Roster())


async def read_afresh(bench: Bench) -> tuple[Peer, ...]:
    """As a service that has just begun reads them."""
    await bench.sql.execute("UPDATE rosters SET stamp = gen_random_uuid()")
    return (await roster(bench)).people


CHANGES: dict[str, Sequence[Fact]] = {
    "revised": [person_set(revision=2, hours="Mon-Fri 08:00-18:00")],
    "removed": [person_set(revision=2, active=False)],
    "promoted": [person_set(Role.COORDINATOR, revision=2)],
    "a member now": [person_set(Role.MEMBER, revision=2)],
    "silenced": [ContactStopped(revision=2)],
    "silenced and back": [ContactStopped(revision=2), ContactVerified(revision=3)],
}


async def test_nobody_is_read_again_while_nobody_has_changed(bench: Bench) -> None:
    await bench.staff(*persons(3))
    first = await roster(bench)
    assert len(first.people) == 3
    assert await roster(bench) is first
    # Of another agency, or older than what is known: neither changes anybody here.
    await bench.staff(*persons(2), agency=AgencyId(uuid4()))
    await bench.take(Said(bench.agency, first.people[0].person, person_set()), group="directory")
    assert await roster(bench) is first


@pytest.mark.parametrize("what", sorted(CHANGES))
async def test_a_change_is_seen_by_the_next_one_who_reads(bench: Bench, what: str) -> None:
    one, other = persons(2)
    await bench.staff(one, other)
    before = (await roster(bench)).people
    # sql-in-loop: one change after the other
    for fact in CHANGES[what]:
        group = "ordinary" if isinstance(fact, ContactVerified | ContactStopped) else "directory"
        await bench.take(Said(bench.agency, one, fact), group=group)
    after = (await roster(bench)).people
    assert (after == before) is (what == "silenced and back")
    assert after == await read_afresh(bench)


async def test_an_agency_that_is_not_there_any_more_has_nobody(bench: Bench) -> None:
    await bench.staff(*persons(2))
    assert len((await roster(bench)).people) == 2
    await bench.may(NO_CLINICIAN, Structure.TEAM_COORDINATOR, active=False)
    assert (await roster(bench)).people == ()
    await bench.may(NO_CLINICIAN, Structure.TEAM_COORDINATOR)
    assert len((await roster(bench)).people) == 2


async def test_a_change_by_hand_is_seen_too(bench: Bench) -> None:
    one, other = persons(2)
    await bench.staff(one, other)
    await roster(bench)
    await bench.sql.execute("UPDATE peers SET hours = 'Mon-Fri 08:00-18:00' WHERE person_id = $1", one)
    assert {peer.hours for peer in (await roster(bench)).people} == {"", "Mon-Fri 08:00-18:00"}
    await bench.sql.execute("DELETE FROM peers WHERE person_id = $1", one)
    assert [peer.person for peer in (await roster(bench)).people] == [other]


async def test_what_was_never_committed_is_not_kept(bench: Bench) -> None:
    await bench.staff(*persons(1))
    before = await roster(bench)
    with suppress(ZeroDivisionError):
        async with bench.db.transaction({bench.agency}) as tx:
            await tx.connection.execute("UPDATE peers SET language = 'es'")
            changed = (await rosters.of(tx, {bench.agency}))[bench.agency]
            raise ZeroDivisionError
    assert [peer.language for peer in changed.people] == ["es"]
    assert (await roster(bench)).people == before.people


async def test_whoever_is_there_before_the_upgrade_is_there_after_it(bench: Bench) -> None:
    """The migration runs as the schema's owner, who is under row security too."""
    people = persons(3)
    await bench.staff(*people)
    sql = next(one.sql for one in steps("pre") if one.name == "0016_pre_rosters.sql" and one.schema == "matching")
    await bench.sql.execute("DROP TABLE rosters; DROP FUNCTION stamp_rosters CASCADE")
    await bench.sql.execute("SET ROLE matching_owner")
    await bench.sql.execute(sql)
    await bench.sql.execute("RESET ROLE")
    assert {one.person for one in (await roster(bench)).people} == set(people)


async def test_after_a_restore_the_people_of_then_are_asked(bench: Bench) -> None:
    """A backup brings the stamp of then with the people of then; what was kept under a later one is not theirs."""
    one, other = persons(2)
    await bench.staff(one, other)
    then = await roster(bench)
    kept = await bench.sql.fetch("SELECT * FROM peers"), await bench.sql.fetch("SELECT * FROM rosters")
    await bench.take(Said(bench.agency, one, person_set(revision=2, active=False)), group="directory")
    assert [peer.person for peer in (await roster(bench)).people] == [other]
    async with bench.sql.transaction():
        # A restore writes rows before there are triggers.
        await bench.sql.execute("SET LOCAL session_replication_role = replica")
        await bench.sql.execute("DELETE FROM peers; DELETE FROM rosters")
        for table, rows in zip(("peers", "rosters"), kept, strict=True):
            # sql-in-loop: two tables
            await bench.sql.copy_records_to_table(
                table, records=[tuple(row) for row in rows], columns=list(rows[0].keys()), schema_name="matching"
            )
    assert (await roster(bench)).people == then.people
    # The same is told again after the restore, and a stamp that never was there before goes with it.
    await bench.take(Said(bench.agency, one, person_set(revision=2, active=False)), group="directory")
    assert [peer.person for peer in (await roster(bench)).people] == [other]


def test_the_longest_unasked_goes_first_and_what_is_kept_has_an_end() -> None:
    kept = Kept(most=3)
    names = [AgencyId(UUID(int=n)) for n in range(4)]
    one, two = Roster([peer(ANA)]), Roster([peer(BEN), peer(EVA)])
    kept.put(names[0], UUID(int=1), one)
    kept.put(names[1], UUID(int=1), two)
    assert kept.get(names[0], UUID(int=1)) is one
    assert kept.get(names[0], UUID(int=2)) is None
    kept.put(names[2], UUID(int=1), one)
    assert kept.get(names[1], UUID(int=1)) is None
    assert kept.get(names[0], UUID(int=1)) is one
    # A newer one of the same agency takes the place of the older one.
    kept.put(names[0], UUID(int=2), two)
    assert (kept.get(names[0], UUID(int=1)), kept.get(names[0], UUID(int=2))) == (None, two)
    assert kept.get(names[2], UUID(int=1)) is one
    kept.put(names[3], UUID(int=1), Roster([peer(PersonId(UUID(int=n))) for n in range(1, 9)]))
    assert kept.get(names[3], UUID(int=1)) is None


async def test_people_are_read_with_the_zone_of_their_agency_as_soon_as_it_is_told(bench: Bench) -> None:
    one, other = persons(2)
    await bench.staff(one, other)
    assert {peer.day_zone for peer in (await roster(bench)).people} == {"America/Chicago"}
    await bench.take(Said(bench.agency, one, person_set(revision=2, time_zone="America/Phoenix")), group="directory")
    await bench.may(NO_CLINICIAN, Structure.TEAM_COORDINATOR)
    zones = {peer.person: (peer.time_zone, peer.day_zone) for peer in (await roster(bench)).people}
    assert zones == {one: ("America/Phoenix", "America/Denver"), other: ("America/Chicago", "America/Denver")}
    # An older version kept the agency without its zone; the daily word, of no new revision, brings it.
    await bench.sql.execute("UPDATE agencies SET time_zone = ''")
    assert {peer.day_zone for peer in await read_afresh(bench)} == {"America/Phoenix", "America/Chicago"}
    bench.revision -= 1
    await bench.may(NO_CLINICIAN, Structure.TEAM_COORDINATOR)
    assert {peer.day_zone for peer in (await roster(bench)).people} == {"America/Denver"}
