"""The demo region: one agency, its directory and a regional duty coordinator, made through the real doors.

Everybody is verified as in real life: a mail with a link, a page, a PIN. Running it again makes only what is missing.
Names, addresses and numbers are invented (`.test` is reserved by RFC 6761, 555-01xx for fiction by the NANP).
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

from deploy.local.browser import Answer, Browser
from deploy.local.errors import LocalError
from deploy.local.mails import Mailbox
from deploy.local.region import LocalRegion, write_private
from deploy.local.settings import checkout
from deploy.local.supervisor import PLAIN_ENVIRONMENT
from shared import clock

SLUG = "riverton"
GRACE_S = 3
"""Seconds between the end of a demo case and its purge; 72 hours in earnest."""
VERIFY_AT_ONCE = 4
OK, CREATED, CONFLICT = 200, 201, 409

AGENCY = (
    *("--name", "Riverton Police", "--slug", SLUG, "--kind", "police", "--jurisdiction", "US-UT"),
    *("--structure", "team-coordinator", "--language", "en", "--language", "es"),
    *("--time-zone", "America/Denver", "--mail-domain", "riverton.test"),
)


class DemoError(LocalError):
    """A step of the demo was answered otherwise than it should have been."""

    def __init__(self, step: str, answer: str) -> None:
        """Name the step and what came back: a status or a slug, never a content."""
        super().__init__(f"The demo stopped: {step} was answered {answer}; read the service's log for the cause.")

    @classmethod
    def of(cls, step: str, answer: Answer) -> Self:
        """The same with the status of an answer, and what its problem document names: slug, pointers, codes."""
        try:
            document = answer.json()
            slug = str(document["type"]).rpartition("/")[2]
            named = "".join(f" {one['pointer'] or '/'}: {one['code']}" for one in document.get("errors", []))
        except (ValueError, KeyError, TypeError, AttributeError):
            slug, named = "", ""
        return cls(step, " ".join(f"{answer.status} {slug}{named}".split()))


@dataclass(frozen=True)
class Person:
    """A row of the demo's directory."""

    ref: str
    role: str
    name: str
    unit: str
    supervisor: str = ""
    language: str = "en"
    attributes: str = ""
    offers: str = ""
    shows: str = ""

    @property
    def contact(self) -> str:
        """Where this person's messages go; members of the agency get none."""
        return f"{self.name.split()[0].lower()}@home.test" if self.role != "member" else ""


PEOPLE = (
    Person("C1", "coordinator", "Morgan Hale", "Peer support", attributes="", shows="801-555-0101"),
    Person(
        "P1", "peer", "Ana Reyes", "Patrol north", "S1", "es", "language:es|gender:female", "talk|ride", "801-555-0111"
    ),
    Person(
        "P2", "peer", "Ben Okafor", "Investigations", "S2", attributes="veteran", offers="talk", shows="801-555-0112"
    ),
    Person("P3", "peer", "Casey Lund", "Dispatch", "S2", offers="talk|childcare|meals", shows="801-555-0113"),
    Person("P4", "peer", "Dana Whitfield", "Patrol south", "S1", attributes="gender:female", offers="talk|company"),
    Person("P5", "peer", "Eli Navarro", "Traffic", "S2", "es", "language:es|veteran", "talk|paperwork"),
    Person("P6", "peer", "Fran Iverson", "Jail", "S3", offers="talk|company|ride", shows="801-555-0116"),
    Person("S1", "member", "Sgt. Kim Aldous", "Patrol north", "L1"),
    Person("S2", "member", "Sgt. Lee Barton", "Investigations", "L1"),
    Person("S3", "member", "Sgt. Noor Castle", "Jail", "L1"),
    Person("L1", "member", "Lt. Pat Dorsey", "Operations"),
    Person("M1", "member", "Ofc. Robin Ellis", "Patrol north", "S1"),
)
DUTY_NAME, DUTY_CONTACT = "Sam Quill", "duty@region.test"
COLUMNS = (
    *("person_ref", "role", "name", "unit", "supervisor_ref", "contact", "language", "attributes"),
    *("designated_from", "designated_to", "trained_until", "hours", "offers", "shows"),
)

Say = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class Demo:
    """What is needed to play with the demo: the agency's key and the PIN that everybody in it has set."""

    key: str
    pin: str

    @property
    def contacts(self) -> list[str]:
        """Where the peers' messages go."""
        return [person.contact for person in PEOPLE if person.role == "peer"]

    @property
    def paged(self) -> list[str]:
        """Where pages of an emergency go."""
        return [person.contact for person in PEOPLE if person.role == "coordinator"] + [DUTY_CONTACT]


def directory_csv() -> str:
    """The directory as a spreadsheet would hold it; peers have been designated for a year and are trained."""
    today = clock.now().date()
    since, until = (today - timedelta(days=365)).isoformat(), (today + timedelta(days=365)).isoformat()
    rows = [";".join(COLUMNS)]
    for one in PEOPLE:
        dates = (since, "", until) if one.role == "peer" else ("", "", "")
        cells = (one.ref, one.role, one.name, one.unit, one.supervisor, one.contact, one.language, one.attributes)
        rows.append(";".join((*cells, *dates, "", one.offers, one.shows)))
    return "\r\n".join(rows) + "\r\n"


