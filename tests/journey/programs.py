"""One region in which all three structures live, and what somebody tries there who looks for a door that is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from aiokafka import AIOKafkaProducer
from uuid_utils.compat import uuid7

from deploy.local import demo
from deploy.local.browser import Answer, Browser, Form
from deploy.local.cast import CLINICIAN, LAKESIDE, RIVERTON, SUMMIT, Town
from deploy.local.demo import CONFLICT
from deploy.local.mails import Mail
from deploy.local.scenes.__main__ import SCENES, staged
from deploy.local.scenes.stage import Stage
from deploy.local.walk import Requester
from shared import clock
from shared.events import Fact
from shared.events.intake import Ask, ContactReleased, RequestSubmitted
from shared.events.notify import IntentSettled, PageSettled
from shared.events.policy import Capabilities
from shared.types import AgencyId, CaseId, PersonId, Structure
from tests.faults.kills import GROUPS
from tests.harness.bus import Bus
from tests.harness.region import Region
from tests.harness.waiting import eventually
from tests.trust.town import OPEN_DOORS

ORDINARY = replace(RIVERTON, people=(*RIVERTON.people, CLINICIAN))
"""The program without a clinician. Its directory names one all the same: what decides is never who is there."""
TOWNS: Mapping[Structure, Town] = {
    Structure.TEAM_COORDINATOR: ORDINARY,
    Structure.CLINICAL_ADVISOR: LAKESIDE,
    Structure.CLINICAL_SUPERVISOR: SUMMIT,
}
PROGRAM: Mapping[str, Mapping[str, object]] = {
    ORDINARY.slug: {"structure": "team-coordinator"},
    LAKESIDE.slug: {"structure": "clinical-advisor"},
    SUMMIT.slug: {"structure": "clinical-supervisor"},
}
"""The structure of each agency as `PUT /v1/agency/structure` takes it, less the contract."""
EVERYTHING = Capabilities(**dict.fromkeys(Capabilities.model_fields, True))


@dataclass(eq=False)
class Programs:
    """The stage, and beside it a way to write to the bus what no service has said."""

    stage: Stage
    region: Region
    producer: AIOKafkaProducer
    gone: set[str] = field(default_factory=set)
    """The scenes of `make demo` that have gone as they should."""

    async def scene(self, name: str) -> None:
        """Play this scene of `make demo`, unless it has been played already."""
        if name not in self.gone:
            await self.stage.mailbox.forget_present()
            await dict(SCENES)[name](self.stage)
            self.gone.add(name)

    async def now(self) -> datetime:
        """The region's time."""
        found: datetime = await (await self.region.sql()).fetchval("SELECT region.now()")
        return found

    async def agency(self, town: Town) -> AgencyId:
        """The id of an agency."""
        sql = await self.region.sql()
        return AgencyId(await sql.fetchval("SELECT agency_id FROM intake.agencies WHERE slug = $1", town.slug))

    async def people(self, town: Town, role: str) -> set[PersonId]:
        """The ids of everybody with this role in an agency's directory."""
        query = "SELECT person_id FROM intake.people WHERE agency_id = $1 AND role = $2 AND active"
        rows = await (await self.region.sql()).fetch(query, await self.agency(town), role)
        return {PersonId(row["person_id"]) for row in rows}

    async def on_call(self, town: Town) -> PersonId:
        """The id of the one clinician of an agency's directory who is on call."""
        query = "SELECT person_id FROM intake.people WHERE agency_id = $1 AND 'on_call' = ANY (attributes) AND active"
        (row,) = await (await self.region.sql()).fetch(query, await self.agency(town))
        return PersonId(row["person_id"])

    async def requests(self, town: Town) -> int:
        """How many cases this agency has."""
        query = "SELECT count(*) FROM intake.cases WHERE agency_id = $1"
        found: int = await (await self.region.sql()).fetchval(query, await self.agency(town))
        return found

    async def forge(self, town: Town, case: CaseId, fact: Fact) -> None:
        """Write a well-formed record of this fact about a case; returns when every service that hears it has."""
        event = uuid7()
        bus = Bus(self.producer, self.region, await self.agency(town))
        await bus.say(case, fact, event_id=event)
        hearers = [
            service for service, groups in GROUPS.items() if any(fact.TOPIC.name in one for one in groups.values())
        ]
        await eventually(lambda: self._heard(hearers, event), what=f"{fact.type} heard by {hearers}")

    async def _heard(self, services: list[str], event: UUID) -> bool:
        sql = await self.region.sql()
        query = "SELECT count(*) FROM {}.inbox WHERE event_id = $1"
        return all([await sql.fetchval(query.format(service), event) for service in services])

    def asked(self, case: CaseId, **changes: object) -> Ask:
        """The ask of a case as its request has stamped it, with these changes and every capability there is."""
        said = next(one.fact for one in self.stage.of(case) if isinstance(one.fact, RequestSubmitted))
        policy = said.ask.policy.model_copy(update={"capabilities": EVERYTHING})
        return said.ask.model_copy(update={"policy": policy, **changes})

    def told(self, case: CaseId) -> set[PersonId]:
        """Everybody who was sent a message about a case."""
        return {one.fact.person for one in self.stage.of(case) if isinstance(one.fact, IntentSettled | PageSettled)}

    def released_to(self, case: CaseId) -> set[PersonId]:
        """Everybody who was shown how to reach the requester."""
        return {one.fact.recipient for one in self.stage.of(case) if isinstance(one.fact, ContactReleased)}

    @asynccontextmanager
    async def changed(self, town: Town, **document: object) -> AsyncIterator[None]:
        """The agency's structure is like this meanwhile."""
        await self.structure(town, **{**PROGRAM[town.slug], **document})
        try:
            yield
        finally:
            await self.structure(town, **PROGRAM[town.slug])

    async def structure(self, town: Town, **document: object) -> None:
        """Set the structure of an agency; returns when all who ask for it know what holds now."""
        browser, key = Browser(), self.stage.demo.keys[town.slug]
        url = f"{self.stage.intake}/v1/agency/structure"
        tag = (await browser.api("GET", url, bearer=key)).headers["etag"]
        if document["structure"] != "team-coordinator":
            since = clock.now().date() - timedelta(days=300)
            document = {"contract": {"from": since.isoformat()}, **document}
        answer = await browser.api("PUT", url, document, bearer=key, If_Match=tag)
        assert answer.status == 200, answer.text
        await self.structure_known(town)

    async def structure_known(self, town: Town) -> None:
        """Wait until referral knows of an agency what intake says of it."""
        url, key = f"{self.stage.intake}/v1/agency/structure", self.stage.demo.keys[town.slug]
        agency, sql = await self.agency(town), await self.region.sql()

        async def known() -> bool:
            shown = (await Browser().api("GET", url, bearer=key)).json()["capabilities"]
            heard = await sql.fetchval("SELECT capabilities FROM referral.agencies WHERE agency_id = $1", agency)
            return bool(Capabilities.model_validate_json(heard).model_dump() == shown)

        await eventually(known, 30, what="referral knows the structure", every=0.1)

    async def withdrawn(self, requester: Requester) -> None:
        """The requester takes it back; nothing of it stays."""
        assert (await requester.act("DELETE")).status == 200


