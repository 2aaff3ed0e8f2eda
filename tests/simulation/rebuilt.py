"""I12: whoever reads the topics from their beginning comes to the same directory as whoever has lived through it.

The read models of persons and agencies in matching and referral, row by row, against those of a region in which nothing
has happened but these records, in order and without a fault.
"""

from __future__ import annotations

from services.notify.actions.sending import Office
from shared.events.notify import ContactStopped, ContactVerified
from shared.parking import Raw
from tests.harness.databases import Sql
from tests.simulation import region as regions
from tests.simulation.ground import Ground
from tests.simulation.region import Region
from tests.simulation.watch import Broken

MODELS = {
    "matching": ("peers", "agencies", "duty"),
    "referral": ("people", "agencies", "duty"),
}
_OF_PEOPLE = {f"{kind.model_fields['type'].default}".encode() for kind in (ContactVerified, ContactStopped)}


async def same(ground: Ground, lived: Region, office: Office) -> None:
    """Raises `Broken` where a read model differs."""
    async with ground.database() as database, regions.opened(database, office) as region:
        for service in MODELS:
            await region.deliver(service, "directory", _records(lived, "peerline.directory"))
            await region.deliver(service, "ordinary", [raw for raw in _records(lived, "peerline.notify") if _told(raw)])
        for service, tables in MODELS.items():
            for table in tables:
                before, after = await _rows(lived.sql, service, table), await _rows(region.sql, service, table)
                if before != after:
                    raise Broken(f"I12 not-rebuilt: {service}.{table}: {sorted(before ^ after)[:4]}")


def _records(region: Region, topic: str) -> list[Raw]:
    return [raw for (of, _), raws in sorted(region.logs.of.items()) if of == topic for raw in raws]


def _told(raw: Raw) -> bool:
    return dict(raw.headers)["ce_type"] in _OF_PEOPLE


async def _rows(sql: Sql, service: str, table: str) -> set[str]:
    rows = await sql.fetch(f"SELECT to_jsonb(t)::text AS row FROM {service}.{table} t")  # noqa: S608 - names of ours
    return {row["row"] for row in rows}
