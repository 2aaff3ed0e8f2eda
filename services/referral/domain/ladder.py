"""The crisis ladder: an emergency is taken to people, rung by rung, until one of them has spoken with the requester.

A rung is everybody who is paged at the same time. A ladder climbs when a rung is silent, when nobody on it can take
the page, and when the one who took it makes no contact; it never goes down. The last rung is paged again and again,
and all that while the ladder is the operator's. An earlier page stays answerable as long as the ladder lives.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never
from uuid import UUID

from services.referral.domain.effects import Alarm, Standing, Step, TimeIsUp
from services.referral.domain.world import World
from shared.events.intake import CrisisRaised
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


@dataclass(frozen=True)
class Ladder:
    """What every ladder has. `turn` grows with each paging and each acknowledgement: an earlier timer is stale."""

    ladder_id: UUID
    rungs: tuple[tuple[PersonId, ...], ...]
    rung: int
    turn: int
    rung_within: timedelta
    contact_within: timedelta
    pages: tuple[Page, ...]
    """Of all turns, oldest first."""
    takers: tuple[PersonId, ...] = ()
    """Who has said "I take this" and has not taken it back, oldest first."""

    def page(self, page_id: UUID) -> Page | None:
        """The page with this id, if it is one of this ladder's."""
        return next((page for page in self.pages if page.page_id == page_id), None)

    def noted(self, page: Page) -> Ladder:
        """The same with one page as it is now."""
        return replace(self, pages=tuple(page if old.page_id == page.page_id else old for old in self.pages))

    def said(self, person: PersonId, *, cannot: bool) -> Ladder:
        """The same with what a person has said, of every page of theirs."""
        pages = tuple(replace(page, cannot=cannot) if page.person == person else page for page in self.pages)
        others = tuple(one for one in self.takers if one != person)
        return replace(self, pages=pages, takers=others if cannot else (*others, person))

    def able(self, rung: int) -> tuple[PersonId, ...]:
        """Who of a rung has not said that they cannot."""
        unable = {page.person for page in self.pages if page.cannot}
        return tuple(person for person in dict.fromkeys(self.rungs[rung]) if person not in unable)

    @property
    def hopeless(self) -> bool:
        """Nobody on the present rung will take it: they cannot, or their last page was not sent."""
        last = {page.person: page for page in self.pages}
        waited_for = (one for one in self.able(self.rung) if one in last and one not in self.takers)
        return all(last[person].outcome in NOT_SENT for person in waited_for)


@dataclass(frozen=True)
class Paging:
    """A rung is being paged; somebody should take it by `expires`."""

    ladder: Ladder
    expires: datetime


@dataclass(frozen=True)
class Silent:
    """Nobody has taken it and no rung is left above. It is the operator's, while the last rung is paged again."""

    ladder: Ladder
    since: datetime


@dataclass(frozen=True)
class Acknowledged:
    """`by` has taken it and should have spoken with the requester by `contact_by`.

    When that has passed it is `late`: the ladder climbs on, and `by` may still confirm.
    """

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


Live = Paging | Silent | Acknowledged
State = Live | Ended


def standing(state: State) -> Standing:
    """Where a ladder stands."""
    match state:
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


def raised(state: State | None, fact: CrisisRaised, never: Collection[PersonId], world: World) -> Step[State]:
    """An emergency: everybody on the first rung is paged. While a ladder lives there is no second one.

    Nobody of `never` is paged, whoever named them.
    """
    if isinstance(state, Live):
        return Step(state)
    policy = fact.ask.policy
    rungs = tuple(tuple(person for person in rung if person not in never) for rung in fact.rungs)
    ladder = Ladder(
        ladder_id=world.new_id(),
        rungs=tuple(rung for rung in rungs if rung),
        rung=0,
        turn=0,
        rung_within=timedelta(seconds=policy.rung_within_s),
        contact_within=timedelta(seconds=policy.contact_within_s),
        pages=(),
    )
    begun = Step(ladder, (LadderStarted(ladder=ladder.ladder_id),), acts=("ladder started",))
    if not ladder.rungs:
        over = (LadderEnded(ladder=ladder.ladder_id, how="nobody"),)
        return begun.then(Step(Ended(ladder, "nobody", world.now), over, acts=("nobody to page",)))
    return begun.then(_answerable(_paged(ladder, 0, ladder.able(0), world), world))


