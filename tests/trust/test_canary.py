"""Texts that identify somebody, planted in every field of a case: none of them is readable in anything written down."""

from __future__ import annotations

import asyncio
import html
import json
import secrets
import sys
import time
from collections.abc import Mapping
from uuid import UUID

from aiokafka import AIOKafkaProducer

from deploy.local import walk
from deploy.local.browser import Browser
from deploy.local.mails import Mail
from deploy.local.settings import checkout
from deploy.local.walk import Requester
from shared.events.intake import CaseClosing
from tests.harness.probe import Sender
from tests.harness.waiting import eventually
from tests.trust.scan import found_in_text
from tests.trust.stores import Stores, log_kept, stores_of
from tests.trust.tables import holding, rows
from tests.trust.town import Agency, Town, hash_of, person, token_of

CONTROLS = ("kafka", "postgres", "wal", "logs", "spans")
WHERE_A_CASE_STANDS = {
    "kafka": {"id"},
    "postgres": {"reference"},
    "wal": {"reference"},
    "rows": {"id", "reference"},
    "spans": {"id"},
}
"""What names a case and nobody in it; ids are bytes in the files of PostgreSQL."""
WHERE_A_CLINICIAN_COMES_IN = {
    *("referral.pathways", "referral.consults", "referral.referrals", "notify.consults", "notify.referrals"),
    *("notify.matters", "notify.replies"),
}
"""Tables that hold something of a case with a consult and a referral, and are searched then."""
OF_THE_REACH = {"reach address", "reach name", "safe times"}
_SCRATCH = "CREATE TABLE public.scratch(leaked text, long text, number text)"
_LOGGING = """
import logging, sys
logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
logging.getLogger("control").warning("leaked: %s", sys.argv[1])
"""


def planted(tag: str) -> dict[str, str]:
    """Texts that stand nowhere else, by what they are; some with letters that JSON and URLs escape."""
    # A question with a number, or with anything that sounds like the reach, would be refused: no letter of the tag.
    word = tag.translate(str.maketrans("0123456789abcdef", "ghijklmnopqrstuv"))
    return {
        "peer's name": f"Quirin Zoëllner{tag}",
        "peer's unit": f"Unité Marine {tag}",
        "peer's badge": f"BADGE{tag}P",
        "peer's address": f"quirin.{tag}@home.test",
        "peer's number": f"ask for Q {tag}",
        "member's name": f"Ophelia Vandermeer{tag}",
        "member's unit": f"Mounted South {tag}",
        "member's badge": f"BADGE{tag}M",
        "coordinator's name": f"Ignatius Brøndum{tag}",
        "coordinator's address": f"ignatius.{tag}@home.test",
        "clinician's name": f"Wilhelmina Ößt{tag}",
        "clinician's unit": f"Clinic on the {tag}",
        "clinician's address": f"wilhelmina.{tag}@home.test",
        "unlisted name in avoid_people": f"Unlisted Ümlaut{tag}",
        "own unit": f"Night Desk {tag}",
        "own supervisor": f"Lt. Overwatch{tag}",
        "own name": f"Ofc. Myself{tag}",
        "incident": f"Bridge {tag} of March",
        "reach address": f"reach.{tag}@private.test",
        "reach name": f"Call me Rosalíe{tag}",
        "safe times": f"after nine {tag}",
        "question": f"Nightmares since the búrning {word}",
        "refused question": f"Call 801-555-0142 about {word}refused",
        "answer": f"Ask about sléep and {word}answered",
        "outreach address": f"outreach.{tag}@friend.test",
        "misspelt field": f"field{tag}",
        "wrong value": f"value{tag}",
        "wrong code": f"{secrets.token_urlsafe(32)}",
        "wrong token": f"{secrets.token_urlsafe(32)}",
    }


def directory(texts: Mapping[str, str]) -> list[dict[str, object]]:
    peer = {"unit": texts["peer's unit"], "badge": texts["peer's badge"], "contact": texts["peer's address"]}
    return [
        person("P1", "peer", texts["peer's name"], **peer, shows=texts["peer's number"], supervisor_ref="M1"),
        person("M1", "member", texts["member's name"], unit=texts["member's unit"], badge=texts["member's badge"]),
        person("C1", "coordinator", texts["coordinator's name"], contact=texts["coordinator's address"]),
        person(
            *("K1", "clinician", texts["clinician's name"]),
            unit=texts["clinician's unit"],
            contact=texts["clinician's address"],
        ),
    ]


def request(texts: Mapping[str, str]) -> dict[str, object]:
    return {
        "avoid_people": [texts["unlisted name in avoid_people"], texts["member's badge"], texts["coordinator's name"]],
        "about_me": {
            "unit": texts["own unit"],
            "supervisor": texts["own supervisor"],
            "incident": texts["incident"],
            "me": texts["own name"],
        },
        "reach": {
            "channel": "mail",
            "address": texts["reach address"],
            "name": texts["reach name"],
            "safe_times": texts["safe times"],
            "leave_message": False,
        },
    }


