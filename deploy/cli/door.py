"""Intake's HTTP doors as the command uses them, with a key of the agency."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

import typer

from deploy.cli.operator import UNREACHABLE, USAGE, stop

WITHIN_S = 120
UNAVAILABLE_FROM = 500
INTAKE = "http://127.0.0.1:18080"
Url = Annotated[str, typer.Option(envvar="PEERLINE_INTAKE_URL", help="Where intake listens.")]


@dataclass(frozen=True)
class Answer:
    """A status, the JSON document (empty where there is none), and the tag of what was read."""

    status: int
    document: dict[str, Any]
    tag: str | None

    @property
    def slug(self) -> str:
        """Of a refusal: its stable name."""
        return str(self.document.get("type", "")).rpartition("/")[2] or f"status-{self.status}"


def sent(
    url: str,
    path: str,
    *,
    as_json: bool,
    method: str,
    data: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
    bearer: str = "",
) -> Answer:
    """What intake answers to this agency's key, which is read from PEERLINE_KEY, or to another bearer.

    Stops the command where intake does not answer, or cannot now.
    """
    key = bearer or os.environ.get("PEERLINE_KEY", "")
    if not key or not url.startswith(("http://", "https://")):
        told = "Set PEERLINE_KEY to the agency's key, and --url to an http or https address."
        stop(USAGE, "settings", told, as_json=as_json)
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked above
        url.rstrip("/") + path, data=data, method=method, headers={"Authorization": f"Bearer {key}", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:  # noqa: S310 - as above
            return Answer(answer.status, _document(answer.read()), answer.headers.get("ETag"))
    except urllib.error.HTTPError as error:
        with error:
            if error.code >= UNAVAILABLE_FROM:
                stop(UNREACHABLE, "unreachable", f"intake answered {error.code}: try again later.", as_json=as_json)
            return Answer(error.code, _document(error.read()), None)
    except (OSError, ValueError, http.client.HTTPException) as error:
        told = f"{url} does not answer ({type(error).__name__}): is intake up?"
        stop(UNREACHABLE, "unreachable", told, as_json=as_json)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
