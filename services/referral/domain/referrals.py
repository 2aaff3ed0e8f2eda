"""Referrals: a clinician is brought in, with the requester's consent. "Sent" is never "done".

The stages are FHIR Task statuses (R4B): consent = draft, then requested, accepted, on-hold, in-progress; completed,
failed and cancelled are the end. A clinician's rejection passes the task on, so it is no stage of the whole.
Only the status ever flows back to the requester.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

from services.referral.domain import choosing
from services.referral.domain.effects import Alarm, Standing, Step
from services.referral.domain.world import Peer, World
from shared.events import Fact
from shared.events.intake import Ask, ConsentGiven, DirectAsked
from shared.events.referral import (
    ConsentAsked,
    NoClinicalPath,
    ReferralAccepted,
    ReferralCancelled,
    ReferralFailed,
    ReferralInProgress,
    ReferralOnHold,
    ReferralRejected,
    ReferralRequested,
    ReferralUnanswered,
)
from shared.types import PersonId

CONSENT_LAPSES = timedelta(days=30)
"""After the one reminder to the peer an unanswered question stays so long; then it lapses without a word."""
ON_HOLD = timedelta(hours=72)
LONG = timedelta(days=365)
"""Treatment is the clinician's, as long as it takes; a case may last a year."""
UNREPORTED = timedelta(days=30)
"""How long treatment counts as going on after its clinician has left the directory."""
OUTSIDE_KINDS = ("counselling", "group", "medical", "eap")
"""The resources for somebody who wants a clinician where the program has none for them."""


class Stage(StrEnum):
    """How far it has come."""

    CONSENT = "consent"
    REQUESTED = "requested"
    ACCEPTED = "accepted"
    ON_HOLD = "on_hold"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER = frozenset({Stage.COMPLETED, Stage.FAILED, Stage.CANCELLED})
Said = Literal["asked", "unanswered", "rejected"]
Side = Literal["peer", "clinician"]


@dataclass(frozen=True)
class Asked:
    """A clinician who was asked, so many times, and what has come of it. Whoever has not answered may still accept."""

    person: PersonId
    said: Said = "asked"
    times: int = 1


@dataclass(frozen=True)
class Referral:
    """One referral. `clinician` is who is being asked or has accepted; `version` makes earlier timers stale.

    `assignment` is the support in which a clinician was wanted: a peer who comes later is told nothing of it.
    """

    referral_id: UUID
    direct: bool
    stage: Stage
    due: datetime
    assignment: UUID | None = None
    consent: UUID | None = None
    consent_until: datetime | None = None
    clinician: PersonId | None = None
    asked: tuple[Asked, ...] = ()
    confirmed: frozenset[Side] = frozenset()
    held_from: Stage | None = None
    told: bool = False
    """The peer was reminded of the open question, or coordinators were told of an overdue hand-off."""
    version: int = 0

    @property
    def open(self) -> bool:
        """It is not over."""
        return self.stage not in OVER

    def through(self, peer: Peer | None) -> bool:
        """It came through this peer, in the support that still goes on."""
        return peer is not None and not self.direct and peer.assignment == self.assignment

    def said(self, person: PersonId, said: Said) -> Referral:
        """The same with what has come of asking this person."""
        return replace(
            self, asked=tuple(replace(one, said=said) if one.person == person else one for one in self.asked)
        )

    def moved(self, stage: Stage, due: datetime) -> Referral:
        """The same at a stage, which is due then."""
        return replace(self, stage=stage, due=due, told=False, version=self.version + 1)

    def alarm(self) -> Alarm:
        """Look again when it is due."""
        return Alarm("referral", self.referral_id, self.version, self.due)


def standing(referral: Referral) -> Standing:
    """Where it stands; a hand-off that is overdue is the coordinators'."""
    name = f"referral_{referral.stage.value}"
    if not referral.open:
        return Standing(name)
    if referral.stage is Stage.CONSENT:
        return Standing(name, "requester", referral.due)
    overdue = referral.stage is Stage.ACCEPTED and referral.told
    return Standing(name, "coordinator" if overdue else "clinician", referral.due)


