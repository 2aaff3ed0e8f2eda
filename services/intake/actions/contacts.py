"""What an upload does to contact points: an address that stays keeps its point, a new one has to be verified."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from services.intake.domain.directory import index_of
from services.intake.store.people import Point
from shared import clock
from shared.types import PersonId
from shared.vault import DataKey


@dataclass
class Points:
    """`of` is what each person has afterwards, in the order of use; the rest is what is to be written for it.

    `unverified` are people none of whose earlier addresses is left.
    """

    of: dict[PersonId, list[Point]] = field(default_factory=dict)
    new: list[Point] = field(default_factory=list)
    moved: list[tuple[UUID, int]] = field(default_factory=list)
    gone: list[UUID] = field(default_factory=list)
    unverified: list[PersonId] = field(default_factory=list)


def plan_points(
    index_key: bytes, wanted: Mapping[PersonId, Sequence[str]], keys: Mapping[UUID, DataKey], old: Sequence[Point]
) -> Points:
    """Bring contact points to the wanted addresses, sealing new ones under their person's key.

    `old` may hold points of people who are not wanted any more: all of theirs go.
    """
    before: dict[PersonId, dict[bytes, Point]] = defaultdict(dict)
    for point in old:
        before[point.person_id][point.address_index] = point
    points = Points()
    for person, addresses in wanted.items():
        mine, key = before[person], keys[person]
        now = [_point(index_key, key, mine, (place, address)) for place, address in enumerate(addresses)]
        points.of[person] = now
        points.new += [point for point in now if point.address_index not in mine]
        stayed = [point for point in now if point.address_index in mine]
        points.moved += [(one.point_id, one.place) for one in stayed if mine[one.address_index].place != one.place]
        if mine and not stayed:
            points.unverified.append(person)
    staying = {point.point_id for now in points.of.values() for point in now}
    points.gone = [point.point_id for point in old if point.point_id not in staying]
    return points


def _point(index_key: bytes, key: DataKey, mine: Mapping[bytes, Point], wanted: tuple[int, str]) -> Point:
    place, address = wanted
    index = index_of(index_key, key.subject.agency_id, "address", address)
    if known := mine.get(index):
        return replace(known, place=place)
    point_id = clock.random_id()
    return Point(
        point_id=point_id,
        person_id=PersonId(key.subject.subject_id),
        agency_id=key.subject.agency_id,
        channel="mail",
        place=place,
        sealed=key.seal(f"contact:{point_id}", address.encode()),
        address_index=index,
    )
