"""One core, any size: lock the cases of a batch, load them, decide each input in order, save and emit once.

A batch from the bus, a batch of timers and a single act at a door all come through `fold`. Deciding is pure; what it
returns is written with one statement per table, however many cases there are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, Protocol, TypeVar
from uuid import UUID

from shared import anchors, audit, effects, outbox, timers
from shared.anchors import Anchor
from shared.db import Transaction
from shared.errors import Unprocessable
from shared.events import Fact
from shared.events.intake import CaseClosed, CaseWithdrawn
from shared.types import AgencyId, CaseId, Lane

S = TypeVar("S")


@dataclass(frozen=True)
class Input:
    """Something that happens to a case: a fact heard on the bus, a timer that fired, or an act at a door.

    `cause` is the event or timer id behind it, for the audit trail.
    """

    agency_id: AgencyId
    case_id: CaseId
    what: object
    cause: UUID | None = None


@dataclass(frozen=True)
class Standing:
    """Where a case stands: terminal, or with an owner and a due time (a CHECK enforces it)."""

    state: str
    owner: str | None = None
    due_at: datetime | None = None

    @property
    def terminal(self) -> bool:
        """Nobody owns it any more."""
        return self.owner is None


@dataclass(frozen=True)
class Wake:
    """A timer to set for a case: `subject_id` and `version` say what it was set for."""

    kind: str
    subject_id: UUID
    version: int
    due_at: datetime
    lane: Lane = Lane.ORDINARY


Ending = Literal["withdrawn", "closed"]


@dataclass(frozen=True)
class Decided(Generic[S]):
    """What an input comes to. `acts` go into the audit trail.

    `ending`: "withdrawn" leaves a tombstone that makes later events no-ops; "closed" also purges every row of the case.
    """

    state: S
    facts: tuple[Fact, ...] = ()
    wakes: tuple[Wake, ...] = ()
    acts: tuple[str, ...] = ()
    ending: Ending | None = None


class Book(Protocol[S]):
    """How one service keeps its cases. Every method takes lists or maps; `decide` and `standing` are pure."""

    async def load(self, tx: Transaction, cases: Mapping[CaseId, Anchor]) -> dict[CaseId, S]:
        """The states of these locked cases; a blank one for a case that is only a placeholder yet."""
        ...

    def decide(self, state: S, what: Input) -> Decided[S]:
        """What happens. Raises `Unprocessable` when the input can never take effect, `Refused` at a door."""
        ...

    def standing(self, state: S) -> Standing:
        """Where the case then stands in this service."""
        ...

    async def save(self, tx: Transaction, before: Mapping[CaseId, S], after: Mapping[CaseId, S]) -> None:
        """Write the states that have changed, which may be none; `before` holds what was loaded of the same cases."""
        ...

    async def purge(self, tx: Transaction, cases: Collection[CaseId]) -> None:
        """Remove every row of these cases, but for the anchor and what `anchors.purge` removes."""
        ...


def ending_of(what: object) -> Ending | None:
    """What a stop event makes of a case, in every service that keeps it; None for whatever else is heard."""
    if isinstance(what, CaseClosed):
        return "closed"
    return "withdrawn" if isinstance(what, CaseWithdrawn) else None


async def fold(tx: Transaction, inputs: Sequence[Input], book: Book[S], *, kept: bool = False) -> dict[CaseId, S]:
    """Bring inputs to their effect, in order per case. Returns the states afterwards, without cases that are gone.

    With `kept` these are cases that this service has known for long, as a timer does: one that is not there is over.
    """
    if not inputs:
        return {}
    held = await anchors.lock(tx, {one.case_id: one.agency_id for one in inputs}, make_missing=not kept)
    if kept:
        inputs = [one for one in inputs if one.case_id in held]
    inputs = await _still_wanted(tx, inputs, held)
    before = await book.load(tx, held)
    after = dict(before)
    decisions: list[tuple[Input, Decided[S]]] = []
    for one in inputs:
        if one.case_id not in held or held[one.case_id].agency_id != one.agency_id:
            raise Unprocessable("agency of the case")
        decided = book.decide(after[one.case_id], one)
        after[one.case_id] = decided.state
        decisions.append((one, decided))
    changed = {case: state for case, state in after.items() if state is not before[case]}
    await _save(tx, book, held, {case: before[case] for case in changed}, changed)
    await _emit(tx, decisions)
    await _end(tx, book, decisions)
    return after


async def _still_wanted(tx: Transaction, inputs: Sequence[Input], held: dict[CaseId, Anchor]) -> Sequence[Input]:
    """Without cases that ended while their lock was waited for; their placeholders are taken away again.

    The other lane may have brought the stop event meanwhile, and what delivery read before the lock does not tell.
    """
    # A row that was deleted while its lock was waited for is not there at all.
    unknown = {
        (one.case_id, one.agency_id)
        for one in inputs
        if one.case_id not in held or held[one.case_id].state == anchors.PLACEHOLDER
    }
    over = await anchors.buried(tx, unknown) if unknown else set()
    stopping = {(one.case_id, one.agency_id) for one in inputs if isinstance(one.what, Fact) and one.what.STOP}
    ghosts = over - stopping
    if not ghosts:
        return inputs
    await anchors.purge(tx, {case for case, _ in ghosts})
    for case, _ in ghosts:
        held.pop(case, None)
    return [one for one in inputs if (one.case_id, one.agency_id) not in ghosts]


async def _save(
    tx: Transaction,
    book: Book[S],
    held: Mapping[CaseId, Anchor],
    before: Mapping[CaseId, S],
    changed: Mapping[CaseId, S],
) -> None:
    moved = []
    for case, state in changed.items():
        standing = book.standing(state)
        anchor = held[case]
        moved.append(
            Anchor(
                case,
                anchor.agency_id,
                anchor.version,
                standing.state,
                standing.terminal,
                standing.owner,
                standing.due_at,
            )
        )
    if moved:
        await anchors.save(tx, moved)
    # Also where no state has changed: a book may keep more than states, as what somebody carries.
    await book.save(tx, before, changed)


async def _emit(tx: Transaction, decisions: Sequence[tuple[Input, Decided[S]]]) -> None:
    await outbox.emit(
        tx, [outbox.Draft(one.agency_id, one.case_id, fact) for one, decided in decisions for fact in decided.facts]
    )
    await timers.schedule(
        tx,
        [
            timers.Due(one.agency_id, wake.lane, wake.kind, one.case_id, wake.subject_id, wake.version, wake.due_at)
            for one, decided in decisions
            for wake in decided.wakes
        ],
    )
    await audit.record(
        tx,
        [
            audit.Entry(one.agency_id, act, subject=one.case_id, cause=one.cause)
            for one, decided in decisions
            for act in _acts(decided)
        ],
    )


def _acts(decided: Decided[S]) -> tuple[str, ...]:
    """What is decided, and the end with it: every tombstone has its act, in every service."""
    end = {"withdrawn": effects.WITHDRAWN, "closed": effects.CLOSED, None: None}[decided.ending]
    return decided.acts if end is None or end in decided.acts else (*decided.acts, end)


async def _end(tx: Transaction, book: Book[S], decisions: Sequence[tuple[Input, Decided[S]]]) -> None:
    withdrawn = {one.case_id: one.agency_id for one, decided in decisions if decided.ending == "withdrawn"}
    closed = {one.case_id: one.agency_id for one, decided in decisions if decided.ending == "closed"}
    if withdrawn:
        await anchors.bury(tx, withdrawn, closed=False)
    if closed:
        await anchors.bury(tx, closed, closed=True)
        await book.purge(tx, closed)
        await anchors.purge(tx, closed)
