"""Asking people again to verify a contact point: the link ran out, or the mail never came."""

from __future__ import annotations

from uuid import UUID

from services.intake.domain import verification
from services.intake.domain.directory import index_of
from services.intake.domain.verification import Asked
from services.intake.store import agencies as agency_store
from services.intake.store import verifications as store
from shared import audit, outbox
from shared.db import Database
from shared.errors import Refused
from shared.events.intake import VerificationAsked
from shared.outbox import Draft
from shared.types import AgencyId
from shared.vault import Keyring


async def ask_again(
    db: Database, keyring: Keyring, agency_id: AgencyId, *, actor: UUID | None = None, person_ref: str | None = None
) -> Asked:
    """Have everybody of the program mailed who has verified nothing, or one person; nobody more often than may be.

    The same again within the hour changes nothing. Raises `Refused` 404 for a person who is not in the program.
    """
    index = None if person_ref is None else index_of(keyring.derived("index"), agency_id, "ref", person_ref)
    async with db.transaction([agency_id]) as tx:
        if await agency_store.lock_agency(tx, agency_id) is None:
            raise Refused("not-found", 404)
        people = await store.program(tx, agency_id, index)
        if index is not None and not people:
            raise Refused("not-found", 404)
        now = await tx.now()
        asked = verification.plan(people, now, named=index is not None)
        await store.note_asked(tx, agency_id, asked.now, now)
        await outbox.emit(tx, [Draft(agency_id, person, VerificationAsked()) for person in asked.now])
        if asked.now:
            await audit.record(tx, [audit.Entry(agency_id, "verification.asked", actor=actor)])
    return asked
