"""A form with a file in it, as a browser sends one without a script. Source: RFC 7578."""

from __future__ import annotations

import re
from http import HTTPStatus

from starlette.requests import Request

from shared.errors import Refused

MAX_PARTS = 50
_BOUNDARY = re.compile(r"multipart/form-data\s*;\s*boundary=\"?([0-9A-Za-z'()+_,./:=?-]{1,70})\"?\s*", re.IGNORECASE)
_NAME = re.compile(rb"[;\s]name=\"([^\"]*)\"")
_FILE = re.compile(rb"[;\s]filename=\"")


async def read_upload(request: Request) -> tuple[dict[str, list[str]], bytes]:
    """The fields of a form, each with its values in order, and the bytes of its file; what that is called is not read.

    How much may come in is for the path's limit to say. Raises `Refused`: 415 `form-expected`, 400 `form-malformed`.
    """
    kind = _BOUNDARY.fullmatch(request.headers.get("content-type", ""))
    if kind is None:
        raise Refused("form-expected", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    fields: dict[str, list[str]] = {}
    file = b""
    for head, content in _parts(await request.body(), kind[1].encode("ascii")):
        name = _NAME.search(head)
        if name is None:
            raise Refused("form-malformed", HTTPStatus.BAD_REQUEST)
        if _FILE.search(head):
            file = content
        else:
            fields.setdefault(_text(name[1]), []).append(_text(content))
    return fields, file


def _parts(body: bytes, boundary: bytes) -> list[tuple[bytes, bytes]]:
    """Head and content of each part."""
    found = (b"\r\n" + body).split(b"\r\n--" + boundary, MAX_PARTS + 2)
    parts = [part.removeprefix(b"\r\n").partition(b"\r\n\r\n") for part in found[1:-1]]
    whole = len(found) in range(2, MAX_PARTS + 3) and found[0] == b"" and found[-1].startswith(b"--")
    if not whole or not all(blank for _, blank, _ in parts):
        raise Refused("form-malformed", HTTPStatus.BAD_REQUEST)
    return [(head, content) for head, _, content in parts]


def _text(content: bytes) -> str:
    """As a field of any form: UTF-8, and nothing that no text column can hold."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Refused("form-malformed", HTTPStatus.BAD_REQUEST) from None
    if "\0" in text:
        raise Refused("form-malformed", HTTPStatus.BAD_REQUEST)
    return text
