"""The crisis ladder: an emergency is taken to people, rung by rung, until one of them says "I take this".

A rung is everybody who is paged at the same time. Here a ladder stays on its first rung: when that is silent it
belongs to the operator with a due time already past. `Ladder.rungs` holds the further ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never
from uuid import UUID

from shared.events import Fact
from shared.events.intake import CaseClosed, CaseClosing, CaseWithdrawn, CrisisRaised
from shared.events.notify import PageReplied, PageSettled
from shared.events.referral import (
    CrisisReplySettled,
    HumanContactConfirmed,
    LadderAcknowledged,
    LadderEnded,
    LadderStarted,
    RungPaged,
)
from shared.types import PersonId

Outcome = Literal["accepted", "failed", "unknown", "expired"]
NOT_SENT: tuple[Outcome, ...] = ("failed", "expired")


@dataclass(frozen=True)
class Page:
    """One person who was paged: what the provider said of it, and whether this person cannot take it."""

    page_id: UUID
    person: PersonId
    outcome: Outcome | None = None
    cannot: bool = False

    @property
    def hopeless(self) -> bool:
        """Nobody will take this page any more."""
        return self.cannot or self.outcome in NOT_SENT


@dataclass(frozen=True)
class Ladder:
    """What every live ladder has. `turn` grows with each paging, so that a timer of an earlier one is stale."""

    ladder_id: UUID
    rungs: tuple[tuple[PersonId, ...], ...]
    rung: int
    turn: int
    rung_within: timedelta
    contact_within: timedelta
    pages: tuple[Page, ...]
    """Of all turns, oldest first."""

    def page(self, page_id: UUID) -> Page | None:
        """The page with this id, if it is one of this ladder's."""
        return next((page for page in self.pages if page.page_id == page_id), None)

    def noted(self, page: Page) -> Ladder:
        """The same with one page as it is now."""
        return replace(self, pages=tuple(page if old.page_id == page.page_id else old for old in self.pages))


@dataclass(frozen=True)
class HeardOf:
    """Nothing but the case's id is known here yet."""


@dataclass(frozen=True)
class Unneeded:
    """The case is ending and never had an emergency."""


@dataclass(frozen=True)
class Paging:
    """A rung is being paged; somebody should take it by `expires`."""

    ladder: Ladder
    expires: datetime


@dataclass(frozen=True)
class Silent:
    """Nobody on the rung has taken it. An answer still counts; until one comes this is the operator's."""

    ladder: Ladder
    since: datetime


@dataclass(frozen=True)
class Acknowledged:
    """`by` has taken it and should have spoken with the requester by `contact_by`; `late` when that has passed."""

    ladder: Ladder
    by: PersonId
    contact_by: datetime
    late: bool = False


@dataclass(frozen=True)
class Ended:
    """The ladder is over. With `nobody` there was no one to page: that stays with the operator."""

    ladder: Ladder
    how: Literal["contact", "ended", "nobody"]
    at: datetime


State = HeardOf | Unneeded | Paging | Silent | Acknowledged | Ended


@dataclass(frozen=True)
class TimeIsUp:
    """A timer of a ladder's turn: the rung was to answer, or the one who acknowledged was to make contact."""

    ladder_id: UUID
    turn: int
    of: Literal["rung", "contact"]


Heard = CrisisRaised | CaseClosing | CaseWithdrawn | CaseClosed | PageSettled | PageReplied | TimeIsUp


@dataclass(frozen=True)
class Alarm:
    """When to look again: `TimeIsUp` of this ladder, turn and kind."""

    ladder_id: UUID
    turn: int
    of: Literal["rung", "contact"]
    at: datetime


