"""What a batch tells of people and agencies: the newest state of each, and never in another agency's name."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from uuid import UUID

import pytest

from shared.delivery import Received
from shared.events import Envelope, Fact, source_of
from shared.events.intake import AgencySet, DutySet, PersonSet
from shared.events.notify import ContactStopped, ContactVerified
from shared.events.policy import Capabilities
from shared.news import Listed, News, OnDuty, Verified, news_in
from shared.types import REGION, AgencyId, EventId, PersonId, Role, Structure

AGENCY, OTHER = AgencyId(UUID(int=0xA)), AgencyId(UUID(int=0xB))
CLEO, DORA = PersonId(UUID(int=1)), PersonId(UUID(int=2))


def told(fact: Fact, subject: UUID = CLEO, agency: AgencyId = AGENCY) -> Received:
    envelope = Envelope(
        event_id=EventId(UUID(int=0xE)),
        type=fact.type,
        source=source_of(fact.TOPIC),
        time=datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
        subject=subject,
        agency_id=agency,
    )
    return Received(envelope, fact, fact.TOPIC.name)


def person(revision: int, *, active: bool = True, role: Role = Role.CLINICIAN) -> PersonSet:
    return PersonSet(revision=revision, active=active, role=role, time_zone="America/Denver", language="en-US")


def duty(revision: int, *, active: bool = True) -> DutySet:
    return DutySet(revision=revision, active=active, time_zone="UTC", language="en")


def agency(revision: int, *, active: bool = True) -> AgencySet:
    return AgencySet(
        revision=revision,
        active=active,
        kind="police",
        jurisdiction="US-UT",
        structure=Structure.TEAM_COORDINATOR,
        capabilities=Capabilities(consult=False, accept_referral=False, direct_employee=False, direct_family=False),
        languages=("en-US",),
        time_zone="America/Denver",
    )


def test_a_batch_that_tells_nothing_of_people_is_no_news() -> None:
    assert news_in([]) == News([], [], [], [], [])


@pytest.mark.parametrize("order", list(permutations([person(1), person(2, active=False), person(3)])))
def test_who_is_removed_and_listed_again_at_once_is_there_in_whatever_order_it_is_told(order: list[PersonSet]) -> None:
    assert news_in([told(one) for one in order]).persons == [Listed(CLEO, AGENCY, person(3))]


@pytest.mark.parametrize("order", list(permutations([person(1), person(2), person(3, active=False)])))
def test_who_is_listed_and_removed_at_once_is_gone_in_whatever_order_it_is_told(order: list[PersonSet]) -> None:
    assert news_in([told(one) for one in order]).persons == [Listed(CLEO, AGENCY, person(3, active=False))]


def test_of_one_revision_the_last_word_about_a_contact_counts() -> None:
    back = news_in(
        [told(ContactVerified(revision=4)), told(ContactStopped(revision=4)), told(ContactVerified(revision=4))]
    )
    assert back.verified == [Verified(CLEO, AGENCY, verified=True, revision=4)]
    gone = news_in([told(ContactVerified(revision=4)), told(ContactStopped(revision=4))])
    assert gone.verified == [Verified(CLEO, AGENCY, verified=False, revision=4)]


def test_a_word_about_older_contact_points_does_not_count_beside_a_newer_one() -> None:
    news = news_in([told(ContactVerified(revision=5)), told(ContactStopped(revision=4))])
    assert news.verified == [Verified(CLEO, AGENCY, verified=True, revision=5)]


def test_what_another_agency_says_of_a_person_stands_beside_and_not_in_the_place_of_the_own_word() -> None:
    said = [
        told(person(1)),
        told(person(9, active=False), agency=OTHER),
        told(ContactVerified(revision=1)),
        told(ContactStopped(revision=9), agency=OTHER),
    ]
    news = news_in(said)
    assert news.persons == [Listed(CLEO, AGENCY, person(1)), Listed(CLEO, OTHER, person(9, active=False))]
    assert {(one.agency_id, one.verified) for one in news.verified} == {(AGENCY, True), (OTHER, False)}


def test_an_agency_speaks_for_itself_alone() -> None:
    said = [told(agency(1), AGENCY), told(agency(2, active=False), AGENCY, OTHER)]
    assert news_in(said).agencies == [(AGENCY, agency(1))]


def test_an_agency_that_is_not_active_any_more_is_told_as_such() -> None:
    said = [told(agency(2, active=False), AGENCY), told(agency(1), AGENCY)]
    assert news_in(said).agencies == [(AGENCY, agency(2, active=False))]


@pytest.mark.parametrize(
    ("fact", "active"),
    [
        (duty(2), True),
        (duty(2, active=False), False),
        (person(2, role=Role.DUTY), True),
        (person(2, role=Role.COORDINATOR), True),
        (person(2, role=Role.COORDINATOR, active=False), False),
        (person(2, role=Role.PEER), False),
    ],
)
def test_who_belongs_to_the_region_is_on_duty_by_whichever_fact_it_is_said(fact: Fact, *, active: bool) -> None:
    news = news_in([told(duty(1, active=not active), DORA, REGION), told(fact, DORA, REGION)])
    assert (news.duty, news.persons) == ([OnDuty(DORA, 2, active)], [])


def test_the_contacts_of_the_regions_people_are_kept_apart() -> None:
    news = news_in([told(ContactVerified(revision=1), DORA, REGION), told(ContactVerified(revision=1))])
    assert [one.person for one in news.duty_verified] == [DORA]
    assert [one.person for one in news.verified] == [CLEO]
