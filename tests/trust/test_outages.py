"""Kafka gone: a request is taken and flows later. PostgreSQL gone: 503, when to come again, and the crisis lines."""

from __future__ import annotations

import secrets
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
from tests.trust.calls import Call, answered, api, page
from tests.trust.scene import REACH, people
from tests.trust.town import Agency, Town

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]
BACK_WITHIN = timedelta(seconds=60).total_seconds()


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
                yield Fragile(engines, town, await town.agency("fragile", people("fragile")))
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
