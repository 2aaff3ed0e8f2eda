"""Heads of the audit chains kept in a file outside of the database: what was there can then not be gone unseen.

One JSON line per head that has moved: `at`, `service`, `agency`, `seq`, `hash`, `mac`. The MAC (HMAC-SHA256 under a key
of the keyring) covers the MAC of the line before: a line that is forged, changed, taken out or moved shows. The newest
lines can still be cut off together, therefore the file is copied elsewhere (docs/guides/operator.md).
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from shared.chain import Head

PURPOSE = "audit-heads"
"""What the key is derived for (`Keyring.derived`)."""
_FIRST = ""

Heads = Mapping[str, Mapping[UUID, Head]]
"""By service and agency."""


class BadAnchor(Exception):
    """The file cannot be read, or is no file of heads."""


@dataclass
class Kept:
    """What a file holds. `forged`: numbers of lines that were not written with this key, or not behind their line."""

    marks: dict[tuple[str, UUID], dict[int, bytes]] = field(default_factory=lambda: defaultdict(dict))
    """The hash that was kept first of each seq: a chain that is written anew cannot be anchored anew."""
    last: dict[tuple[str, UUID], Head] = field(default_factory=dict)
    lines: int = 0
    newest: datetime | None = None
    forged: list[int] = field(default_factory=list)
    mac: str = _FIRST

    def of(self, service: str) -> dict[UUID, dict[int, bytes]]:
        """The hashes that were kept of a service, by agency and seq."""
        return {agency: kept for (whose, agency), kept in self.marks.items() if whose == service}

    def moved(self, heads: Heads) -> Iterable[tuple[str, UUID, Head]]:
        """Those of these heads that do not stand in the file yet."""
        for service, chains in sorted(heads.items()):
            for agency, head in sorted(chains.items()):
                if self.last.get((service, agency)) != head:
                    yield service, agency, head


def _mac(key: bytes, before: str, told: Mapping[str, object]) -> str:
    text = json.dumps([before, *(told[name] for name in ("at", "service", "agency", "seq", "hash"))])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def read(path: Path, key: bytes) -> Kept:
    """Everything in a file; one that is not there holds nothing. Raises `BadAnchor` where there is no reading it.

    A last line that was not finished (the power went) says nothing and forges nothing.
    """
    try:
        text = path.read_text() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadAnchor(type(error).__name__) from None
    return parsed(text, key)


def parsed(text: str, key: bytes) -> Kept:
    """As `read`, of the text of a file."""
    kept = Kept()
    for number, line in enumerate(text.splitlines(), 1):
        told = _told(line)
        if told is None:
            # What was begun and not finished has no part in the MAC of the next line.
            continue
        kept.lines += 1
        if not hmac.compare_digest(_mac(key, kept.mac, told), str(told["mac"])):
            kept.forged.append(number)
        kept.mac = str(told["mac"])
        if number not in kept.forged:
            place = str(told["service"]), UUID(str(told["agency"]))
            head = Head(int(str(told["seq"])), bytes.fromhex(str(told["hash"])))
            kept.marks[place].setdefault(head.seq, head.hash)
            kept.last[place] = head
            kept.newest = datetime.fromisoformat(str(told["at"]))
    return kept


def _told(line: str) -> Mapping[str, object] | None:
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) and told.keys() == {"at", "service", "agency", "seq", "hash", "mac"} else None


def lines(kept: Kept, heads: Heads, key: bytes, at: datetime) -> list[str]:
    """The lines that a file lacks of these heads."""
    before, found = kept.mac, []
    for service, agency, head in kept.moved(heads):
        told: dict[str, object] = {
            "at": at.isoformat(timespec="seconds"),
            "service": service,
            "agency": str(agency),
            "seq": head.seq,
            "hash": head.hash.hex(),
        }
        before = _mac(key, before, told)
        found.append(json.dumps({**told, "mac": before}))
    return found


def keep(path: Path, heads: Heads, key: bytes, at: datetime) -> int:
    """Append the heads that have moved, on the disk when this returns; how many they were. Raises `BadAnchor`.

    The file is only ever appended to, by one at a time. Two at once wait for each other.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            text = file.read()
            added = lines(parsed(text, key), heads, key, at)
            if added:
                file.write(("" if not text or text.endswith("\n") else "\n") + "\n".join(added) + "\n")
                file.flush()
                os.fsync(file.fileno())
            return len(added)
    except (OSError, UnicodeDecodeError) as error:
        raise BadAnchor(type(error).__name__) from None