def _paged(ladder: Ladder, rung: int, persons: tuple[PersonId, ...], world: World) -> Step[Ladder]:
    """Page these persons of a rung, each with a page of their own."""
    pages = tuple(Page(world.new_id(), person) for person in persons)
    ladder = replace(ladder, rung=rung, turn=ladder.turn + 1, pages=(*ladder.pages, *pages))
    expires = world.now + ladder.rung_within
    fact = RungPaged(
        ladder=ladder.ladder_id,
        rung=rung,
        pages=tuple((page.page_id, page.person) for page in pages),
        expires=expires,
    )
    return Step(ladder, (fact,), (Alarm("rung", ladder.ladder_id, ladder.turn, expires),), ("rung paged",))


def _answerable(paged: Step[Ladder], world: World) -> Step[State]:
    return paged.of(Paging(paged.state, world.now + paged.state.rung_within))


def _above(ladder: Ladder, world: World) -> Step[Ladder] | None:
    """The next rung on which somebody can, less those who have taken it already; None when there is none."""
    for rung in range(ladder.rung + 1, len(ladder.rungs)):
        able = tuple(person for person in ladder.able(rung) if person not in ladder.takers)
        if able:
            return _paged(ladder, rung, able, world)
    return None


def _again(ladder: Ladder, world: World) -> Step[Ladder] | None:
    """The present rung once more, without those who cannot; None when nobody is left."""
    able = ladder.able(ladder.rung)
    return _paged(ladder, ladder.rung, able, world) if able else None


def settled(state: State, fact: PageSettled, world: World) -> Step[State]:
    """What a provider said of a page. A rung none of whose pages can be answered is not waited for."""
    page = state.ladder.page(fact.page)
    if page is None or page.outcome == fact.outcome:
        return Step(state)
    return _perhaps_on(replace(state, ladder=state.ladder.noted(replace(page, outcome=fact.outcome))), world)


def _perhaps_on(state: State, world: World) -> Step[State]:
    """Climb at once when the present rung is hopeless and nobody who took it is waited for.

    With no rung above, the timer of the last paging pages again whoever can.
    """
    waits = isinstance(state, Ended) or (isinstance(state, Acknowledged) and not state.late)
    if waits or not state.ladder.hopeless:
        return Step(state)
    above = _above(state.ladder, world)
    if above is None:
        return Step(Silent(state.ladder, world.now) if isinstance(state, Paging) else state)
    if isinstance(state, Paging):
        return _answerable(above, world)
    return above.of(replace(state, ladder=above.state))


def replied(state: State | None, fact: PageReplied, world: World) -> Step[State | None]:
    """Somebody has answered a page. A page that is not theirs, or not of this ladder, changes nothing."""
    page = state.ladder.page(fact.page) if state else None
    if state is None or page is None or page.person != fact.person or fact.ladder != state.ladder.ladder_id:
        return Step(state, (_told(fact, "ended"),), acts=("page reply refused",))
    if isinstance(state, Ended):
        return Step(state, (_told(fact, "covered" if state.how == "contact" else "ended"),))
    match fact.verb:
        case "acknowledge":
            step = _acknowledge(state, fact, world)
        case "contact_confirmed":
            step = _contact(state, fact, world)
        case "cannot":
            step = _cannot(state, fact, world)
        case _:
            assert_never(fact.verb)
    return step.of(step.state)


def _told(fact: PageReplied, outcome: Literal["acknowledged", "covered", "noted", "ended"]) -> CrisisReplySettled:
    """The page that took the reply stops saying "one moment"."""
    return CrisisReplySettled(reply=fact.reply, outcome=outcome)


