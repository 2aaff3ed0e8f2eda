"""Who an agency's people are, how they are found without being named, and what an upload changes. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from shared.types import AgencyId, Help, PersonId, Role

IndexKind = Literal["ref", "name", "badge", "unit", "address", "incident"]

PROGRAM = frozenset({Role.PEER, Role.COORDINATOR, Role.CLINICIAN, Role.DUTY})
"""Who is part of the program; `member` is everybody else, known only so that bars can be found."""


@dataclass(frozen=True)
class Person:
    """One row of a directory, checked and normalised. `contacts` are mail addresses in the order of use."""

    person_ref: str
    role: Role
    name: str
    language: str
    unit: str = ""
    supervisor_ref: str = ""
    badge: str = ""
    contacts: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    designated_from: date | None = None
    designated_to: date | None = None
    trained_until: date | None = None
    hours: str = ""
    offers: tuple[Help, ...] = ()
    shows: str = ""
    time_zone: str = ""
    """Of their hours and calendar, where it is not the agency's."""


@dataclass(frozen=True)
class Known:
    """A person as the directory has them now, without opening anything."""

    person_id: PersonId
    revision: int
    active: bool
    role: Role
    language: str
    digest: bytes
    ref_index: bytes
    windows: str = ""
    hours_alone: bool = False
    bearer: PersonId | None = None


@dataclass(frozen=True)
class Lent:
    """Of a peer whom another agency lends: who this is there, and when they are there, as that agency keeps it."""

    bearer: PersonId
    time_zone: str
    windows: str = ""
    hours_alone: bool = False


@dataclass(frozen=True)
class Entry:
    """A person with the keyed hashes by which the row is recognised and the person found."""

    person: Person
    digest: bytes
    ref_index: bytes
    name_index: bytes
    badge_index: bytes | None
    unit_index: bytes | None
    supervisor_ref_index: bytes | None
    lent: Lent | None = None


@dataclass(frozen=True)
class Plan:
    """What an upload changes: new people, people whose row differs (or who come back), and people no longer named."""

    added: tuple[Entry, ...]
    changed: tuple[tuple[Entry, Known], ...]
    removed: tuple[Known, ...]
    unchanged: int

    @property
    def changes(self) -> bool:
        """Whether anything is to be written at all."""
        return bool(self.added or self.changed or self.removed)


def plain(text: str) -> str:
    """A text without what does not matter: NFKC, no differences of case, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _name(text: str) -> str:
    # "Peña, Ana-María" and "ana maria pena" are to be found by each other: one bar too many is better than one missed.
    letters = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(" " if not sign.isalnum() else sign for sign in letters if not unicodedata.combining(sign))
    return " ".join(sorted(letters.split()))


def _badge(text: str) -> str:
    signs = "".join(sign for sign in plain(text) if sign.isalnum())
    # A spreadsheet takes leading zeros away.
    return signs.lstrip("0") if signs.isdigit() else signs


def normalised(kind: IndexKind, text: str) -> str:
    """What of a text counts when somebody is looked for by it; "" when nothing is left."""
    match kind:
        case "name":
            return _name(text)
        case "badge":
            return _badge(text)
        case "ref" | "unit" | "address" | "incident":
            return plain(text)


def index_of(key: bytes, agency_id: AgencyId, kind: IndexKind, text: str) -> bytes:
    """The blind index of a text in one agency: HMAC-SHA256 of what of it counts. `key` is the keyring's "index"."""
    return hmac.digest(key, f"{agency_id}|{kind}|{normalised(kind, text)}".encode(), "sha256")


def _index_if_any(key: bytes, agency_id: AgencyId, kind: IndexKind, text: str) -> bytes | None:
    return index_of(key, agency_id, kind, text) if normalised(kind, text) else None


def canonical(person: Person) -> bytes:
    """The row in one fixed form: equal bytes mean an unchanged row."""
    # Left out where it says nothing, as before there were zones: such rows are unchanged.
    said = {name: value for name, value in person.__dict__.items() if name != "time_zone" or value}
    return json.dumps(said, sort_keys=True, ensure_ascii=True, default=str).encode()


def entry_of(key: bytes, agency_id: AgencyId, person: Person) -> Entry:
    """A person with indexes and digest, all keyed and bound to the agency."""
    row = f"{agency_id}|row|".encode() + canonical(person)
    return Entry(
        person=person,
        digest=hmac.new(key, row, hashlib.sha256).digest(),
        ref_index=index_of(key, agency_id, "ref", person.person_ref),
        name_index=index_of(key, agency_id, "name", person.name),
        badge_index=_index_if_any(key, agency_id, "badge", person.badge),
        unit_index=_index_if_any(key, agency_id, "unit", person.unit),
        supervisor_ref_index=_index_if_any(key, agency_id, "ref", person.supervisor_ref),
    )


def lent_reference(key: bytes, agency_id: AgencyId, bearer: PersonId) -> bytes:
    """In the place of the blind index of a reference: of the peer whom an agency borrows, by who they are at home."""
    return hmac.digest(key, f"{agency_id}|lent|{bearer}".encode(), "sha256")


def lent_entry(key: bytes, agency_id: AgencyId, person: Person, lent: Lent) -> Entry:
    """A peer of another agency as an entry with `agency_id`: found by name, never by a reference that is typed."""
    entry = entry_of(key, agency_id, person)
    reference = lent_reference(key, agency_id, lent.bearer)
    digest = hmac.digest(key, entry.digest + json.dumps(lent.__dict__, sort_keys=True, default=str).encode(), "sha256")
    return replace(entry, ref_index=reference, digest=digest, lent=lent)


def compare(known: Mapping[bytes, Known], entries: Sequence[Entry]) -> Plan:
    """What it takes to make the directory exactly these entries. Who is absent becomes inactive."""
    added, changed, unchanged = [], [], 0
    for entry in entries:
        before = known.get(entry.ref_index)
        if before is None:
            added.append(entry)
        elif before.active and hmac.compare_digest(before.digest, entry.digest):
            unchanged += 1
        else:
            changed.append((entry, before))
    named = {entry.ref_index for entry in entries}
    removed = tuple(one for index, one in known.items() if one.active and index not in named)
    return Plan(tuple(added), tuple(changed), removed, unchanged)


def in_cycles(supervisor_of: Mapping[str, str]) -> set[str]:
    """Who is his own supervisor, at once or by way of others. Takes and gives normalised references."""
    settled: set[str] = set()
    cycles: set[str] = set()
    for start in supervisor_of:
        way: dict[str, int] = {}
        one: str | None = start
        while one is not None and one not in settled and one not in way:
            way[one] = len(way)
            one = supervisor_of.get(one)
        if one in way:
            cycles.update(name for name, place in way.items() if place >= way[one])
        settled.update(way)
    return cycles