def mailbox_of(region: LocalRegion) -> Mailbox:
    """The mailbox, as far as this region writes to it."""
    return Mailbox(region.endpoints.mailbox_url, region.url("notify"))


def is_seeded(state: Path) -> bool:
    """Whether the demo region was made to its end before."""
    return _marker(state).is_file()


def key_file(state: Path) -> Path:
    """Where the key of the demo agency lies."""
    return state / f"{SLUG}.key"


def _marker(state: Path) -> Path:
    return state / "demo.json"


async def seeded(region: LocalRegion, say: Say) -> Demo:
    """The demo region; made where it is missing. Raises `DemoError`."""
    if is_seeded(region.state):
        return Demo(key_file(region.state).read_text().strip(), json.loads(_marker(region.state).read_text())["pin"])
    pin = _pin(region.state)
    demo = Demo(await _agency(region, say), pin)
    await _policy(region, demo)
    await _directory(region, demo, say)
    await _duty(region)
    await _verify(region, demo, say)
    write_private(_marker(region.state), json.dumps({"pin": pin}))
    return demo


def _pin(state: Path) -> str:
    """One PIN for everybody, kept from the first try, since some may have set it already."""
    path = state / "demo.pin"
    if not path.is_file():
        # The first digit is lower than the last: neither all the same nor falling.
        first, *middle = (secrets.randbelow(5) for _ in range(5))
        write_private(path, f"{first}{''.join(map(str, middle))}{5 + secrets.randbelow(5)}")
    return path.read_text().strip()


def plain_environment() -> dict[str, str]:
    """What a command of ours needs of this terminal's environment, and nothing that would change what it does."""
    return {name: os.environ[name] for name in PLAIN_ENVIRONMENT if name in os.environ}


async def command(region: LocalRegion, *words: str) -> tuple[int, dict[str, object]]:
    """Run the `peerline` command with `--json`: its exit code and the document it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", *words, "--json"),
        cwd=checkout(),
        env={**plain_environment(), **region.operator_environment()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    try:
        document = json.loads(out)
    except ValueError:
        document = {}
    return process.returncode or 0, document if isinstance(document, dict) else {}


async def _agency(region: LocalRegion, say: Say) -> str:
    path = key_file(region.state)
    if not path.is_file():
        code, told = await command(region, "agency", "add", *AGENCY)
        if code or not isinstance(told.get("key"), str):
            raise DemoError("`peerline agency add`", f"with exit code {code}")
        write_private(path, str(told["key"]))
        say("agency Riverton Police (Team Coordinator) is added, its key is kept")
    return path.read_text().strip()


async def _policy(region: LocalRegion, demo: Demo) -> None:
    """A short grace, so that the end of a case can be watched."""
    await _put(region, demo, "policy", json.dumps({"grace_s": GRACE_S}), "application/json")


async def _directory(region: LocalRegion, demo: Demo, say: Say) -> None:
    await _put(region, demo, "directory", directory_csv(), "text/csv")
    say(f"directory of {len(PEOPLE)} people is uploaded as CSV")


async def _put(region: LocalRegion, demo: Demo, what: str, body: str, kind: str) -> Answer:
    browser, url = Browser(), f"{region.url('intake')}/v1/agency/{what}"
    known = await browser.api("GET", url, bearer=demo.key)
    condition = {"If-Match": known.headers["etag"]} if "etag" in known.headers else {"If-None-Match": "*"}
    headers = {"Content-Type": kind, "Accept": "application/json", "Authorization": f"Bearer {demo.key}"} | condition
    answer = await browser.request("PUT", url, body=body.encode(), headers=headers)
    if answer.status not in {OK, CREATED}:
        raise DemoError.of(f"PUT /v1/agency/{what}", answer)
    return answer


async def _duty(region: LocalRegion) -> None:
    _, told = await command(region, "region", "duty", "list")
    if told.get("duty"):
        return
    code, _ = await command(region, "region", "duty", "add", "--name", DUTY_NAME, "--contact", DUTY_CONTACT)
    if code:
        raise DemoError("`peerline region duty add`", f"with exit code {code}")


async def _verify(region: LocalRegion, demo: Demo, say: Say) -> None:
    """Everybody opens the link in the mail and sets a PIN, a few at a time."""
    addresses = [person.contact for person in PEOPLE if person.contact] + [DUTY_CONTACT]
    mailbox, gate = mailbox_of(region), asyncio.Semaphore(VERIFY_AT_ONCE)

    async def one(address: str) -> None:
        mail = await mailbox.next("/v/", [address], within_s=60.0)
        async with gate:
            await verify(mail.link, demo.pin)

    await asyncio.gather(*(one(address) for address in addresses))
    say(f"{len(addresses)} people have opened the link in their mail and set a PIN")


async def verify(link: str, pin: str) -> Answer:
    """Open a verification link as a browser does and set the PIN. A link that was used before is left alone."""
    browser = Browser()
    page = await browser.get(link)
    forms: Sequence[object] = page.forms
    if page.status == OK and not forms:
        return page
    form = page.form()
    answer = await browser.submit(form, {name: pin for name in form.names if "pin" in name})
    if answer.status != OK:
        raise DemoError.of("the page that sets a PIN", answer)
    return answer
