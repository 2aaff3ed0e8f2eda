"""The form of a mail's text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MailText:
    """Subject and body of a mail; `{link}` stands where the link goes."""

    subject: str
    body: str
