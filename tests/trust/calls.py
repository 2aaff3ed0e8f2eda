"""One call at a door as it is, without cookies of its own or redirects, and what makes two answers the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from deploy.local.browser import FORM, Answer
from tests.harness.region import Region
from tests.harness.waiting import eventually
from tests.trust.town import as_json

VARIES = {"reference", "next_by", "id", "key", "created_at"}
"""Members of JSON answers that are new with every answer."""
MOMENTS = {"given", "expires", "withdrawn"}
"""Of a consent: when. By the same name other things are told, which have to be the same."""
_FRESH = re.compile(r'(name="(?:nonce|code|key)" value=")[^"]*(")')
_SPOKEN_CODE = re.compile(r"(?:[A-Za-z0-9_-]{4} ){5}[A-Za-z0-9_-]{2}")
LARGE = 128 * 1024
TOO_MANY = 429
COUNTED = "/o/"
"""The one page of notify that is counted when it is only opened: it has no PIN."""
HEADERS = ("content-type", "location", "cache-control", "www-authenticate", "allow", "etag")


@dataclass(frozen=True)
class Call:
    """A request; `put` are the ids and secrets in it that two calls differ by, which an answer may repeat in links."""

    service: str
    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    put: tuple[str, ...] = ()


def api(method: str, path: str, document: object = None, *, bearer: str = "", **headers: str) -> Call:
    """A call at intake's API. `headers` with underscores for hyphens."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if bearer:
        sent["Authorization"] = f"Bearer {bearer}"
    if document is None:
        return Call("intake", method, path, headers=sent, put=(bearer,))
    return Call("intake", method, path, as_json(document), {"Content-Type": "application/json"} | sent, (bearer,))


def page(service: str, path: str, fields: Mapping[str, str] | None = None, *, cookie: str = "") -> Call:
    """A form sent to a page, or the page itself without one; `cookie` is name and value."""
    sent = {"Cookie": cookie} if cookie else {}
    if fields is None:
        return Call(service, "GET", path, headers=sent)
    return Call(service, "POST", path, urlencode(fields).encode(), sent | {"Content-Type": FORM})


async def answered(region: Region, call: Call) -> Answer:
    """What is answered to a call. notify counts how often a source sends: whoever probes it waits for a turn."""
    if call.service != "notify" or (call.method != "POST" and not call.path.startswith(COUNTED)):
        return await answered_at_once(region, call)

    async def in_turn() -> Answer | None:
        answer = await answered_at_once(region, call)
        return answer if answer.status != TOO_MANY else None

    return await eventually(in_turn, 60, what="a turn", every=0.5)


async def answered_at_once(region: Region, call: Call) -> Answer:
    """The same, whoever's turn it is."""
    url = region.url(call.service) + call.path
    sent = {"Accept": "*/*"} | dict(call.headers)
    body = BytesIO(call.body) if call.body is not None else None
    # A server that refuses by the declared length does not read on: whoever sends much asks first (RFC 9110, 10.1.1).
    asks = len(call.body or b"") > LARGE
    async with region.http.request(
        call.method, url, data=body, headers=sent, allow_redirects=False, expect100=asks
    ) as said:
        headers = {name.lower(): value for name, value in said.headers.items()}
        return Answer(url, said.status, headers, await said.text())


def same(answer: Answer, call: Call) -> dict[str, Any]:
    """What has to be the same in two answers: all but what is new every time, and what the caller has put in."""
    text = answer.text
    for given in filter(None, (*call.put, call.path.split("/")[2] if call.service == "notify" else "")):
        text = text.replace(given, "GIVEN")
    headers = {name: answer.headers.get(name) for name in HEADERS}
    if "json" in answer.headers.get("content-type", ""):
        return {"status": answer.status, "headers": headers, "body": _steady(json.loads(text))}
    told = _SPOKEN_CODE.sub("CODE", _FRESH.sub(r"\1FRESH\2", text))
    return {"status": answer.status, "headers": headers, "body": told}


def _steady(document: object) -> object:
    if isinstance(document, dict):
        told = {name: value for name, value in document.items() if name not in VARIES}
        return {
            name: "SOMEWHEN" if name in MOMENTS and isinstance(value, str) else _steady(value)
            for name, value in told.items()
        }
    return [_steady(one) for one in document] if isinstance(document, list) else document
