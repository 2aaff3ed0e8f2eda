"""What referral hears: requests and their ends, peers, what helpers answer, and who people are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from services.referral import actions
from services.referral.actions import News
from services.referral.store.directory import OnDuty, Verified
from shared.casework import Input
from shared.db import Transaction
from shared.delivery import Received
from shared.events.intake import (
    AgencySet,
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ConsentGiven,
    ConsentWithdrawn,
    CrisisRaised,
    DirectAsked,
    DutySet,
    PersonSet,
    RequestSubmitted,
)
from shared.events.matching import AssignmentEnded, PeerAssigned
from shared.events.notify import (
    ClinicianWanted,
    ConsultAsked,
    ConsultReplied,
    ContactStopped,
    ContactVerified,
    DangerReported,
    PageReplied,
    PageSettled,
    ReferralReplied,
    ResourcesOffered,
)
from shared.types import REGION, AgencyId, PersonId, Role

T = TypeVar("T")

OF_A_CASE = (
    RequestSubmitted,
    DirectAsked,
    ConsentGiven,
    ConsentWithdrawn,
    CaseClosing,
    PeerAssigned,
    AssignmentEnded,
    ConsultAsked,
    ConsultReplied,
    ClinicianWanted,
    ResourcesOffered,
    ReferralReplied,
    CrisisRaised,
    CaseWithdrawn,
    CaseClosed,
    DangerReported,
    PageSettled,
    PageReplied,
)


async def ordinary(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.intake, peerline.matching and peerline.notify."""
    lost = await actions.learn(tx, News(verified=_verified(received)))
    await actions.take(tx, [*_inputs(received), *lost])


async def crisis(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.intake.crisis and peerline.notify.crisis: emergencies, pages, danger, and what stops everything."""
    await actions.take(tx, _inputs(received))


async def directory(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.directory: who is there, and what each agency's structure allows now."""
    news = News(agencies=_agencies(received), persons=_persons(received), duty=_on_duty(received))
    await actions.take(tx, await actions.learn(tx, news))


def _inputs(received: Iterable[Received]) -> list[Input]:
    return [
        Input(one.envelope.agency_id, one.case_id, one.fact, one.envelope.event_id)
        for one in received
        if isinstance(one.fact, OF_A_CASE)
    ]


def _newest(told: Iterable[tuple[UUID, int, T]]) -> list[T]:
    """Of each subject what has the highest revision, and of equal ones what came last: a row is written once."""
    found: dict[UUID, tuple[int, T]] = {}
    for subject, revision, what in told:
        if subject not in found or found[subject][0] <= revision:
            found[subject] = revision, what
    return [what for _, what in found.values()]


def _verified(received: Iterable[Received]) -> list[Verified]:
    return _newest(
        (one.envelope.subject, one.fact.revision, _said(one, one.fact))
        for one in received
        if isinstance(one.fact, ContactVerified | ContactStopped)
    )


def _said(one: Received, fact: ContactVerified | ContactStopped) -> Verified:
    person = PersonId(one.envelope.subject)
    return Verified(person, one.envelope.agency_id, isinstance(fact, ContactVerified), fact.revision)


def _agencies(received: Iterable[Received]) -> list[tuple[AgencyId, AgencySet]]:
    """An agency speaks for itself alone."""
    return _newest(
        (one.envelope.subject, one.fact.revision, (one.envelope.agency_id, one.fact))
        for one in received
        if isinstance(one.fact, AgencySet) and one.envelope.subject == one.envelope.agency_id
    )


def _persons(received: Iterable[Received]) -> list[tuple[PersonId, AgencyId, PersonSet]]:
    return _newest(
        (one.envelope.subject, one.fact.revision, (PersonId(one.envelope.subject), one.envelope.agency_id, one.fact))
        for one in received
        if isinstance(one.fact, PersonSet) and one.envelope.agency_id != REGION
    )


def _on_duty(received: Iterable[Received]) -> list[OnDuty]:
    """Who belongs to the region is a duty coordinator, by whichever fact it is said."""
    return _newest(
        (one.envelope.subject, one.fact.revision, OnDuty(PersonId(one.envelope.subject), one.fact.revision, _can(one)))
        for one in received
        if isinstance(one.fact, DutySet | PersonSet) and one.envelope.agency_id == REGION
    )


def _can(one: Received) -> bool:
    fact = one.fact
    if isinstance(fact, PersonSet):
        return fact.active and fact.role in {Role.COORDINATOR, Role.DUTY}
    return isinstance(fact, DutySet) and fact.active
