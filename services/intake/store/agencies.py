"""Agencies, their policies and their keys, as rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.intake.domain.agency import Agency, Credential, Line
from services.intake.domain.listing import Listing
from services.intake.domain.structure import Contract, Program
from shared import doors
from shared.db import Connection, Row, Transaction
from shared.types import AgencyId, Structure

SLUG_DOOR = "slug"
KEY_DOOR = "key"


def _agency(row: Row) -> Agency:
    typed = {
        "agency_id": AgencyId(row["agency_id"]),
        "languages": tuple(row["languages"]),
        "lines": tuple(Line(**line) for line in json.loads(row["lines"])),
        "policy": json.loads(row["policy"]),
        "crisis": tuple(listing_of(one) for one in json.loads(row["crisis"])),
        "programs": tuple(_program(one) for one in json.loads(row["programs"])),
    }
    return Agency(**dict(row) | typed)


def listing_of(one: Mapping[str, Any]) -> Listing:
    """A row of `resources` as PostgreSQL writes it in JSON."""
    typed = {
        "agency_id": AgencyId(UUID(one["agency_id"])),
        "verified_on": date.fromisoformat(one["verified_on"]),
        "relations": tuple(one["relations"]),
        "languages": tuple(one["languages"]),
    }
    return Listing(**dict(one) | typed)


def _program(one: dict[str, Any]) -> Program:
    first, last = one["contract_from"], one["contract_to"]
    contract = Contract(date.fromisoformat(first), date.fromisoformat(last) if last else None) if first else None
    return Program(
        structure=Structure(one["structure"]),
        effective_from=datetime.fromisoformat(one["effective_from"]),
        contract=contract,
        on_call=one["on_call"],
        direct_retiree=one["direct_retiree"],
        revision=one["revision"],
    )


async def load_agencies(tx: Transaction, agencies: Collection[AgencyId]) -> dict[AgencyId, Agency]:
    """These agencies with their policies and structures, as far as they are known and in view."""
    rows = await tx.connection.fetch(
        """SELECT agency_id, revision, active, name, slug, kind, jurisdiction, languages, time_zone, mail_domain, lines,
                  policy, policy_revision, directory_revision, resources_revision,
                  conflicts_revision, pool_revision,
                  (SELECT coalesce(jsonb_agg(to_jsonb(s) - 'agency_id' ORDER BY s.effective_from), '[]')
                     FROM structures s WHERE s.agency_id = a.agency_id) AS programs,
                  (SELECT coalesce(jsonb_agg(to_jsonb(r) - 'place' ORDER BY r.agency_id <> a.agency_id, r.place), '[]')
                     FROM resources r WHERE r.kind = 'crisis'
                      AND r.agency_id IN (a.agency_id, '00000000-0000-4000-8000-000000000001')) AS crisis
             FROM agencies a WHERE agency_id = ANY ($1::uuid[])""",
        list(agencies),
    )
    return {AgencyId(row["agency_id"]): _agency(row) for row in rows}


async def load_agency(tx: Transaction, agency_id: AgencyId) -> Agency | None:
    """The agency, or None where it is unknown or not in view."""
    return (await load_agencies(tx, [agency_id])).get(agency_id)


async def lock_agencies(tx: Transaction, agencies: Collection[AgencyId]) -> dict[AgencyId, Agency]:
    """As `load_agencies`, locked until the end of the transaction."""
    # A statement of its own: what is read after it has seen what the lock waited for.
    await tx.connection.execute(
        "SELECT FROM agencies WHERE agency_id = ANY ($1::uuid[]) ORDER BY agency_id FOR UPDATE", list(agencies)
    )
    return await load_agencies(tx, agencies)


async def lock_agency(tx: Transaction, agency_id: AgencyId) -> Agency | None:
    """As `load_agency`, locked until the end of the transaction: whoever writes a directory holds this lock."""
    return (await lock_agencies(tx, [agency_id])).get(agency_id)


async def zones_of(tx: Transaction, agencies: Collection[AgencyId]) -> dict[AgencyId, str]:
    """The time zones of these agencies, as far as they are in view."""
    rows = await tx.connection.fetch(
        "SELECT agency_id, time_zone FROM agencies WHERE agency_id = ANY ($1::uuid[])", list(agencies)
    )
    return {AgencyId(row["agency_id"]): row["time_zone"] for row in rows}


async def list_agencies(connection: Connection) -> list[Agency]:
    """Every agency of the region, by name, without resources; for the operator's login, which alone may see them."""
    rows = await connection.fetch(
        """SELECT agency_id, revision, active, name, slug, kind, jurisdiction, languages, time_zone, mail_domain, lines,
                  policy, policy_revision, directory_revision, resources_revision,
                  conflicts_revision, pool_revision,
                  (SELECT coalesce(jsonb_agg(to_jsonb(s) - 'agency_id' ORDER BY s.effective_from), '[]')
                     FROM structures s WHERE s.agency_id = a.agency_id) AS programs,
                  '[]' AS crisis
             FROM agencies a ORDER BY name, agency_id"""
    )
    return [_agency(row) for row in rows]


async def next_conflicts_revision(tx: Transaction, agency_id: AgencyId) -> int:
    """Count the list of conflicts on; the caller holds the agency's lock."""
    revision: int = await tx.connection.fetchval(
        "UPDATE agencies SET conflicts_revision = conflicts_revision + 1 WHERE agency_id = $1"
        " RETURNING conflicts_revision",
        agency_id,
    )
    return revision


