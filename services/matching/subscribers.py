"""What matching hears: requests and their ends, answers, and who people are. One handler per consumer group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from services.matching import actions
from services.matching.store.directory import OnDuty, Verified
from shared.casework import Input
from shared.db import Transaction
from shared.delivery import Received
from shared.events.intake import (
    AnotherPeerAsked,
    BarsChanged,
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ContactReleased,
    CrisisRaised,
    DutySet,
    PeerChosen,
    PersonSet,
    RequestSubmitted,
)
from shared.events.notify import ContactStopped, ContactVerified, IntentSettled, ReplyReceived
from shared.types import REGION, AgencyId, PersonId, Role

T = TypeVar("T")
Person = tuple[PersonId, AgencyId, PersonSet]

OF_A_CASE = (
    RequestSubmitted,
    PeerChosen,
    AnotherPeerAsked,
    BarsChanged,
    ContactReleased,
    CaseClosing,
    ReplyReceived,
    CrisisRaised,
    CaseWithdrawn,
    CaseClosed,
)


def _inputs(received: Iterable[Received]) -> list[Input]:
    return [
        Input(one.envelope.agency_id, one.case_id, one.fact, one.envelope.event_id)
        for one in received
        if isinstance(one.fact, OF_A_CASE) or _unsent(one)
    ]


def _unsent(one: Received) -> bool:
    """Most messages go out, and nothing follows from that here: not even the case is locked for them."""
    return isinstance(one.fact, IntentSettled) and one.fact.outcome in {"failed", "expired"}


def _newest(told: Iterable[tuple[UUID, int, T]]) -> list[T]:
    """Of each person what has the highest revision, and of equal ones what came last: a row is written once."""
    found: dict[UUID, tuple[int, T]] = {}
    for person, revision, what in told:
        if person not in found or found[person][0] <= revision:
            found[person] = revision, what
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


def _persons(received: Iterable[Received]) -> list[Person]:
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


async def ordinary(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.intake and peerline.notify."""
    looks = await actions.learn(tx, (), (), _verified(received))
    await actions.take(tx, [*_inputs(received), *looks])


async def crisis(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.intake.crisis."""
    await actions.take(tx, _inputs(received))


async def directory(tx: Transaction, received: Sequence[Received]) -> None:
    """peerline.directory. Of agencies nothing is kept: zone and policy come with persons and cases."""
    await actions.take(tx, await actions.learn(tx, _persons(received), _on_duty(received), ()))
