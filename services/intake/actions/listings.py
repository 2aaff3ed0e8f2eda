"""The directory of resources: set whole, by an agency for itself or by the operator for the region; read by anybody."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from services.intake.domain.listing import Listing, fitting, sorted_listings
from services.intake.domain.listing_upload import listings_from
from services.intake.store import agencies as agency_store
from services.intake.store import listings as store
from shared import audit
from shared.db import Database, Transaction
from shared.errors import Refused
from shared.types import REGION, AgencyId, Relation

HOME_REGION = "US"
"""How the region's own telephone numbers without country code are read."""


async def resources_for(
    tx: Transaction, agency_id: AgencyId, kinds: Collection[str] = (), relation: Relation | None = None
) -> list[Listing]:
    """What agency and region list of these kinds (() for all) for this relation (None for anybody), as it is shown.

    One statement. The agency has to be in view, the region need not be.
    """
    return sorted_listings(fitting(await store.around(tx, agency_id), kinds, relation))


async def own_resources(db: Database, agency_id: AgencyId) -> tuple[int, list[Listing]]:
    """What an agency lists itself, and its revision (0: it never set any). Raises `Refused` 404."""
    async with db.transaction([agency_id]) as tx:
        agency = await agency_store.load_agency(tx, agency_id)
        listed = await store.load(tx, [agency_id])
    if agency is None:
        raise Refused("not-found", 404)
    return agency.resources_revision, listed


async def put_resources(
    db: Database, agency_id: AgencyId, document: object, *, actor: UUID, matches: Callable[[int], None]
) -> tuple[int, Sequence[Listing]]:
    """Replace the agency's whole list. `matches` gets its revision under the lock. Returns revision and list.

    Raises `Refused`: 404, 422 `resources-invalid` with every problem.
    """
    async with db.transaction([agency_id]) as tx:
        agency = await agency_store.lock_agency(tx, agency_id)
        if agency is None:
            raise Refused("not-found", 404)
        matches(agency.resources_revision)
        today = (await tx.now()).date()
        listed = listings_from(document, agency_id, jurisdiction=agency.jurisdiction, today=today)
        await store.replace(tx, agency_id, listed)
        revision = await store.count_on(tx, agency_id)
        await audit.record(tx, [audit.Entry(agency_id, "resources.replaced", actor=actor)])
    return revision, listed


async def load_regional(db: Database, document: object) -> Sequence[Listing]:
    """Replace the region's whole list, as the operator. Raises `Refused` 422 `resources-invalid`."""
    async with db.transaction([REGION]) as tx:
        today = (await tx.now()).date()
        listed = listings_from(document, REGION, jurisdiction=HOME_REGION, today=today)
        await store.replace(tx, REGION, listed)
        await audit.record(tx, [audit.Entry(REGION, "resources.replaced")])
    return listed


async def list_regional(db: Database) -> list[Listing]:
    """The region's list, as it is shown."""
    async with db.transaction([REGION]) as tx:
        return await resources_for(tx, REGION)
