"""Whom to page in an emergency, first rung first: whom the structure has, never somebody who is barred. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.events.policy import Capabilities
from shared.types import REGION, AgencyId, PersonId, Role

Rungs = tuple[tuple[PersonId, ...], ...]


@dataclass(frozen=True)
class Helper:
    """Somebody of a program who may be paged: a coordinator, a clinician or a regional duty coordinator, verified."""

    person: PersonId
    agency_id: AgencyId
    role: Role
    on_call: bool = False
    deputy: bool = False


def rungs_from(
    helpers: Sequence[Helper],
    agency_id: AgencyId,
    bars: Collection[PersonId],
    capabilities: Capabilities,
    *,
    own: bool = True,
) -> Rungs:
    """The rungs of one emergency. Each person stands on the first rung that names them; empty rungs are left out.

    Clinicians on call come first, then coordinators, then deputies with the other clinicians, the region's duty last.
    Without the capability no clinician is paged, whatever the directory says. Without `own` the requester wants nobody
    of this agency: then the region's duty comes first, and the agency's people only when nobody there answers, for a
    life weighs more than a wish.
    """
    free = [one for one in helpers if one.person not in bars and one.agency_id in {agency_id, REGION}]
    clinicians = [one for one in free if one.role is Role.CLINICIAN and capabilities.on_call]
    coordinators = [one for one in free if one.role is Role.COORDINATOR]
    wanted = (
        [one for one in clinicians if one.on_call],
        [one for one in coordinators if not one.deputy],
        [*(one for one in coordinators if one.deputy), *clinicians],
    )
    duty = [one for one in free if one.role is Role.DUTY]
    named: set[PersonId] = set()
    rungs = []
    for rung in (*wanted, duty) if own else (duty, *wanted):
        people = tuple(dict.fromkeys(one.person for one in rung if one.person not in named))
        named.update(people)
        rungs.append(people)
    return tuple(rung for rung in rungs if rung)
