"""Kafka gone: a request, or an emergency, is taken and flows later. PostgreSQL gone: 503 and the crisis lines."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio

from deploy.local.browser import Answer
from deploy.local.engines import Engines, forget
from deploy.local.ports import free_ports
from deploy.local.walk import Requester
from tests.harness import databases
from tests.harness import region as regions
from tests.harness.topics import Pool
from tests.harness.waiting import eventually
from tests.trust import tables
from tests.trust.calls import Call, answered, api, page
from tests.trust.scene import REACH, people
from tests.trust.town import Agency, Town, person

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]
BACK_WITHIN = timedelta(seconds=60).total_seconds()
GONE_FOR_S = 15.0
SECOND = person("C2", "coordinator", "Dot fragile", contact="dot@fragile.test")


@dataclass(frozen=True, repr=False)
class Fragile:
    """A region on engines of its own, which may be taken away from it; and an agency in it."""

    engines: Engines
    town: Town
    agency: Agency


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fragile(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fragile]:
    folder = tmp_path_factory.mktemp("outages")
    engines = Engines(
        state=folder / "engines", ports=free_ports(), with_zipkin=False, durable=False, on_progress=lambda _: None
    )
    try:
        async with engines:
            cluster = await databases.prepare(await engines.start(), own=True)
            async with (
                databases.fresh(cluster) as database,
                Pool(cluster).taken() as topics,
                regions.opened(database, topics, folder) as region,
            ):
                town = Town(region)
                await town.start()
                yield Fragile(engines, town, await town.agency("fragile", [*people("fragile"), SECOND]))
                await region.stop()
    finally:
        forget(folder / "engines")


async def test_with_kafka_gone_a_request_is_taken_and_flows_when_it_is_back(fragile: Fragile) -> None:
    town, agency = fragile.town, fragile.agency
    await fragile.engines.halt("kafka")
    try:
        requester = await town.ask(agency, reach=REACH)
        withdrawn = await town.ask(agency, reach=REACH)
        assert (await requester.status())["state"] == "searching"
        assert (await requester.status())["resources"]
        assert (await answered(town.region, api("DELETE", "/v1/case", bearer=withdrawn.code))).status == 200
    finally:
        await fragile.engines.resume("kafka")
    offer = await town.mailbox.next("/m/", agency.contacts, within_s=BACK_WITHIN)
    await town.press(agency, offer, "accept")
    assert await requester.until("released")


async def test_an_emergency_while_kafka_is_gone_claims_nobody_and_pages_everybody_once_when_it_is_back(
    fragile: Fragile,
) -> None:
    town, agency, code = fragile.town, fragile.agency, secrets.token_urlsafe(32)
    body = await town.body(agency, code, urgency="emergency", reach=REACH)
    await town.mailbox.forget_present()
    await fragile.engines.halt("kafka")
    began = time.monotonic()
    try:
        answer = await town.send(agency, body)
        assert answer.status == 201
        requester = Requester(town.intake, code, answer.json()["reference"])
        told = [answer.json()]

        async def long_enough() -> bool:
            # All that while nobody has been reached, and nothing says otherwise.
            told.append(await requester.status())
            return time.monotonic() - began >= GONE_FOR_S

        await eventually(long_enough, 2 * GONE_FOR_S, what="a quarter of a minute", every=0.5)
    finally:
        back = time.monotonic()
        await fragile.engines.resume("kafka")
    assert all({"988", "911"} <= {one["call"] for one in document["resources"]} for document in told)
    nobody = {"paged": 0, "acknowledged": False, "contact": False, "who": None}
    assert [one["emergency"] for one in told[1:] if one["emergency"] != nobody] == []
    assert {one["says"][0].partition(".")[0] for one in told[1:]} == {"Your emergency request is in"}

    async def paged() -> bool:
        return bool((await requester.status())["emergency"]["paged"] == len(agency.coordinators))

    await eventually(paged, BACK_WITHIN, what="the mail server has taken every page", every=0.2)
    assert time.monotonic() - back <= BACK_WITHIN
    await tables.settled(await town.region.sql())
    asked = [mail.to for mail in await town.mailbox.unread() if mail.leads_to("/p/") or mail.leads_to("/m/")]
    assert Counter(asked) == dict.fromkeys([*agency.coordinators, *agency.contacts], 1)
    assert (await requester.act("DELETE")).status == 200


def doors(agency: Agency, requester: Requester) -> Iterator[tuple[Call, bool]]:
    """Doors that need the database, and whether somebody who asks for support stands at them."""
    slug, key = agency.slug, agency.key
    body = {"relation": "officer", "urgency": "emergency", "code_hash": secrets.token_urlsafe(32)}
    yield api("POST", f"/v1/agencies/{slug}/requests", body), True
    yield api("GET", f"/v1/agencies/{slug}"), True
    yield api("GET", f"/v1/agencies/{slug}/notice?relation=officer"), True
    yield api("GET", "/v1/case", bearer=requester.code), True
    yield api("DELETE", "/v1/case", bearer=requester.code), True
    yield api("PUT", "/v1/case/choice", {"anyone": True}, bearer=requester.code), True
    yield api("POST", "/v1/case/close", bearer=requester.code, Idempotency_Key="a-key-of-mine"), True
    yield page("intake", f"/a/{slug}"), True
    yield page("intake", f"/a/{slug}/case", {"code": requester.code}), True
    yield api("GET", "/v1/agency/directory", bearer=key), False
    yield api("PUT", "/v1/agency/policy", {}, bearer=key, If_Match="*"), False


def wrong(answer: Answer, *, theirs: bool) -> Iterator[str]:
    """What is not as it should be when the database is gone."""
    if answer.status != 503:
        yield f"status {answer.status}"
    if not answer.headers.get("retry-after", "").isdecimal():
        yield "when to come again"
    if theirs != ("988" in answer.text):
        yield "the lines"
    if "Traceback" in answer.text or "asyncpg" in answer.text.lower():
        yield "a stack"


async def test_with_postgresql_gone_every_door_says_when_to_come_again_and_has_the_lines(fragile: Fragile) -> None:
    town, agency = fragile.town, fragile.agency
    requester = await town.ask(agency, choose="shortlist", reach=REACH)
    await requester.until("choosing")
    await fragile.engines.halt("postgres")
    try:
        found = []
        for call, theirs in doors(agency, requester):
            answer = await answered(town.region, call)
            found += [(call.method, call.path, one) for one in wrong(answer, theirs=theirs)]
        assert not found
        assert (await answered(town.region, page("intake", "/health/live"))).status == 200
        assert (await answered(town.region, page("intake", "/health/ready"))).status == 503
        assert (await answered(town.region, page("notify", f"/m/{secrets.token_urlsafe(24)}"))).status == 200
    finally:
        await fragile.engines.resume("postgres")

    async def well() -> bool:
        return (await answered(town.region, api("GET", "/v1/case", bearer=requester.code))).status == 200

    assert await eventually(well, BACK_WITHIN, what="the door works again")
    assert (await requester.status())["state"] == "choosing"
