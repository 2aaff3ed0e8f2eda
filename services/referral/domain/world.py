"""Everything outside a case that deciding about it needs: the moment, new ids, the agency's people, what it may now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from shared.events.intake import Adviser, Ask
from shared.events.policy import Capabilities
from shared.types import PersonId, Role

NOTHING = Capabilities(consult=False, accept_referral=False, direct_employee=False, direct_family=False)
"""What an agency may that has no clinician, or is not active any more."""


@dataclass(frozen=True)
class Person:
    """Somebody of the agency who is active and can be told things."""

    person: PersonId
    role: Role
    attributes: frozenset[str] = frozenset()
    language: str = "en"


@dataclass(frozen=True)
class Peer:
    """Who supports the requester now, as heard from matching."""

    assignment: UUID
    person: PersonId


@dataclass(frozen=True)
class ClinicianGone:
    """Nothing can be sent to this clinician any more; `left` when the directory says so, else a contact has stopped."""

    person: PersonId
    left: bool


@dataclass(frozen=True)
class World:
    """As seen from one agency. `now` is the region's time; `people` are the agency's own, `duty` the region's."""

    now: datetime
    new_id: Callable[[], UUID]
    people: Sequence[Person] = ()
    duty: Sequence[PersonId] = ()
    present: Capabilities | None = None
    """What the agency's structure allows today; None while nothing has been heard of the agency."""

    def without(self, persons: Collection[PersonId]) -> World:
        """The same with these left out of whom to ask."""
        return replace(self, people=[one for one in self.people if one.person not in persons]) if persons else self


def allowed(ask: Ask, world: World) -> Capabilities:
    """What a new clinical act may use: what was stamped on the case AND still stands.

    A change in mid-flight never widens a case. Of an agency not yet heard of, the stamp alone is known.
    """
    stamped = ask.policy.capabilities
    return stamped if world.present is None else narrowed(stamped, world.present)


def narrowed(one: Capabilities, other: Capabilities) -> Capabilities:
    """What both allow."""
    names = Capabilities.model_fields
    return Capabilities(**{name: getattr(one, name) and getattr(other, name) for name in names})


def never_paged(ask: Ask, world: World) -> frozenset[PersonId]:
    """Who must not be paged in this case: whoever is barred; the program's clinicians where none is on call.

    intake has taken them out already; this holds even if a forged event names them.
    """
    clinicians = () if allowed(ask, world).on_call else (one for one in world.people if one.role is Role.CLINICIAN)
    return frozenset((*ask.bars, *(one.person for one in clinicians)))


def advisers_from(wanted: Adviser, ask: Ask, may: Capabilities) -> tuple[Adviser, ...]:
    """Whose turn it is when nobody of the wanted role is left: clinician, then coordinator, then a second peer.

    Where the requester wants nobody of their own agency, its coordinators and peers are not asked.
    """
    own = ask.wishes.own_agency
    order: Mapping[Adviser, bool] = {"clinician": may.consult, "coordinator": own, "peer": own}
    return tuple(role for role in tuple(order)[tuple(order).index(wanted) :] if order[role])