async def send_what_is_refused(town: Town, agency: Agency, texts: Mapping[str, str]) -> None:
    """Bad input everywhere: what was refused must not be written down either."""
    browser, intake, notify = Browser(), town.intake, town.region.url("notify")
    bad = await town.body(agency, texts["wrong code"], **request(texts))
    bad |= {"urgency": texts["wrong value"], texts["misspelt field"]: texts["wrong value"]}
    await browser.api("POST", f"{intake}/v1/agencies/{agency.slug}/requests", bad)
    await browser.api("POST", f"{intake}/v1/agencies/{texts['wrong value']}/requests?q={texts['wrong code']}", bad)
    await browser.api("GET", f"{intake}/v1/case", bearer=texts["wrong code"])
    rows = [
        {texts["misspelt field"]: texts["wrong value"], **one, "role": texts["wrong value"]} for one in agency.people
    ]
    await browser.api("PUT", f"{intake}/v1/agency/directory", {"people": rows}, bearer=agency.key, If_Match="*")
    await browser.api(
        "PUT", f"{intake}/v1/agency/policy", {texts["misspelt field"]: 1}, bearer=agency.key, If_Match="*"
    )
    page = await browser.get(f"{notify}/m/{texts['wrong token']}")
    await browser.submit(page.form(has="pin"), {"pin": agency.pin})


async def walked(town: Town, agency: Agency, texts: dict[str, str]) -> Requester:
    """A case with a peer in touch, a question answered and a clinician who has accepted.

    The secrets that came up on the way are added to the texts.
    """
    requester = await town.ask(agency, **request(texts))
    texts |= {"case code": requester.code, "hash of the code": hash_of(requester.code), "agency's key": agency.key}
    offer = await town.mail("/m/", agency.contacts)
    await town.press(agency, offer, "accept")
    await requester.until("released")
    second = await town.mail("/w/", [offer.to])
    assert await read(agency, second, texts) == OF_THE_REACH
    await town.press(agency, second, "contacted")
    await requester.until("in_contact")
    await advised(town, agency, second, texts)
    referral = await town.referred(agency, requester, second)
    await town.press(agency, referral, "accept")
    await town.clinical(requester, "accepted")
    assert await read(agency, referral, texts) == OF_THE_REACH
    return requester


async def read(agency: Agency, mail: Mail, texts: Mapping[str, str]) -> set[str]:
    """What of the texts stands on the page behind a link and the PIN."""
    _, page = await walk.opened(mail.link, agency.pin)
    return found_in_text(html.unescape(page.text), texts)


async def advised(town: Town, agency: Agency, second: Mail, texts: Mapping[str, str]) -> None:
    """The peer's question and its answer, read by whom they are for; one question is refused before."""
    browser, _ = await walk.opened(second.link, agency.pin)
    form = (await browser.get(f"{second.link}/advice")).form(has="text")
    refused = await browser.submit(form, {"to": "clinician", "code": "sleep", "text": texts["refused question"]})
    assert refused.status == 422
    consult = await town.advice(agency, second, texts["question"])
    assert await read(agency, consult, texts) == {"question"}
    browser, page = await walk.opened(consult.link, agency.pin)
    sent = await browser.submit(page.form(has="text"), {"text": texts["answer"]})
    assert sent.status == 200

    async def answered() -> bool:
        return "answer" in await read(agency, second, texts)

    await eventually(answered, what="the peer reads the answer")


async def worried(town: Town, agency: Agency, texts: Mapping[str, str]) -> Requester:
    """Somebody asks about somebody else, to whom the one message goes."""
    reach = {"channel": "mail", "address": texts["outreach address"]}
    requester = await town.ask(agency, about="someone_else", choose="shortlist", outreach=reach)
    await town.mail("/o/", [texts["outreach address"]])
    return requester


async def tokens(town: Town, texts: Mapping[str, str]) -> dict[str, str]:
    """The secrets of every link that was mailed: one of each kind at least."""
    names = ("peer's address", "clinician's address", "outreach address")
    every = [mail for name in names for mail in await town.mailbox.all(texts[name])]
    assert {mail.link.split("/")[-2] for mail in every} == {"v", "m", "w", "c", "r", "o"}
    return {f"token {number}": token_of(mail) for number, mail in enumerate(every)}


