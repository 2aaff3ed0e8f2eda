"""From what an agency or the operator sends to resources: every problem by pointer, and never a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, TypeAdapter
from pydantic import ValidationError as Invalid
from pydantic_core import PydanticCustomError

from services.intake.domain.agency import language_tag
from services.intake.domain.contact import BadAddress, phone_number
from services.intake.domain.days import Day
from services.intake.domain.listing import Kind, Listing, sorted_listings
from shared.errors import Problem, Refused
from shared.types import AgencyId, Relation

MAX_LISTED = 500
MAX_NAMED = 200
_HTTP = TypeAdapter(HttpUrl)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("not_printable", "not printable")
    return text


def _web(text: str) -> str:
    if not text:
        return ""
    try:
        found = _HTTP.validate_python(text)
    except Invalid:
        raise PydanticCustomError("not_a_url", "no web address") from None
    if found.username or found.password:
        raise PydanticCustomError("not_a_url", "a login in a web address")
    return str(found)


def _tag(text: str) -> str:
    tag = language_tag(text)
    if tag is None:
        raise PydanticCustomError("not_a_language", "no language tag")
    return tag


Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_printable)]


class Wanted(BaseModel):
    """A resource as it is sent in."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    kind: Kind
    name: Annotated[Text, Field(min_length=1)]
    verified_on: Day
    """When somebody last checked that all of it is true."""
    area: Text = ""
    eligibility: list[Relation] = Field(default=[], max_length=len(Relation))
    """For whom it is; empty for everybody."""
    cost: Text = ""
    hours: Text = ""
    phone: Text = ""
    url: Annotated[Text, AfterValidator(_web)] = ""
    languages: list[Annotated[str, AfterValidator(_tag)]] = Field(default=[], max_length=20)


def listings_from(document: object, agency_id: AgencyId, *, jurisdiction: str, today: date) -> tuple[Listing, ...]:
    """The resources of `{"resources": [{...}, ...]}`. Raises `Refused` 422 `resources-invalid` with every problem."""
    given = document.get("resources") if isinstance(document, Mapping) else None
    if not isinstance(given, list) or not isinstance(document, Mapping) or set(document) != {"resources"}:
        raise Refused("resources-invalid", 422, (Problem("/resources", "missing" if given is None else "type"),))
    if len(given) > MAX_LISTED:
        raise Refused("resources-invalid", 422, (Problem("/resources", "too-many"),))
    problems: list[Problem] = []
    listings = []
    for at, one in enumerate(given):
        found = _read(one, agency_id, jurisdiction, today)
        if isinstance(found, Listing):
            listings.append(found)
        else:
            problems += [Problem(f"/resources/{at}{problem.pointer}", problem.code) for problem in found]
    if problems:
        raise Refused("resources-invalid", 422, tuple(problems[:MAX_NAMED]), extra={"problems": len(problems)})
    return tuple(sorted_listings(listings))


def _read(given: object, agency_id: AgencyId, jurisdiction: str, today: date) -> Listing | list[Problem]:
    try:
        wanted = Wanted.model_validate(given)
    except Invalid as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        return [_problem(one["loc"], one["type"]) for one in found]
    try:
        phone = phone_number(wanted.phone, jurisdiction) if wanted.phone else ""
    except BadAddress:
        return [Problem("/phone", "not-a-number")]
    checks = {
        ("/verified_on", "in-the-future"): wanted.verified_on > today,
        # Whoever reads it has to be able to do something; a crisis line has to answer.
        ("/phone", "missing"): not phone and (wanted.kind == "crisis" or not wanted.url),
    }
    problems = [Problem(*one) for one, wrong in checks.items() if wrong]
    return problems or _listing(wanted, agency_id, phone)


def _problem(place: tuple[int | str, ...], code: str) -> Problem:
    # The name of a field nobody knows is the caller's text too: only the place it stands in is told.
    known = place[:-1] if code == "extra_forbidden" else place
    return Problem("".join(f"/{part}" for part in known), code)


def _listing(wanted: Wanted, agency_id: AgencyId, phone: str) -> Listing:
    return Listing(
        agency_id=agency_id,
        kind=wanted.kind,
        name=wanted.name,
        verified_on=wanted.verified_on,
        area=wanted.area,
        relations=tuple(dict.fromkeys(one.value for one in wanted.eligibility)),
        cost=wanted.cost,
        hours=wanted.hours,
        phone=phone,
        url=wanted.url,
        languages=tuple(dict.fromkeys(wanted.languages)),
    )
