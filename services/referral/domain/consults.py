"""Consults: a peer asks for advice and keeps the case. Nothing here knows who the requester is.

One adviser is asked at a time, reminded after half of the time, and not waited for after all of it. A consult is
answered, or expires honestly; it never becomes a referral. FHIR: a CommunicationRequest, never a ServiceRequest.
Source: domain rules 1.3 (Fauquier; Cal. Gov. Code 8669.4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.referral.domain import choosing
from services.referral.domain.effects import Alarm, Standing, Step
from services.referral.domain.world import World, advisers_from, allowed
from shared.events import Fact
from shared.events.intake import Adviser, Ask
from shared.events.notify import ConsultAsked, ConsultReplied
from shared.events.referral import ConsultAnswered, ConsultExpired, ConsultOpened, ConsultReassigned, ConsultReminded
from shared.types import PersonId

MOST_ADVISERS = 6
"""So many are asked in turn, at most: a peer who waits for advice is told in time that none comes."""
MOST_TOPICS = 10
_CODE = re.compile(r"[a-z0-9_]{1,40}")

Kind = Literal["advice", "outside_help"]
Stage = Literal["open", "answered", "expired", "ended"]


@dataclass(frozen=True)
class Consult:
    """One question. `asked` are all who were asked for advice, in turn; the last one is waited for while `open`.

    Stages as FHIR statuses: open = active, answered = completed, expired and ended = revoked.
    """

    consult_id: UUID
    kind: Kind
    assignment: UUID
    asked_by: PersonId
    wanted: Adviser
    topics: tuple[str, ...]
    sealed: bytes | None
    stage: Stage
    due: datetime
    role: Adviser
    asked: tuple[PersonId, ...] = ()
    reminded: bool = False
    version: int = 0

    @property
    def open(self) -> bool:
        """Somebody is being waited for."""
        return self.stage == "open"


def standing(consult: Consult) -> Standing:
    """Where it stands: the adviser's while it is open."""
    return Standing("consult_open", "adviser", consult.due) if consult.open else Standing(f"consult_{consult.stage}")


def codes_only(topics: tuple[str, ...]) -> bool:
    """Whether these are codes and nothing that anybody could have written a sentence into."""
    return len(topics) <= MOST_TOPICS and all(_CODE.fullmatch(topic) for topic in topics)


def asked(fact: ConsultAsked, ask: Ask, world: World) -> Step[Consult]:
    """A peer's question, to the first adviser of the wanted role, or of the next one that the program has.

    The caller has seen to it that the peer is this case's and that the program has such an adviser.
    """
    return _next(
        Consult(
            consult_id=fact.consult,
            kind="advice",
            assignment=fact.assignment,
            asked_by=fact.person,
            wanted=fact.to,
            topics=fact.topics,
            sealed=fact.sealed,
            stage="open",
            due=world.now,
            role=fact.to,
        ),
        ask,
        world,
    )


def outside_help(assignment: UUID, person: PersonId, ask: Ask, world: World) -> Step[Consult]:
    """Whom would the advisor suggest? The requester wants a clinician, and the advisor takes nobody on."""
    return _next(
        Consult(
            consult_id=world.new_id(),
            kind="outside_help",
            assignment=assignment,
            asked_by=person,
            wanted="clinician",
            topics=ask.topics,
            sealed=None,
            stage="open",
            due=world.now,
            role="clinician",
        ),
        ask,
        world,
    )


def _next(consult: Consult, ask: Ask, world: World) -> Step[Consult]:
    """The next adviser, or an honest expiry when nobody is left to ask."""
    out = {*ask.bars, *consult.asked, consult.asked_by}
    roles = advisers_from(consult.role, ask, allowed(ask, world))
    if consult.kind == "outside_help":
        roles = tuple(role for role in roles if role == "clinician")
    turns = ((role, choosing.adviser(world, role, consult.consult_id, out)) for role in roles)
    role, adviser = next(((role, one) for role, one in turns if one), (consult.role, None))
    if adviser is None or len(consult.asked) >= MOST_ADVISERS:
        expired = ConsultExpired(consult=consult.consult_id, assignment=consult.assignment, asked_by=consult.asked_by)
        over = _over(consult, "expired")
        return Step(over, (expired,), acts=("consult expired",))
    within = timedelta(seconds=ask.policy.consult_within_s)
    due, version = world.now + within, consult.version + 1
    opened = ConsultOpened(
        consult=consult.consult_id,
        adviser=adviser,
        role=role,
        kind=consult.kind,
        topics=consult.topics,
        sealed=consult.sealed,
        due=due,
        assignment=consult.assignment,
    )
    now = replace(consult, role=role, asked=(*consult.asked, adviser), due=due, reminded=False, version=version)
    half = Alarm("consult", consult.consult_id, version, world.now + within / 2)
    return Step(now, (opened,), (half,), ("consult opened",))


def time_is_up(consult: Consult, ask: Ask, world: World) -> Step[Consult]:
    """Half of the time: the adviser is reminded. All of it: the next one is asked."""
    if not consult.open:
        return Step(consult)
    if consult.reminded:
        return _passed_on(consult, ask, world)
    reminded = ConsultReminded(consult=consult.consult_id, adviser=consult.asked[-1])
    now = replace(consult, reminded=True, version=consult.version + 1)
    return Step(now, (reminded,), (Alarm("consult", now.consult_id, now.version, now.due),))


def _passed_on(consult: Consult, ask: Ask, world: World) -> Step[Consult]:
    before: Step[None] = Step(
        None, (ConsultReassigned(consult=consult.consult_id, before=consult.asked[-1]),), acts=("consult passed on",)
    )
    return before.then(_next(consult, ask, world))


def replied(consult: Consult, fact: ConsultReplied, ask: Ask, world: World) -> Step[Consult]:
    """An adviser answers, or cannot: then the next one is asked at once.

    An answer of one who is not waited for any more counts as long as nobody else has answered.
    """
    if fact.person not in consult.asked:
        return refused(consult, fact)
    if not consult.open:
        return Step(consult, acts=("consult reply came late",)).settled(
            fact.reply, "ended" if consult.stage == "ended" else "too_late"
        )
    if fact.verb == "cannot":
        waited_for = fact.person == consult.asked[-1]
        step = _passed_on(consult, ask, world) if waited_for else Step(consult)
        return step.settled(fact.reply, "noted")
    if fact.sealed is None:
        return refused(consult, fact)
    answered: Fact = ConsultAnswered(
        consult=consult.consult_id,
        assignment=consult.assignment,
        asked_by=consult.asked_by,
        adviser=fact.person,
        sealed=fact.sealed,
    )
    now = _over(consult, "answered")
    return Step(now, (answered,), acts=("consult answered",)).settled(fact.reply, "noted")


def barred(consult: Consult, ask: Ask, world: World) -> Step[Consult]:
    """Whoever is waited for must not be asked any more: the next one is, at once."""
    waits = consult.open and consult.asked and consult.asked[-1] in ask.bars
    return _passed_on(consult, ask, world) if waits else Step(consult)


def refused(consult: Consult, fact: ConsultReplied) -> Step[Consult]:
    """An answer that is nobody's to give changes nothing."""
    return Step(consult, acts=("consult reply refused",)).settled(fact.reply, "refused")


def ended(consult: Consult) -> Consult:
    """The case or the asker's support is over: nobody needs the answer any more."""
    return _over(consult, "ended") if consult.open else consult


def _over(consult: Consult, stage: Stage) -> Consult:
    """Nobody is asked any more, so that the question is kept no longer."""
    return replace(consult, stage=stage, sealed=None, version=consult.version + 1)
