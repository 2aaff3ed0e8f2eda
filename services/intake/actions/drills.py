"""Practice cases: real requests of an agency that say what they are, walk the real channels, and enter no statistic."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.intake.actions.requests import Submission, submit
from services.intake.domain import codes
from services.intake.domain.acts import DRILL
from services.intake.domain.drill import Drill
from services.intake.domain.notices import Notices
from services.intake.domain.request import Request
from services.intake.store import agencies as agency_store
from services.intake.store import drills as store
from shared import audit, timers
from shared.db import Database
from shared.errors import Refused
from shared.http.idempotency import digest
from shared.timers import Due
from shared.types import REGION, AgencyId, Help, Lane, Relation
from shared.vault import Keyring

MOST_OPEN = 3
LASTS = timedelta(hours=24)
"""Then it ends by itself, wherever it stands."""


@dataclass(frozen=True, repr=False)
class Begun:
    """What the coordinator plays the requester with."""

    code: str
    slug: str
    reference: str


async def begin(
    db: Database, keyring: Keyring, notices: Notices, wanted: Drill, *, agency_id: AgencyId, actor: UUID, once: str
) -> Begun:
    """Ask in the agency's name, as practice. The same `once` is the same case and gives the same code.

    Raises `Refused`: 404, 409 `too-many-drills`, `case-over`.
    """
    secret = hmac.digest(keyring.derived("drill"), f"{agency_id}|{once}".encode(), "sha256")
    code = codes.code_from(secret[: codes.CODE_BYTES])
    async with db.transaction([agency_id, REGION]) as tx:
        agency = await agency_store.lock_agency(tx, agency_id)
        if agency is None or agency.slug is None:
            raise Refused("not-found", 404)
        notice = notices.current(agency.jurisdiction, Relation.OFFICER, agency.languages[0])
        request = Request.model_validate(
            {
                "relation": Relation.OFFICER,
                "urgency": wanted.urgency,
                "help": [Help.TALK],
                "choose": "anyone",
                "release": "on_accept",
                "notice": {"version": notice.version},
                "code_hash": codes.hash_of(code),
            }
        )
        body = digest(keyring.derived("idempotency"), f"drill\0{wanted.urgency}\0{code}".encode())
        open_now, now = await store.open_drills(tx, agency_id), await tx.now()
        (receipt,) = await submit(tx, keyring, notices, [Submission(agency, request, body, practice=True)])
        if not receipt.replayed:
            if open_now >= MOST_OPEN:
                raise Refused("too-many-drills", 409)
            due = Due(agency_id, Lane.ORDINARY, DRILL, receipt.case_id, receipt.case_id, 0, now + LASTS)
            await timers.schedule(tx, [due])
            await audit.record(tx, [audit.Entry(agency_id, "drill.begun", actor=actor)])
    return Begun(code, agency.slug, receipt.reference)