async def leak(town: Town, controls: Mapping[str, str], number: str) -> None:
    """A control text and a number into every store that is searched, as a careless hand would have put them there."""
    sql = await town.region.sql()
    await sql.execute(_SCRATCH)
    await sql.execute(
        "INSERT INTO public.scratch VALUES ($1, repeat($2, 20000), $3)",
        controls["postgres"],
        controls["compressed"],
        number,
    )
    # A row that was deleted again is read by nobody; the log of the database keeps it all the same.
    await sql.execute("SELECT pg_logical_emit_message(false, 'control', $1)", controls["wal"])
    with (town.region.folder / "control.log").open("wb") as file:
        words = (sys.executable, "-c", _LOGGING, f"{controls['logs']} {number}")
        process = await asyncio.create_subprocess_exec(*words, stderr=file, cwd=checkout())
        assert await process.wait() == 0
    await _record_span(town, f"{controls['spans']} {number}")
    await _publish(town, f"{controls['kafka']} {number}")


async def _record_span(town: Town, text: str) -> None:
    zipkin = town.region.endpoints.zipkin_url
    span = {
        "traceId": secrets.token_hex(16),
        "id": secrets.token_hex(8),
        "name": "control",
        "timestamp": time.time_ns() // 1000,
        "duration": 1,
        "localEndpoint": {"serviceName": "control"},
        "tags": {"leaked": text},
    }
    async with town.region.http.post(f"{zipkin}/api/v2/spans", json=[span]) as answer:
        assert answer.status == 202
    stores = await stores_of(town.region)

    async def kept() -> bool:
        return text in await stores.spans()

    await eventually(kept, what="the control span")


async def _publish(town: Town, text: str) -> None:
    """A record that no consumer can decode: it becomes a dead letter, of which nothing is kept."""
    sender = Sender()
    raw = sender.raw(CaseClosing(), sender.agency)
    producer = AIOKafkaProducer(bootstrap_servers=town.region.topics.kafka, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(
            town.region.topics.named(raw.topic),
            json.dumps({"type": text}).encode(),
            key=raw.key,
            headers=list(raw.headers),
        )
    finally:
        await producer.stop()
    sql = await town.region.sql()
    await eventually(
        lambda: sql.fetchval("SELECT true FROM matching.parked WHERE state = 'dead'"), what="a dead letter"
    )


async def expected(stores: Stores, texts: Mapping[str, str], controls: Mapping[str, str]) -> None:
    """Exactly the controls are found, each in its own store, and none of the texts anywhere."""
    everything = {**texts, **{f"control: {name}": text for name, text in controls.items()}}
    found = await stores.search(everything, stems=[texts["safe times"].split()[-1], "Leaked C"])
    wanted = {name: {f"control: {name}"} for name in CONTROLS}
    # What is written to a table stands in the log of the database as well.
    wanted["wal"].add("control: postgres")
    assert found == wanted | {"rows": {"control: postgres", "control: compressed"}}


async def test_planted_texts_stand_nowhere_and_leaked_ones_are_found(town: Town) -> None:
    async with log_kept(town.region):
        await searched(town, planted(secrets.token_hex(6)))


async def all_searched(town: Town, case: UUID) -> None:
    """What is searched holds the clinical side: its tables are not empty, its topics have been written to."""
    listed = await rows(await town.region.sql())
    assert {row.table for row in holding(listed, case)} >= WHERE_A_CLINICIAN_COMES_IN
    kinds = {row.values["kind"] for row in listed if row.table == "vault.data_keys"}
    assert kinds == {"case", "person", "consult", "outreach"}
    written = [
        one for one in (await stores_of(town.region)).segments if any(f.stat().st_size for f in one.glob("*.log"))
    ]
    folders = {one.name for one in written}
    for topic in ("peerline.referral", "peerline.notify", "peerline.intake"):
        assert any(name.startswith(town.region.topics.named(topic) + "-") for name in folders), topic


async def searched(town: Town, texts: dict[str, str]) -> None:
    """A case with these texts, searched for while it lives and after its purge."""
    number = f"9{secrets.randbelow(100_000):05}"
    controls = {name: f"Leaked Cøntrol {secrets.token_hex(8)} of {name}" for name in (*CONTROLS, "compressed")}
    agency = await town.agency(f"canary-{secrets.token_hex(3)}", directory(texts), grace_s=1)
    await send_what_is_refused(town, agency, texts)
    requester = await walked(town, agency, texts)
    other = await worried(town, agency, texts)
    texts |= await tokens(town, texts) | {"other case code": other.code}
    case, about_other = await town.case_of(requester), await town.case_of(other)
    await all_searched(town, case)
    stores = await stores_of(town.region)
    await leak(town, controls, number)
    assert await stores.search({"id": str(case), "reference": requester.reference}) == WHERE_A_CASE_STANDS
    await expected(stores, texts, controls)
    assert await stores.number(number) == ["files", "rows", "spans"]
    assert await stores.number(agency.pin) == []

    assert (await requester.act("POST", "/close")).status == 200
    assert (await other.act("DELETE")).status == 200
    await town.purged(case)
    await town.purged(about_other)
    await expected(stores, texts, controls)
    assert await stores.number(agency.pin) == []
