"""`peerline drill`: a practice case over the real channels, and what its requester sees while it goes on."""

from __future__ import annotations

import json
import secrets
import time
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

import typer

from deploy.cli.door import INTAKE, Answer, Url, sent
from deploy.cli.operator import REFUSED, AsJson, stop

LOOK_EVERY_S = 2.0


class HowSoon(StrEnum):
    """How soon somebody shall be there; an emergency is not practised."""

    ROUTINE = "routine"
    SOON = "soon"
    URGENT = "urgent"


def register(app: typer.Typer) -> None:
    """Add `drill`."""
    app.command()(drill)


def drill(
    *,
    urgency: Annotated[HowSoon, typer.Option(help="How soon somebody shall be there.")] = HowSoon.SOON,
    minutes: Annotated[int, typer.Option(min=0, max=1440, help="How long to look on; the case goes on.")] = 60,
    url: Url = INTAKE,
    as_json: AsJson = False,
) -> None:
    """Begin a practice case of the agency whose key is in PEERLINE_KEY, and tell what its requester sees.

    Peers get real mails that say that it is practice. It ends when somebody closes it, or after 24 hours by itself, and
    enters no statistic. Exit codes: 0 somebody has been in touch or it is over, 1 nobody yet, 2 wrong usage, 3 refused,
    4 intake cannot be reached.
    """
    begun = _posted(url, urgency, as_json=as_json)
    code, page = str(begun["code"]), url.rstrip("/") + str(begun["page"])
    _say({"reference": begun["reference"], "page": page, "code": code}, as_json=as_json)
    until, last = time.monotonic() + minutes * 60, ""
    while True:
        answer = sent(url, "/v1/case", as_json=as_json, method="GET", bearer=code)
        state = _state(answer)
        if state != last:
            _say({"state": state, "says": answer.document.get("says", [])}, as_json=as_json)
            last = state
        if state in {"in_contact", "closing", "over"}:
            return
        if time.monotonic() >= until:
            raise typer.Exit(1)
        time.sleep(LOOK_EVERY_S)


def _posted(url: str, urgency: HowSoon, *, as_json: bool) -> dict[str, object]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_urlsafe(16)}
    body = json.dumps({"urgency": urgency.value}).encode()
    answer = sent(url, "/v1/agency/drills", as_json=as_json, method="POST", data=body, headers=headers)
    if answer.status != HTTPStatus.CREATED:
        stop(REFUSED, answer.slug, f"Refused: {answer.slug}. Nothing has begun.", as_json=as_json)
    return answer.document


def _state(answer: Answer) -> str:
    # Closed and purged: the code opens nothing any more.
    return str(answer.document.get("state", "over")) if answer.status == HTTPStatus.OK else "over"


def _say(document: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(document))
        return
    says = document.get("says")
    if isinstance(says, list):
        typer.echo(f"{document['state']}: {' '.join(str(one) for one in says)}".rstrip(": "))
    else:
        typer.echo(f"Practice case {document['reference']}. Its requester's page: {document['page']}")
        typer.echo(f"The code for that page: {document['code']}")