async def next_pool_revision(tx: Transaction, agency_id: AgencyId) -> int:
    """Count the list of borrowed peers on; the caller holds the agency's lock."""
    revision: int = await tx.connection.fetchval(
        "UPDATE agencies SET pool_revision = pool_revision + 1 WHERE agency_id = $1 RETURNING pool_revision", agency_id
    )
    return revision


async def agency_of_slug(connection: Connection, pepper: bytes, slug: str) -> AgencyId | None:
    """Whose public short name this is. `connection` is one of `Database.door()`, `pepper` the keyring's "doors"."""
    door = await doors.find(connection, doors.keyed_hash(pepper, SLUG_DOOR, slug))
    return door.agency_id if door else None


async def add_agency(tx: Transaction, agency: Agency) -> None:
    """Write a new agency, its policy being the defaults; its structure is written by `replan`."""
    await tx.connection.execute(
        """INSERT INTO agencies(agency_id, revision, active, name, slug, kind, jurisdiction, languages, time_zone,
                                mail_domain, lines)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb)
           ON CONFLICT DO NOTHING""",
        agency.agency_id,
        agency.revision,
        agency.active,
        agency.name,
        agency.slug,
        agency.kind,
        agency.jurisdiction,
        list(agency.languages),
        agency.time_zone,
        agency.mail_domain,
        json.dumps([line.__dict__ for line in agency.lines]),
    )


async def replan(tx: Transaction, agency_id: AgencyId, program: Program) -> None:
    """A structure from its moment on; whatever was planned for then or later goes. The caller holds the lock."""
    await tx.connection.execute(
        "DELETE FROM structures WHERE agency_id = $1 AND effective_from >= $2", agency_id, program.effective_from
    )
    await tx.connection.execute(
        """INSERT INTO structures(agency_id, effective_from, revision, structure, contract_from, contract_to, on_call,
                                  direct_retiree)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        agency_id,
        program.effective_from,
        program.revision,
        program.structure.value,
        program.contract.first if program.contract else None,
        program.contract.last if program.contract else None,
        program.on_call,
        program.direct_retiree,
    )


async def count_on(tx: Transaction, agencies: Collection[AgencyId]) -> None:
    """The revision by which the region knows these agencies grows by one."""
    await tx.connection.execute(
        "UPDATE agencies SET revision = revision + 1 WHERE agency_id = ANY ($1::uuid[])", list(agencies)
    )


async def save_policy(tx: Transaction, agency_id: AgencyId, overrides: Mapping[str, Any]) -> int:
    """Replace the agency's overrides; returns the policy's new revision."""
    revision: int = await tx.connection.fetchval(
        """UPDATE agencies SET policy = $2::jsonb, policy_revision = policy_revision + 1
            WHERE agency_id = $1 RETURNING policy_revision""",
        agency_id,
        json.dumps(dict(overrides)),
    )
    return revision


async def next_directory_revision(tx: Transaction, agency_id: AgencyId) -> int:
    """Count the agency's directory on by one; returns the new revision."""
    revision: int = await tx.connection.fetchval(
        """UPDATE agencies SET directory_revision = directory_revision + 1
            WHERE agency_id = $1 RETURNING directory_revision""",
        agency_id,
    )
    return revision


async def add_credential(tx: Transaction, credential: Credential, *, request: tuple[bytes, bytes] | None) -> None:
    """Write a key's row; `request` are the keyed hashes of the Idempotency-Key and the body that made it."""
    request_hash, body_digest = request or (None, None)
    await tx.connection.execute(
        """INSERT INTO credentials(credential_id, agency_id, scopes, created_at, request_hash, body_digest)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        credential.credential_id,
        credential.agency_id,
        sorted(credential.scopes),
        credential.created_at,
        request_hash,
        body_digest,
    )


def _credential(row: Row) -> Credential:
    return Credential(
        credential_id=row["credential_id"],
        agency_id=AgencyId(row["agency_id"]),
        scopes=frozenset(row["scopes"]),
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
    )


async def load_credential(tx: Transaction, credential_id: UUID) -> Credential | None:
    """A key's row, revoked or not."""
    row = await tx.connection.fetchrow(
        "SELECT credential_id, agency_id, scopes, created_at, revoked_at FROM credentials WHERE credential_id = $1",
        credential_id,
    )
    return _credential(row) if row else None


async def load_credentials(tx: Transaction, agency_id: AgencyId) -> list[Credential]:
    """Every key that an agency has or had, oldest first."""
    rows = await tx.connection.fetch(
        """SELECT credential_id, agency_id, scopes, created_at, revoked_at FROM credentials
            WHERE agency_id = $1 ORDER BY created_at, credential_id""",
        agency_id,
    )
    return [_credential(row) for row in rows]


async def credential_of_request(
    tx: Transaction, agency_id: AgencyId, request_hash: bytes, *, since: datetime
) -> tuple[Credential, bytes] | None:
    """The key made by the POST with this Idempotency-Key since then, and the digest of that POST's body."""
    row = await tx.connection.fetchrow(
        """SELECT credential_id, agency_id, scopes, created_at, revoked_at, body_digest FROM credentials
            WHERE agency_id = $1 AND request_hash = $2 AND created_at >= $3 ORDER BY created_at DESC LIMIT 1""",
        agency_id,
        request_hash,
        since,
    )
    return (_credential(row), row["body_digest"]) if row else None


async def revoke_credential(tx: Transaction, credential_id: UUID, at: datetime) -> None:
    """A key's row says from now on that it was revoked; its door is taken away by `doors.remove`."""
    await tx.connection.execute(
        "UPDATE credentials SET revoked_at = $2 WHERE credential_id = $1 AND revoked_at IS NULL", credential_id, at
    )
