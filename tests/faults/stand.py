"""A region whose services can be told to die at a point, and what must hold of it when everything is at rest."""

from __future__ import annotations

import re
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from deploy.local import demo
from deploy.local.mails import Mail, NoMailError
from shared import doors
from shared.faults import ORDER
from shared.migrate import SERVICES
from shared.vault import read_keyring
from tests.faults.kills import GROUPS, Kill
from tests.faults.ledger import Ledger, kept
from tests.harness import databases
from tests.harness import region as regions
from tests.harness.databases import Cluster, Sql
from tests.harness.region import FIRST, Region
from tests.harness.topics import Topics
from tests.harness.waiting import eventually
from tests.trust.town import OPEN_DOORS, Agency, Document, Town, person, token_of

PURPOSES = {"/m/": "offer", "/w/": "case", "/p/": "page", "/v/": "verify"}
POLICY: Document = {
    "grace_s": 0,
    "open_cases_per_peer": 20,
    "crisis_cases_per_peer": 5,
    "crisis_cooldown_s": 0,
    "rung_within_s": 900,
    "emergency": {"offers_out": 1, "answer_within_s": 600},
    "routine": {"answer_within_s": 60},
}
"""One offer at a time, peers that never tire, and times that no restart can use up; a routine answer is due soon."""


@dataclass(frozen=True)
class Letter:
    """A mail with a link: what its link is for, whom it was sent to, and what it is about."""

    mail: Mail
    purpose: str
    person: UUID
    subject: UUID


@dataclass
class Stand:
    """The region of a module's tests; each leaves it at rest, or the next one gets a new region."""

    region: Region
    town: Town
    ledger: Ledger
    agency: Agency
    duty: str
    spoiled: bool = False
    _known: dict[str, Letter] = field(default_factory=dict)

    @property
    def on_call(self) -> list[str]:
        """Whoever is paged in an emergency."""
        return [*self.agency.coordinators, self.duty]

    async def sql(self) -> Sql:
        return await self.region.sql()

    def arm(self, kill: Kill) -> None:
        """From now on the service dies when it comes to that point."""
        self.region.fault_marker.unlink(missing_ok=True)
        order = _order(self.region, kill.service)
        part = order.with_suffix(".part")
        part.write_text(f"{kill.point}:{kill.what}")
        part.replace(order)

    async def death(self, kill: Kill) -> None:
        """Return when the service is dead. It was killed, and it says at which point."""
        assert await self.region.services[kill.service, FIRST].ended() == -signal.SIGKILL
        assert self.region.fault_marker.read_text().split()[0] == kill.point

    async def revive(self, service: str) -> None:
        """Start it again, with nothing armed."""
        _order(self.region, service).unlink(missing_ok=True)
        await self._leases_over(service)
        await _started(self.region, service)

    async def _leases_over(self, service: str) -> None:
        """Half a minute passes for whatever a dead process had leased."""
        query = f"UPDATE {service}.timers SET leased_until = clock_timestamp() WHERE leased_until > clock_timestamp()"  # noqa: S608
        await (await self.sql()).execute(query)

    async def inbox(self, service: str) -> set[UUID]:
        """The ids of the events that a service has taken."""
        return {row["event_id"] for row in await (await self.sql()).fetch(f"SELECT event_id FROM {service}.inbox")}  # noqa: S608

    async def letters(self, case: UUID) -> list[Letter]:
        """The mails about a case that have arrived so far; their links are only known while the case lives."""
        sql, pepper = await self.sql(), read_keyring(self.region.keyring).derived("doors")
        for mail in await self.town.mailbox.all():
            purpose = next((name for page, name in PURPOSES.items() if mail.leads_to(page)), "")
            if not purpose or mail.id in self._known:
                continue
            query = (
                "SELECT l.person_id, l.subject_id, l.case_id FROM notify.doors d"
                " JOIN notify.links l ON l.link_id = d.subject WHERE d.hash = $1"
            )
            row = await sql.fetchrow(query, doors.keyed_hash(pepper, f"link:{purpose}", token_of(mail)))
            if row is not None and row["case_id"] == case:
                self._known[mail.id] = Letter(mail, purpose, row["person_id"], row["subject_id"])
        return list(self._known.values())

    async def arrived(self, page: str, among: list[str], within: float) -> Mail | None:
        """The next mail that leads to a page, if it comes in time."""
        try:
            return await self.town.mailbox.next(page, among, within_s=within)
        except NoMailError:
            return None

    async def at_rest(self) -> None:
        """Wait until everything said was published, taken once by everybody it concerns, and nothing is left over."""
        await eventually(self._drained, 30, what="every outbox empty and every event taken", every=0.1)
        sql = await self.sql()
        for service in SERVICES:
            assert not await sql.fetchval(f"SELECT count(*) FROM {service}.parked"), f"{service} has parked something"  # noqa: S608
        self._known.clear()

    async def _drained(self) -> bool:
        sql = await self.sql()
        for service in SERVICES:
            assert not await sql.fetchval(f"SELECT count(*) FROM {service}.outbox"), f"{service} has yet to publish"  # noqa: S608
        ends = await self.ledger.ends()
        for service, groups in GROUPS.items():
            heard = {topic for topics in groups.values() for topic in topics}
            said = {one.event_id for one in self.ledger.entries if one.topic in heard}
            assert await self.inbox(service) == said, f"{service} has yet to take what was said"
            rows = await sql.fetch(f"SELECT topic, part, next_offset FROM {service}.positions")  # noqa: S608
            for row in rows:
                assert ends[row["topic"], row["part"]] == row["next_offset"]
        return True

    async def offsets_committed(self, service: str) -> None:
        """Wait until the offsets in Kafka are those in the database."""
        sql = await self.sql()

        async def same() -> bool:
            rows = await sql.fetch(f"SELECT topic, part, next_offset FROM {service}.positions")  # noqa: S608
            committed: dict[tuple[str, int], int] = {}
            for lane in _lanes(service):
                committed |= await self.ledger.committed(f"{service}.{lane}")
            return all(committed.get((row["topic"], row["part"])) == row["next_offset"] for row in rows)

        await eventually(same, 15, what=f"the offsets of {service}", every=0.1)


