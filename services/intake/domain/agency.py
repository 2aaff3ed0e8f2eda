"""An agency, its credentials' scopes, and the rules by which the region takes one on. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.intake.domain.contact import BadAddress, phone_number
from services.intake.domain.listing import Listing
from services.intake.domain.structure import Program
from shared.errors import Problem, Refused
from shared.types import AgencyId

Kind = Literal["police", "sheriff", "fire", "dispatch", "corrections", "region"]
KINDS: tuple[Kind, ...] = get_args(Kind)[:-1]
"""What an agency may be; `region` is the reserved one of the regional duty coordinators."""

Scope = Literal[
    "agency:read",
    "directory:read",
    "directory:write",
    "structure:read",
    "structure:write",
    "policy:read",
    "policy:write",
    "resources:read",
    "resources:write",
    "conflicts:write",
    "keys:write",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""What a key of an agency may be allowed. No scope ever reads who asked or what was asked."""

_SLUG = re.compile(r"^[a-z][a-z0-9-]{1,40}$")
_JURISDICTION = re.compile(r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")
# RFC 5646 without extensions and private use: language, script, region, variants.
_LANGUAGE = re.compile(r"^[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?(-([a-z0-9]{5,8}|\d[a-z0-9]{3}))*$")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"^({_LABEL}\.)+{_LABEL}$")
_MAX_NAME = 200
_MAX_LINES = 20
_SCRIPT_LETTERS = 4


@dataclass(frozen=True)
class Line:
    """A crisis or help line of the agency's own. `hours` is as people read it, "" for always."""

    name: str
    phone: str
    hours: str = ""


@dataclass(frozen=True)
class Agency:
    """An agency as it stands. `policy` holds its overrides of the region's defaults, validated when they were set.

    The revisions (of what was never set: 0) only grow.
    `programs` are its structures in the order of their beginnings, `crisis` the crisis resources of agency and region.
    The region has neither slug nor mail domain.
    """

    agency_id: AgencyId
    revision: int
    active: bool
    name: str
    slug: str | None
    kind: str
    jurisdiction: str
    languages: tuple[str, ...]
    time_zone: str
    mail_domain: str | None
    lines: tuple[Line, ...] = ()
    policy: Mapping[str, object] = field(default_factory=dict)
    policy_revision: int = 1
    directory_revision: int = 0
    programs: tuple[Program, ...] = ()
    resources_revision: int = 0
    conflicts_revision: int = 0
    pool_revision: int = 0
    crisis: tuple[Listing, ...] = ()

    @property
    def structure_revision(self) -> int:
        """Of what is in force and planned; it only grows."""
        return max((one.revision for one in self.programs), default=0)


@dataclass(frozen=True)
class Credential:
    """A key of an agency, without the key: what it may do, and since and until when."""

    credential_id: UUID
    agency_id: AgencyId
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None = None


def known_zone(name: str) -> bool:
    """Whether `name` is an IANA time zone of the database in use, such as `America/Chicago`."""
    if "/" not in name and name != "UTC":
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def day_of(now: datetime, zone: str) -> date:
    """The day that it is at `now` in this zone; a zone that is not known counts as UTC."""
    return now.astimezone(ZoneInfo(zone) if known_zone(zone) else UTC).date()


def month_of(now: datetime, zone: str) -> date:
    """The first day of the month, as `day_of`."""
    return day_of(now, zone).replace(day=1)


def language_tag(text: str) -> str | None:
    """A BCP 47 tag in its usual case (`es`, `en-US`, `zh-Hant`), or None when it is none. Source: RFC 5646."""
    plain = text.strip().replace("_", "-").lower()
    if not _LANGUAGE.fullmatch(plain):
        return None
    first, *rest = plain.split("-")
    return "-".join([first, *(_subtag(part) for part in rest)])


def _subtag(part: str) -> str:
    if len(part) == _SCRIPT_LETTERS and part.isalpha():
        return part.title()
    return part.upper() if len(part) == 2 else part  # noqa: PLR2004 - a region


def domain_name(text: str) -> str | None:
    """A mail domain, lower-cased and in ASCII, or None when it is none."""
    plain = text.strip().rstrip(".").lower()
    return plain if _DOMAIN.fullmatch(plain) and len(plain) <= 253 else None  # noqa: PLR2004 - RFC 1035


def checked(agency: Agency) -> Agency:
    """The agency with languages and domain as they are kept. Raises `Refused` 422 with every problem."""
    languages = [language_tag(one) for one in agency.languages]
    domain = domain_name(agency.mail_domain) if agency.mail_domain is not None else None
    placed = _JURISDICTION.fullmatch(agency.jurisdiction) is not None
    lines = _lines(agency)
    checks = {
        "/name": 0 < len(agency.name.strip()) <= _MAX_NAME and agency.name.isprintable(),
        "/slug": agency.slug is not None and _SLUG.fullmatch(agency.slug) is not None,
        "/kind": agency.kind in KINDS,
        "/jurisdiction": placed,
        "/languages": bool(languages) and None not in languages,
        "/time_zone": known_zone(agency.time_zone),
        "/mail_domain": agency.mail_domain is None or domain is not None,
        # Numbers are read as dialled in the jurisdiction: without one there is nothing to say of them.
        "/lines": lines is not None or not placed,
    }
    problems = tuple(Problem(pointer, "invalid") for pointer, fine in checks.items() if not fine)
    if problems:
        raise Refused("agency-invalid", 422, problems)
    return replace(
        agency,
        name=" ".join(agency.name.split()),
        languages=tuple(dict.fromkeys(tag for tag in languages if tag)),
        mail_domain=domain,
        lines=lines or (),
    )


def _lines(agency: Agency) -> tuple[Line, ...] | None:
    """The lines with their numbers as they are kept, or None when one has no name or cannot be dialled."""
    if len(agency.lines) > _MAX_LINES or not all(line.name.strip() for line in agency.lines):
        return None
    try:
        return tuple(replace(line, phone=phone_number(line.phone, agency.jurisdiction)) for line in agency.lines)
    except BadAddress:
        return None
