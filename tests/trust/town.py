"""Agencies of a test's own on a test's own region, made and walked through the real doors."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from deploy.local import demo, walk
from deploy.local.browser import Answer, Browser
from deploy.local.demo import DemoError
from deploy.local.mails import Mail, Mailbox
from deploy.local.walk import Requester
from tests.harness.region import Region
from tests.harness.waiting import eventually
from tests.trust import tables

Document = dict[str, Any]
SUPERVISED = ("--structure", "clinical-supervisor", "--contract-from", "2020-01-01")
"""The options of `peerline agency add` for a program whose clinicians are asked, and take people on."""
OPEN_DOORS = {
    f"PEERLINE_{name}": "10000"
    for name in (
        "REQUESTS_PER_SOURCE",
        "REQUESTS_PER_AGENCY",
        "EMERGENCIES_PER_SOURCE",
        "EMERGENCIES_PER_AGENCY",
        "WRONG_CODES_PER_SOURCE",
    )
}
"""Settings of intake: a test asks more often in a minute than anybody who needs help."""


def person(ref: str, role: str, name: str, **fields: Any) -> Document:
    """A row of a directory as JSON; a peer has been designated for years, a clinician is licensed."""
    known: Mapping[str, Document] = {
        "peer": {"designated_from": "2020-01-01", "trained_until": "2099-12-31"},
        "clinician": {"attributes": ["licence:us-ut"]},
    }
    return {"person_ref": ref, "role": role, "name": name} | known.get(role, {}) | fields


@dataclass(frozen=True, repr=False)
class Agency:
    """An agency with its first key and whoever it has named; `contacts` are the peers' addresses."""

    slug: str
    key: str
    agency_id: UUID
    people: Sequence[Document]
    pin: str

    @property
    def contacts(self) -> list[str]:
        return [one["contact"] for one in self.people if one["role"] == "peer"]

    @property
    def coordinators(self) -> list[str]:
        return [one["contact"] for one in self.people if one["role"] == "coordinator"]

    @property
    def clinicians(self) -> list[str]:
        return [one["contact"] for one in self.people if one["role"] == "clinician"]