def refused(answer: Answer) -> None:
    """A request for a clinician was answered honestly: there is none, here is help, and a peer can be had."""
    document = answer.json()
    assert (answer.status, document["type"]) == (CONFLICT, "/problems/no-clinician-in-program")
    assert document["offer"] == "peer"
    assert {"988", "911"} <= {one["call"] for one in document["resources"]}


@dataclass
class CasePage:
    """A requester's status page in a browser."""

    browser: Browser
    page: Answer

    @classmethod
    async def of(cls, stage: Stage, town: Town, requester: Requester) -> CasePage:
        """Enter the code at the agency's page."""
        browser = Browser()
        door = await browser.get(f"{stage.intake}/a/{town.slug}/case")
        return cls(browser, await browser.submit(door.form(has="code"), {"code": requester.code}))

    def door(self, name: str) -> bool:
        """Whether the page has a button for this."""
        return any(form.action.endswith(f"/case/{name}") for form in self.page.forms)

    async def by_hand(self, name: str) -> Answer:
        """Send what a button of this name would send, though the page has none."""
        close = next(form for form in self.page.forms if form.action.endswith("/case/close"))
        return await self.browser.submit(replace(close, action=close.action.replace("/close", f"/{name}")))


async def asked_by_hand(stage: Stage, town: Town, relation: str) -> list[Answer]:
    """Ask for a clinician on the agency's public page by forms filled in by hand: at the first screen and the last."""
    notice = f"{stage.intake}/v1/agencies/{town.slug}/notice?relation={relation}&language=en"
    version = (await Browser().api("GET", notice)).json()["version"]
    by_hand = {"relation": relation, "want": "clinician", "urgency": "soon", "help": "counselling"}
    last = {"screen": "three", "version": version, "read": "yes", "kept_code": "yes", "channel": "none"}
    found = []
    for fields in (by_hand, by_hand | last):
        browser = Browser()
        start = await browser.get(f"{stage.intake}/a/{town.slug}")
        found.append(await browser.submit(_screen_one(start), fields))
    return found


def _screen_one(page: Answer) -> Form:
    return next(form for form in page.forms if form.values.get("screen") == "one")


async def pressed_by_hand(stage: Stage, mail: Mail, verb: str) -> Answer:
    """Send a word that the page behind a link has no button for; and say that one is sure, where that is asked."""
    browser, page = await stage.behind(mail)
    form = page.form(has="nonce")
    answer = await browser.submit(replace(form, buttons=()), {"verb": verb})
    sure = [one for one in answer.forms if "sure" in one.names]
    return await browser.submit(sure[0], {"sure": "yes"}) if sure else answer


@asynccontextmanager
async def opened(region: Region) -> AsyncIterator[Programs]:
    """All three agencies, everybody verified."""
    await region.start_all(env=OPEN_DOORS | {"PEERLINE_FORMS_PER_SOURCE": "10000"})
    await demo.seeded(region.local, print, list(TOWNS.values()))
    producer = AIOKafkaProducer(bootstrap_servers=region.topics.kafka, acks="all")
    await producer.start()
    try:
        async with staged(region.local, print) as stage:
            yield Programs(stage, region, producer)
    finally:
        await producer.stop()
