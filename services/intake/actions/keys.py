"""Keys of agencies: made once, kept as keyed hashes alone, revoked at once."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from services.intake.domain.agency import Credential
from services.intake.domain.repeats import REPLAYED_FOR, require_same
from services.intake.store import agencies as store
from shared import audit, clock, doors
from shared.db import Database, Transaction
from shared.doors import Door, keyed_hash
from shared.errors import Problem, Refused
from shared.types import AgencyId
from shared.vault import Keyring

KEY_PREFIX = "pk_"


@dataclass(frozen=True)
class Caller:
    """Whose key came with a request, and what it may."""

    agency_id: AgencyId
    credential_id: UUID
    scopes: frozenset[str]


async def authenticate(db: Database, keyring: Keyring, key: str) -> Caller | None:
    """Whose key this is, or None where it is unknown or revoked, which look the same."""
    async with db.door() as connection:
        door = await doors.find(connection, keyed_hash(keyring.derived("doors"), store.KEY_DOOR, key))
    if door is None:
        return None
    async with db.transaction([door.agency_id]) as tx:
        credential = await store.load_credential(tx, door.subject)
        agency = await store.load_agency(tx, door.agency_id)
    if credential is None or credential.revoked_at is not None or agency is None or not agency.active:
        return None
    return Caller(door.agency_id, credential.credential_id, credential.scopes)


async def first_key(tx: Transaction, keyring: Keyring, agency_id: AgencyId, scopes: frozenset[str]) -> str:
    """A key that nobody's key asked for: the operator's act. Returned here and kept nowhere."""
    key = KEY_PREFIX + clock.token()
    await _add_key(tx, keyring, await _credential(tx, agency_id, scopes), key=key)
    return key


async def _credential(tx: Transaction, agency_id: AgencyId, scopes: frozenset[str]) -> Credential:
    return Credential(clock.random_id(), agency_id, scopes, await tx.now())


async def _add_key(
    tx: Transaction,
    keyring: Keyring,
    credential: Credential,
    *,
    key: str,
    request: tuple[bytes, bytes] | None = None,
    actor: UUID | None = None,
) -> None:
    await store.add_credential(tx, credential, request=request)
    door = Door(credential.agency_id, store.KEY_DOOR, credential.credential_id, credential.credential_id)
    await doors.add(tx, [(keyed_hash(keyring.derived("doors"), store.KEY_DOOR, key), door, None)])
    made = audit.Entry(credential.agency_id, "key.made", subject=credential.credential_id, actor=actor)
    await audit.record(tx, [made])


async def make_key(
    db: Database, keyring: Keyring, caller: Caller, scopes: frozenset[str], *, request: tuple[str, bytes]
) -> tuple[Credential, str]:
    """A further key for the caller's agency, with no scope that the caller has not. Returned once, and to a repeat.

    `request` is its Idempotency-Key and body. The key comes from both the keyring and that Idempotency-Key, so a
    repeated POST gets it again while the region keeps nothing it could be read from. Raises `Refused`: 403
    `scope-exceeded`, 422 `idempotency-key-reused`.
    """
    if not scopes <= caller.scopes:
        raise Refused("scope-exceeded", 403, (Problem("/scopes", "exceeds-own"),))
    idempotency_key, body = request
    pepper = keyring.derived("idempotency")
    asked = f"{caller.agency_id}|keys|{idempotency_key}".encode()
    hashes = (hmac.new(pepper, asked, hashlib.sha256).digest(), hmac.new(pepper, body, hashlib.sha256).digest())
    async with db.transaction([caller.agency_id]) as tx:
        await store.lock_agency(tx, caller.agency_id)
        since = await tx.now() - REPLAYED_FOR
        made = await store.credential_of_request(tx, caller.agency_id, hashes[0], since=since)
        if made is not None:
            require_same(stored=made[1], given=hashes[1])
            return made[0], _derived_key(keyring, made[0], idempotency_key)
        credential = await _credential(tx, caller.agency_id, scopes)
        key = _derived_key(keyring, credential, idempotency_key)
        await _add_key(tx, keyring, credential, key=key, request=hashes, actor=caller.credential_id)
    return credential, key


def _derived_key(keyring: Keyring, credential: Credential, idempotency_key: str) -> str:
    text = f"{credential.agency_id}|{credential.credential_id}|{idempotency_key}".encode()
    made = hmac.new(keyring.derived("agency-keys"), text, hashlib.sha256).digest()
    return KEY_PREFIX + base64.urlsafe_b64encode(made).rstrip(b"=").decode()


async def list_keys(db: Database, caller: Caller) -> list[Credential]:
    """The keys of the caller's agency that are in force."""
    async with db.transaction([caller.agency_id]) as tx:
        return [one for one in await store.load_credentials(tx, caller.agency_id) if one.revoked_at is None]


async def revoke_key(db: Database, caller: Caller, credential_id: UUID) -> None:
    """Revoke a key of the caller's agency, at once; revoking it again changes nothing.

    Raises `Refused`: 404 for one that is not of this agency, 409 `last-key` for the last that can make others.
    """
    async with db.transaction([caller.agency_id]) as tx:
        await store.lock_agency(tx, caller.agency_id)
        keys = {one.credential_id: one for one in await store.load_credentials(tx, caller.agency_id)}
        known = credential_id in keys
        others = [one for one in keys.values() if one.credential_id != credential_id and one.revoked_at is None]
        if known and not any("keys:write" in one.scopes for one in others):
            raise Refused("last-key", 409)
        if known:
            await store.revoke_credential(tx, credential_id, await tx.now())
            await doors.remove(tx, [credential_id])
        act = "key.revoked" if known else "key.denied"
        await audit.record(tx, [audit.Entry(caller.agency_id, act, subject=credential_id, actor=caller.credential_id)])
    if not known:
        raise Refused("not-found", 404)
