"""Envelope encryption: a data key per case, person, consult and outreach, wrapped by a key of a numbered generation.

AES-256-GCM throughout (NIST SP 800-38D). A sealed text is bound to agency, subject, field and version: copied
anywhere else it does not open. Destroying a data key makes every live copy of its texts unreadable at once.
Data keys are unwrapped inside one transaction and never kept longer.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.db import Transaction
from shared.errors import KeyDestroyed, SealBroken
from shared.types import AgencyId

Kind = Literal["case", "person", "consult", "outreach"]

_NONCE = 12
_FORMAT = b"\x01"
KEY_BYTES = 32


class BadKeyring(Exception):
    """The keyring file is missing, readable by others, or malformed; its content is never shown."""


@dataclass(frozen=True)
class Keyring:
    """The key-encryption keys by generation, and a root for keyed hashes that never turns with them."""

    generations: Mapping[int, bytes]
    root: bytes

    @property
    def current(self) -> int:
        """The newest generation; new data keys are wrapped by it."""
        return max(self.generations)

    def derived(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose ("doors", "index", "pin", ...), from the root (HKDF-SHA256)."""
        return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(self.root)


def read_keyring(path: Path) -> Keyring:
    """Read `{"generations": {"1": <base64>}, "root": <base64>}`. Raises `BadKeyring`."""
    try:
        if path.stat().st_mode & 0o077:
            raise BadKeyring(f"{path.name} is readable by others: chmod 600")
        raw = json.loads(path.read_text())
        generations = {int(number): base64.b64decode(key) for number, key in raw["generations"].items()}
        keyring = Keyring(generations, base64.b64decode(raw["root"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadKeyring(f"{path.name}: {type(error).__name__}") from None
    if not generations or any(len(key) != KEY_BYTES for key in (*generations.values(), keyring.root)):
        raise BadKeyring(f"{path.name}: keys have 32 bytes")
    return keyring


def make_keyring(path: Path) -> None:
    """Write a new keyring, readable by its owner alone. An existing file is never overwritten."""
    content = json.dumps(
        {
            "generations": {"1": base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()},
            "root": base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode(),
        },
        indent=2,
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)


@dataclass(frozen=True)
class Subject:
    """Whose key it is."""

    agency_id: AgencyId
    kind: Kind
    subject_id: UUID

    def bound(self, field: str, version: int) -> bytes:
        """The associated data of one field; a domain string first, immutable ids after it."""
        return f"peerline:{self.kind}:{self.agency_id}:{self.subject_id}:{field}:{version}".encode()


@dataclass(frozen=True, repr=False)
class DataKey:
    """An unwrapped data key. It lives as long as the transaction that unwrapped it."""

    subject: Subject
    key: bytes

    def seal(self, field: str, text: bytes, *, version: int = 1) -> bytes:
        """Seal a text so that it opens for this subject, field and version alone."""
        nonce = secrets.token_bytes(_NONCE)
        return _FORMAT + nonce + AESGCM(self.key).encrypt(nonce, text, self.subject.bound(field, version))

    def open(self, field: str, sealed: bytes, *, version: int = 1) -> bytes:
        """Open a sealed text. Raises `SealBroken` when it was made for another place, or changed."""
        if sealed[:1] != _FORMAT or len(sealed) < 1 + _NONCE + 16:
            raise SealBroken(field)
        nonce, body = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            return AESGCM(self.key).decrypt(nonce, body, self.subject.bound(field, version))
        except InvalidTag:
            raise SealBroken(field) from None


def _wrap(keyring: Keyring, data_key: DataKey) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    bound = data_key.subject.bound("data_key", keyring.current)
    return nonce + AESGCM(keyring.generations[keyring.current]).encrypt(nonce, data_key.key, bound)


def _unwrap(keyring: Keyring, subject: Subject, generation: int, wrapped: bytes) -> DataKey:
    key = keyring.generations.get(generation)
    if key is None:
        raise KeyDestroyed(subject.kind)
    try:
        bound = subject.bound("data_key", generation)
        return DataKey(subject, AESGCM(key).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], bound))
    except InvalidTag:
        raise SealBroken("data_key") from None


_CREATE = """
INSERT INTO vault.data_keys(agency_id, kind, subject_id, kek_generation, wrapped)
SELECT a, k, s, $4, w FROM unnest($1::uuid[], $2::text[], $3::uuid[], $5::bytea[]) t(a, k, s, w)
"""


async def create(tx: Transaction, keyring: Keyring, subjects: Sequence[Subject]) -> dict[UUID, DataKey]:
    """Make and keep a data key for each subject; returned by subject id."""
    keys = [DataKey(subject, AESGCM.generate_key(256)) for subject in subjects]
    if keys:
        await tx.connection.execute(
            _CREATE,
            [s.agency_id for s in subjects],
            [s.kind for s in subjects],
            [s.subject_id for s in subjects],
            keyring.current,
            [_wrap(keyring, key) for key in keys],
        )
    return {key.subject.subject_id: key for key in keys}


_LOAD = """
SELECT agency_id, subject_id, kek_generation, wrapped FROM vault.data_keys
 WHERE kind = $1 AND subject_id = ANY ($2::uuid[]) AND wrapped IS NOT NULL
"""


async def load(tx: Transaction, keyring: Keyring, kind: Kind, subjects: Collection[UUID]) -> dict[UUID, DataKey]:
    """The live data keys of these subjects; one that was destroyed, or never was, is absent."""
    rows = await tx.connection.fetch(_LOAD, kind, list(subjects))
    return {
        row["subject_id"]: _unwrap(
            keyring,
            Subject(AgencyId(row["agency_id"]), kind, row["subject_id"]),
            row["kek_generation"],
            row["wrapped"],
        )
        for row in rows
    }


_DESTROY = """
UPDATE vault.data_keys SET wrapped = NULL, destroyed_at = clock_timestamp()
 WHERE kind = $1 AND subject_id = ANY ($2::uuid[]) AND destroyed_at IS NULL AND NOT held
RETURNING agency_id, subject_id
"""


async def destroy(tx: Transaction, kind: Kind, subjects: Collection[UUID]) -> list[Subject]:
    """Destroy the data keys of these subjects, for ever; those under a legal hold stay. Returns the destroyed ones.

    `shared.forgetting.destroy` does this and has it written down outside of the database as well.
    """
    rows = await tx.connection.fetch(_DESTROY, kind, list(subjects))
    return [Subject(AgencyId(row["agency_id"]), kind, row["subject_id"]) for row in rows]


_ALIVE = """
SELECT k.agency_id, k.kind, k.subject_id
  FROM vault.data_keys k JOIN unnest($1::uuid[], $2::text[], $3::uuid[]) u(agency_id, kind, subject_id)
 USING (subject_id, kind, agency_id) WHERE k.destroyed_at IS NULL ORDER BY k.kind, k.subject_id
"""


async def alive(tx: Transaction, subjects: Collection[Subject]) -> list[Subject]:
    """Which of these have a data key that is not destroyed."""
    listed = list(subjects)
    agencies, kinds, ids = (
        [one.agency_id for one in listed],
        [one.kind for one in listed],
        [one.subject_id for one in listed],
    )
    rows = await tx.connection.fetch(_ALIVE, agencies, kinds, ids)
    return [Subject(AgencyId(row["agency_id"]), row["kind"], row["subject_id"]) for row in rows]
