"""Peers whom agencies lend to each other: who is offered, who is taken, how they stand in the borrower's list. Pure.

Privilege attaches to whom the agency of the requester has designated (Minnesota 181.9731, Florida 111.09, Utah
78B-5-903): so a borrower designates each peer it takes, for a time. A statute may ask for nothing of the kind; of those
on file none does. Washington HB 2311 was read as covering officer and peer of different agencies, but only as it was
introduced, and what it amends speaks of designated peers: until counsel has read it, designation is wanted there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.intake.domain.days import Day
from services.intake.domain.directory import Entry, Lent, Person, lent_entry
from shared.types import OTHER_AGENCY, AgencyId, Help, PersonId, Role

REGIONAL = "regional"
"""The attribute by which a peer says that other agencies may ask them."""
MAX_BORROWED = 200


class Borrowing(BaseModel):
    """One peer of the pool, by the id under which the pool offers them, and from when to when they are designated."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    peer: UUID
    designated_from: Day | None = None
    designated_to: Day | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.designated_from and self.designated_to and self.designated_to < self.designated_from:
            raise PydanticCustomError("ends_before_it_begins", "a designation ends after it begins")
        return self


class Borrowed(BaseModel):
    """The whole list of an agency."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    peers: tuple[Borrowing, ...] = Field(max_length=MAX_BORROWED)


@dataclass(frozen=True)
class Lending:
    """An agency has taken this peer of another one."""

    agency_id: AgencyId
    home_agency: AgencyId
    home_person: PersonId
    designated_from: date | None
    designated_to: date | None


@dataclass(frozen=True)
class Original:
    """A peer whom the pool offers, as their own agency keeps them; `sealed` opens with their key there."""

    person_id: PersonId
    agency_id: AgencyId
    sealed: bytes
    attributes: tuple[str, ...]
    offers: tuple[str, ...]
    trained_until: date | None
    hours: str
    time_zone: str
    language: str
    windows: str
    hours_alone: bool


def listed(key: bytes, lending: Lending, original: Original, record: Mapping[str, Any]) -> Entry:
    """The peer as the borrower lists them: no unit and no superior, for those are of another agency.

    `key` is the keyring's "index", `record` what the original's sealed part opens to.
    """
    person = Person(
        person_ref="",
        role=Role.PEER,
        name=record["name"],
        # A badge of another agency may bar one too many, which is better than one too few.
        badge=record["badge"],
        language=original.language,
        contacts=tuple(record["contact"]),
        attributes=tuple(sorted({*original.attributes} - {REGIONAL} | {OTHER_AGENCY})),
        designated_from=lending.designated_from,
        designated_to=lending.designated_to,
        trained_until=original.trained_until,
        hours=original.hours,
        offers=tuple(Help(one) for one in original.offers),
        shows=record["shows"],
    )
    lent = Lent(original.person_id, original.time_zone, original.windows, original.hours_alone)
    return lent_entry(key, lending.agency_id, person, lent)
