"""What Zipkin really shows of a case: bursts that are one trace each, all found by the case's id, and nobody's name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby
from typing import Any

from deploy.local import walk
from deploy.local.cast import DUTY_CONTACT, DUTY_NAME, PEOPLE
from deploy.local.mails import Mail
from shared.events.intake import CaseClosed, RequestSubmitted
from shared.events.matching import OfferExpired
from shared.types import CaseId
from tests.harness.town import Town
from tests.harness.waiting import eventually

Spans = list[dict[str, Any]]
ASKED = "post /v1/agencies/{slug}/requests"
MAILED = "send mail"
PURGED = "timer grace"
# In the order of their way.
SERVICES = ("intake", "matching", "notify")
UNIT, NOTE = "Harbour Nine Unit", "the grey door beside the mill"


async def traces_of(town: Town, case: CaseId) -> list[Spans]:
    """What the search by case finds, the oldest trace first."""
    asked = {"annotationQuery": f"peerline.case={case}", "limit": "100"}
    async with town.region.http.get(f"{town.region.endpoints.zipkin_url}/api/v2/traces", params=asked) as answer:
        answer.raise_for_status()
        found: list[Spans] = await answer.json()
    return sorted(found, key=lambda spans: min(span["timestamp"] for span in spans))


async def trace_with(town: Town, case: CaseId, *names: str) -> Spans:
    """The only trace of a case that has spans of all these names, once all of it has arrived."""

    async def found() -> Spans | None:
        fitting = [spans for spans in await traces_of(town, case) if set(names) <= {span["name"] for span in spans}]
        assert len(fitting) <= 1, f"{len(fitting)} traces with {names}"
        return fitting[0] if fitting and not gaps(fitting[0]) else None

    return await eventually(found, 20, what=f"one whole trace with {names}", every=0.2)


def gaps(spans: Spans) -> list[str]:
    """Spans whose parent is in no span of the trace."""
    known = {span["id"] for span in spans}
    return [span["name"] for span in spans if span.get("parentId") and span["parentId"] not in known]


def roots(spans: Spans) -> list[str]:
    return [span["name"] for span in spans if not span.get("parentId")]


def way_to(spans: Spans, name: str) -> list[str]:
    """The services from the root down to a span of this name, each once per turn."""
    by_id = {span["id"]: span for span in spans}
    at = next(span for span in spans if span["name"] == name)
    way = [at]
    while parent := way[-1].get("parentId"):
        way.append(by_id[parent])
    return [service for service, _ in groupby(span["localEndpoint"]["serviceName"] for span in reversed(way))]


def cases_in(spans: Spans) -> set[str]:
    return {span["tags"]["peerline.case"] for span in spans if "peerline.case" in span.get("tags", {})}


async def identities(town: Town, requester: walk.Requester, mails: Iterable[Mail]) -> set[str]:
    """Whatever could name an agency, a person of it, the requester, or open a door."""
    sql = await town.region.sql()
    ids = await sql.fetch(
        "SELECT agency_id::text AS id FROM intake.agencies UNION SELECT person_id::text FROM intake.people"
        " UNION SELECT person_id::text FROM matching.peers UNION SELECT person_id::text FROM notify.people"
    )
    assert len(ids) > len(PEOPLE)
    found = {row["id"] for row in ids} | {DUTY_NAME, DUTY_CONTACT, UNIT, NOTE, requester.code, town.demo.key}
    for one in PEOPLE:
        found |= {one.name, one.name.split()[-1], one.unit, one.contact, one.shows}
    found |= {mail.link.rpartition("/")[2] for mail in mails} | {"801-555-0142", "8015550142"}
    return {text.casefold() for text in found} - {""}


def no_identity(traces: Iterable[Spans], planted: set[str]) -> None:
    shown = json.dumps(list(traces), ensure_ascii=False).casefold()
    compact = shown.replace("-", "")
    assert [text for text in planted if text in shown or text.replace("-", "") in compact] == []


async def an_hour_passes(town: Town) -> None:
    """For the region and for the timers set in it, which also know by the real clock since when they have waited."""
    await (await town.region.sql()).execute("UPDATE matching.timers SET set_at = set_at - interval '1 hour'")
    await town.region.move_clock(timedelta(hours=1, seconds=31))


async def asked(town: Town) -> tuple[walk.Requester, CaseId]:
    requester = await town.ask(
        about_me={"unit": UNIT, "supervisor": "Sgt. Kim Aldous"},
        reach={"channel": "call", "address": "801-555-0142", "safe_times": NOTE, "leave_message": False},
    )
    return requester, CaseId((await town.seen.first(RequestSubmitted))[0].envelope.subject)


async def test_the_burst_from_the_request_to_the_mail_is_one_trace_and_later_ones_are_found_beside_it(
    town: Town,
) -> None:
    requester, case = await asked(town)
    offer = await town.mail("/m/")
    first = await trace_with(town, case, ASKED, MAILED)
    assert roots(first) == [ASKED]
    assert way_to(first, MAILED) == list(SERVICES)
    assert cases_in(first) == {str(case)}

    await town.answer(offer, "accept")
    await requester.until("released")
    second = await town.mail("/w/", to=[offer.to])
    accepted = await trace_with(town, case, "post /m/{token}/answer", MAILED)
    assert way_to(accepted, MAILED) == ["notify", "matching", "intake", "notify"]

    await town.answer(second, "close")
    await town.seen.first(CaseClosed, case=case)
    await walk.purged(town.local, case)
    await trace_with(town, case, PURGED)
    found = await traces_of(town, case)
    assert set().union(*(cases_in(spans) for spans in found)) == {str(case)}
    no_identity(found, await identities(town, requester, [offer, second]))


async def test_what_a_timer_does_hours_later_is_a_trace_of_its_own_that_names_the_first(town: Town) -> None:
    requester, case = await asked(town)
    offer = await town.mail("/m/")
    first = await trace_with(town, case, ASKED, MAILED)
    await an_hour_passes(town)
    await town.seen.first(OfferExpired, case=case)
    another = await town.mail("/m/")
    later = await trace_with(town, case, "timer offer", MAILED)
    assert later[0]["traceId"] != first[0]["traceId"]
    assert way_to(later, MAILED) == ["matching", "notify"]
    assert roots(later) == ["timer offer"]
    timer = next(span for span in later if not span.get("parentId"))
    assert timer["tags"]["peerline.linked_trace"] == first[0]["traceId"]
    no_identity(await traces_of(town, case), await identities(town, requester, [offer, another]))
