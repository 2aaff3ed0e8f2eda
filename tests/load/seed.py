"""Agencies and peers enough for every case of a run, through the real doors but for the peers' verification.

A peer verifies a contact point by opening a mailed link and setting a PIN, whose hash alone takes some 50 ms of CPU.
For hundreds of peers that would be most of a run, so what the page comes to is written here: the point is marked in
notify's table, and the real event leaves through notify's real outbox.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg

from deploy.local.region import LocalRegion, keyring_in
from services.intake.actions.agencies import add_agency
from services.intake.domain.agency import Agency
from shared import clock, outbox
from shared.db import Database, Transaction, open_pool
from shared.events.notify import ContactVerified
from shared.types import AgencyId
from shared.vault import read_keyring
from tests.harness.waiting import eventually
from tests.load.stand import say

AGENCIES, PEERS = 25, 32
"""At least so many agencies, of so many peers each: a long run asks more agencies, not larger ones."""
STORE = "load-store"
"""The agency whose cases are stored."""
CASES_PER_PEER = 20
"""The most that a policy allows."""
SPARE = 1.5
WITHIN_S = 120.0

_PEERS = "SELECT count(*) FROM matching.peers WHERE active AND verified = $1 AND role = 'peer'"
_POINTS = "SELECT count(*) FROM notify.contact_points"
_UNSENT = "SELECT count(*) FROM notify.intents WHERE case_id IS NULL AND state IN ('planned', 'sending')"
_VERIFY = "UPDATE notify.contact_points SET verified_at = now()"
_PEOPLE = "SELECT person_id, agency_id, revision FROM notify.people WHERE role = 'peer'"


@dataclass(frozen=True)
class Seeded:
    """Whom to ask: slugs and notice versions of the agencies, and of the one whose cases are stored."""

    places: tuple[tuple[str, str], ...]
    store: tuple[str, str]
    store_id: AgencyId


async def seeded(local: LocalRegion, connection: asyncpg.Connection[Any], *, cases: int, stored: int) -> Seeded:
    """Make the agencies and wait until matching would offer to all of their peers."""
    count = max(AGENCIES, math.ceil(SPARE * cases / CASES_PER_PEER / PEERS))
    sizes = {f"load-{number}": PEERS for number in range(count)} | {STORE: math.ceil(SPARE * stored / CASES_PER_PEER)}
    say(f"region: {count} agencies of {PEERS} peers each, and one that stores {stored} cases")
    made = await _agencies(local, list(sizes))
    limit = aiohttp.TCPConnector(limit=4)
    async with aiohttp.ClientSession(local.url("intake"), connector=limit) as http:
        await asyncio.gather(*(_furnished(http, slug, key, sizes[slug]) for slug, (_, key) in made.items()))
        versions = dict(zip(made, await asyncio.gather(*(_version(http, slug) for slug in made)), strict=True))
    wanted = sum(sizes.values())
    await eventually(_counted(connection, wanted, _PEERS, False), WITHIN_S, what="peers known to matching")
    await eventually(_counted(connection, wanted, _POINTS), WITHIN_S, what="contact points known to notify")
    await _verified(connection)
    await eventually(_counted(connection, wanted, _PEERS, True), WITHIN_S, what="verified peers")
    await eventually(_counted(connection, 0, _UNSENT), WITHIN_S, what="mails of the set-up sent")
    places = tuple((slug, version) for slug, version in versions.items() if slug != STORE)
    return Seeded(places, (STORE, versions[STORE]), made[STORE][0])


def _counted(
    connection: asyncpg.Connection[Any], wanted: int, query: str, *arguments: object
) -> Callable[[], Coroutine[Any, Any, bool]]:
    async def asked() -> bool:
        found = await connection.fetchval(query, *arguments)
        assert found == wanted, f"{found} of {wanted}"
        return True

    return asked


async def _agencies(local: LocalRegion, slugs: Sequence[str]) -> dict[str, tuple[AgencyId, str]]:
    """What `peerline agency add` does, without a process for each; ids and keys by slug."""
    keyring = read_keyring(keyring_in(local.state))
    pool = await open_pool(local.operator("intake"), size=2)
    db, made = Database(pool, pool, "intake"), {}
    try:
        for slug in slugs:
            agency = _agency(slug)
            _, key = await add_agency(db, keyring, agency)
            made[slug] = agency.agency_id, key
    finally:
        await pool.close()
    return made


def _agency(slug: str) -> Agency:
    return Agency(
        agency_id=AgencyId(clock.random_id()),
        revision=1,
        active=True,
        name=slug.title(),
        slug=slug,
        kind="police",
        jurisdiction="US-CO",
        languages=("en",),
        time_zone="America/Denver",
        mail_domain=None,
    )


async def _furnished(http: aiohttp.ClientSession, slug: str, key: str, peers: int) -> None:
    """The agency's policy and its directory, as its coordinator uploads them."""
    who = {"Authorization": f"Bearer {key}"}
    async with http.get("/v1/agency/policy", headers=who) as answer:
        answer.raise_for_status()
        tag = answer.headers["ETag"]
    policy = {"open_cases_per_peer": CASES_PER_PEER}
    people = {"people": [_person(slug, number) for number in range(peers)]}
    await _put(http, "/v1/agency/policy", policy, {**who, "If-Match": tag})
    await _put(http, "/v1/agency/directory", people, {**who, "If-None-Match": "*"})


async def _put(http: aiohttp.ClientSession, path: str, document: object, headers: dict[str, str]) -> None:
    async with http.put(path, json=document, headers=headers) as answer:
        if not answer.ok:
            raise RuntimeError(f"PUT {path}: {answer.status} {await answer.text()}")


def _person(slug: str, number: int) -> dict[str, object]:
    return {
        "person_ref": f"p{number}",
        "role": "peer",
        "name": f"Peer {number} of {slug}",
        "unit": f"Unit {100 + number % 10}",
        "contact": [f"peer{number}@{slug}.example"],
        "designated_from": "2020-01-01",
        "trained_until": "2099-12-31",
        "shows": "evenings, +13035550100",
    }


async def _version(http: aiohttp.ClientSession, slug: str) -> str:
    asked = {"relation": "officer", "language": "en"}
    async with http.get(f"/v1/agencies/{slug}/notice", params=asked) as answer:
        answer.raise_for_status()
        return str((await answer.json())["version"])


async def _verified(connection: asyncpg.Connection[Any]) -> None:
    """Every peer has opened the link of the verification mail and set a PIN."""
    people = await connection.fetch(_PEOPLE)
    agencies = frozenset(AgencyId(row["agency_id"]) for row in people)
    async with connection.transaction():
        await connection.execute("SET LOCAL search_path = notify")
        await connection.execute(_VERIFY)
        drafts = [
            outbox.Draft(AgencyId(row["agency_id"]), row["person_id"], ContactVerified(revision=row["revision"]))
            for row in people
        ]
        await outbox.emit(Transaction(connection, agencies), drafts)
