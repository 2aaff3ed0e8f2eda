"""What every door of a requester stands on: the crisis lines from memory, the texts, how often one may come."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from starlette.requests import Request

from services.intake.domain.agency import Agency
from services.intake.domain.notices import Notices, notice_from
from services.intake.domain.policy import capabilities_at
from services.intake.domain.resources import GENERAL, Resource, resources_with
from services.intake.routes.speech import Speech, local_time
from services.intake.store.agencies import agency_of_slug, load_agency
from shared import clock
from shared.db import Database
from shared.errors import Refused
from shared.events.policy import Capabilities
from shared.http.limits import Throttle
from shared.types import REGION, AgencyId
from shared.vault import Keyring

PAGES = Path(__file__).resolve().parent.parent / "pages"
MACHINES = ("/v1/agency", "/health/", "/openapi.json", "/docs")
"""Who asks here is no requester: no crisis lines in the errors."""
_SLUG_IN = re.compile(r"/(?:v1/agencies|a)/([^/]+)")


def read_notices(folder: Path) -> Notices:
    """The notices of a folder of TOML files. Raises `BadNotice`, or ValueError for a file that is no TOML."""
    return Notices(notice_from(tomllib.loads(path.read_text("utf-8"))) for path in sorted(folder.glob("*.toml")))


class Lines:
    """The crisis lines of every agency that was asked for since the start, so that no answer waits for them."""

    def __init__(self) -> None:
        """Only the lines for everybody at first."""
        self._by_slug: dict[str, list[Resource]] = {}
        self._slugs: dict[AgencyId, str] = {}
        self._everybody = list(GENERAL)

    def learn(self, agency: Agency) -> list[Resource]:
        """Keep an agency's lines as they are now; returns them after those for everybody, the region's own too."""
        today = clock.now().date()
        lines = resources_with(agency.lines, agency.crisis, today=today)
        regional = [one for one in agency.crisis if one.agency_id == REGION]
        self._everybody = resources_with((), regional, today=today)
        if agency.slug is not None:
            self._by_slug[agency.slug] = lines
            self._slugs[agency.agency_id] = agency.slug
        return lines

    def slug_of(self, agency_id: AgencyId) -> str | None:
        """The short name of an agency whose lines are known."""
        return self._slugs.get(agency_id)

    def of(self, slug: str | None) -> list[Resource]:
        """The lines for who asks an agency; those for everybody where it is unknown or not heard of yet."""
        return self._by_slug.get(slug or "", self._everybody)


@dataclass(frozen=True)
class Throttles:
    """Buckets per source and per agency; an emergency never finds its own used up by ordinary requests."""

    source: Throttle
    agency: Throttle
    emergency_source: Throttle
    emergency_agency: Throttle
    wrong_codes: Throttle


def throttle(per_minute: int) -> Throttle:
    """A bucket that lets so many in at once, and again in every minute."""
    return Throttle(per_minute, per_minute)


@dataclass(frozen=True)
class Manners:
    """How the pages present themselves: nothing on them says what they are for before they are read."""

    title: str
    exit_url: str
    contact_line: str
    https: bool


@dataclass(frozen=True)
class Desk:
    """Everything that the requester's doors share."""

    db: Database
    crisis: Database
    keyring: Keyring
    manners: Manners
    notices: Notices
    speech: Speech
    throttles: Throttles
    lines: Lines = field(default_factory=Lines)
    _slugs: dict[str, AgencyId] = field(default_factory=dict)

    def resources(self, request: Request) -> list[dict[str, object]]:
        """The lines for whoever reads the answer to this request, from memory; none for machines."""
        if request.url.path.startswith(MACHINES) and not request.url.path.startswith("/v1/agencies/"):
            return []
        slug = request.path_params.get("slug") or getattr(request.state, "slug", None)
        if slug is None and (found := _SLUG_IN.match(request.url.path)):
            # What is refused before routing has no parameters yet.
            slug = found[1]
        return [dict(one) for one in self.lines.of(slug)]

    async def agency_id(self, slug: str) -> AgencyId:
        """Whose short name this is. Raises `Refused` 404."""
        known = self._slugs.get(slug)
        if known is not None:
            return known
        async with self.crisis.door() as connection:
            found = await agency_of_slug(connection, self.keyring.derived("doors"), slug)
        if found is None:
            raise Refused("not-found", 404)
        # A short name never changes its owner; only a name that exists is remembered.
        self._slugs[slug] = found
        return found

    async def agency(self, slug: str) -> Agency:
        """The active agency of this short name; its lines are learnt. Raises `Refused` 404."""
        agency_id = await self.agency_id(slug)
        async with self.db.transaction([agency_id]) as tx:
            return self.known(await load_agency(tx, agency_id))

    def known(self, agency: Agency | None) -> Agency:
        """An agency that takes requests; its lines are learnt. Raises `Refused` 404 for any other."""
        if agency is None or not agency.active or agency.slug is None:
            raise Refused("not-found", 404)
        self.lines.learn(agency)
        return agency

    def admit(self, source: str, slug: str, *, emergency: bool) -> None:
        """Count a request. Raises `Refused` 429."""
        now = clock.monotonic()
        by_source = self.throttles.emergency_source if emergency else self.throttles.source
        by_agency = self.throttles.emergency_agency if emergency else self.throttles.agency
        by_source.require(source, now)
        by_agency.require(slug, now)

    def wrong_code(self, source: str) -> NoReturn:
        """Count a code that led nowhere. Raises `Refused`: 404, or 429 when there were many."""
        self.throttles.wrong_codes.require(source, clock.monotonic())
        raise Refused("not-found", 404)

    def says(self, names: Sequence[str], *, by: datetime | None, agency: Agency, language: str) -> list[str]:
        """The sentences of these names, times in the agency's zone."""
        words = self.speech.of(language)
        when = local_time(by, agency, words) if by is not None else ""
        return [words["says"][name].format(by=when) for name in names]

    async def program(self, slug: str) -> tuple[Agency, Capabilities]:
        """As `agency`, with what its program allows now. Raises `Refused` 404."""
        agency_id = await self.agency_id(slug)
        async with self.db.transaction([agency_id]) as tx:
            agency, now = self.known(await load_agency(tx, agency_id)), await tx.now()
        return agency, capabilities_at(agency, now)

    def for_emergency(self) -> Desk:
        """The same, on connections that ordinary requests never take."""
        return replace(self, db=self.crisis)


def source_of(request: Request) -> str:
    """Where a request comes from, for counting only; it is kept nowhere else."""
    return request.client.host if request.client else "?"
