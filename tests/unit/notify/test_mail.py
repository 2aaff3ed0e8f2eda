"""A mail as it is sent, read again by the standard library."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import get_args

import pytest

from services.notify.channels import Message
from services.notify.channels.mail import written
from services.notify.domain import texts
from services.notify.domain.intents import Template

SENDER, TO = "notices@messages.example.org", "pat@riverton.test"
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
LINK = f"https://messages.example.org/m/{'x' * 43}"
MAILS = [(language, template) for language in texts.MAILS for template in get_args(Template)]


def sent(subject: str, body: str, *, to: str = TO) -> bytes:
    return written(Message(to, subject, body), sender=SENDER, number="1@messages.example.org", at=AT)


def read(content: bytes) -> EmailMessage:
    mail = message_from_bytes(content, policy=SMTP)
    assert isinstance(mail, EmailMessage)
    return mail


@pytest.mark.parametrize(("language", "template"), MAILS)
def test_every_mail_is_read_as_it_was_written(language: str, template: Template) -> None:
    subject, body = texts.mail(language, template, LINK)
    mail = read(sent(subject, body))
    assert (mail["Subject"], mail.get_content().splitlines()) == (subject, body.splitlines())
    assert not mail.defects


def test_letters_beyond_ascii_come_through_in_subject_and_body() -> None:
    body = f"\u00bfPuede usted?\n\n{LINK}\n.\nma\u00f1ana=\n"
    content = sent("Atenci\u00f3n, se\u00f1or", body)
    mail = read(content)
    assert content.isascii()
    assert mail["Subject"] == "Atenci\u00f3n, se\u00f1or"
    assert mail.get_content().splitlines() == body.splitlines()


def test_the_head_says_from_whom_to_whom_when_and_nothing_else() -> None:
    mail = read(sent("You have a message", "Open it.\n"))
    assert (mail["From"], mail["To"], mail["Message-ID"]) == (SENDER, TO, "<1@messages.example.org>")
    assert mail["Date"].datetime == AT
    assert {name.lower() for name in mail.keys()} == {  # noqa: SIM118 - a mail is no mapping
        *("from", "to", "subject", "date", "message-id"),
        *("mime-version", "content-type", "content-transfer-encoding"),
    }


def test_lines_end_as_mail_servers_want_it_and_a_link_stays_whole() -> None:
    content = sent("You have a message", f"One.\nOpen: {LINK}\n")
    assert content.endswith(f"One.\r\nOpen: {LINK}\r\n".encode())
    assert b"\n" not in content.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "address", ["a@b.test\r\nBcc: c@d.test", "a@b.test\n", "p\u00e4t@riverton.test", "a\x00@b.test"]
)
def test_an_address_that_could_end_its_header_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        sent("You have a message", "Open it.", to=address)
