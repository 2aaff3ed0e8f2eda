"""What matching does: everything comes through one core, whether it was heard on the bus or its time has come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, cast
from uuid import UUID

from services.matching.domain.case import BY_PEER, Assigned, Case, Ended, HeardOf, InContact, Offer, Open, State, stands
from services.matching.domain.decide import Heard, LookAgain, PeerMoved, Subject, TimeIsUp, decide
from services.matching.domain.effects import Alarmed
from services.matching.domain.loads import Ledger
from services.matching.domain.ranking import is_crisis
from services.matching.domain.replies import next_hour
from services.matching.domain.world import World
from services.matching.store import cases as case_rows
from services.matching.store import check_ins, directory, loads, rosters
from services.matching.store.cases import Refusal
from shared import casework, clock, duty, outbox, timers
from shared.anchors import PLACEHOLDER, Anchor
from shared.casework import Decided, Input, Standing, Wake, ending_of
from shared.db import Transaction
from shared.events.intake import CaseClosed, CaseClosing, CaseWithdrawn, ContactReleased
from shared.events.matching import CheckInDue
from shared.news import News
from shared.outbox import Draft
from shared.timers import Due, Fired
from shared.types import AgencyId, CaseId, Lane, PersonId

MOST_LOOKS = 500
"""Hungry searches that look again when something has changed: the most urgent, of them the longest waiting.

