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

First = Literal["v", "m", "w", "p", "c", "r", "t", "o"]
ANSWERED: tuple[First, ...] = ("m", "w", "p", "c", "r")
"""What is behind a PIN and can be answered there."""
WITH_PIN: tuple[First, ...] = (*ANSWERED, "t")
"""What is behind a PIN."""
SUPERVISED = {"structure": "clinical-supervisor", "contract": {"from": "2020-01-01"}}
QUESTION = "They wake at night since the call at the lake. What has helped others?"
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
    direct: Requester
    """Wants a clinician, and no peer."""
    worried: Requester
    """Asks about somebody else, to whom one mail was sent."""
    closing_key: str
    links: dict[First, str]
    used_link: str
    sessions: dict[First, str]
    persons: list[str]
    things: list[str]
    """The ids of its cases, consults and referrals, which nobody outside is told."""
    credentials: list[str]
    directory_tag: str
    page_session: str


def people(slug: str) -> list[dict[str, object]]:
    """Two peers, a coordinator, a clinician and a member."""
    return [
        person("P1", "peer", f"Ana {slug}", badge=f"B1-{slug}", contact=f"ana@{slug}.test", supervisor_ref="M1"),
        person("P2", "peer", f"Ben {slug}", badge=f"B2-{slug}", contact=f"ben@{slug}.test"),
        person("C1", "coordinator", f"Cem {slug}", contact=f"cem@{slug}.test"),
        person("K1", "clinician", f"Kai {slug}", contact=f"kai@{slug}.test"),
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
    count = await town.mail("/t/", agency.coordinators)
    await close(town, closed, key)
    emergency = await town.ask(agency, urgency="emergency", reach=REACH)
    alarm = await town.mail("/p/", agency.coordinators)
    consult = await town.advice(agency, second, QUESTION)
    referral = await town.referred(agency, released, second)
    direct = await town.ask(agency, want="clinician", help=["counselling"], reach=REACH)
    await town.mail("/r/", agency.clinicians)
    friend = f"friend@{slug}.test"
    # Whoever only looks at the list has no peer asked: the next offer is nobody else's.
    wanted = {"choose": "shortlist", "outreach": {"channel": "mail", "address": friend}}
    worried = await town.ask(agency, about="someone_else", **wanted)
    outreach = await town.mail("/o/", [friend])
    listed = [*agency.people]
    for number in range(uploads):
        await town.put(agency, "policy", {**SLOW, "grace_s": 3601 + number})
        await town.put(agency, "structure", SUPERVISED)
        await town.put(agency, "resources", {"resources": [LISTED | {"name": f"Center of {slug}"}]})
        one = person(f"N{number}", "peer", f"New {slug}", contact=f"new{number}@{slug}.test")
        listed.append(one)
        await town.put(agency, "directory", {"people": listed})
        fresh = await town.mail("/v/", [str(one["contact"])])
    (used,) = [mail for mail in await town.mailbox.all(str(agency.people[0]["contact"])) if mail.leads_to("/v/")]
    links: dict[First, str] = {"v": token_of(fresh), "m": token_of(offer), "w": token_of(second), "p": token_of(alarm)}
    links |= {"c": token_of(consult), "r": token_of(referral), "t": token_of(count), "o": token_of(outreach)}
    side = Side(
        agency=agency,
        asked=asked,
        choosing=choosing,
        released=released,
        closed=closed,
        emergency=emergency,
        direct=direct,
        worried=worried,
        closing_key=key,
        links=links,
        used_link=token_of(used),
        sessions={},
        persons=await ids(town, agency, "intake.people", "person_id"),
        things=await things(town, agency),
        credentials=[],
        directory_tag="",
        page_session="",
    )
    await _let_in(town, side)
    return side


async def _let_in(town: Town, side: Side) -> None:
    side.sessions = {first: await entered(town, side, first) for first in WITH_PIN}
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


async def ids(town: Town, agency: Agency, table: str, column: str) -> list[str]:
    """The ids that stand in a column of a table, in the rows of an agency."""
    listed = tables.of_agency(await tables.rows(await town.region.sql()), agency.agency_id)
    return sorted({row.values[column] for row in listed if row.table == table})


async def things(town: Town, agency: Agency) -> list[str]:
    """The ids of an agency's cases, consults and referrals."""
    columns = (("intake.cases", "case_id"), ("referral.consults", "consult_id"), ("referral.referrals", "referral_id"))
    found = [await ids(town, agency, table, column) for table, column in columns]
    assert all(found), "a scene without a case, a consult or a referral"
    return [one for listed in found for one in (listed[0], listed[-1])]


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
