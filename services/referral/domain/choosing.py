"""Whom to ask, out of the people of the agency who are there: pure orders, the same whoever computes them."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from services.referral.domain.world import Person, World
from shared.events.intake import Adviser, Ask
from shared.types import PersonId, Role


def _turn(person: Person) -> int:
    """Those on call first, deputies last."""
    if "deputy" in person.attributes:
        return 2
    return 0 if "on_call" in person.attributes else 1


def adviser(world: World, role: Adviser, consult: UUID, out: Collection[PersonId]) -> PersonId | None:
    """Who is asked for advice next: on call first, deputies last, spread over equals by the consult's id.

    `out` are those who are barred, who ask, or who have been asked already.
    """
    left = [one for one in world.people if one.role == Role(role) and one.person not in out]
    first = min(left, key=lambda one: (_turn(one), one.person.int ^ consult.int), default=None)
    return first.person if first else None


def clinicians(world: World, ask: Ask, out: Collection[PersonId] = ()) -> list[PersonId]:
    """Who may be asked to take a referral, best first.

    Licensed where the requester's agency is, not barred, not in `out`. Order: language, specialities that meet the
    topics, on call before deputies, then by id, so that it is stable.
    """
    licence, wanted = f"licence:{ask.jurisdiction.lower()}", {f"speciality:{topic}" for topic in ask.topics}
    barred = {*ask.bars, *out}
    able = [
        one
        for one in world.people
        if one.role is Role.CLINICIAN and licence in one.attributes and one.person not in barred
    ]
    able.sort(
        key=lambda one: (not _speaks(one, ask.language), -len(wanted & one.attributes), _turn(one), one.person.int)
    )
    return [one.person for one in able]


def _speaks(person: Person, language: str) -> bool:
    tongue = language.lower().partition("-")[0]
    return f"language:{tongue}" in person.attributes or person.language.lower().partition("-")[0] == tongue


def to_tell(world: World, ask: Ask) -> tuple[PersonId, ...]:
    """Who hears a count when something stays undone: coordinators who are not barred, and the region's duty.

    Of a requester who wants nobody of their own agency its coordinators hear nothing.
    """
    own = ask.wishes.own_agency
    coordinators = {one.person for one in world.people if own and one.role is Role.COORDINATOR}
    return tuple(sorted((coordinators | set(world.duty)) - set(ask.bars)))
