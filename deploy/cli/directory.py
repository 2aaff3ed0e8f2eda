"""`peerline directory`: check or load an agency's directory through its HTTP door, with the agency's key."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.operator import EXIT_CODES, REFUSED, UNREACHABLE, USAGE, AsJson, show, stop

app = typer.Typer(no_args_is_help=True, help=f"An agency's directory, by HTTP with its key. {EXIT_CODES}")

WITHIN_S = 120
UNAVAILABLE_FROM = 500
SHOWN = 20

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A .csv or .json file.")]
Url = Annotated[str, typer.Option(envvar="PEERLINE_INTAKE_URL", help="Where intake listens.")]


@dataclass(frozen=True)
class _Answer:
    status: int
    document: dict[str, Any]
    tag: str | None


@app.command()
def check(file: File, *, url: Url = "http://127.0.0.1:18080", as_json: AsJson = False) -> None:
    """Say what a file would change, and every problem in it; nothing is kept. The key is read from PEERLINE_KEY."""
    _tell(_put(file, url, {}, dry=True, as_json=as_json), as_json=as_json)


@app.command()
def load(file: File, *, url: Url = "http://127.0.0.1:18080", as_json: AsJson = False) -> None:
    """Replace the whole directory by a file: whoever it does not name becomes inactive. All of it, or nothing.

    The key is read from PEERLINE_KEY.
    """
    known = _put(file, url, {}, dry=True, as_json=as_json)
    if known.status < UNAVAILABLE_FROM and known.document.get("check"):
        condition = {"If-Match": known.tag} if known.tag else {"If-None-Match": "*"}
        known = _put(file, url, condition, dry=False, as_json=as_json)
    _tell(known, as_json=as_json)


@app.command()
def verify(
    *,
    person: Annotated[str, typer.Option(help="The reference of one person; else everybody unverified.")] = "",
    url: Url = "http://127.0.0.1:18080",
    as_json: AsJson = False,
) -> None:
    """Mail a new link to contact points that nobody has verified. The key is read from PEERLINE_KEY.

    Once an hour and five times a week per person; the same again changes nothing.
    """
    body = json.dumps({"person_ref": person} if person else {}).encode()
    headers = {"Content-Type": "application/json"}
    answer = _sent(
        url, "/v1/agency/directory/verifications", as_json=as_json, method="POST", data=body, headers=headers
    )
    document = answer.document
    if answer.status >= UNAVAILABLE_FROM:
        stop(UNREACHABLE, "unreachable", f"intake answered {answer.status}: try again later.", as_json=as_json)
    if "asked" not in document:
        _refused(answer, as_json=as_json)
    told = "{asked} asked again, {verified} verified already, {too_soon} asked too short a time ago."
    show(document, as_json=as_json, told=told.format(**document))


def _put(file: Path, url: str, headers: Mapping[str, str], *, dry: bool, as_json: bool) -> _Answer:
    kind = "application/json" if file.suffix.lower() == ".json" else "text/csv"
    path = f"/v1/agency/directory{'?check=true' if dry else ''}"
    sent = {"Content-Type": kind, **headers}
    return _sent(url, path, as_json=as_json, method="PUT", data=file.read_bytes(), headers=sent)


def _sent(url: str, path: str, *, as_json: bool, method: str, data: bytes, headers: Mapping[str, str]) -> _Answer:
    key = os.environ.get("PEERLINE_KEY", "")
    if not key or not url.startswith(("http://", "https://")):
        told = "Set PEERLINE_KEY to the agency's key, and --url to an http or https address."
        stop(USAGE, "settings", told, as_json=as_json)
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked above
        url.rstrip("/") + path, data=data, method=method, headers={"Authorization": f"Bearer {key}", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:  # noqa: S310 - as above
            return _Answer(answer.status, _document(answer.read()), answer.headers.get("ETag"))
    except urllib.error.HTTPError as error:
        with error:
            return _Answer(error.code, _document(error.read()), None)
    except (OSError, ValueError, http.client.HTTPException) as error:
        told = f"{url} does not answer ({type(error).__name__}): is intake up?"
        stop(UNREACHABLE, "unreachable", told, as_json=as_json)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _tell(answer: _Answer, *, as_json: bool) -> None:
    document = answer.document
    if answer.status >= UNAVAILABLE_FROM:
        stop(UNREACHABLE, "unreachable", f"intake answered {answer.status}: try again later.", as_json=as_json)
    if "errors" in document or "added" not in document:
        _refused(answer, as_json=as_json)
    would = "would be " if document.get("check") else ""
    counts = ", ".join(f"{document[name]} {would}{name}" for name in ("added", "changed", "removed", "unchanged"))
    lines = [f"{document['people']} people: {counts}.", *_remarks("warning", document.get("warnings", []))]
    show(document, as_json=as_json, told="\n".join(lines))


def _refused(answer: _Answer, *, as_json: bool) -> None:
    document = answer.document
    slug = str(document.get("type", "")).rpartition("/")[2] or f"status-{answer.status}"
    if as_json:
        typer.echo(json.dumps({"refused": slug} | {name: document[name] for name in document if name != "type"}))
    else:
        remarks = document.get("rows") or document.get("errors") or []
        typer.echo("\n".join([f"Refused: {slug}. Nothing was kept.", *_remarks("problem", remarks)]), err=True)
    raise typer.Exit(REFUSED)


def _remarks(what: str, remarks: list[dict[str, Any]]) -> list[str]:
    told = [f"  {what}: {_place(one)}: {one.get('code', '')}" for one in remarks[:SHOWN]]
    return told + ([f"  and {len(remarks) - SHOWN} more"] if len(remarks) > SHOWN else [])


def _place(remark: Mapping[str, Any]) -> str:
    if "row" in remark:
        return f"row {remark['row']}, {remark.get('field') or 'the whole row'}"
    return str(remark.get("pointer") or "/")
