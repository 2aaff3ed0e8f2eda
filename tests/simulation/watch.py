"""What must hold of a simulated region: after every move what can be seen in it, at rest whatever the tables say.

The numbers in the names of the promises are those of the invariants that operators know (docs/architecture).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from services.notify.actions.sending import Office
from shared import doors
from shared.delivery import Received
from shared.events import decode, from_headers
from shared.events.intake import ConsentGiven, ConsentWithdrawn, ContactReleased, DirectAsked
from shared.events.matching import OfferMade
from shared.events.referral import RungPaged
from shared.parking import Raw
from shared.types import CaseId, PersonId
from tests.harness.databases import Sql
from tests.simulation.post import Mail
from tests.simulation.promises import AT_END, AT_REST, TABLES

MOST_COPIES = {"offer": 1, "page": 2, "verify": 1, "outreach": 1}
"""How often one person may be sent a link to one thing."""


class Broken(Exception):
    """A promise does not hold. The first word is its stable name."""


_LINKS = """
SELECT d.hash, l.purpose, l.case_id, l.subject_id, l.person_id FROM unnest($1::bytea[]) w(hash)
  JOIN notify.doors d USING (hash) JOIN notify.links l ON l.link_id = d.subject
"""


class Watch:
    """Looks at everything that is published, takes effect or arrives. Raises `Broken`."""

    def __init__(self, sql: Sql, office: Office, groups: dict[tuple[str, str], tuple[str, ...]]) -> None:
        """`groups` maps (service, group) to the topics that it hears; `sql` is a superuser's connection."""
        self._sql, self._pepper, self.groups = sql, office.pepper, groups
        self.broken: Broken | None = None
        """The first promise that was seen broken where nothing could be raised."""
        self.said: dict[tuple[str, bytes], dict[UUID, int]] = defaultdict(dict)
        self.taken: dict[str, set[UUID]] = defaultdict(set)
        self._last: dict[tuple[str, str, bytes], int] = {}
        self._rungs: dict[UUID, int] = {}
        self._consents: dict[UUID, UUID] = {}
        self.avoided: dict[CaseId, frozenset[PersonId]] = {}
        """Whom a requester does not want to meet, by case."""
        self._new: list[Mail] = []
        self._apart = ""
        self.copies: dict[tuple[str, UUID, UUID], int] = defaultdict(int)
        self.paged: set[CaseId] = set()
        """Cases of which a page has reached somebody."""

    def memory(self) -> tuple[object, ...]:
        """What has been seen so far, for `recall`."""
        return dict(self.said), dict(self.taken), self._last

    def recall(self, known: tuple[Any, ...]) -> None:
        """Go on from there."""
        said, taken, self._last = known
        self.said.update(said)
        self.taken.update(taken)

    def claims_paged(self, case: CaseId) -> None:
        """A requester is told that somebody was paged."""
        self._must(case in self.paged, "I4 said-before-it-was-sent", case)

    def published(self, raw: Raw) -> None:
        """A record has come into its topic."""
        envelope = from_headers(raw.headers)
        known = self.said[raw.topic, raw.key]
        if envelope.event_id in known:
            return
        known[envelope.event_id] = len(known)
        fact, case = decode(envelope.type, raw.value), CaseId(envelope.subject)
        match fact:
            case RungPaged(ladder=ladder, rung=rung):
                self._must(rung >= self._rungs.get(ladder, 0), "I11 a-rung-goes-down", case)
                self._rungs[ladder] = rung
                self._unwanted(case, [person for _, person in fact.pages], "I2 an-unwanted-person-is-paged")
            case OfferMade(person=person):
                self._unwanted(case, [person], "I2 an-unwanted-peer-is-asked")
            case ConsentGiven(consent=consent, referral=referral) | DirectAsked(consent=consent, referral=referral):
                self._consents[consent] = referral
            case ConsentWithdrawn(referral=referral):
                self._consents = {one: of for one, of in self._consents.items() if of != referral}
            case ContactReleased(consent=consent) if consent is not None:
                self._must(consent in self._consents, "I13 released-without-consent", case)
            case _:
                pass

    def _unwanted(self, case: CaseId, people: Iterable[PersonId], what: str) -> None:
        unwanted = self.avoided.get(case, frozenset()) & set(people)
        self._must(not unwanted, what, case)

    def _must(self, holds: bool, what: str, about: object) -> None:
        if not holds and self.broken is None:
            self.broken = Broken(f"{what}: {about}")

    def took(self, service: str, group: str, received: Sequence[Received]) -> None:
        """Events have taken effect in a service."""
        del group
        for one in received:
            event, place = one.envelope.event_id, (one.topic, str(one.envelope.subject).encode())
            self._must(event not in self.taken[service], "doubled", f"{one.fact.type} {event} in {service}")
            self.taken[service].add(event)
            number = self.said[place].get(event, -1)
            last = self._last.get((service, *place))
            in_order = last is None or number > last or one.fact.STOP
            self._must(in_order, "out-of-order", f"{one.fact.type} {event} in {service}")
            if not one.fact.STOP:
                self._last[service, *place] = number

    def arrived(self, mail: Mail) -> None:
        """A mail has reached somebody."""
        self._new.append(mail)

    async def after_move(self) -> None:
        """What can be told after any move. Raises `Broken`."""
        new = {
            doors.keyed_hash(self._pepper, f"link:{one.purpose}", one.token): one for one in self._new if one.purpose
        }
        self._new.clear()
        if new:
            for row in await self._sql.fetch(_LINKS, list(new)):
                key = row["purpose"], row["subject_id"], row["person_id"]
                self.copies[key] += 1
                most = MOST_COPIES.get(row["purpose"], 1_000)
                self._must(self.copies[key] <= most, "I3 sent-too-often", key)
                if row["purpose"] == "page":
                    self.paged.add(row["case_id"])
        if self.broken is not None:
            raise self.broken

    async def at_rest(self) -> None:
        """What must hold when everything that could happen has happened, before time passes. Raises `Broken`."""
        for name, statement in AT_REST.items():
            # sql-in-loop: one statement per promise, so that the first one that is broken is named
            if found := await self._sql.fetch(f"{statement} LIMIT 3"):
                raise Broken(f"{name}: {[tuple(row.values()) for row in found]}")
        await self._no_row_of_another()
        await self._nothing_is_missed()

    async def _no_row_of_another(self) -> None:
        """I6: whatever is kept of a case is kept as the case's own agency's."""
        if not self._apart:
            tables = [f"{row['nspname']}.{row['relname']}" for row in await self._sql.fetch(TABLES)]
            self._apart = " UNION ALL ".join(
                f"SELECT '{table}', t.case_id, t.agency_id FROM {table} t JOIN intake.cases c USING (case_id)"  # noqa: S608
                " WHERE t.agency_id <> c.agency_id"
                for table in tables
            )
        if found := await self._sql.fetch(f"{self._apart} LIMIT 3"):
            raise Broken(f"I6 of-another-agency: {[tuple(row.values()) for row in found]}")

    async def _nothing_is_missed(self) -> None:
        for (service, group), topics in self.groups.items():
            # sql-in-loop: one question per service
            rows = await self._sql.fetch(f"SELECT case_id FROM {service}.tombstones")  # noqa: S608 - a name of ours
            over = {str(row["case_id"]).encode() for row in rows}
            for topic in topics:
                for (of, key), events in self.said.items():
                    missed = set(events) - self.taken[service]
                    if of == topic and missed and key not in over:
                        raise Broken(f"missed: {service}.{group} has not taken {missed} of {topic}")

    async def at_end(self, accepted: int) -> None:
        """What is left when every case is over and purged, of which so many were accepted. Raises `Broken`."""
        rows = await self._sql.fetch(TABLES)
        for row in rows:
            table = f"{row['nspname']}.{row['relname']}"
            # sql-in-loop: one question per table
            left = await self._sql.fetchval(f"SELECT count(*) FROM {table} WHERE case_id IS NOT NULL")  # noqa: S608 - from the catalogue
            if left and row["relname"] != "tombstones":
                raise Broken(f"I10 left-behind: {left} rows of {table}")
        for name, statement in AT_END.items():
            # sql-in-loop: one statement per promise
            if found := await self._sql.fetch(f"{statement} LIMIT 3"):
                raise Broken(f"{name}: {[tuple(row.values()) for row in found]}")
        counted = await self._sql.fetchval("SELECT count(*) FROM intake.statistics")
        if counted != accepted:
            raise Broken(f"I1 lost-or-doubled: {accepted} requests were accepted, {counted} have ended")
