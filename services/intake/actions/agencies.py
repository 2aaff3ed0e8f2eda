"""Taking on an agency, and its policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.intake.actions import following, published, structures
from services.intake.actions.keys import Caller, first_key
from services.intake.domain.agency import SCOPES, Agency, checked
from services.intake.domain.policy import checked_overrides, takes_part
from services.intake.domain.structure import Wanted
from services.intake.store import agencies as store
from services.intake.store import pool
from shared import audit, doors
from shared.db import Database
from shared.doors import Door, keyed_hash
from shared.errors import Problem, Refused
from shared.types import AgencyId, Structure
from shared.vault import Keyring


async def add_agency(
    db: Database, keyring: Keyring, wanted: Agency, *, structure: Wanted | None = None
) -> tuple[Agency, str]:
    """Take on an agency: its row, public name and structure, its first key with every scope, the fact for the region.

    Without a `structure` it begins as Team Coordinator. Returns the agency as it is kept, and the key, which is kept
    nowhere. Raises `Refused`: 422 `agency-invalid` or `structure-invalid`, 409 `slug-taken`.
    """
    agency = checked(wanted)
    if agency.slug is None:
        raise Refused("agency-invalid", 422, (Problem("/slug", "missing"),))
    pepper = keyring.derived("doors")
    async with db.transaction([agency.agency_id]) as tx:
        if await store.agency_of_slug(tx.connection, pepper, agency.slug) is not None:
            raise Refused("slug-taken", 409, (Problem("/slug", "taken"),))
        await store.add_agency(tx, agency)
        own = Door(agency.agency_id, store.SLUG_DOOR, agency.agency_id, agency.agency_id)
        await doors.add(tx, [(keyed_hash(pepper, store.SLUG_DOOR, agency.slug), own, None)])
        key = await first_key(tx, keyring, agency.agency_id, frozenset(SCOPES))
        agency = await structures.begun(tx, agency, structure or Wanted(structure=Structure.TEAM_COORDINATOR))
        await published.daily(tx, [agency.agency_id])
        await audit.record(tx, [audit.Entry(agency.agency_id, "agency.added")])
    return agency, key


async def agency_id_of(db: Database, keyring: Keyring, slug: str) -> AgencyId:
    """Whose short name this is. Raises `Refused` 404."""
    async with db.door() as connection:
        agency_id = await store.agency_of_slug(connection, keyring.derived("doors"), slug)
    if agency_id is None:
        raise Refused("not-found", 404)
    return agency_id


async def further_key(db: Database, keyring: Keyring, slug: str) -> str:
    """A further key with every scope, for an agency that has lost its own. Raises `Refused` 404."""
    agency_id = await agency_id_of(db, keyring, slug)
    async with db.transaction([agency_id]) as tx:
        return await first_key(tx, keyring, agency_id, frozenset(SCOPES))


async def list_agencies(db: Database) -> list[Agency]:
    """Every agency of the region, by name. For the operator's login alone: no other one sees them."""
    async with db.door() as connection:
        return await store.list_agencies(connection)


async def present(db: Database, agency_id: AgencyId) -> tuple[Agency, datetime]:
    """An agency, and the region's time by which to read it. Raises `Refused` 404."""
    async with db.transaction([agency_id]) as tx:
        agency, now = await store.load_agency(tx, agency_id), await tx.now()
    if agency is None:
        raise Refused("not-found", 404)
    return agency, now


async def join_pool(db: Database, caller: Caller, *, joins: bool) -> None:
    """Take part in the region's pool from now on, or no more; whatever else the policy says stays.

    Raises `Refused` 412 `changed-meanwhile` when somebody has replaced the policy in this moment.
    """
    agency, _ = await present(db, caller.agency_id)

    def matches(stands: int) -> None:
        if stands != agency.policy_revision:
            raise Refused("changed-meanwhile", 412)

    await put_policy(db, caller, {**agency.policy, "pool": joins}, matches=matches)


async def put_policy(
    db: Database, caller: Caller, overrides: Mapping[str, Any], *, matches: Callable[[int], None]
) -> tuple[int, dict[str, Any]]:
    """Replace the agency's overrides; cases in flight keep the policy they began with. Returns revision and overrides.

    `matches` gets the policy's revision under the lock. Raises `Refused` 422 `policy-invalid`.
    """
    wanted = checked_overrides(overrides)
    async with db.transaction([caller.agency_id]) as tx:
        agency = await store.lock_agency(tx, caller.agency_id)
        if agency is None:
            raise Refused("not-found", 404)
        matches(agency.policy_revision)
        if dict(agency.policy) == wanted:
            return agency.policy_revision, wanted
        revision = await store.save_policy(tx, caller.agency_id, wanted)
        await pool.set_member(tx, caller.agency_id, takes_part=takes_part(replace(agency, policy=wanted)))
        await following.again(tx, [caller.agency_id])
        await audit.record(tx, [audit.Entry(caller.agency_id, "policy.replaced", actor=caller.credential_id)])
    return revision, wanted
