"""How long a directory of 50,000 people takes from its bytes to its commit: checked, sealed, written and told."""

from __future__ import annotations

import json
import time

from deploy.local.region import LocalRegion, keyring_in
from services.intake.actions import directory
from services.intake.actions.agencies import add_agency
from services.intake.domain.agency import Agency
from services.intake.domain.upload import MAX_PEOPLE, rows_of_json
from shared import clock
from shared.db import Database, Login, open_pool
from shared.migrate import app_of
from shared.types import AgencyId
from shared.vault import read_keyring
from tests.load.stand import say

PEERS_EVERY = 10
"""One of so many is a peer, the others are members; each under somebody, in a unit, with a badge."""


def _body() -> bytes:
    people = [
        {
            "person_ref": f"E{number}",
            "role": "member" if number % PEERS_EVERY else "peer",
            "name": f"Person {number}",
            "unit": f"Unit {number % 500}",
            "supervisor_ref": f"E{number // 12}" if number else "",
            "badge": str(number),
            "contact": "" if number % PEERS_EVERY else f"e{number}@home.test",
            "designated_from": "" if number % PEERS_EVERY else "2020-01-01",
            "trained_until": "" if number % PEERS_EVERY else "2099-12-31",
        }
        for number in range(MAX_PEOPLE)
    ]
    return json.dumps({"people": people}).encode()


async def seconds(local: LocalRegion) -> float:
    """Wall time of one upload into a new agency of a region in which no service runs."""
    keyring = read_keyring(keyring_in(local.state))
    pools = [await open_pool(one, size=2) for one in (local.operator("intake"), _login(local))]
    operator, db = (Database(pool, pool, "intake") for pool in pools)
    agency = Agency(
        agency_id=AgencyId(clock.random_id()),
        revision=1,
        active=True,
        name="Large",
        slug="large",
        kind="police",
        jurisdiction="US-UT",
        languages=("en",),
        time_zone="America/Denver",
        mail_domain=None,
    )
    try:
        made, _ = await add_agency(operator, keyring, agency)
        body = _body()
        say(f"a directory of {MAX_PEOPLE} people, {len(body) / 1e6:.1f} MB")
        begun = time.perf_counter()
        rows = rows_of_json(json.loads(body))
        await directory.put_directory(
            db, keyring, rows, agency_id=made.agency_id, actor=clock.random_id(), matches=lambda _: None
        )
        return round(time.perf_counter() - begun, 1)
    finally:
        for pool in pools:
            await pool.close()


def _login(local: LocalRegion) -> Login:
    ends, user = local.endpoints, app_of("intake")
    password = local.secrets.passwords[user]
    return Login(ends.postgres_host, ends.postgres_port, local.database, user, password, "intake")
