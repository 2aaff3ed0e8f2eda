"""A resource of the region or of an agency: what it is, for whom, and since when nobody has checked it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, get_args

from shared.types import REGION, AgencyId

Kind = Literal["counselling", "group", "medical", "eap", "chaplain", "crisis", "practical"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a resource is; answers are in this order, the crisis lines first."""

STALE_AFTER = timedelta(days=180)
"""So long after somebody has last checked it a resource is marked as stale."""
_ORDER = {kind: place for place, kind in enumerate(("crisis", *(kind for kind in KINDS if kind != "crisis")))}


@dataclass(frozen=True)
class Listing:
    """A resource as it is kept. `relations` are those it is for, () for everybody; `phone` is E.164 or a short code.

    `cost` and `hours` are as people read them. It has a phone or a url; one of kind crisis has a phone.
    """

    agency_id: AgencyId
    kind: str
    name: str
    verified_on: date
    area: str = ""
    relations: tuple[str, ...] = ()
    cost: str = ""
    hours: str = ""
    phone: str = ""
    url: str = ""
    languages: tuple[str, ...] = ()

    def stale(self, today: date) -> bool:
        """Whether nobody has checked it for so long that it may be wrong."""
        return today - self.verified_on > STALE_AFTER

    def document(self) -> dict[str, Any]:
        """As an agency writes and reads it."""
        return {
            "kind": self.kind,
            "name": self.name,
            "area": self.area,
            "eligibility": list(self.relations),
            "cost": self.cost,
            "hours": self.hours,
            "phone": self.phone,
            "url": self.url,
            "languages": list(self.languages),
            "verified_on": self.verified_on.isoformat(),
        }


def sorted_listings(listings: Iterable[Listing]) -> list[Listing]:
    """In the order in which they are shown: by kind, an agency's own before the region's, then by name."""
    return sorted(listings, key=lambda one: (_ORDER[one.kind], one.agency_id == REGION, one.name))


def fitting(listings: Sequence[Listing], kinds: Collection[str] = (), relation: str | None = None) -> list[Listing]:
    """Those of these kinds (() for all) that are for somebody of this relation (None for anybody)."""
    return [
        one
        for one in listings
        if (not kinds or one.kind in kinds) and (relation is None or not one.relations or relation in one.relations)
    ]
