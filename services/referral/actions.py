"""What referral does: everything comes through one core, whether it was heard on the bus or its time has come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast
from uuid import UUID

from services.referral.domain import case as cases
from services.referral.domain.case import Case
from services.referral.domain.consults import Consult
from services.referral.domain.effects import Of, TimeIsUp
from services.referral.domain.heard import Heard, heard
from services.referral.domain.world import ClinicianGone, World
from services.referral.store import directory, ladders, pathways
from shared import casework, clock, duty
from shared.anchors import PLACEHOLDER, Anchor
from shared.casework import Decided, Input, Standing, Wake, ending_of
from shared.db import Transaction
from shared.events.intake import (
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ConsentWithdrawn,
    RequestSubmitted,
)
from shared.events.matching import AssignmentEnded, PeerAssigned
from shared.events.notify import DangerReported, PageReplied, PageSettled
from shared.news import News
from shared.timers import Fired
from shared.types import AgencyId, CaseId, Lane

ALARMS: Mapping[str, Of] = {
    "rung": "rung",
    "contact": "contact",
    "consult": "consult",
    "referral": "referral",
    "waiting": "waiting",
}
"""What a timer's kind stands for."""
OF_A_CRISIS: Collection[Of] = frozenset({"rung", "contact"})
_NEEDS_NOBODY = (
    RequestSubmitted,
    CaseClosing,
    CaseWithdrawn,
    CaseClosed,
    ConsentWithdrawn,
    PeerAssigned,
    AssignmentEnded,
    DangerReported,
    PageSettled,
    PageReplied,
)
"""Where one of these lets nobody be chosen, unless an act has waited for it."""


def _needs_people(what: object) -> bool:
    if isinstance(what, TimeIsUp):
        return what.of not in OF_A_CRISIS
    return not isinstance(what, _NEEDS_NOBODY)


class PathwayBook:
    """How referral keeps its cases. Made for one transaction: its worlds are what `load` has read."""

    def __init__(self, now: datetime, new_id: Callable[[], UUID], inputs: Sequence[Input]) -> None:
        """`now` is the region's time of the transaction; `inputs` are all that will be decided."""
        self._blank = World(now, new_id)
        self._agencies = {one.case_id: one.agency_id for one in inputs}
        self._looking = {one.agency_id for one in inputs if _needs_people(one.what)}
        self._worlds: dict[AgencyId, World] = {}

    async def load(self, tx: Transaction, cases: Mapping[CaseId, Anchor]) -> dict[CaseId, Case]:
        """The cases as they stand, and the people who may be asked in them."""
        known = [case for case, anchor in cases.items() if anchor.state != PLACEHOLDER]
        found = await pathways.load(tx, known)
        live = await ladders.load(tx, known) if known else {}
        states = {case: found.get(case) or Case() for case in cases}
        states |= {case: replace(states[case], ladder=ladder) for case, ladder in live.items()}
        # What has waited may be let go by anything that is heard.
        waits = {anchor.agency_id for case, anchor in cases.items() if states[case].waiting}
        await self._look(tx, self._looking | waits)
        return states

    async def _look(self, tx: Transaction, agencies: Collection[AgencyId]) -> None:
        if not agencies:
            return
        people = await directory.people(tx, agencies)
        present = await directory.capabilities(tx, agencies)
        region = await duty.present(tx)
        self._worlds = {
            agency: replace(self._blank, people=people.get(agency, ()), duty=region, present=present.get(agency))
            for agency in agencies
        }

    def decide(self, state: Case, what: Input) -> Decided[Case]:
        """As `domain.heard`; withdrawal leaves a tombstone, closing purges as well."""
        said = cast("Heard", what.what)
        step = heard(state, said, self._worlds.get(what.agency_id, self._blank))
        wakes = tuple(
            Wake(one.of, one.subject, one.version, one.at, Lane.CRISIS if one.of in OF_A_CRISIS else Lane.ORDINARY)
            for one in step.alarms
        )
        return Decided(step.state, step.facts, wakes, step.acts, ending_of(said))

    def standing(self, state: Case) -> Standing:
        """As `domain.standing`."""
        stands = cases.standing(state)
        return Standing(stands.name, stands.owner, stands.due_at)

    async def save(self, tx: Transaction, before: Mapping[CaseId, Case], after: Mapping[CaseId, Case]) -> None:
        """One statement per table, whatever the number of cases; only what has changed."""
        pairs = [(case, before[case], new) for case, new in after.items()]
        await pathways.save(tx, self._agencies, {case: new for case, old, new in pairs if _itself(old) != _itself(new)})
        await ladders.save(
            tx, self._agencies, {case: new.ladder for case, old, new in pairs if new.ladder not in (None, old.ladder)}
        )
        await pathways.save_consults(tx, self._agencies, [one for pair in pairs for one in _moved(*pair)])
        await pathways.save_referrals(
            tx,
            self._agencies,
            {case: new.referral for case, old, new in pairs if new.referral not in (None, old.referral)},
        )

    async def purge(self, tx: Transaction, cases: Collection[CaseId]) -> None:
        """Nothing of these cases stays."""
        await ladders.purge(tx, cases)
        await pathways.purge(tx, cases)


def _itself(case: Case) -> Case:
    """What its own row holds."""
    return replace(case, ladder=None, consults=(), referral=None)


def _moved(case: CaseId, old: Case, new: Case) -> list[tuple[CaseId, Consult]]:
    return [(case, one) for one in new.consults if one != old.consult(one.consult_id)]


async def take(tx: Transaction, inputs: Sequence[Input]) -> None:
    """Bring what was heard of cases to its effect, in order per case."""
    if inputs:
        await casework.fold(tx, inputs, PathwayBook(await tx.now(), clock.random_id, inputs))


async def learn(tx: Transaction, news: News) -> list[Input]:
    """Take over who people are and what agencies may. Returns the referrals that have lost their clinician."""
    await directory.set_agencies(tx, news.agencies)
    left = await directory.set_persons(tx, news.persons)
    stopped = await directory.verify(tx, news.verified)
    await duty.learn(tx, news.duty, news.duty_verified)
    held = await pathways.held_by(tx, left | stopped)
    return [
        Input(agency, case, ClinicianGone(clinician, left=(agency, clinician) in left))
        for case, agency, clinician in held
    ]


async def fire(tx: Transaction, fired: Sequence[Fired]) -> None:
    """Timers: rungs and contacts on the crisis lane; consults, referrals and acts that wait on the ordinary one."""
    await take(
        tx,
        [
            Input(
                timer.agency_id,
                CaseId(timer.key),
                TimeIsUp(ALARMS[timer.kind], timer.subject_id, timer.version),
                timer.timer_id,
            )
            for timer in fired
        ],
    )