def _lanes(service: str) -> list[str]:
    lanes = {"emergency": "crisis"}
    return [lanes.get(walk, walk) for walk in GROUPS[service]]


def _order(region: Region, service: str) -> Path:
    return region.folder / f"{service}.order"


async def _started(region: Region, service: str, *, ready: bool = True) -> None:
    await region.start(service, fault=f"{ORDER}{_order(region, service)}", env=OPEN_DOORS, ready=ready)


def people(mark: str) -> list[Document]:
    """Four peers and a coordinator; nobody else in the test run has their addresses."""
    peers = [
        person(f"P{n}", "peer", name, contact=f"{name.split()[0].lower()}@{mark}.test", offers=["talk"])
        for n, name in enumerate(("Ada Poe", "Bea Roe", "Cem Loe", "Dot Moe"))
    ]
    return [*peers, person("C1", "coordinator", "Eve Noe", contact=f"eve@{mark}.test")]


@asynccontextmanager
async def opened(cluster: Cluster, taken: AbstractAsyncContextManager[Topics], folder: Path) -> AsyncIterator[Stand]:
    """A region with an agency whose people are verified, and a regional duty coordinator."""
    async with databases.fresh(cluster) as database, taken as topics:
        topics.tired = True
        async with regions.opened(database, topics, folder) as region, kept(topics) as ledger:
            for service in SERVICES:
                await _started(region, service, ready=False)
            for service in SERVICES:
                await region.services[service, FIRST].ready(region.http)
            town = Town(region)
            mark = re.sub(r"\W|_", "", database.name)
            duty = f"duty@{mark}.test"
            code, _ = await demo.command(
                region.local, "region", "duty", "add", "--name", "Sam Quill", "--contact", duty
            )
            assert code == 0
            agency = await town.agency("riverton", people(mark), **POLICY)
            mail = await town.mailbox.next("/v/", [duty], within_s=60)
            await demo.verify(mail.link, agency.pin)
            stand = Stand(region, town, ledger, agency, duty)
            await stand.at_rest()
            yield stand
