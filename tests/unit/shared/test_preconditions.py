"""Idempotency keys and entity tags: what may be repeated and what may be overwritten."""

import pytest
from starlette.requests import Request

from shared.errors import Refused
from shared.http.etags import etag_of, require_match, unchanged
from shared.http.idempotency import checked_key, digest, key_of


def request(*headers: tuple[str, str]) -> Request:
    return Request({"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers]})


@pytest.mark.parametrize("given", ["0b5cf1a4-1d0e-4d57-9d4b-6d1ad9a3e7aa", '"quoted-key-1"', "a" * 128, "YWJjZGVmZw=="])
def test_a_good_key_is_read(given: str) -> None:
    assert key_of(request(("idempotency-key", given))) == given.strip('"')


@pytest.mark.parametrize(
    "given", ["short", "a" * 129, "with space in", "key\u00e9\u00e9\u00e9\u00e9\u00e9", '"open-quote', '""']
)
def test_a_bad_key_is_malformed(given: str) -> None:
    with pytest.raises(Refused) as refused:
        checked_key(given)
    assert (refused.value.status, refused.value.slug) == (400, "idempotency-key-malformed")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(Refused) as refused:
        key_of(request())
    assert (refused.value.slug, refused.value.problems[0].pointer) == (
        "idempotency-key-missing",
        "/header/idempotency-key",
    )


def test_two_keys_are_none() -> None:
    with pytest.raises(Refused, match="malformed"):
        key_of(request(("idempotency-key", "first-key"), ("idempotency-key", "second-key")))


def test_a_digest_is_keyed() -> None:
    assert len(digest(b"p", b"body")) == 32
    assert digest(b"p", b"body") != digest(b"q", b"body")


def test_a_tag_is_quoted() -> None:
    assert (etag_of(12), etag_of(b"\x01\xff")) == ('"12"', '"01ff"')


@pytest.mark.parametrize(
    ("headers", "current"),
    [
        ([("if-match", '"12"')], '"12"'),
        ([("if-match", '"11", "12"')], '"12"'),
        ([("if-match", "*")], '"12"'),
        ([("if-none-match", "*")], None),
    ],
)
def test_who_has_read_it_may_write(headers: list[tuple[str, str]], current: str | None) -> None:
    require_match(request(*headers), current)


@pytest.mark.parametrize(
    ("headers", "current", "status"),
    [
        ([], '"12"', 428),
        ([], None, 428),
        ([("if-none-match", '"12"')], '"12"', 428),
        ([("if-match", '"11"')], '"12"', 412),
        ([("if-match", 'W/"12"')], '"12"', 412),
        ([("if-match", "12")], '"12"', 412),
        ([("if-match", '"12"')], None, 412),
        ([("if-match", "*")], None, 412),
        ([("if-none-match", "*")], '"12"', 412),
        ([("if-match", '"12"'), ("if-none-match", "*")], '"12"', 412),
    ],
)
def test_who_has_not_read_it_may_not(headers: list[tuple[str, str]], current: str | None, status: int) -> None:
    with pytest.raises(Refused) as refused:
        require_match(request(*headers), current)
    assert refused.value.status == status


def test_a_reader_who_has_it_already_is_told_so() -> None:
    assert unchanged(request(("if-none-match", 'W/"12", "13"')), '"12"')
    assert not unchanged(request(("if-none-match", '"13"')), '"12"')
    assert not unchanged(request(), '"12"')
