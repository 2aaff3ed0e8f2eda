"""`peerline agency`: agencies of the region."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from deploy.cli.operator import EXIT_CODES, USAGE, AsJson, Region, run, show, show_table, stop, stop_refused
from services.intake.actions import agencies, structures
from services.intake.domain.agency import Agency, Line
from services.intake.domain.structure import Wanted, program_at
from services.intake.routes.structure import structure_document
from shared import clock
from shared.types import AgencyId, Structure

app = typer.Typer(no_args_is_help=True, help=f"Agencies of the region. {EXIT_CODES}")

Name = Annotated[str, typer.Option(help="As people know it.")]
Slug = Annotated[str, typer.Option(help="Short public name: small letters, digits, hyphens; it stands in links.")]
KindName = Annotated[str, typer.Option(help="police, sheriff, fire, dispatch or corrections.")]
Jurisdiction = Annotated[str, typer.Option(help="ISO 3166-2, such as US-CA.")]
Language = Annotated[list[str], typer.Option(help="BCP 47, such as en or es; repeat it, the first is the default.")]
Zone = Annotated[str, typer.Option(help="IANA time zone, such as America/Denver.")]
StructureName = Annotated[Structure, typer.Option(help="The program's structure.")]
ContractFrom = Annotated[str | None, typer.Option(help="First day of the contract with the clinician, YYYY-MM-DD.")]
ContractTo = Annotated[str | None, typer.Option(help="Its last day; without one it goes on.")]
OnCall = Annotated[
    bool | None, typer.Option(help="A clinician is paged in an emergency; a supervisor is unless told otherwise.")
]
DirectRetiree = Annotated[bool, typer.Option(help="Retirees may ask for the clinician without a peer, too.")]
MailDomain = Annotated[str | None, typer.Option(help="The agency's own mail domain; addresses in it are warned about.")]
Lines = Annotated[list[str] | None, typer.Option("--line", help='A help line of its own, "Name=number"; repeat it.')]


@app.command()
def add(
    *,
    name: Name,
    slug: Slug,
    kind: KindName,
    jurisdiction: Jurisdiction,
    language: Language,
    time_zone: Zone,
    structure: StructureName = Structure.TEAM_COORDINATOR,
    contract_from: ContractFrom = None,
    contract_to: ContractTo = None,
    on_call: OnCall = None,
    direct_retiree: DirectRetiree = False,
    mail_domain: MailDomain = None,
    line: Lines = None,
    as_json: AsJson = False,
) -> None:
    """Take on an agency and print its first key, once: it is kept nowhere."""
    wanted = Agency(
        agency_id=AgencyId(clock.random_id()),
        revision=1,
        active=True,
        name=name,
        slug=slug,
        kind=kind,
        jurisdiction=jurisdiction,
        languages=tuple(language),
        time_zone=time_zone,
        mail_domain=mail_domain,
        lines=tuple(_line(one, as_json=as_json) for one in line or ()),
    )

    contract = (contract_from, contract_to)
    program = _wanted(structure, contract, None, as_json=as_json, on_call=on_call, direct_retiree=direct_retiree)

    async def work(region: Region) -> tuple[Agency, str]:
        return await agencies.add_agency(region.db, region.keyring, wanted, structure=program)

    agency, key = run(work, as_json=as_json)
    told = f"{agency.name} is taken on as {agency.slug}. Its first key, shown this once:\n{key}"
    show({"agency": str(agency.agency_id), "slug": agency.slug, "key": key}, as_json=as_json, told=told)


def _line(text: str, *, as_json: bool) -> Line:
    name, sign, phone = text.rpartition("=")
    if not sign or not name.strip():
        stop(USAGE, "line", 'A line is "Name=number", such as "CopLine=18002676246".', as_json=as_json)
    return Line(name.strip(), phone.strip())


def _wanted(
    structure: Structure,
    contract: tuple[str | None, str | None],
    since: str | None,
    *,
    as_json: bool,
    **allowed: bool | None,
) -> Wanted:
    """What is asked for, of what was typed; problems as the HTTP door names them."""
    first, last = contract
    given: dict[str, Any] = {"structure": structure, "effective_from": since, **allowed}
    if first or last:
        given["contract"] = {"from": first, "to": last}
    try:
        wanted = Wanted.model_validate(given)
    except ValidationError as error:
        wrong = [one["loc"] for one in error.errors(include_input=False, include_url=False)]
        problems = [("/" + "/".join(map(str, place)), "invalid") for place in wrong]
        stop_refused("structure-invalid", problems, as_json=as_json)
    return wanted


@app.command()
def structure(
    slug: Annotated[str, typer.Argument(help="The agency's short name.")],
    *,
    wanted: Annotated[Structure | None, typer.Option("--set", help="The structure that shall hold.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="From when, RFC 3339; without it from now on.")] = None,
    contract_from: ContractFrom = None,
    contract_to: ContractTo = None,
    on_call: OnCall = None,
    direct_retiree: DirectRetiree = False,
    as_json: AsJson = False,
) -> None:
    """Show an agency's structure, what it allows now and what is planned; with --set, plan it first."""
    contract, program = (contract_from, contract_to), None
    if wanted is not None:
        program = _wanted(wanted, contract, since, as_json=as_json, on_call=on_call, direct_retiree=direct_retiree)
    elif since or any(contract) or on_call is not None or direct_retiree:
        stop(USAGE, "set", "Say with --set which structure that is for.", as_json=as_json)

    async def work(region: Region) -> tuple[Agency, datetime]:
        agency_id = await agencies.agency_id_of(region.db, region.keyring, slug)
        if program is None:
            return await agencies.present(region.db, agency_id)
        return await structures.put_structure(region.db, agency_id, program, actor=None, matches=_whatever_stands)

    found = structure_document(*run(work, as_json=as_json))
    show({"slug": slug} | found, as_json=as_json, told=_told(slug, found))