@dataclass(repr=False)
class Town:
    """The region, and what its people do."""

    region: Region

    def __post_init__(self) -> None:
        self.mailbox = Mailbox(self.region.endpoints.mailbox_url, self.region.url("notify"))

    @property
    def intake(self) -> str:
        return self.region.url("intake")

    async def start(self) -> None:
        """All four services."""
        await self.region.start_all(env=OPEN_DOORS)

    async def agency(self, slug: str, people: Sequence[Document], **policy: object) -> Agency:
        """An agency with a directory in which everybody with a contact point is verified, and a long grace.

        Where it names a clinician, its program has one, who is on everybody's way; else it has none.
        """
        supervised = any(one["role"] == "clinician" for one in people)
        made = await self._command(
            *("agency", "add", "--name", f"{slug} police", "--slug", slug, "--kind", "police"),
            *("--jurisdiction", "US-UT", "--language", "en", "--time-zone", "America/Denver"),
            *(SUPERVISED if supervised else ()),
        )
        # The first digit is lower than the last: neither all the same nor falling.
        pin = f"1{secrets.randbelow(10_000):04}8"
        agency = Agency(slug, str(made["key"]), UUID(str(made["agency"])), people, pin)
        await self.put(agency, "policy", {"grace_s": 3600, **policy})
        await self.put(agency, "directory", {"people": list(people)})
        for one in people:
            if one.get("contact"):
                mail = await self.mailbox.next("/v/", [one["contact"]], within_s=60)
                await demo.verify(mail.link, agency.pin)
        await self._told_of_verified(agency)
        return agency

    async def _told_of_verified(self, agency: Agency) -> None:
        sql = await self.region.sql()

        async def known() -> bool:
            found: int = await sql.fetchval(
                "SELECT count(*) FROM matching.peers WHERE agency_id = $1 AND verified AND active AND role = 'peer'",
                agency.agency_id,
            )
            paged: int = await sql.fetchval(
                "SELECT count(*) FROM intake.people WHERE agency_id = $1 AND verified AND role = 'coordinator'",
                agency.agency_id,
            )
            asked: int = await sql.fetchval(
                "SELECT count(*) FROM referral.people JOIN referral.agencies USING (agency_id)"
                " WHERE agency_id = $1 AND verified AND people.active AND role = 'clinician'"
                " AND (capabilities->>'accept_referral')::boolean",
                agency.agency_id,
            )
            wanted = (len(agency.contacts), len(agency.coordinators), len(agency.clinicians))
            return (found, paged, asked) == wanted

        await eventually(known, 30, what="matching knows the peers, intake the coordinators, referral the clinicians")

    async def _command(self, *words: str) -> dict[str, object]:
        code, told = await demo.command(self.region.local, *words)
        assert code == 0, f"peerline {words[0]} {words[1]} ended with {code}"
        return told

    async def put(self, agency: Agency, what: str, document: object) -> Answer:
        """PUT something of an agency, whatever stood there."""
        browser, url = Browser(), f"{self.intake}/v1/agency/{what}"
        tag = (await browser.api("GET", url, bearer=agency.key)).headers.get("etag")
        condition = {"If_Match": tag} if tag else {"If_None_Match": "*"}
        answer = await browser.api("PUT", url, document, bearer=agency.key, **condition)
        assert answer.status == 200, f"PUT {what}: {answer.status} {answer.text[:300]}"
        return answer

    async def body(self, agency: Agency, code: str, **changes: object) -> Document:
        """The body of a request: what the device of a requester sends."""
        relation = changes.get("relation", "officer")
        url = f"{self.intake}/v1/agencies/{agency.slug}/notice?relation={relation}&language=en"
        shown = await Browser().api("GET", url)
        return {
            "relation": relation,
            "urgency": "soon",
            "help": ["talk"],
            "notice": {"version": shown.json()["version"]},
            "code_hash": hash_of(code),
        } | changes

    async def send(self, agency: Agency, body: Mapping[str, object]) -> Answer:
        """POST a request as it is."""
        return await Browser().api("POST", f"{self.intake}/v1/agencies/{agency.slug}/requests", dict(body))

    async def ask(self, agency: Agency, **changes: object) -> Requester:
        """Somebody asks for support."""
        code = secrets.token_urlsafe(32)
        answer = await self.send(agency, await self.body(agency, code, **changes))
        if answer.status != 201:
            raise DemoError.of("POST requests", answer)
        return Requester(self.intake, code, str(answer.json()["reference"]))

    async def case_of(self, requester: Requester) -> UUID:
        """The id of a case, which its requester never learns."""
        sql = await self.region.sql()
        found: UUID = await sql.fetchval(
            "SELECT case_id FROM intake.requests WHERE reference = $1", requester.reference
        )
        return found

    async def mail(self, page: str, among: Sequence[str]) -> Mail:
        """The next mail that leads to a page, to one of these."""
        return await self.mailbox.next(page, among)

    async def press(self, agency: Agency, mail: Mail, verb: str) -> Answer:
        """Follow a mail's link, give the PIN, press a button, and confirm it where that is asked."""
        browser, page = await walk.opened(mail.link, agency.pin)
        return await walk.press(browser, page, verb)

    async def released(self, agency: Agency, **changes: object) -> tuple[Requester, Mail]:
        """A case in which a peer has accepted and may see how to reach the requester; with that peer's second mail."""
        requester = await self.ask(agency, **changes)
        offer = await self.mail("/m/", agency.contacts)
        await self.press(agency, offer, "accept")
        await requester.until("released")
        return requester, await self.mail("/w/", [offer.to])

    async def advice(self, agency: Agency, mail: Mail, question: str) -> Mail:
        """The peer of a case asks a clinician; with the mail that leads the adviser to the question."""
        browser, _ = await walk.opened(mail.link, agency.pin)
        form = (await browser.get(f"{mail.link}/advice")).form(has="text")
        sent = await browser.submit(form, {"to": "clinician", "code": "sleep", "text": question})
        assert sent.status == 200, f"asking for advice: {sent.status}"
        return await self.mail("/c/", agency.clinicians)

    async def referred(self, agency: Agency, requester: Requester, mail: Mail) -> Mail:
        """The peer says that a clinician is wanted, the requester consents; with the mail to the clinician."""
        await self.press(agency, mail, "clinician")
        await self.clinical(requester, "consent_asked")
        answer = await requester.act("PUT", "/consents/clinician")
        assert answer.status == 200, f"the consent: {answer.status}"
        return await self.mail("/r/", agency.clinicians)

    async def clinical(self, requester: Requester, *states: str) -> None:
        """Wait until the clinical side of a case stands at one of these."""

        async def stands() -> bool:
            clinical = (await requester.status())["clinical"]
            return clinical is not None and clinical["state"] in states

        await eventually(stands, 30, what=f"the clinical side is {' or '.join(states)}")

    async def purged(self, case: UUID, within: float = 40.0) -> list[tables.Row]:
        """Wait until no service has a row of the case any more and nothing is under way; all rows as they then are."""

        def gone(listed: list[tables.Row]) -> bool:
            return not [row for row in listed if row.name in {"cases", "outbox"} and case in row.ids]

        sql = await self.region.sql()
        await tables.until(sql, gone, "the purge", within)
        await tables.settled(sql)
        return await tables.rows(sql)


def hash_of(code: str) -> str:
    """What is sent of a code."""
    return base64.urlsafe_b64encode(hashlib.sha256(code.encode()).digest()).rstrip(b"=").decode()


def token_of(mail: Mail) -> str:
    """The secret in a mail's link."""
    return mail.link.rpartition("/")[2]


def as_json(document: object) -> bytes:
    """A document as it is sent."""
    return json.dumps(document).encode()