def _acknowledge(state: Live, fact: PageReplied, world: World) -> Step[State]:
    """The first one counts and the others hear that it is covered; after a late one the next one counts as well."""
    if isinstance(state, Acknowledged) and fact.person in state.ladder.takers:
        return Step(state, (_told(fact, "acknowledged"),))
    if isinstance(state, Acknowledged) and not state.late:
        return Step(state, (_told(fact, "covered"),))
    said = state.ladder.said(fact.person, cannot=False)
    ladder, contact_by = replace(said, turn=said.turn + 1), world.now + said.contact_within
    return Step(
        Acknowledged(ladder, fact.person, contact_by),
        (LadderAcknowledged(ladder=ladder.ladder_id, person=fact.person), _told(fact, "acknowledged")),
        (Alarm("contact", ladder.ladder_id, ladder.turn, contact_by),),
        ("ladder acknowledged",),
    )


def _contact(state: Live, fact: PageReplied, world: World) -> Step[State]:
    """Whoever has spoken with the requester has thereby taken it, also when somebody else had said so before."""
    ladder = state.ladder
    taken = () if ladder.takers else (LadderAcknowledged(ladder=ladder.ladder_id, person=fact.person),)
    confirmed = (
        HumanContactConfirmed(ladder=ladder.ladder_id, person=fact.person),
        LadderEnded(ladder=ladder.ladder_id, how="contact"),
        _told(fact, "noted"),
    )
    return Step(Ended(ladder, "contact", world.now), (*taken, *confirmed), acts=("contact confirmed",))


def _cannot(state: Live, fact: PageReplied, world: World) -> Step[State]:
    """Noted. When it comes from whoever has it, the others who could are paged at once."""
    ladder = state.ladder.said(fact.person, cannot=True)
    if not isinstance(state, Acknowledged) or state.by != fact.person:
        step = _perhaps_on(replace(state, ladder=ladder), world)
    else:
        step = _taken_back(state, ladder, world)
    return replace(step, facts=(*step.facts, _told(fact, "noted")))


def _taken_back(state: Acknowledged, ladder: Ladder, world: World) -> Step[State]:
    back: Step[None] = Step(None, acts=("acknowledgement taken back",))
    if state.late:
        # It has climbed on already, and goes on so.
        return back.then(_perhaps_on(Silent(ladder, state.contact_by), world))
    further = _again(ladder, world) or _above(ladder, world)
    return back.then(_answerable(further, world) if further else Step(Silent(ladder, world.now)))


def time_is_up(state: State, what: TimeIsUp, world: World) -> Step[State]:
    """A rung was silent, or a contact was not made: the ladder climbs; the last rung is paged again."""
    ladder = state.ladder
    if isinstance(state, Ended) or (ladder.ladder_id, ladder.turn) != (what.subject, what.version):
        return Step(state)
    if isinstance(state, Acknowledged) and not state.late:
        return _late(state, world) if what.of == "contact" else Step(state)
    if what.of != "rung":
        return Step(state)
    silent: Step[None] = Step(None, acts=("rung silent",))
    above = _above(ladder, world)
    if above and isinstance(state, Paging):
        return silent.then(_answerable(above, world))
    further = above or _again(ladder, world)
    over = Silent(ladder, world.now) if isinstance(state, Paging) else state
    return silent.then(further.of(replace(over, ladder=further.state)) if further else Step(over))


def _late(state: Acknowledged, world: World) -> Step[State]:
    further = _above(state.ladder, world) or _again(state.ladder, world)
    overdue: Step[None] = Step(None, acts=("contact overdue",))
    late = replace(state, late=True)
    return overdue.then(further.of(replace(late, ladder=further.state)) if further else Step(late))


def ending(state: State, world: World) -> Step[State]:
    """The request has ended: whoever was paged need not answer any more."""
    match state:
        case Ended(how="contact" | "ended"):
            return Step(state)
        case Ended():
            return Step(replace(state, how="ended"))
        case Paging() | Silent() | Acknowledged():
            over = (LadderEnded(ladder=state.ladder.ladder_id, how="ended"),)
            return Step(Ended(state.ladder, "ended", world.now), over, acts=("ladder ended",))
        case _:
            assert_never(state)
