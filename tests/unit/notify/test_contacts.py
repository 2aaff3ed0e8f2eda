"""What a new list of contact points sets off."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from services.notify.domain.contacts import Person, announced, heard, verified
from shared.events.intake import ContactPoint, ContactPointsSet, PersonSet
from shared.events.notify import ContactStopped, ContactVerified
from shared.types import AgencyId, PersonId, Role

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
NOBODY = Person(PersonId(UUID(int=1)), AgencyId(UUID(int=2)))
A, B = UUID(int=11), UUID(int=12)


def listed(revision: int, *points: UUID, active: bool = True) -> ContactPointsSet:
    given = tuple(ContactPoint(point_id=point, channel="mail", sealed=b"sealed") for point in points)
    return ContactPointsSet(revision=revision, active=active, role=Role.PEER, language="es", points=given)


def known(*points: UUID, revision: int = 1) -> Person:
    """Somebody who has verified all of these."""
    person = heard(NOBODY, listed(revision, *points), NOW).person
    for point in points:
        person = verified(person, point, NOW)
    return person


def test_new_points_are_to_be_verified_and_nobody_is_told() -> None:
    change = heard(NOBODY, listed(1, A, B), NOW)
    assert (change.verify, change.tell) == ((A, B), ())
    assert not change.person.reachable
    assert change.person.language == "es"


def test_the_same_again_or_an_older_one_changes_nothing() -> None:
    person = known(A, revision=3)
    for revision in (2, 3):
        assert heard(person, listed(revision, B), NOW).person is person


def test_the_same_points_in_a_newer_record_stay_verified() -> None:
    change = heard(known(A), listed(2, A), NOW)
    assert (change.verify, change.tell) == ((), ())
    assert change.person.reachable


def test_another_address_is_verified_and_the_old_one_hears_of_it() -> None:
    change = heard(known(A), listed(2, B), NOW)
    assert (change.verify, change.tell) == ((B,), (A,))
    assert not change.person.reachable
    assert verified(change.person, A, NOW) is change.person


def test_an_added_address_leaves_the_old_one_in_use_and_tells_it() -> None:
    change = heard(known(A), listed(2, A, B), NOW)
    assert (change.verify, change.tell, change.person.reachable) == ((B,), (A,), True)


def test_an_address_that_comes_back_has_to_be_verified_again() -> None:
    gone = heard(known(A), listed(2, B), NOW).person
    back = heard(gone, listed(3, A), NOW)
    assert back.verify == (A,)
    assert not back.person.reachable


def test_an_inactive_person_is_asked_to_verify_nothing() -> None:
    assert heard(NOBODY, listed(1, A, active=False), NOW).verify == ()


def test_what_others_have_to_know() -> None:
    person, silent = known(A), heard(NOBODY, listed(1, A), NOW).person
    assert announced(silent, person) == (ContactVerified(revision=1),)
    assert announced(person, replace(person, blocked=True)) == (ContactStopped(revision=1),)
    assert announced(person, replace(person, language="en")) == ()


def test_the_directory_may_be_heard_before_or_after_and_takes_somebody_out() -> None:
    left = PersonSet(revision=7, active=False, role=Role.PEER, time_zone="UTC", language="en")
    after, before = heard(known(A), left, NOW).person, heard(heard(NOBODY, left, NOW).person, listed(1, A), NOW).person
    assert not after.reachable
    assert not verified(before, A, NOW).reachable
    assert heard(after, left.model_copy(update={"revision": 8, "active": True}), NOW).person.reachable
