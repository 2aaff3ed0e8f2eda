"""A form with a file in it, as a browser sends one without a script: RFC 7578, read by the standard library's parser.

In memory alone: what is uploaded names people, and stands in no temporary file.
"""

from __future__ import annotations

import asyncio
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from http import HTTPStatus

from starlette.requests import Request

from shared.errors import Refused

MAX_PARTS = 50


async def read_upload(request: Request) -> tuple[dict[str, list[str]], bytes]:
    """The fields of a form, each with its values in order, and the bytes of its file; what that is called is not read.

    How much may come in is for the path's limit to say. Raises `Refused`: 415 `form-expected`, 400 `form-malformed`.
    """
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        raise Refused("form-expected", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    # A large one takes a while: another thread lets a crisis pass meanwhile.
    return await asyncio.to_thread(_read, kind, await request.body())


def _read(kind: str, body: bytes) -> tuple[dict[str, list[str]], bytes]:
    head = f"content-type: {kind}\r\n\r\n".encode("latin-1")
    form = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + body)
    parts = [part for part in form.iter_parts() if isinstance(part, EmailMessage)]
    if not parts or form.defects or len(parts) > MAX_PARTS:
        raise _malformed()
    fields: dict[str, list[str]] = {}
    file = b""
    for part in parts:
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            raise _malformed()
        if part.get_filename() is not None:
            file = content
        else:
            fields.setdefault(name, []).append(_text(content))
    return fields, file


def _text(content: bytes) -> str:
    """As a field of any form: UTF-8, and nothing that no text column can hold."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise _malformed() from None
    if "\0" in text:
        raise _malformed()
    return text


def _malformed() -> Refused:
    return Refused("form-malformed", HTTPStatus.BAD_REQUEST)