def asking(referral_id: UUID, assignment: UUID, ask: Ask, world: World) -> Step[Referral]:
    """The requester is asked, on the status page, whether a clinician may know how to reach them. FHIR Task: draft."""
    blank = Referral(referral_id, direct=False, stage=Stage.CONSENT, due=world.now, assignment=assignment)
    return _consent(blank, ask, world)


def _consent(referral: Referral, ask: Ask, world: World) -> Step[Referral]:
    remind_at = world.now + timedelta(seconds=ask.policy.consent_remind_s)
    waiting = replace(
        referral.moved(Stage.CONSENT, remind_at),
        consent=None,
        consent_until=None,
        clinician=None,
        # Asked anew, those who were silent may be asked again; whoever said no may not.
        asked=tuple(one for one in referral.asked if one.said == "rejected"),
        held_from=None,
    )
    question = ConsentAsked(referral=referral.referral_id, remind_at=remind_at, assignment=referral.assignment)
    return Step(waiting, (question,), (waiting.alarm(),), ("consent asked",))


def direct(fact: DirectAsked, ask: Ask, world: World) -> Step[Referral]:
    """The requester asks the clinician: the request is its own consent, and nobody else is told."""
    begun = Referral(
        fact.referral,
        direct=True,
        stage=Stage.REQUESTED,
        due=world.now,
        consent=fact.consent,
        consent_until=fact.expires,
    )
    return request_next(begun, ask, world)


def consented(referral: Referral, fact: ConsentGiven, ask: Ask, world: World) -> Step[Referral]:
    """The first clinician is asked; in a running referral the newer consent takes the place of the older one.

    A consent for another referral opens nothing, nor does one that has run out. Whoever has given that one believes
    to have answered: they are asked anew.
    """
    if fact.referral != referral.referral_id or fact.expires <= world.now:
        refused = Step(referral, acts=("consent refused",))
        late = fact.referral == referral.referral_id and referral.stage is Stage.CONSENT
        return refused.then(_consent(referral, ask, world)) if late else refused
    agreed = replace(referral, consent=fact.consent, consent_until=fact.expires)
    return request_next(agreed, ask, world) if referral.stage is Stage.CONSENT else Step(agreed)


def request_next(referral: Referral, ask: Ask, world: World) -> Step[Referral]:
    """Ask the best clinician who has not been asked, then once more those who were silent. FHIR Task: requested.

    With nobody left it has failed.
    """
    there = choosing.clinicians(world, ask)
    asked = {one.person: one for one in referral.asked}
    fresh = [one for one in there if one not in asked]
    silent = [one for one in there if one in asked and asked[one].said == "unanswered" and asked[one].times == 1]
    left = fresh or silent
    return request(referral, left[0], ask, world) if left else _failed(referral, ask, world)


def live(referral: Referral, world: World) -> bool:
    """Whether the requester's consent stands."""
    return referral.consent is not None and referral.consent_until is not None and world.now < referral.consent_until


def request(referral: Referral, clinician: PersonId, ask: Ask, world: World) -> Step[Referral]:
    """Ask this clinician; without a live consent the requester is asked again instead."""
    if referral.consent is None or not live(referral, world):
        return _consent(referral, ask, world)
    others = [one for one in referral.asked if one.person != clinician]
    before = next((one for one in referral.asked if one.person == clinician), None)
    # Who needed time is asked again as part of the same asking.
    times = 1 if before is None else before.times + (before.said == "unanswered")
    now = replace(
        referral.moved(Stage.REQUESTED, world.now + timedelta(seconds=ask.policy.referral_within_s)),
        clinician=clinician,
        asked=(*others, Asked(clinician, times=times)),
        confirmed=frozenset(),
        held_from=None,
    )
    fact = ReferralRequested(
        referral=now.referral_id,
        clinician=clinician,
        consent=referral.consent,
        urgency=ask.urgency,
        direct=now.direct,
        due=now.due,
        language=ask.language,
    )
    return Step(now, (fact,), (now.alarm(),), ("referral requested",))


