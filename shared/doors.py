"""How a code, a link, a key or a slug finds its agency when every table is forced: by its exact keyed hash alone."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.db import Connection, Transaction
from shared.types import AgencyId


@dataclass(frozen=True)
class Door:
    """Where a secret leads: an agency, a subject of a kind, and the case (or the subject itself) it goes away with."""

    agency_id: AgencyId
    kind: str
    subject: UUID
    key: UUID


def keyed_hash(pepper: bytes, kind: str, secret: str) -> bytes:
    """What is kept of a high-entropy secret: HMAC-SHA256, bound to the kind of door it opens."""
    return hmac.digest(pepper, f"{kind}\0{secret}".encode(), "sha256")


async def find(connection: Connection, hashed: bytes) -> Door | None:
    """The door behind an exact hash, unless it has expired by the region's clock."""
    row = await connection.fetchrow("SELECT agency_id, kind, subject, key FROM door($1)", hashed)
    return Door(**row) if row else None


_OPEN = """
INSERT INTO doors(hash, agency_id, kind, subject, key, expires_at)
SELECT * FROM unnest($1::bytea[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::timestamptz[])
"""


async def add(tx: Transaction, doors: Sequence[tuple[bytes, Door, datetime | None]]) -> None:
    """Add doors: (hash, where it leads, until when)."""
    if doors:
        await tx.connection.execute(
            _OPEN,
            [hashed for hashed, _, _ in doors],
            [door.agency_id for _, door, _ in doors],
            [door.kind for _, door, _ in doors],
            [door.subject for _, door, _ in doors],
            [door.key for _, door, _ in doors],
            [until for _, _, until in doors],
        )


async def remove(tx: Transaction, subjects: Sequence[UUID]) -> None:
    """Take away every door that leads to these subjects."""
    await tx.connection.execute("DELETE FROM doors WHERE subject = ANY ($1::uuid[])", list(subjects))
