"""What referral does: emergencies taken to people, through the one core that takes any size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from services.referral import domain, store
from services.referral.domain import HeardOf, State, TimeIsUp, Unneeded
from shared import casework, clock
from shared.anchors import Anchor
from shared.casework import Decided, Input, Standing, Wake
from shared.db import Transaction
from shared.events.intake import CaseClosed, CaseWithdrawn
from shared.timers import Fired
from shared.types import AgencyId, CaseId, Lane

TIMERS: Mapping[str, Literal["rung", "contact"]] = {"rung": "rung", "contact": "contact"}
"""What a timer's kind stands for; all of them run on the crisis lane."""


class LadderBook:
    """How referral keeps its cases: each has one ladder, or none."""

    def __init__(self, now: datetime, new_id: Callable[[], UUID], agencies: Mapping[CaseId, AgencyId]) -> None:
        """`now` is the region's time of the transaction; `agencies` says whose each case of the batch is."""
        self._now, self._new_id, self._agencies = now, new_id, agencies

    async def load(self, tx: Transaction, cases: Mapping[CaseId, Anchor]) -> dict[CaseId, State]:
        """Ladders as they stand; a case that had none when it ended stays without one."""
        live = await store.load(tx, cases)
        unneeded = domain.standing(Unneeded()).name
        return {
            case: live.get(case) or (Unneeded() if anchor.state == unneeded else HeardOf())
            for case, anchor in cases.items()
        }

    def decide(self, state: State, what: Input) -> Decided[State]:
        """As `domain.heard`; withdrawal leaves a tombstone, closing purges as well."""
        heard = cast("domain.Heard", what.what)
        step = domain.heard(state, heard, now=self._now, new_id=self._new_id)
        wakes = tuple(Wake(one.of, one.ladder_id, one.turn, one.at, Lane.CRISIS) for one in step.alarms)
        ending: Literal["withdrawn", "closed"] | None = None
        if isinstance(heard, CaseClosed):
            ending = "closed"
        elif isinstance(heard, CaseWithdrawn):
            ending = "withdrawn"
        return Decided(step.state, step.facts, wakes, step.acts, ending)

    def standing(self, state: State) -> Standing:
        """As `domain.standing`."""
        stands = domain.standing(state)
        return Standing(stands.name, stands.owner, stands.due_at)

    async def save(self, tx: Transaction, before: Mapping[CaseId, State], after: Mapping[CaseId, State]) -> None:
        """One statement for the ladders, one for their pages."""
        del before
        await store.save(tx, self._agencies, after)

    async def purge(self, tx: Transaction, cases: Collection[CaseId]) -> None:
        """Nothing of these cases stays."""
        await store.purge(tx, cases)


async def take(tx: Transaction, inputs: Sequence[Input]) -> None:
    """Bring what was heard of cases to its effect, in order per case."""
    if inputs:
        agencies = {one.case_id: one.agency_id for one in inputs}
        await casework.fold(tx, inputs, LadderBook(await tx.now(), clock.random_id, agencies))


async def fire(tx: Transaction, fired: Sequence[Fired]) -> None:
    """Timers of the crisis lane: a rung that was to answer, a contact that was to be made."""
    await take(
        tx,
        [
            Input(
                timer.agency_id,
                CaseId(timer.key),
                TimeIsUp(timer.subject_id, timer.version, TIMERS[timer.kind]),
                timer.timer_id,
            )
            for timer in fired
        ],
    )
