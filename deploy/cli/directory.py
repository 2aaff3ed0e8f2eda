"""`peerline directory`: check or load an agency's directory through its HTTP door, with the agency's key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.cli.door import INTAKE, Answer, Url, sent
from deploy.cli.operator import EXIT_CODES, REFUSED, AsJson, show

app = typer.Typer(no_args_is_help=True, help=f"An agency's directory, by HTTP with its key. {EXIT_CODES}")

SHOWN = 20

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A .csv or .json file.")]


@app.command()
def check(file: File, *, url: Url = INTAKE, as_json: AsJson = False) -> None:
    """Say what a file would change, and every problem in it; nothing is kept. The key is read from PEERLINE_KEY."""
    _tell(_put(file, url, {}, dry=True, as_json=as_json), as_json=as_json)


@app.command()
def load(file: File, *, url: Url = INTAKE, as_json: AsJson = False) -> None:
    """Replace the whole directory by a file: whoever it does not name becomes inactive. All of it, or nothing.

    The key is read from PEERLINE_KEY.
    """
    with _under_way("Checking every row", as_json=as_json):
        known = _put(file, url, {}, dry=True, as_json=as_json)
    if known.document.get("check"):
        condition = {"If-Match": known.tag} if known.tag else {"If-None-Match": "*"}
        counts = known.document
        moved = f"{counts['added']} to add, {counts['changed']} to change, {counts['removed']} to remove"
        with _under_way(f"{counts['people']} people: {moved}. Sealing and writing", as_json=as_json):
            known = _put(file, url, condition, dry=False, as_json=as_json)
    _tell(known, as_json=as_json)


@app.command()
def verify(
    *,
    person: Annotated[str, typer.Option(help="The reference of one person; else everybody unverified.")] = "",
    url: Url = INTAKE,
    as_json: AsJson = False,
) -> None:
    """Mail a new link to contact points that nobody has verified. The key is read from PEERLINE_KEY.

    Once an hour and five times a week per person; the same again changes nothing.
    """
    body = json.dumps({"person_ref": person} if person else {}).encode()
    headers = {"Content-Type": "application/json"}
    answer = sent(url, "/v1/agency/directory/verifications", as_json=as_json, method="POST", data=body, headers=headers)
    document = answer.document
    if "asked" not in document:
        _refused(answer, as_json=as_json)
    told = "{asked} asked again, {verified} verified already, {too_soon} asked too short a time ago."
    show(document, as_json=as_json, told=told.format(**document))


@contextmanager
def _under_way(what: str, *, as_json: bool) -> Iterator[None]:
    """Say what is being done and for how long, on standard error; of a whole directory it takes up to a minute."""
    if as_json:
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, soft_wrap=True)) as progress:
        progress.add_task(what, total=None)
        yield


def _put(file: Path, url: str, headers: Mapping[str, str], *, dry: bool, as_json: bool) -> Answer:
    kind = "application/json" if file.suffix.lower() == ".json" else "text/csv"
    path = f"/v1/agency/directory{'?check=true' if dry else ''}"
    typed = {"Content-Type": kind, **headers}
    return sent(url, path, as_json=as_json, method="PUT", data=file.read_bytes(), headers=typed)


def _tell(answer: Answer, *, as_json: bool) -> None:
    document = answer.document
    if "errors" in document or "added" not in document:
        _refused(answer, as_json=as_json)
    would = "would be " if document.get("check") else ""
    counts = ", ".join(f"{document[name]} {would}{name}" for name in ("added", "changed", "removed", "unchanged"))
    lines = [f"{document['people']} people: {counts}.", *_remarks("warning", document.get("warnings", []))]
    show(document, as_json=as_json, told="\n".join(lines))


def _refused(answer: Answer, *, as_json: bool) -> None:
    document = answer.document
    if as_json:
        typer.echo(json.dumps({"refused": answer.slug} | {name: document[name] for name in document if name != "type"}))
    else:
        remarks = document.get("rows") or document.get("errors") or []
        typer.echo("\n".join([f"Refused: {answer.slug}. Nothing was kept.", *_remarks("problem", remarks)]), err=True)
    raise typer.Exit(REFUSED)


def _remarks(what: str, remarks: list[dict[str, Any]]) -> list[str]:
    told = [f"  {what}: {_place(one)}: {one.get('code', '')}" for one in remarks[:SHOWN]]
    return told + ([f"  and {len(remarks) - SHOWN} more"] if len(remarks) > SHOWN else [])


def _place(remark: Mapping[str, Any]) -> str:
    if "row" in remark:
        return f"row {remark['row']}, {remark.get('field') or 'the whole row'}"
    return str(remark.get("pointer") or "/")