The others have their own time."""
RELIEF = "relief"
"""The timer that says: somebody of this agency who was full has room again."""
MOVED = "moved"
"""The timer that says: somebody is a peer no more; what was accepted while that was being learnt is given back too."""
SETTLED = timedelta(minutes=2)
"""After so long every acceptance that still saw a peer has been committed, or never will be."""
CHECK_IN: Literal["check_in"] = "check_in"
"""The timer that says: somebody of this agency may have to be asked how they are."""
ALARMS: Mapping[str, Alarmed] = {"offer": "offer", "contact": "contact", "look": "look"}
OF_CASES = (*ALARMS, RELIEF, MOVED)
"""The timers that `fire` brings to their effect."""
_NEEDS_NOBODY = (CaseClosed, CaseClosing, CaseWithdrawn, ContactReleased)


class SearchBook:
    """How matching keeps its cases. Made for one transaction: its world is what `load` has read."""

    def __init__(self, now: datetime, new_id: Callable[[], UUID], inputs: Sequence[Input]) -> None:
        """`now` is the region's time of the transaction; `inputs` are all that will be decided."""
        self._now, self._new_id = now, new_id
        # Nobody is loaded for a batch in which nobody can be asked.
        self._agencies = {one.agency_id for one in inputs if not isinstance(one.what, _NEEDS_NOBODY)}
        self._homes = {one.case_id: one.agency_id for one in inputs}
        self._world = World(now, new_id, {}, (), Ledger({}))
        self._relieved: set[tuple[AgencyId, Lane]] = set()
        self._moved: set[AgencyId] = set()
        self._room: set[tuple[AgencyId, Lane, datetime]] = set()
        self._check_ins: list[check_ins.Due] = []

    async def load(self, tx: Transaction, cases: Mapping[CaseId, Anchor]) -> dict[CaseId, State]:
        """What is open here, and the people whom it may be offered to."""
        if self._agencies:
            people = await rosters.of(tx, self._agencies)
            carried = await loads.of(tx, {one for roster in people.values() for one in roster.carriers}, self._now)
            region = await duty.present(tx)
            self._world = World(self._now, self._new_id, people, region, Ledger(carried))
        known = [case for case, anchor in cases.items() if anchor.state != PLACEHOLDER and not anchor.terminal]
        states = await case_rows.load(tx, known)
        # Known, not over, and not searched for: only who is kept out was heard of.
        early = {case: cases[case].due_at for case in known if case not in states}
        barred = await case_rows.kept_out(tx, early)
        return {
            case: states.get(case) or (HeardOf(barred[case], early[case]) if case in early else _blank(anchor))
            for case, anchor in cases.items()
        }

    def decide(self, state: State, what: Input) -> Decided[State]:
        """As `domain.decide`; loads move in the ledger, so that the next case of the batch sees them taken."""
        heard = cast("Heard", what.what)
        if isinstance(heard, LookAgain | PeerMoved) and state == HeardOf():
            # It was purged between being found hungry and being locked: the placeholder goes again.
            return Decided(state, ending="closed")
        after, effects = decide(state, heard, Subject(what.case_id, what.agency_id), self._world)
        if effects.moves:
            self._moved.add(what.agency_id)
        if effects.room_at is not None:
            self._room.add((what.agency_id, _lane(after), effects.room_at))
        self._check_ins += [check_ins.Due(what.agency_id, one.person, one.at) for one in effects.check_ins]
        for move in effects.moves:
            # Where nobody was loaded nobody knows who was full: then it is looked at.
            if move.by < 0 and (what.agency_id not in self._agencies or self._world.ledger.relieves(move)):
                self._relieved.add((what.agency_id, Lane.CRISIS if move.crisis else Lane.ORDINARY))
            self._world.ledger.apply(move)
        wakes = (
            Wake(alarm.of, alarm.subject, alarm.version, alarm.at, Lane.CRISIS if alarm.crisis else Lane.ORDINARY)
            for alarm in effects.alarms
        )
        return Decided(after, tuple(effects.facts), tuple(wakes), tuple(effects.acts), ending_of(heard))

    def standing(self, state: State) -> Standing:
        """As `domain.stands`."""
        stood = stands(state)
        return Standing(stood.name, stood.owner, stood.due_at)

    async def save(self, tx: Transaction, before: Mapping[CaseId, State], after: Mapping[CaseId, State]) -> None:
        """One statement per table and direction, whatever the number of cases; the loads last."""
        still = [state for state in after.values() if not isinstance(state, Ended | HeardOf)]
        pairs = [(before[state.case.case_id], state) for state in still]
        over = [case for case, state in after.items() if isinstance(state, Ended) and _has_rows(before[case])]
        await case_rows.purge(tx, over)
        await case_rows.save(tx, still)
        await case_rows.save_refusals(
            tx,
            [
                *(one for old, new in pairs for one in _new_refusals(old, new.case)),
                *(
                    Refusal(self._homes[case], case, person, None)
                    for case, state in after.items()
                    if isinstance(state, HeardOf)
                    for person in state.kept_out
                ),
            ],
        )
        await case_rows.save_offers(
            tx, [(new.case, offer) for old, new in pairs for offer in new.case.offers if offer not in _offers(old)]
        )
        await case_rows.end_assignments(tx, [one for old, new in pairs for one in _left(old, new)])
        await case_rows.save_assignments(
            tx, [(new.case, new.assignment) for _, new in pairs if isinstance(new, Assigned | InContact)]
        )
        await loads.take_loads(tx, self._world.ledger.changes(), self._now)
        await check_ins.note(tx, self._check_ins)
        relieved = {(agency, lane, self._now) for agency, lane in self._relieved}
        await timers.schedule(tx, [_relief(*one) for one in sorted(relieved | self._room)])
        await timers.schedule(tx, [timers.apart(agency, self._now) for agency in sorted(self._moved)])

    async def purge(self, tx: Transaction, cases: Collection[CaseId]) -> None:
        """Nothing of these cases stays."""
        await case_rows.purge(tx, cases)


def _blank(anchor: Anchor) -> State:
    return Ended(anchor.state == BY_PEER) if anchor.terminal else HeardOf()


def _has_rows(state: State) -> bool:
    return not isinstance(state, HeardOf | Ended)


def _offers(state: State) -> tuple[Offer, ...]:
    return () if isinstance(state, HeardOf | Ended) else state.case.offers


def _new_refusals(old: State, case: Case) -> list[Refusal]:
    if not isinstance(old, HeardOf | Ended) and old.case.kept_out is case.kept_out:
        return []
    known = {} if isinstance(old, HeardOf | Ended) else old.case.kept_out
    return [
        Refusal(case.agency_id, case.case_id, person, until, person in case.promised)
        for person, until in case.kept_out.items()
        if person not in known or known[person] != until
    ]


def _left(old: State, new: Open) -> list[UUID]:
    """The assignment that stood before and does not any more."""
    if not isinstance(old, Assigned | InContact):
        return []
    left = old.assignment.assignment_id
    stays = isinstance(new, Assigned | InContact) and new.assignment.assignment_id == left
    return [] if stays else [left]