def _whatever_stands(_: int) -> None:
    """The operator has no tag: the command is one act, by hand."""


def _told(slug: str, found: dict[str, Any]) -> str:
    can = [name for name, allowed in found["capabilities"].items() if allowed]
    planned = [f"{_line_of(one)}, from {one['effective_from']}" for one in found["planned"]]
    lines = [f"{slug}: {_line_of(found)}.", f"  Now possible: {', '.join(can) or 'nothing with a clinician'}."]
    return "\n".join(lines + [f"  Planned: {one}." for one in planned])


def _line_of(one: dict[str, Any]) -> str:
    contract = one["contract"]
    return f"{one['structure']}" + (f", contract {contract['from']} to {contract['to'] or '…'}" if contract else "")


@app.command("list")
def listed(*, as_json: AsJson = False) -> None:
    """List every agency of the region."""

    async def work(region: Region) -> list[Agency]:
        return await agencies.list_agencies(region.db)

    now = clock.now()
    rows = [_row(one, now) for one in run(work, as_json=as_json) if one.slug]
    show_table("agencies", rows, as_json=as_json)


def _row(agency: Agency, now: datetime) -> dict[str, object]:
    return {
        "slug": agency.slug,
        "name": agency.name,
        "kind": agency.kind,
        "jurisdiction": agency.jurisdiction,
        "structure": program_at(agency.programs, now).structure.value,
        "languages": list(agency.languages),
        "time_zone": agency.time_zone,
        "directory": agency.directory_revision,
        "active": agency.active,
    }


@app.command("key")
def key(*, slug: Slug, as_json: AsJson = False) -> None:
    """Make a further key with every scope, for an agency that has lost its own; print it once."""

    async def work(region: Region) -> str:
        return await agencies.further_key(region.db, region.keyring, slug)

    made = run(work, as_json=as_json)
    show({"slug": slug, "key": made}, as_json=as_json, told=f"A further key of {slug}, shown this once:\n{made}")
