"""The audit trail as one hash chain per service and agency. Pure: what the next links are, and which one is bad first.

The hash of a link is SHA-256 over the hash before it and every field of the entry, each behind its length. It is worked
out in Python on both sides: whoever can change rows can change functions of the database as well. Who can write both
tables can also write a chain anew; that is seen against heads that are kept elsewhere (`shared.heads`).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

DOMAIN = "peerline.audit.1"
"""First in every hash; another encoding gets another one."""
GENESIS = bytes(32)
"""What stands before the first link of a chain."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING = b"\xff\xff\xff\xff"
"""The length of a field that is NULL; nothing real is that long."""

Kind = Literal["edited", "deleted", "missing", "reordered", "rewritten", "cut", "unsealed"]
"""What is wrong: the entry or its link was changed; the entry is gone; the link is gone; the link stood elsewhere; the
chain is whole but not the one that was anchored; it ends before an anchored link; an old entry has no link."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `audit`, every column of it."""

    audit_id: int
    xid: int
    agency_id: UUID
    at: datetime
    actor: UUID | None
    act: str
    subject: UUID | None
    cause: UUID | None


@dataclass(frozen=True, slots=True)
class Head:
    """The last link of a chain: how long it is, and its hash (32 bytes)."""

    seq: int = 0
    hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Link:
    """A row of `audit_chain`."""

    agency_id: UUID
    seq: int
    audit_id: int
    prev: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Bad:
    """The first bad entry of a chain. `audit_id` is None where the link that would tell it is gone."""

    service: str
    agency_id: UUID
    seq: int | None
    audit_id: int | None
    kind: Kind


_FIXED = struct.Struct(">I16sIqIqIqIq")
"""Agency, seq, id, xid and at, each behind its length."""
_ID = b"\x00\x00\x00\x10"


def _text(value: str) -> bytes:
    told = value.encode()
    return len(told).to_bytes(4, "big") + told


def _id(value: UUID | None) -> bytes:
    return _NOTHING if value is None else _ID + value.bytes


def _micros(at: datetime) -> int:
    # PostgreSQL's infinity comes without a zone.
    since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def encoded(service: str, seq: int, entry: Entry) -> bytes:
    """The canonical bytes of an entry at its place.

    In this order, each behind its length in four bytes (all ones: NULL): domain, service, agency, seq, id, xid, at
    (microseconds since 1970), actor, act, subject, cause. Numbers have eight bytes, big-endian; ids sixteen.
    """
    numbers = (8, seq, 8, entry.audit_id, 8, entry.xid, 8, _micros(entry.at))
    return b"".join(
        (
            _text(DOMAIN),
            _text(service),
            _FIXED.pack(16, entry.agency_id.bytes, *numbers),
            _id(entry.actor),
            _text(entry.act),
            _id(entry.subject),
            _id(entry.cause),
        )
    )


def link(service: str, head: Head, entry: Entry) -> Link:
    """The link of this entry behind this head."""
    seq = head.seq + 1
    digest = hashlib.sha256(head.hash + encoded(service, seq, entry)).digest()
    return Link(entry.agency_id, seq, entry.audit_id, head.hash, digest)


def linked(service: str, heads: Mapping[UUID, Head], entries: Iterable[Entry]) -> list[Link]:
    """The links of these entries, in their order, behind the heads of their agencies' chains."""
    last = dict(heads)
    links = []
    for entry in entries:
        one = link(service, last.get(entry.agency_id, Head()), entry)
        last[entry.agency_id] = Head(one.seq, one.hash)
        links.append(one)
    return links


def wrong(service: str, head: Head, one: Link, entry: Entry | None) -> Kind | None:
    """What is wrong with a link and its entry behind this head; None when nothing is."""
    if one.seq != head.seq + 1:
        return "missing"
    if one.prev != head.hash:
        return "reordered"
    if entry is None:
        return "deleted"
    return None if link(service, head, entry) == one else "edited"


@dataclass
class Walk:
    """Through all chains of a service, page by page. `marks`: per agency, hashes by seq that were kept elsewhere."""

    service: str
    marks: Mapping[UUID, Mapping[int, bytes]] = field(default_factory=dict)
    links: int = 0
    heads: dict[UUID, Head] = field(default_factory=dict)
    _lost: set[UUID] = field(default_factory=set)

    def page(self, rows: Sequence[tuple[Link, Entry | None]]) -> Iterator[Bad]:
        """The next links, ordered by agency and seq. Of each chain the first bad entry is told, and no other."""
        for one, entry in rows:
            self.links += 1
            agency = one.agency_id
            if agency in self._lost:
                continue
            head = self.heads.get(agency, Head())
            kind = wrong(self.service, head, one, entry) or self._against_mark(one)
            if kind is None:
                self.heads[agency] = Head(one.seq, one.hash)
                continue
            self._lost.add(agency)
            yield Bad(self.service, agency, head.seq + 1, None if kind == "missing" else one.audit_id, kind)

    def _against_mark(self, one: Link) -> Kind | None:
        kept = self.marks.get(one.agency_id, {}).get(one.seq)
        return None if kept is None or kept == one.hash else "rewritten"

    def end(self) -> Iterator[Bad]:
        """After the last page: chains that end before a link that was kept elsewhere."""
        for agency, kept in self.marks.items():
            head = self.heads.get(agency, Head())
            if agency not in self._lost and kept and max(kept) > head.seq:
                yield Bad(self.service, agency, head.seq + 1, None, "cut")
