"""Mails kept as files, and shown without running anything that they contain."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.mailbox.pages import linked
from deploy.local.mailbox.store import MailStore


def mail(*, subject: str = "Hello", text: str = "A text\n") -> bytes:
    message = EmailMessage()
    message["Subject"] = subject
    message["To"] = "shown@agency.test"
    message.set_content(text)
    return message.as_bytes()


def test_a_mail_is_found_by_its_envelope_recipient_in_any_letter_case(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.add(mail(), sender="a@b.test", to=["Real@Agency.test"])
    assert [found.subject for found in store.newest(to="real@agency.TEST", limit=9)] == ["Hello"]
    assert store.newest(to="shown@agency.test", limit=9) == []


def test_the_newest_comes_first_and_the_limit_holds(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    for number in range(5):
        store.add(mail(subject=str(number)), sender="a@b.test", to=["c@d.test"])
    assert [found.subject for found in store.newest(limit=3)] == ["4", "3", "2"]


def test_a_restart_keeps_mails_and_their_order(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    for number in range(5):
        store.add(mail(subject=str(number), text=f"Grüße {number}\n"), sender="a@b.test", to=["c@d.test"])
    assert MailStore(tmp_path).newest(limit=9) == store.newest(limit=9)


def test_a_recipient_cannot_write_headers_of_the_store(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    kept = store.get(store.add(mail(), sender="a@b.test\r\nX-Peerline-To: x@y.test", to=["c@d.test"]))
    assert kept is not None
    assert MailStore(tmp_path).get(kept.id) == kept
    assert kept.to == ("c@d.test",)


@pytest.mark.parametrize("charset", ["no-such-charset", "utf-8"])
def test_a_mail_in_an_unknown_character_set_is_still_readable(tmp_path: Path, charset: str) -> None:
    content = f"Subject: x\r\nContent-Type: text/plain; charset={charset}\r\n\r\nplain words".encode()
    store = MailStore(tmp_path)
    kept = store.get(store.add(content, sender="a@b.test", to=["c@d.test"]))
    assert kept is not None
    assert "plain words" in kept.text


@given(content=st.binary(max_size=300))
def test_any_bytes_are_kept(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("mails")
    store = MailStore(folder)
    kept = store.add(content, sender="a@b.test", to=["c@d.test"])
    assert store.get(kept) is not None
    assert MailStore(folder).get(kept) == store.get(kept)


def test_web_addresses_become_links_and_everything_else_is_escaped() -> None:
    shown = linked("See http://127.0.0.1:18081/l/abc?x=1&y=2. <script>alert(1)</script> javascript:alert(1)")
    assert 'href="http://127.0.0.1:18081/l/abc?x=1&amp;y=2"' in shown
    assert "<script>" not in shown
    assert shown.count("<a ") == 1


@given(text=st.text(alphabet="<>\"'&:/ .ht ps", max_size=60))
def test_no_text_breaks_out_of_its_link(text: str) -> None:
    shown = linked(f"http://a.test/{text} {text}")
    rest = shown.replace('<a href="', "").replace('" rel="noreferrer noopener">', "").replace("</a>", "")
    assert "<" not in rest
    assert '"' not in rest
