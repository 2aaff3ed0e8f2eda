"""The demo region: an agency per structure and regional duty coordinators, made through the real doors.

Everybody is verified as in real life: a mail with a link, a page, a PIN. Running it again makes only what is missing.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from deploy.local.browser import Answer, Browser
from deploy.local.cast import DUTY, PEOPLE, REGIONAL, SLUG, TOWNS, Person, Town, directory_csv, resources_document
from deploy.local.errors import LocalError
from deploy.local.mails import Mailbox
from deploy.local.region import LocalRegion, write_private
from deploy.local.settings import checkout
from deploy.local.supervisor import PLAIN_ENVIRONMENT
from shared import clock

GRACE_S = 3
"""Seconds between the end of a demo case and its purge; 72 hours in earnest."""
VERIFY_AT_ONCE = 4
HEARD_WITHIN_S, POLL_S = 30.0, 0.2
OK, CREATED, CONFLICT = 200, 201, 409


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


Say = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class Demo:
    """What is needed to play with the demo: the agencies' keys by slug, and the PIN that everybody in it has set."""

    keys: Mapping[str, str]
    pin: str

    @property
    def key(self) -> str:
        """The key of the agency in which the first case is walked."""
        return self.keys[SLUG]

    @property
    def contacts(self) -> list[str]:
        """Where the messages of its peers go."""
        return [person.contact for person in PEOPLE if person.role == "peer"]

    @property
    def paged(self) -> list[str]:
        """Where pages of an emergency go, sooner or later."""
        coordinators = [person.contact for person in PEOPLE if person.role == "coordinator"]
        return [*coordinators, *(contact for _, contact in DUTY)]


def mailbox_of(region: LocalRegion) -> Mailbox:
    """The mailbox, as far as this region writes to it."""
    return Mailbox(region.endpoints.mailbox_url, region.url("notify"))


def is_seeded(state: Path, towns: Sequence[Town] = TOWNS) -> bool:
    """Whether the demo region was made to its end before, with all of these agencies."""
    marker = _marker(state)
    made = json.loads(marker.read_text()).get("towns", []) if marker.is_file() else []
    return {town.slug for town in towns} <= set(made)


def key_file(state: Path, slug: str = SLUG) -> Path:
    """Where the key of a demo agency lies."""
    return state / f"{slug}.key"


def _marker(state: Path) -> Path:
    return state / "demo.json"


async def seeded(region: LocalRegion, say: Say, towns: Sequence[Town] = TOWNS) -> Demo:
    """The demo region with these agencies; made where it is missing. Raises `DemoError`."""
    if is_seeded(region.state, towns):
        keys = {town.slug: key_file(region.state, town.slug).read_text().strip() for town in towns}
        return Demo(keys, json.loads(_marker(region.state).read_text())["pin"])
    pin, keys = _pin(region.state), {}
    await _regional(region)
    for town in towns:
        keys[town.slug] = await _agency(region, town)
        await _furnish(region, town, keys[town.slug])
        people = f"{len(town.people)} people"
        say(f"agency {town.name} ({town.structure}) is added with a directory of {people}, its key is kept")
    demo = Demo(keys, pin)
    await _verify(region, demo, towns, say)
    write_private(_marker(region.state), json.dumps({"pin": pin, "towns": [town.slug for town in towns]}))
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


async def _agency(region: LocalRegion, town: Town) -> str:
    path = key_file(region.state, town.slug)
    if not path.is_file():
        code, told = await command(region, "agency", "add", *town.words(clock.now().date()))
        if code or not isinstance(told.get("key"), str):
            raise DemoError("`peerline agency add`", f"with exit code {code}")
        write_private(path, str(told["key"]))
    return path.read_text().strip()


async def _furnish(region: LocalRegion, town: Town, key: str) -> None:
    """Resources, a directory, and a short grace, so that the end of a case can be watched."""
    today = clock.now().date()
    await _put(region, key, "policy", json.dumps({"grace_s": GRACE_S}), "application/json")
    listed = json.dumps(resources_document(town.resources, today))
    await _put(region, key, "resources", listed, "application/json")
    await put_directory(region, key, town.people)


async def put_directory(region: LocalRegion, key: str, people: Sequence[Person]) -> None:
    """The directory of an agency from now on."""
    await _put(region, key, "directory", directory_csv(people, clock.now().date()), "text/csv")


async def _put(region: LocalRegion, key: str, what: str, body: str, kind: str) -> Answer:
    browser, url = Browser(), f"{region.url('intake')}/v1/agency/{what}"
    known = await browser.api("GET", url, bearer=key)
    condition = {"If-Match": known.headers["etag"]} if "etag" in known.headers else {"If-None-Match": "*"}
    headers = {"Content-Type": kind, "Accept": "application/json", "Authorization": f"Bearer {key}"} | condition
    answer = await browser.request("PUT", url, body=body.encode(), headers=headers)
    if answer.status not in {OK, CREATED}:
        raise DemoError.of(f"PUT /v1/agency/{what}", answer)
    return answer


async def _regional(region: LocalRegion) -> None:
    """The region's own resources and duty coordinators."""
    file = region.state / "resources.json"
    write_private(file, json.dumps(resources_document(REGIONAL, clock.now().date())))
    code, _ = await command(region, "region", "resources", "load", str(file))
    if code:
        raise DemoError("`peerline region resources load`", f"with exit code {code}")
    known = {one["contact"] for one in await _duty(region)}
    for name, contact in DUTY:
        if contact not in known:
            code, _ = await command(region, "region", "duty", "add", "--name", name, "--contact", contact)
        if code:
            raise DemoError("`peerline region duty add`", f"with exit code {code}")


async def _duty(region: LocalRegion) -> list[dict[str, Any]]:
    _, told = await command(region, "region", "duty", "list")
    found: Any = told.get("duty", [])
    return list(found)


async def _verify(region: LocalRegion, demo: Demo, towns: Sequence[Town], say: Say) -> None:
    """Everybody opens the link in the mail and sets a PIN, a few at a time; then the region has to have heard it."""
    addresses = [person.contact for town in towns for person in town.people if person.contact]
    addresses += [contact for _, contact in DUTY]
    mailbox, gate = mailbox_of(region), asyncio.Semaphore(VERIFY_AT_ONCE)

    async def one(address: str) -> None:
        mail = await mailbox.next("/v/", [address], within_s=60.0)
        async with gate:
            await verify(mail.link, demo.pin)

    await asyncio.gather(*(one(address) for address in addresses))
    try:
        async with asyncio.timeout(HEARD_WITHIN_S):
            await _until_heard(region, demo)
    except TimeoutError:
        raise DemoError("verifying", "by people who are still not verified") from None
    say(f"{len(addresses)} links in mails are opened, and a PIN is set behind each")


async def _until_heard(region: LocalRegion, demo: Demo) -> None:
    """Until intake knows that everybody is verified: nobody else is paged in an emergency."""
    while True:
        if await _heard(region, demo):
            return
        await asyncio.sleep(POLL_S)


async def _heard(region: LocalRegion, demo: Demo) -> bool:
    if not all(one["verified"] for one in await _duty(region)):
        return False
    url = f"{region.url('intake')}/v1/agency/directory"
    answers = [await Browser().api("GET", url, bearer=key) for key in demo.keys.values()]
    people = [one for answer in answers for one in answer.json()["people"]]
    return all(one["verified"] for one in people if one["role"] != "member")


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