def _failed(referral: Referral, ask: Ask, world: World) -> Step[Referral]:
    facts: tuple[Fact, ...] = (
        ReferralFailed(referral=referral.referral_id, recipients=choosing.to_tell(world, ask)),
        NoClinicalPath(why="nobody_left", kinds=OUTSIDE_KINDS),
    )
    return Step(replace(referral.moved(Stage.FAILED, world.now), clinician=None), facts, acts=("referral failed",))


def unanswered(referral: Referral, ask: Ask, world: World) -> Step[Referral]:
    """No answer in time: the next one is asked beside; whoever was silent may still accept until somebody has."""
    return _past(referral, "unanswered", ask, world)


def passed_on(referral: Referral, ask: Ask, world: World) -> Step[Referral]:
    """The clinician cannot, or cannot any more. FHIR Task: rejected. The next one is asked; no reason is kept."""
    return _past(referral, "rejected", ask, world)


def _past(referral: Referral, said: Literal["unanswered", "rejected"], ask: Ask, world: World) -> Step[Referral]:
    if referral.clinician is None:
        return Step(referral)
    kind = ReferralUnanswered if said == "unanswered" else ReferralRejected
    past = kind(referral=referral.referral_id, clinician=referral.clinician)
    before: Step[None] = Step(None, (past,), acts=(f"referral {said}",))
    return before.then(request_next(referral.said(referral.clinician, said), ask, world))


def accepted(referral: Referral, clinician: PersonId, ask: Ask, world: World) -> Step[Referral]:
    """FHIR Task: accepted. What the clinician may see is released by the live consent; the hand-off is due."""
    if referral.consent is None or not live(referral, world):
        return _consent(referral, ask, world)
    due = world.now + timedelta(seconds=ask.policy.handoff_within_s)
    now = replace(referral.moved(Stage.ACCEPTED, due), clinician=clinician, held_from=None)
    fact = ReferralAccepted(referral=now.referral_id, clinician=clinician, consent=referral.consent, due=due)
    return Step(now, (fact,), (now.alarm(),), ("referral accepted",))


def on_hold(referral: Referral, clinician: PersonId, world: World) -> Step[Referral]:
    """FHIR Task: on-hold, for 72 hours at most."""
    held = replace(referral.moved(Stage.ON_HOLD, world.now + ON_HOLD), held_from=referral.stage)
    fact = ReferralOnHold(referral=held.referral_id, clinician=clinician, until=held.due)
    return Step(held, (fact,), (held.alarm(),), ("referral on hold",))


def resumed(referral: Referral, ask: Ask, world: World) -> Step[Referral]:
    """It stands again where it was held. Who was only asked is asked again if still there, else the next one."""
    clinician = referral.clinician
    if clinician is None:
        return request_next(referral, ask, world)
    match referral.held_from:
        case Stage.IN_PROGRESS:
            return in_progress(referral, clinician, world)
        case Stage.ACCEPTED:
            return accepted(referral, clinician, ask, world)
        case _:
            there = clinician in choosing.clinicians(world, ask)
            return request(referral, clinician, ask, world) if there else unanswered(referral, ask, world)


def in_progress(referral: Referral, clinician: PersonId, world: World) -> Step[Referral]:
    """FHIR Task: in-progress. Whoever had to has confirmed the hand-off."""
    now = replace(referral.moved(Stage.IN_PROGRESS, world.now + LONG), held_from=None)
    fact = ReferralInProgress(referral=now.referral_id, clinician=clinician)
    return Step(now, (fact,), (now.alarm(),), ("referral in progress",))


def without_reports(referral: Referral, world: World) -> Step[Referral]:
    """The clinician has left the directory and treats on: nobody will report the end here any more."""
    due = world.now + UNREPORTED
    if referral.due <= due:
        return Step(referral)
    now = referral.moved(Stage.IN_PROGRESS, due)
    return Step(now, alarms=(now.alarm(),), acts=("referral without reports",))


def cancelled(referral: Referral, world: World) -> Step[Referral]:
    """FHIR Task: cancelled, by the requester or with the case; nobody is asked why."""
    if not referral.open:
        return Step(referral)
    fact = ReferralCancelled(referral=referral.referral_id, clinician=referral.clinician)
    return Step(referral.moved(Stage.CANCELLED, world.now), (fact,), acts=("referral cancelled",))
