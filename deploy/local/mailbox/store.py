"""Mails as files of a Maildir, with an index in memory; a mail is parsed when somebody looks at it."""

from __future__ import annotations

import email.policy
import mailbox
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Written by this server above the mail's own headers: who it was really for, and when it came.
TO_HEADER, FROM_HEADER, AT_HEADER = "X-Peerline-To", "X-Peerline-From", "X-Peerline-Received-At"
PARSER = BytesParser(policy=email.policy.default)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One kept mail; `to` are the envelope's recipients, `received_at` is ISO 8601 in UTC."""

    id: str
    to: tuple[str, ...]
    sender: str
    subject: str
    text: str
    received_at: str


class MailStore:
    """Keeps mails over restarts; safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        """Open (or make) the Maildir and read what it holds."""
        folder.mkdir(parents=True, exist_ok=True)
        self._maildir = mailbox.Maildir(folder / "mails")
        self._lock = threading.Lock()
        read = (_mail(key, self._maildir.get_bytes(key)) for key in self._maildir.iterkeys())
        self._mails: dict[str, Mail | bytes] = {
            mail.id: mail for mail in sorted(read, key=lambda mail: mail.received_at)
        }

    def add(self, content: bytes, *, sender: str, to: Sequence[str]) -> str:
        """Keep one mail; it is on the disk when this returns its id."""
        received_at = datetime.now(UTC).isoformat()
        head = {TO_HEADER: ", ".join(to), FROM_HEADER: sender, AT_HEADER: received_at}
        written = b"".join(f"{name}: {_one_line(value)}\r\n".encode() for name, value in head.items()) + content
        with self._lock:
            key: str = self._maildir.add(written)
            self._mails[key] = written
        return key

    def newest(self, *, to: str | None = None, limit: int) -> list[Mail]:
        """Up to `limit` mails, the newest first, of one recipient if given (letter case does not matter)."""
        with self._lock:
            keys = list(reversed(self._mails))
        wanted = to.casefold() if to else None
        mails = (mail for key in keys if (mail := self.get(key)))
        return list(islice((mail for mail in mails if wanted is None or wanted in map(str.casefold, mail.to)), limit))

    def get(self, mail_id: str) -> Mail | None:
        """One mail, None when there is none."""
        found = self._mails.get(mail_id)
        if isinstance(found, bytes):
            found = self._mails[mail_id] = _mail(mail_id, found)
        return found


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _mail(key: str, content: bytes) -> Mail:
    message = PARSER.parsebytes(content)
    return Mail(
        id=key,
        to=tuple(part.strip() for part in str(message.get(TO_HEADER, "")).split(",") if part.strip()),
        sender=str(message.get(FROM_HEADER, "")),
        subject=str(message.get("Subject", "")),
        text=_text(message),
        received_at=str(message.get(AT_HEADER, "")),
    )


def _text(message: EmailMessage) -> str:
    body = message.get_body(preferencelist=("plain", "html"))
    if body is None:
        return ""
    try:
        return str(body.get_content())
    except (LookupError, KeyError, UnicodeError):
        # An unknown character set or body type: what can be read is better than nothing.
        payload = body.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