@dataclass(frozen=True)
class Step:
    """What something heard comes to."""

    state: State
    facts: tuple[Fact, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    acts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Standing:
    """The state's name, and who owns it until when; both None when it is terminal."""

    name: str
    owner: str | None = None
    due_at: datetime | None = None


def standing(state: State) -> Standing:
    """Where a case stands in referral. A due time in the past means that somebody should look at once."""
    match state:
        case HeardOf():
            return Standing("heard_of")
        case Unneeded():
            return Standing("unneeded")
        case Paging():
            return Standing("paging", "referral", state.expires)
        case Silent():
            return Standing("silent", "operator", state.since)
        case Acknowledged():
            return Standing("acknowledged", "operator" if state.late else "who acknowledged", state.contact_by)
        case Ended(how="nobody"):
            return Standing("nobody", "operator", state.at)
        case Ended():
            return Standing(state.how)
        case _:
            assert_never(state)


def heard(state: State, what: Heard, *, now: datetime, new_id: Callable[[], UUID]) -> Step:
    """What happens to a ladder when this is heard. `now` is the region's time."""
    match what:
        case CrisisRaised():
            return _raised(state, what, now, new_id)
        case PageSettled():
            return _settled(state, what, now)
        case PageReplied():
            return _replied(state, what, now, new_id)
        case TimeIsUp():
            return _time_is_up(state, what, now)
        case CaseClosing() | CaseWithdrawn():
            return _ending(state, now)
        case CaseClosed():
            return Step(state)
        case _:
            assert_never(what)


def _raised(state: State, fact: CrisisRaised, now: datetime, new_id: Callable[[], UUID]) -> Step:
    if isinstance(state, Paging | Silent | Acknowledged):
        return Step(state)
    policy = fact.ask.policy
    ladder = Ladder(
        ladder_id=new_id(),
        rungs=fact.rungs,
        rung=0,
        turn=0,
        rung_within=timedelta(seconds=policy.rung_within_s),
        contact_within=timedelta(seconds=policy.contact_within_s),
        pages=(),
    )
    paged = _paged(ladder, fact.rungs[0] if fact.rungs else (), now, new_id)
    started = LadderStarted(ladder=ladder.ladder_id)
    return replace(paged, facts=(started, *paged.facts), acts=("ladder started", *paged.acts))


def _paged(ladder: Ladder, persons: tuple[PersonId, ...], now: datetime, new_id: Callable[[], UUID]) -> Step:
    """Page these persons of the present rung; with none of them the ladder is over, and stays the operator's."""
    if not persons:
        over = LadderEnded(ladder=ladder.ladder_id, how="nobody")
        return Step(Ended(ladder, "nobody", now), (over,), acts=("nobody to page",))
    pages = tuple(Page(new_id(), person) for person in dict.fromkeys(persons))
    ladder = replace(ladder, turn=ladder.turn + 1, pages=(*ladder.pages, *pages))
    expires = now + ladder.rung_within
    fact = RungPaged(
        ladder=ladder.ladder_id,
        rung=ladder.rung,
        pages=tuple((page.page_id, page.person) for page in pages),
        expires=expires,
    )
    alarm = Alarm(ladder.ladder_id, ladder.turn, "rung", expires)
    return Step(Paging(ladder, expires), (fact,), (alarm,), ("rung paged",))


def _settled(state: State, fact: PageSettled, now: datetime) -> Step:
    if isinstance(state, HeardOf | Unneeded):
        return Step(state)
    page = state.ladder.page(fact.page)
    if page is None or page.outcome == fact.outcome:
        return Step(state)
    noted = replace(state, ladder=state.ladder.noted(replace(page, outcome=fact.outcome)))
    return Step(_perhaps_silent(noted, now))


def _perhaps_silent(state: State, now: datetime) -> State:
    """A rung on which nobody can answer any more is not waited for."""
    if isinstance(state, Paging) and all(page.hopeless for page in state.ladder.pages):
        return Silent(state.ladder, now)
    return state


def _replied(state: State, fact: PageReplied, now: datetime, new_id: Callable[[], UUID]) -> Step:
    if isinstance(state, HeardOf | Unneeded):
        return _told(Step(state), fact, "ended")
    page = state.ladder.page(fact.page)
    if page is None or page.person != fact.person:
        return _told(Step(state), fact, "ended")
    if isinstance(state, Ended):
        return _told(Step(state), fact, "covered" if state.how == "contact" else "ended")
    match fact.verb:
        case "acknowledge":
            return _acknowledge(state, fact, page, now)
        case "contact_confirmed":
            return _contact(state, fact, now)
        case "cannot":
            return _cannot(state, fact, page, now, new_id)
        case _:
            assert_never(fact.verb)


def _told(step: Step, fact: PageReplied, outcome: Literal["acknowledged", "covered", "noted", "ended"]) -> Step:
    """The page that took the reply stops saying "one moment"."""
    return replace(step, facts=(*step.facts, CrisisReplySettled(reply=fact.reply, outcome=outcome)))


def _acknowledge(state: Paging | Silent | Acknowledged, fact: PageReplied, page: Page, now: datetime) -> Step:
    """The first one counts; the others hear that it is covered."""
    if isinstance(state, Acknowledged):
        return _told(Step(state), fact, "acknowledged" if state.by == fact.person else "covered")
    ladder = state.ladder.noted(replace(page, cannot=False))
    contact_by = now + ladder.contact_within
    alarm = Alarm(ladder.ladder_id, ladder.turn, "contact", contact_by)
    taken = LadderAcknowledged(ladder=ladder.ladder_id, person=fact.person)
    step = Step(Acknowledged(ladder, fact.person, contact_by), (taken,), (alarm,), ("ladder acknowledged",))
    return _told(step, fact, "acknowledged")


def _contact(state: Paging | Silent | Acknowledged, fact: PageReplied, now: datetime) -> Step:
    """Whoever has spoken with the requester has thereby taken it, also when somebody else had said so before."""
    ladder = state.ladder
    confirmed: tuple[Fact, ...] = (
        HumanContactConfirmed(ladder=ladder.ladder_id, person=fact.person),
        LadderEnded(ladder=ladder.ladder_id, how="contact"),
    )
    if not isinstance(state, Acknowledged):
        confirmed = (LadderAcknowledged(ladder=ladder.ladder_id, person=fact.person), *confirmed)
    return _told(Step(Ended(ladder, "contact", now), confirmed, acts=("contact confirmed",)), fact, "noted")


def _cannot(
    state: Paging | Silent | Acknowledged, fact: PageReplied, page: Page, now: datetime, new_id: Callable[[], UUID]
) -> Step:
    """Noted. When it comes from whoever had taken it, the others who could are paged again at once."""
    ladder = state.ladder.noted(replace(page, cannot=True))
    if not isinstance(state, Acknowledged) or state.by != fact.person:
        return _told(Step(_perhaps_silent(replace(state, ladder=ladder), now)), fact, "noted")
    unable = {one.person for one in ladder.pages if one.cannot}
    left = tuple(person for person in ladder.rungs[ladder.rung] if person not in unable)
    step = _paged(ladder, left, now, new_id) if left else Step(Silent(ladder, now))
    return _told(replace(step, acts=("acknowledgement taken back", *step.acts)), fact, "noted")


def _time_is_up(state: State, what: TimeIsUp, now: datetime) -> Step:
    if isinstance(state, HeardOf | Unneeded) or (state.ladder.ladder_id, state.ladder.turn) != (
        what.ladder_id,
        what.turn,
    ):
        return Step(state)
    if isinstance(state, Paging) and what.of == "rung":
        return Step(Silent(state.ladder, now), acts=("rung silent",))
    if isinstance(state, Acknowledged) and what.of == "contact":
        return Step(replace(state, late=True), acts=("contact overdue",))
    return Step(state)


def _ending(state: State, now: datetime) -> Step:
    """The request has ended: whoever was paged need not answer any more."""
    match state:
        case HeardOf():
            return Step(Unneeded())
        case Unneeded() | Ended(how="contact" | "ended"):
            return Step(state)
        case Ended():
            return Step(replace(state, how="ended"))
        case Paging() | Silent() | Acknowledged():
            over = LadderEnded(ladder=state.ladder.ladder_id, how="ended")
            return Step(Ended(state.ladder, "ended", now), (over,), acts=("ladder ended",))
        case _:
            assert_never(state)
