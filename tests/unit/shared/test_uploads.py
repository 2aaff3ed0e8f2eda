"""Forms with a file: what a browser sends, and what nobody should."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from shared.errors import Refused
from shared.http.uploads import MAX_PARTS, read_upload

KIND = "multipart/form-data; boundary=----WebKitFormBoundaryx1"
LINE = b"------WebKitFormBoundaryx1"


def field(name: str, content: bytes, more: bytes = b"") -> bytes:
    head = b'Content-Disposition: form-data; name="' + name.encode() + b'"' + more
    return LINE + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def file(content: bytes) -> bytes:
    return field("file", content, b'; filename="team.csv"\r\nContent-Type: text/csv')


async def read(body: bytes, kind: str = KIND) -> tuple[dict[str, list[str]], bytes]:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}
    return await read_upload(Request(scope, receive))


@pytest.mark.parametrize("content", [b"", b"a,b\r\n1,2\r\n", b"\r\n--\r\n", "ü".encode("utf-16"), bytes(range(256))])
async def test_a_file_comes_as_it_is_beside_the_fields(content: bytes) -> None:
    body = field("nonce", b"n") + field("lang", b"es") + file(content) + field("lang", "ñ".encode()) + LINE + b"--\r\n"
    assert await read(body) == ({"nonce": ["n"], "lang": ["es", "ñ"]}, content)


async def test_a_form_without_a_file_has_an_empty_one() -> None:
    assert await read(field("a", b"1") + LINE + b"--\r\n") == ({"a": ["1"]}, b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"junk",
        field("a", b"1"),
        b"before" + field("a", b"1") + LINE + b"--",
        LINE + b"\r\nContent-Disposition: form-data\r\n\r\n1\r\n" + LINE + b"--",
        LINE + b"\r\nno end of the head\r\n" + LINE + b"--",
        field("a", b"\xff") + LINE + b"--",
        field("a", b"1\x002") + LINE + b"--",
        field("a", b"1") * (MAX_PARTS + 1) + LINE + b"--",
    ],
)
async def test_what_is_no_such_form_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        await read(body)
    assert (refused.value.slug, refused.value.status) == ("form-malformed", 400)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        *((kind, 415) for kind in ("", "text/csv", "x" * 999)),
        *((f"multipart/form-data{rest}", 400) for rest in ("", "; boundary=\u00a0", "; boundary=", "; boundary=other")),
    ],
)
async def test_another_kind_of_body_is_refused(kind: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        await read(field("a", b"1") + LINE + b"--\r\n", kind)
    assert refused.value.status == status
