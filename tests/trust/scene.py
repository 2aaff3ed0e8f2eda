"""An agency in full swing: cases at several stages, a mail of every kind with a live link, and open sessions."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

from deploy.local.browser import Answer
from deploy.local.walk import Requester
from tests.trust import tables
from tests.trust.calls import answered, api, page
from tests.trust.town import Agency, Town, person, token_of

First = Literal["v", "m", "w", "p"]
REACH = {"channel": "mail", "address": "somebody@reach.test", "leave_message": False}
SLOW = {"emergency": {"answer_within_s": 600}, "rung_within_s": 900}
"""Nothing falls due while a test looks."""
LISTED = {"kind": "counselling", "phone": "801-555-0150", "verified_on": "2026-01-01"}


@dataclass(repr=False)
class Side:
    """What one agency has: `links` by the first segment of their path, `sessions` opened behind them."""

    agency: Agency
    asked: Requester
    choosing: Requester
    released: Requester
    closed: Requester
    emergency: Requester
    closing_key: str
    links: dict[First, str]
    used_link: str
    sessions: dict[First, str]
    persons: list[str]
    credentials: list[str]
    directory_tag: str
    page_session: str

    @property
    def everyone(self) -> list[Requester]:
        return [self.asked, self.choosing, self.released, self.closed, self.emergency]


def people(slug: str) -> list[dict[str, object]]:
    """Two peers, a coordinator and a member."""
    return [
        person("P1", "peer", f"Ana {slug}", badge=f"B1-{slug}", contact=f"ana@{slug}.test", supervisor_ref="M1"),
        person("P2", "peer", f"Ben {slug}", badge=f"B2-{slug}", contact=f"ben@{slug}.test"),
        person("C1", "coordinator", f"Cem {slug}", contact=f"cem@{slug}.test"),
        person("M1", "member", f"Mia {slug}", unit=f"Unit {slug}"),
    ]


async def set_up(town: Town, name: str, *, uploads: int = 1) -> Side:
    """An agency in full swing; `uploads` of what it sets come after the first, so that revisions differ."""
    slug = f"{name}-{secrets.token_hex(3)}"
    agency = await town.agency(slug, people(slug), **SLOW)
    released, second = await town.released(agency, reach=REACH)
    asked = await town.ask(agency, reach=REACH)
    offer = await town.mail("/m/", agency.contacts)
    choosing = await town.ask(agency, choose="shortlist", reach=REACH)
    await choosing.until("choosing")
    key = secrets.token_urlsafe(16)
    closed = await town.ask(agency, preferences={"require": ["veteran"]})
    await close(town, closed, key)
    emergency = await town.ask(agency, urgency="emergency", reach=REACH)
    alarm = await town.mail("/p/", agency.coordinators)
    listed = [*agency.people]
    for number in range(uploads):
        await town.put(agency, "policy", {**SLOW, "grace_s": 3601 + number})
        await town.put(agency, "structure", {"structure": "team-coordinator"})
        await town.put(agency, "resources", {"resources": [LISTED | {"name": f"Center of {slug}"}]})
        one = person(f"N{number}", "peer", f"New {slug}", contact=f"new{number}@{slug}.test")
        listed.append(one)
        await town.put(agency, "directory", {"people": listed})
        fresh = await town.mail("/v/", [str(one["contact"])])
    (used,) = [mail for mail in await town.mailbox.all(str(agency.people[0]["contact"])) if mail.leads_to("/v/")]
    links: dict[First, str] = {"v": token_of(fresh), "m": token_of(offer), "w": token_of(second), "p": token_of(alarm)}
    side = Side(
        agency=agency,
        asked=asked,
        choosing=choosing,
        released=released,
        closed=closed,
        emergency=emergency,
        closing_key=key,
        links=links,
        used_link=token_of(used),
        sessions={},
        persons=await persons(town, agency),
        credentials=[],
        directory_tag="",
        page_session="",
    )
    await _let_in(town, side)
    return side


async def _let_in(town: Town, side: Side) -> None:
    side.sessions = {first: await entered(town, side, first) for first in ("m", "w", "p")}
    key = side.agency.key
    wanted = api("POST", "/v1/agency/keys", {"scopes": ["agency:read"]}, bearer=key, Idempotency_Key=side.closing_key)
    assert (await answered(town.region, wanted)).status == 201
    keys = (await answered(town.region, api("GET", "/v1/agency/keys", bearer=key))).json()["keys"]
    side.credentials = [one["id"] for one in keys]
    side.directory_tag = (await answered(town.region, api("GET", "/v1/agency/directory", bearer=key))).headers["etag"]
    entering = page("intake", f"/a/{side.agency.slug}/case", {"code": side.choosing.code})
    side.page_session = cookie_of(await answered(town.region, entering))


async def close(town: Town, requester: Requester, key: str) -> Answer:
    """A requester closes, with this Idempotency-Key."""
    answer = await answered(town.region, api("POST", "/v1/case/close", bearer=requester.code, Idempotency_Key=key))
    assert answer.status == 200
    return answer


async def persons(town: Town, agency: Agency) -> list[str]:
    """The ids of everybody whom an agency has named."""
    listed = tables.of_agency(await tables.rows(await town.region.sql()), agency.agency_id)
    return sorted(row.values["person_id"] for row in listed if row.table == "intake.people")


async def entered(town: Town, side: Side, first: First) -> str:
    """The session behind a link and the right PIN."""
    return cookie_of(await pin_given(town, side.links[first], first, side.agency.pin))


async def pin_given(town: Town, token: str, first: First, pin: str) -> Answer:
    """The form of a link's page, sent with a PIN."""
    path = f"/{first}/{token}"
    nonce = (await answered(town.region, page("notify", path))).form(has="pin").values["nonce"]
    return await answered(town.region, page("notify", path, {"nonce": nonce, "pin": pin, "pin_again": pin}))


def cookie_of(answer: Answer) -> str:
    """The session that an answer puts into the browser, as name and value."""
    kept = answer.headers.get("set-cookie", "").partition(";")[0]
    assert kept.partition("=")[2], f"{answer.status} without a session"
    return kept


def like(cookie: str) -> str:
    """A session of this name that nobody has opened."""
    return f"{cookie.partition('=')[0]}={secrets.token_urlsafe(32)}"
