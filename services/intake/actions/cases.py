"""The life of cases: whatever is heard, timed or said comes through one fold that takes any size."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from services.intake.actions import danger
from services.intake.domain import course
from services.intake.domain.acts import DRILL, Act, Emergency, Endangered, Help, Step, TimeIsUp, Withdraw
from services.intake.domain.agency import month_of
from services.intake.domain.case import UNKNOWN, Case, Known, Over, Unknown, Withdrawn, outcome_of, stands
from services.intake.domain.request import outreach_of
from services.intake.store import cases as store
from services.intake.store import statistics
from services.intake.store.agencies import zones_of
from services.intake.store.directory import coordinators_of
from services.intake.store.statistics import Statistic
from shared import casework, clock, forgetting, timers
from shared.anchors import PLACEHOLDER, Anchor
from shared.casework import Decided, Input, Standing, Wake
from shared.db import Transaction
from shared.errors import LostClaim, Refused
from shared.events.notify import DangerReported
from shared.timers import Fired
from shared.types import AgencyId, CaseId

CHOICES = frozenset({"choose", "release"})
"""Timers of a requester who has yet to choose, or to say OK."""


class CaseBook:
    """How intake keeps its cases."""

    def __init__(self, now: datetime, inputs: Sequence[Input]) -> None:
        """`now` is the region's time of the transaction; `inputs` are all that will be decided."""
        self._now = now
        self._agencies: Mapping[CaseId, AgencyId] = {one.case_id: one.agency_id for one in inputs}
        self._endangered = {one.case_id for one in inputs if isinstance(one.what, DangerReported | Emergency)}
        self._help: Mapping[CaseId, Help] = {}

    async def load(self, tx: Transaction, cases: Mapping[CaseId, Anchor]) -> dict[CaseId, Known]:
        """Cases as they stand; one that is only a placeholder is unknown. And help for those in danger."""
        live = await store.load(tx, cases)
        in_danger = {case: state for case, state in live.items() if case in self._endangered}
        self._help = await danger.help_for(tx, in_danger, self._agencies, self._now)
        return {case: live.get(case, UNKNOWN) for case in cases}

    def decide(self, state: Known, what: Input) -> Decided[Known]:
        """As `course.heard`."""
        step = course.heard(state, self._with_help(what), self._now)
        return Decided(step.case, step.facts, wakes_of(what.case_id, step), step.acts, step.ending)

    def _with_help(self, what: Input) -> object:
        help_there_is = self._help.get(what.case_id)
        if help_there_is is None or not isinstance(what.what, DangerReported | Emergency):
            return what.what
        return Endangered(help_there_is, at_door=isinstance(what.what, Emergency))

    def standing(self, state: Known) -> Standing:
        """As `case.stands`."""
        if isinstance(state, Unknown):
            return Standing(PLACEHOLDER)
        where = stands(state)
        return Standing(where.name, where.owner, where.due)

    async def save(self, tx: Transaction, before: Mapping[CaseId, Known], after: Mapping[CaseId, Known]) -> None:
        """One statement for the cases; two more when some have just ended, for their statistics."""
        await store.save(tx, {case: state for case, state in after.items() if isinstance(state, Case)})
        ended = [
            (case, state)
            for case, state in after.items()
            if isinstance(state, Case) and isinstance(state.stage, Over) and not _over(before[case])
        ]
        if ended:
            zones = await zones_of(tx, {self._agencies[case] for case, _ in ended})
            rows = [
                self._statistic(case, state, zones.get(self._agencies[case], "UTC"))
                for case, state in ended
                if not state.ask.practice and not _moved(state)
            ]
            await statistics.add(tx, rows)
        await timers.schedule(tx, [timers.apart(self._agencies[case], self._now) for case, _ in ended])

    def _statistic(self, case: CaseId, state: Case, zone: str) -> Statistic:
        return Statistic(
            statistic_id=clock.random_id(),
            agency_id=self._agencies[case],
            month=month_of(self._now, zone),
            relation=state.ask.relation.value,
            urgency=state.ask.urgency.value,
            help=tuple(sorted(kind.value for kind in state.ask.help)),
            outcome=outcome_of(state),
        )

    async def purge(self, tx: Transaction, cases: Collection[CaseId]) -> None:
        """Destroy the keys, then every row. Raises `LostClaim` when a legal hold was set in this very moment."""
        destroyed = await forgetting.destroy(tx, "case", cases)
        if (left := set(cases) - {CaseId(case) for case in destroyed}) and await store.held(tx, left):
            raise LostClaim
        await forgetting.destroy(tx, "outreach", [outreach_of(case) for case in cases])
        await store.purge(tx, cases)


def _moved(state: Case) -> bool:
    """It is counted where it goes on."""
    return isinstance(state.stage, Withdrawn) and state.stage.moved


def _over(state: Known) -> bool:
    return isinstance(state, Case) and isinstance(state.stage, Over)


def wakes_of(case: CaseId, step: Step) -> tuple[Wake, ...]:
    """The timer that a step sets, as the house keeps timers."""
    timer = step.timer
    return (Wake(timer.kind, case, timer.turn, timer.due),) if timer else ()


async def take(tx: Transaction, inputs: Sequence[Input]) -> dict[CaseId, Known]:
    """Bring what happened to cases to its effect, in order per case. Returns how they then stand."""
    if not inputs:
        return {}
    return await casework.fold(tx, inputs, CaseBook(await tx.now(), inputs))


async def act(tx: Transaction, agency_id: AgencyId, case_id: CaseId, what: Act) -> Known:
    """Do what the requester says. Raises `Refused`: what `course.heard` refuses, 404 when the case has just gone."""
    after = await take(tx, [Input(agency_id, case_id, what)])
    if case_id not in after:
        raise Refused("not-found", 404)
    return after[case_id]


async def withdraw(tx: Transaction, agency_id: AgencyId, case_id: CaseId, *, moved: bool = False) -> Known:
    """The requester takes everything back: the key is destroyed and everything purged at once, unless it is held."""
    held = await store.held(tx, [case_id])
    return await act(tx, agency_id, case_id, Withdraw(held=bool(held), moved=moved))


async def fire(tx: Transaction, fired: Sequence[Fired]) -> None:
    """Timers: somebody had to choose or say OK, a case in contact is looked at again, a grace is over."""
    over = [CaseId(timer.key) for timer in fired if timer.kind in {"grace", DRILL}]
    held = await store.held(tx, over) if over else set()
    late = {timer.agency_id for timer in fired if timer.kind in CHOICES}
    to_tell = await coordinators_of(tx, late) if late else {}
    await take(
        tx,
        [
            Input(
                timer.agency_id,
                CaseId(timer.key),
                TimeIsUp(
                    timer.kind,
                    timer.version,
                    held=timer.key in held,
                    coordinators=to_tell.get(timer.agency_id, ()) if timer.kind in CHOICES else (),
                ),
                timer.timer_id,
            )
            for timer in fired
        ],
    )


async def part(tx: Transaction, fired: Sequence[Fired]) -> None:
    """Timers of statistics that were just written: see `timers.apart`. Nothing of a case is written beside them."""
    del fired
    await statistics.write_apart(tx)
