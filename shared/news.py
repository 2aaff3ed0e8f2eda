"""What the bus tells of people and agencies: whole states with a revision, of which only the newest counts. Pure.

Every service that needs to know who is there reads it here, and keeps what it needs in a read model of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from shared.events import Envelope, Fact
from shared.events.intake import AgencySet, DutySet, PersonSet
from shared.events.notify import ContactStopped, ContactVerified
from shared.types import REGION, AgencyId, PersonId, Role

T = TypeVar("T")


class Told(Protocol):
    """One record of a batch, as `shared.delivery.Received` is."""

    @property
    def envelope(self) -> Envelope:
        """Whose it is, and about whom."""
        ...

    @property
    def fact(self) -> Fact:
        """What it says."""
        ...


@dataclass(frozen=True)
class Verified:
    """Whether a person can be told anything, by the revision of the contact points it was said of."""

    person: PersonId
    agency_id: AgencyId
    verified: bool
    revision: int


@dataclass(frozen=True)
class OnDuty:
    """Whether a person of the region is on duty."""

    person: PersonId
    revision: int
    active: bool


class Listed(NamedTuple):
    """A person of an agency's directory as now told; removal is a state as well."""

    person: PersonId
    agency_id: AgencyId
    fact: PersonSet


@dataclass(frozen=True)
class News:
    """What a batch tells of agencies and of people, each once."""

    agencies: Sequence[tuple[AgencyId, AgencySet]] = ()
    persons: Sequence[Listed] = ()
    verified: Sequence[Verified] = ()
    """Of persons of agencies."""
    duty: Sequence[OnDuty] = ()
    duty_verified: Sequence[Verified] = ()
    """Of persons of the region."""


def news_in(told: Sequence[Told]) -> News:
    """All that a batch tells; an older state is left out where a newer one stands beside it."""
    heard = verified_in(told)
    return News(
        agencies=_agencies(told),
        persons=_persons(told),
        verified=[one for one in heard if one.agency_id != REGION],
        duty=_on_duty(told),
        duty_verified=[one for one in heard if one.agency_id == REGION],
    )


def verified_in(told: Iterable[Told]) -> list[Verified]:
    """Who can be told things, and who no longer; of one revision the last word counts: a contact comes and goes."""
    return _newest(
        (_whose(one), one.fact.revision, _said(one, one.fact))
        for one in told
        if isinstance(one.fact, ContactVerified | ContactStopped)
    )


def _said(one: Told, fact: ContactVerified | ContactStopped) -> Verified:
    person = PersonId(one.envelope.subject)
    return Verified(person, one.envelope.agency_id, isinstance(fact, ContactVerified), fact.revision)


def _newest(told: Iterable[tuple[Hashable, int, T]]) -> list[T]:
    """Of each subject what has the highest revision, and of equal ones what came last: a row is written once."""
    found: dict[Hashable, tuple[int, T]] = {}
    for subject, revision, what in told:
        if subject not in found or found[subject][0] <= revision:
            found[subject] = revision, what
    return [what for _, what in found.values()]


def _whose(one: Told) -> Hashable:
    """A subject of an agency: what is said in the name of another one never stands in the place of its own."""
    return one.envelope.agency_id, one.envelope.subject


def _agencies(told: Iterable[Told]) -> list[tuple[AgencyId, AgencySet]]:
    """An agency speaks for itself alone."""
    return _newest(
        (_whose(one), one.fact.revision, (one.envelope.agency_id, one.fact))
        for one in told
        if isinstance(one.fact, AgencySet) and one.envelope.subject == one.envelope.agency_id
    )


def _persons(told: Iterable[Told]) -> list[Listed]:
    return _newest(
        (_whose(one), one.fact.revision, Listed(PersonId(one.envelope.subject), one.envelope.agency_id, one.fact))
        for one in told
        if isinstance(one.fact, PersonSet) and one.envelope.agency_id != REGION
    )


def _on_duty(told: Iterable[Told]) -> list[OnDuty]:
    """Who belongs to the region is a duty coordinator, by whichever fact it is said."""
    return _newest(
        (_whose(one), one.fact.revision, OnDuty(PersonId(one.envelope.subject), one.fact.revision, _can(one.fact)))
        for one in told
        if isinstance(one.fact, DutySet | PersonSet) and one.envelope.agency_id == REGION
    )


def _can(fact: DutySet | PersonSet) -> bool:
    if isinstance(fact, PersonSet):
        return fact.active and fact.role in {Role.COORDINATOR, Role.DUTY}
    return fact.active
