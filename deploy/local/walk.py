"""The first case, walked to its end through the real doors: a requester, a peer with a mailbox, two browsers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from deploy.local.browser import Answer, Browser
from deploy.local.cast import SLUG
from deploy.local.demo import CREATED, OK, Demo, DemoError, Say, mailbox_of
from deploy.local.region import LocalRegion
from deploy.local.timeline import Watcher
from shared.db import connect
from shared.events.intake import CaseClosed, RequestSubmitted
from shared.types import CaseId

CHANGES_WITHIN_S = 30.0
POLL_S = 0.1

REQUEST: dict[str, object] = {
    "relation": "officer",
    "urgency": "soon",
    "help": ["talk"],
    "choose": "anyone",
    "preferences": {"prefer": ["veteran"]},
    "avoid_people": ["Dana Whitfield"],
    "about_me": {"unit": "Patrol north", "supervisor": "Sgt. Kim Aldous"},
    "reach": {"channel": "call", "address": "801-555-0142", "safe_times": "after 18:00", "leave_message": False},
    "release": "on_accept",
}


@dataclass(frozen=True, repr=False)
class Requester:
    """Somebody who has asked: the code was made here and only its hash was sent."""

    intake: str
    code: str
    reference: str

    async def status(self) -> dict[str, Any]:
        """The case as its requester sees it."""
        answer = await self.act("GET")
        if answer.status != OK:
            raise DemoError.of("GET /v1/case", answer)
        found: dict[str, Any] = answer.json()
        return found

    async def act(self, method: str, path: str = "", document: object = None) -> Answer:
        """Do something at `/v1/case`, with this code; a POST once, however often it is sent."""
        once = {"Idempotency_Key": secrets.token_urlsafe(16)} if method == "POST" else {}
        return await Browser().api(method, f"{self.intake}/v1/case{path}", document, bearer=self.code, **once)

    async def until(self, *states: str) -> str:
        """Wait until the status is one of these; returns it. Raises `DemoError`."""
        found = ""

        async def reached() -> bool:
            nonlocal found
            found = str((await self.status()).get("state"))
            return found in states

        await eventually(reached, "the requester's status", lambda: f'"{found}" for too long')
        return found


async def ask(intake: str, slug: str = SLUG, **changes: object) -> Requester:
    """Send a request as a device does: read the notice, make a code, send its hash. Raises `DemoError`."""
    answer, code = await sent(intake, slug, **changes)
    if answer.status != CREATED:
        raise DemoError.of("POST requests", answer)
    return Requester(intake, code, str(answer.json()["reference"]))


async def sent(intake: str, slug: str = SLUG, **changes: object) -> tuple[Answer, str]:
    """The same, whatever is answered; with the code. Raises `DemoError` when there is no notice."""
    browser = Browser()
    body = {**REQUEST, **changes}
    if "notice" not in changes:
        asked = f"relation={body['relation']}&language={body.get('language', 'en')}"
        shown = await browser.api("GET", f"{intake}/v1/agencies/{slug}/notice?{asked}")
        if shown.status != OK:
            raise DemoError.of("GET notice", shown)
        body["notice"] = {"version": shown.json()["version"]}
    code = secrets.token_urlsafe(32)
    body["code_hash"] = base64.urlsafe_b64encode(hashlib.sha256(code.encode()).digest()).rstrip(b"=").decode()
    return await browser.api("POST", f"{intake}/v1/agencies/{slug}/requests", body), code


async def opened(link: str, pin: str) -> tuple[Browser, Answer]:
    """Follow a link from a mail and give the PIN; returns the page behind it. Raises `DemoError`."""
    browser = Browser()
    page = await browser.get(link)
    form = page.form(has="pin")
    inside = await browser.submit(form, {"pin": pin})
    if inside.status != OK:
        raise DemoError.of("the page behind the PIN", inside)
    return browser, inside


async def opened_anyway(link: str, pin: str) -> Answer:
    """The same, whatever is answered."""
    browser = Browser()
    page = await browser.get(link)
    return await browser.submit(page.form(has="pin"), {"pin": pin})


async def press(browser: Browser, page: Answer, verb: str) -> Answer:
    """Press a button of a page, as `pressed` does. Raises `DemoError` when it did not work."""
    answer = await pressed(browser, page, verb)
    if answer.status != OK:
        raise DemoError.of(f"the button {verb}", answer)
    return answer


async def pressed(browser: Browser, page: Answer, verb: str) -> Answer:
    """Press a button of a page, and once more where the page asks whether one is sure; whatever is answered."""
    answer = await browser.submit(page.form(button=verb), button=verb)
    if any("sure" in form.names for form in answer.forms):
        answer = await browser.submit(answer.form(has="sure"), {"sure": "yes"})
    return answer


async def walked(region: LocalRegion, demo: Demo, watcher: Watcher, say: Say) -> CaseId:
    """One case from request to purge; returns its id. Raises `DemoError`, `NoMailError`."""
    mailbox = mailbox_of(region)
    await mailbox.forget_present()
    requester = await ask(region.url("intake"))
    case = CaseId((await watcher.first(RequestSubmitted))[0].envelope.subject)
    say(f'a request is accepted; reference {requester.reference}, the requester sees "{await _state(requester)}"')

    offer = await mailbox.next("/m/", demo.contacts)
    say(f'a peer gets a mail, "{offer.subject}"; link, PIN, accept')
    browser, page = await opened(offer.link, demo.pin)
    await press(browser, page, "accept")
    say(f'the requester sees "{await requester.until("released")}"')

    second = await mailbox.next("/w/", [offer.to])
    say(f'the peer gets a second mail, "{second.subject}", and behind it how to reach the requester')
    browser, page = await opened(second.link, demo.pin)
    page = await press(browser, page, "contacted")
    say(f'the peer reports contact; the requester sees "{await requester.until("in_contact")}"')
    browser, page = await opened(second.link, demo.pin)
    await press(browser, page, "close")
    say("the peer closes; the grace time runs")

    await watcher.first(CaseClosed, case=case)
    await purged(region, case)
    say("the key is destroyed and no service has a row of this case any more")
    return case


async def _state(requester: Requester) -> str:
    return str((await requester.status()).get("state"))


_LEFT = """
SELECT (SELECT count(*) FROM intake.cases WHERE case_id = $1) + (SELECT count(*) FROM matching.cases WHERE case_id = $1)
     + (SELECT count(*) FROM referral.cases WHERE case_id = $1) + (SELECT count(*) FROM notify.cases WHERE case_id = $1)
"""


async def purged(region: LocalRegion, case: CaseId) -> None:
    """Wait until no service has the case any more, as the operator sees it. Raises `DemoError`."""
    connection = await connect(region.operator("region"), idle_timeout_s=60)

    async def gone() -> bool:
        return not await connection.fetchval(_LEFT, case)

    try:
        await eventually(gone, "the purge", lambda: "by rows that are still there")
    finally:
        await connection.close()


async def eventually(condition: Callable[[], Awaitable[bool]], step: str, answer: Callable[[], str]) -> None:
    """Wait until this holds. Raises `DemoError` with the step and what came instead."""
    try:
        async with asyncio.timeout(CHANGES_WITHIN_S):
            while True:
                if await condition():
                    return
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise DemoError(step, answer()) from None