def _relief(agency: AgencyId, lane: Lane, at: datetime) -> Due:
    """At most one a second, lane and agency: a burst of answers is one look."""
    second = int(at.timestamp())
    return Due(agency, lane, RELIEF, agency, agency, -second if lane is Lane.CRISIS else second, at)


def _lane(state: State) -> Lane:
    crisis = not isinstance(state, HeardOf | Ended) and is_crisis(state.case.ask)
    return Lane.CRISIS if crisis else Lane.ORDINARY


async def take(tx: Transaction, inputs: Sequence[Input]) -> None:
    """Bring what was heard of cases to its effect, in order per case."""
    if inputs:
        await casework.fold(tx, inputs, SearchBook(await tx.now(), clock.random_id, inputs))


async def learn(tx: Transaction, news: News) -> list[Input]:
    """Take over who is there, and who can be told things.

    Returns the searches that are to look again, and the cases of those who are no peers any more.
    """
    concerned = {one.agency_id for one in news.persons} | {one.agency_id for one in news.verified}
    await rosters.hold(tx, concerned | {agency for agency, _ in news.agencies})
    changed = await directory.set_agencies(tx, news.agencies)
    useful, moved = await directory.set_persons(tx, news.persons)
    changed |= useful
    changed |= await directory.verify(tx, news.verified)
    await duty.learn(tx, news.duty, news.duty_verified)
    if moved:
        again = await tx.now() + SETTLED
        version = int(again.timestamp())
        await timers.schedule(
            tx, [Due(agency, Lane.ORDINARY, MOVED, agency, person, version, again) for agency, person in moved]
        )
    return [*await _given_back(tx, [person for _, person in moved]), *await _looks(tx, changed)]


async def _given_back(tx: Transaction, people: Collection[PersonId]) -> list[Input]:
    """The cases of those who are no peers any more."""
    return [Input(one.agency_id, one.case_id, PeerMoved(one.person)) for one in await case_rows.held_by(tx, people)]


async def _looks(tx: Transaction, agencies: Collection[AgencyId]) -> list[Input]:
    if not agencies:
        return []
    hungry = await case_rows.hungry(tx, agencies, MOST_LOOKS)
    return [Input(agency, case, LookAgain()) for case, agency in hungry.items()]


async def fire(tx: Transaction, fired: Sequence[Fired]) -> None:
    """Timers: an offer's time-out, a contact that is due, a search that goes on, room with somebody who was full."""
    relieved = {timer.agency_id for timer in fired if timer.kind == RELIEF}
    moved = [PersonId(timer.subject_id) for timer in fired if timer.kind == MOVED]
    inputs = [
        Input(
            timer.agency_id,
            CaseId(timer.key),
            TimeIsUp(ALARMS[timer.kind], timer.subject_id, timer.version),
            timer.timer_id,
        )
        for timer in fired
        if timer.kind in ALARMS
    ]
    await take(tx, [*inputs, *await _given_back(tx, moved), *await _looks(tx, relieved)])


async def part(tx: Transaction, fired: Sequence[Fired]) -> None:
    """Timers of what outlives its case: see `timers.apart`. Nothing of a case is written in this transaction."""
    del fired
    await loads.write_apart(tx)
    hour = next_hour(await tx.now() + timedelta(seconds=1))
    await _look_in(tx, dict.fromkeys(await check_ins.write_apart(tx), hour))


async def check_in(tx: Transaction, fired: Sequence[Fired]) -> None:
    """Timers: ask those who have been in something hard how they are, and look in again for the others."""
    agencies = {one.agency_id for one in fired}
    found = await check_ins.take(tx, agencies)
    await outbox.emit(
        tx, [Draft(agency, agency, CheckInDue(people=tuple(people))) for agency, people in sorted(found.items())]
    )
    await _look_in(tx, await check_ins.next_of(tx, agencies))


async def _look_in(tx: Transaction, when: Mapping[AgencyId, datetime]) -> None:
    """Timers of agencies, at full hours, and first at the next one.

    When a timer was set stands in it. Of a person, or set for a day ahead, it would tell when a case has ended.
    """
    await timers.schedule(
        tx,
        [
            # The slow lane of an older version, side by side with this one, would do away with it.
            Due(agency, Lane.ORDINARY, CHECK_IN, agency, agency, int(at.timestamp()) // 3600, at)
            for agency, at in sorted(when.items())
        ],
    )
