"""What every decision is made of: messages to plan, matters that move, and the neutral words after an end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.notify.domain import intents, waits
from services.notify.domain.case import CaseState, Step
from services.notify.domain.intents import Intent, Template
from services.notify.domain.matters import Matter
from services.notify.domain.matters import State as MatterState
from shared.types import PersonId

COUNT_AGAIN_AFTER = timedelta(hours=4)
"""One person hears of the same unanswered request at most so often."""


@dataclass(frozen=True)
class Planner:
    """Plans with one `now` and a source of ids."""

    now: datetime
    new_id: Callable[[], UUID]

    def plan(
        self,
        state: CaseState,
        template: Template,
        asked: Iterable[tuple[PersonId, UUID]],
        *,
        expires: datetime,
        crisis: bool = False,
    ) -> Step:
        """Plan a message to each (person, subject); with `crisis` on the crisis lane whatever the case.

        Nothing is planned for who is barred, whichever fact names them.
        """
        klass: intents.Class = "count" if template == "count" else "crisis" if template == "page" else "ordinary"
        if (crisis or state.is_emergency) and klass == "ordinary" and template != "outreach":
            klass = "crisis"
        planned = tuple(
            Intent(
                intent_id=self.new_id(),
                agency_id=state.agency_id,
                person=person,
                template=template,
                klass=klass,
                subject=subject,
                expires_at=expires,
                planned_at=self.now,
            )
            for person, subject in asked
            if person not in state.barred
        )
        return Step(replace(state, intents={**state.intents, **{one.intent_id: one for one in planned}}), sends=planned)

    def count(
        self,
        state: CaseState,
        thing: waits.Thing,
        recipients: Iterable[PersonId],
        *,
        until: datetime | None = None,
    ) -> Step:
        """This waits, and the pages of these persons count it; each is told so once in four hours, by a mail.

        Whoever is barred, by what was heard here since, is left out; and so is everybody once the case is closing.
        """
        told = [person for person in dict.fromkeys(recipients) if state.counts_for(person)]
        after = replace(state, waits=waits.told(state.waits, thing, told, self.now))
        recent = {
            intent.person
            for intent in state.intents.values()
            if intent.template == "count" and intent.planned_at > self.now - COUNT_AGAIN_AFTER
        }
        mailed = [(person, state.case_id) for person in told if person not in recent]
        expires = max(until or self.now, self.now + COUNT_AGAIN_AFTER)
        return self.plan(after, "count", mailed, expires=expires)

    def told_over(self, state: CaseState, matters: Iterable[Matter]) -> CaseState:
        """One neutral line to each person who was told of one of these, of no case any more."""
        already = {line.person for line in state.lines}
        told = [one for one in dict.fromkeys(m.person for m in matters if state.has_told(m)) if one not in already]
        expires = self.now + intents.TELL_WITHIN
        lines = tuple(self._line(state, person, expires) for person in told)
        return replace(state, lines=(*state.lines, *lines)) if lines else state

    def _line(self, state: CaseState, person: PersonId, expires: datetime) -> Intent:
        own = self.new_id()
        return Intent(
            intent_id=own,
            agency_id=state.agency_id,
            person=person,
            template="over",
            klass="rescind",
            subject=own,
            expires_at=expires,
            planned_at=self.now,
        )


def moved(state: CaseState, matter: UUID, to: MatterState) -> CaseState:
    """A matter that goes on leaves that state; what was planned about it is cancelled."""
    known = state.matters.get(matter)
    if known is None or not known.live:
        return state
    after = state.with_matter(replace(known, state=to))
    return after.cancelling({i.intent_id for i in state.intents.values() if i.subject == matter})


def ended_seats(state: CaseState, thing: UUID, to: MatterState = "ended") -> CaseState:
    """Everybody's part in a consult or referral is over, and what they could have read is forgotten."""
    after = state
    for seat in state.seats(thing):
        if seat.live:
            after = moved(after.with_matter(replace(seat, sealed=None)), seat.matter_id, to)
    return after
