"""The crisis ladder: an emergency is taken to people, rung by rung, until one of them has spoken with the requester.

A rung is everybody who is paged at the same time. A ladder climbs when a rung is silent, when nobody on it can take
the page, and when the one who took it makes no contact; it never goes down. After the last rung everybody of all rungs
who has not said that they cannot is paged again and again, and all that while the ladder is the operator's. An earlier
page stays answerable as long as the ladder lives.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never

from services.referral.domain.effects import Alarm, Standing, Step, TimeIsUp
from services.referral.domain.rungs import Ladder, Page
from services.referral.domain.world import World
from shared.events.intake import CrisisRaised
from shared.events.notify import PageReplied, PageSettled
from shared.events.referral import (
    CrisisReplySettled,
    HumanContactConfirmed,
    LadderAcknowledged,
    LadderEnded,
    LadderGivenBack,
    LadderStarted,
    RungPaged,
)
from shared.types import PersonId


@dataclass(frozen=True)
class Paging:
    """A rung is being paged; somebody should take it by `expires`."""

    ladder: Ladder
    expires: datetime


@dataclass(frozen=True)
class Silent:
    """Nobody has taken it and no rung is left above. It is the operator's, while everybody who can is paged again."""

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
class Nobody:
    """There is no one to page, or nobody is left who can. It is the operator's; whoever can after all may take it."""

    ladder: Ladder
    since: datetime


@dataclass(frozen=True)
class Ended:
    """The ladder is over."""

    ladder: Ladder
    how: Literal["contact", "ended"]
    at: datetime


Live = Paging | Silent | Acknowledged
State = Live | Nobody | Ended


def standing(state: State) -> Standing:
    """Where a ladder stands."""
    match state:
        case Paging():
            return Standing("paging", "referral", state.expires)
        case Silent():
            return Standing("silent", "operator", state.since)
        case Acknowledged():
            return Standing("acknowledged", "operator" if state.late else "who acknowledged", state.contact_by)
        case Nobody():
            return Standing("nobody", "operator", state.since)
        case Ended():
            return Standing(state.how)
        case _:
            assert_never(state)


def raised(state: State | None, fact: CrisisRaised, never: Collection[PersonId], world: World) -> Step[State]:
    """An emergency: everybody on the first rung is paged. While a ladder lives there is no second one.

    Nobody of `never` is paged, whoever named them. Where nobody was left who could, the people of now may do better
    than those of then.
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
    before = ending(state, world).of(None) if state else Step(None)
    begun = before.then(Step(ladder, (LadderStarted(ladder=ladder.ladder_id),), acts=("ladder started",)))
    if not ladder.rungs:
        return begun.then(_nobody(ladder, world))
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


def _others(ladder: Ladder, world: World) -> Step[Ladder] | None:
    """The present rung once more, without those who cannot; None when nobody of it is left."""
    able = ladder.able(ladder.rung)
    return _paged(ladder, ladder.rung, able, world) if able else None


def _again(ladder: Ladder, world: World) -> Step[Ladder] | None:
    """After the last rung: everybody of all rungs once more, without those who cannot; None when nobody is left."""
    able = ladder.everybody
    return _paged(ladder, ladder.rung, able, world) if able else None


def _nobody(ladder: Ladder, world: World) -> Step[State]:
    """Everybody has said that they cannot, or is barred: the requester must not go on waiting for one of them."""
    over = (LadderEnded(ladder=ladder.ladder_id, how="nobody"),)
    return Step(Nobody(ladder, world.now), over, acts=("nobody to page",))


def settled(state: State, fact: PageSettled, world: World) -> Step[State]:
    """What a provider said of a page. A rung none of whose pages can be answered is not waited for."""
    page = state.ladder.page(fact.page)
    if page is None or page.outcome == fact.outcome:
        return Step(state)
    return _perhaps_on(replace(state, ladder=state.ladder.noted(replace(page, outcome=fact.outcome))), world)


def _perhaps_on(state: State, world: World) -> Step[State]:
    """Climb at once when the present rung is hopeless and nobody who took it is waited for.

    With no rung above, those of earlier rungs who were silent are paged again at once; whoever could not be reached
    is paged again by the timer.
    """
    ladder = state.ladder
    if isinstance(state, Nobody | Ended) or (isinstance(state, Acknowledged) and not state.late):
        return Step(state)
    if not ladder.everybody:
        return _nobody(ladder, world)
    if not ladder.hopeless:
        return Step(state)
    above = _above(ladder, world)
    if isinstance(state, Paging):
        return _answerable(above, world) if above else _silent(ladder, world)
    return above.of(replace(state, ladder=above.state)) if above else Step(state)


def _silent(ladder: Ladder, world: World) -> Step[State]:
    able = tuple(person for person in ladder.everybody if person not in ladder.unreached)
    if not able:
        return Step(Silent(ladder, world.now))
    paged = _paged(ladder, ladder.rung, able, world)
    return paged.of(Silent(paged.state, world.now))


def replied(state: State | None, fact: PageReplied, world: World) -> Step[State | None]:
    """Somebody has answered a page. One that is not theirs, not of this ladder, or over for them changes nothing."""
    if state is None or not _theirs(state.ladder, fact):
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


def _theirs(ladder: Ladder, fact: PageReplied) -> bool:
    page = ladder.page(fact.page)
    known = page is not None and page.person == fact.person and fact.ladder == ladder.ladder_id
    return known and ladder.concerns(fact.person)


def _told(fact: PageReplied, outcome: Literal["acknowledged", "covered", "noted", "ended"]) -> CrisisReplySettled:
    """The page that took the reply stops saying "one moment"."""
    return CrisisReplySettled(reply=fact.reply, outcome=outcome)


def _acknowledge(state: Live | Nobody, fact: PageReplied, world: World) -> Step[State]:
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


def _contact(state: Live | Nobody, fact: PageReplied, world: World) -> Step[State]:
    """Whoever has spoken with the requester has thereby taken it, also when somebody else had said so before."""
    ladder = state.ladder
    taken = () if ladder.takers else (LadderAcknowledged(ladder=ladder.ladder_id, person=fact.person),)
    confirmed = (
        HumanContactConfirmed(ladder=ladder.ladder_id, person=fact.person),
        LadderEnded(ladder=ladder.ladder_id, how="contact"),
        _told(fact, "noted"),
    )
    return Step(Ended(ladder, "contact", world.now), (*taken, *confirmed), acts=("contact confirmed",))


def _cannot(state: Live | Nobody, fact: PageReplied, world: World) -> Step[State]:
    """Noted. When it comes from whoever has it, the others who could are paged at once."""
    ladder = state.ladder.said(fact.person, cannot=True)
    back: Step[None] = Step(None)
    if fact.person in state.ladder.takers:
        given_back = LadderGivenBack(ladder=ladder.ladder_id, person=fact.person)
        back = Step(None, (given_back,), acts=("acknowledgement taken back",))
    if not isinstance(state, Acknowledged) or state.by != fact.person:
        step = back.then(_perhaps_on(replace(state, ladder=ladder), world))
    else:
        step = back.then(_without_taker(state, ladder, world))
    return replace(step, facts=(*step.facts, _told(fact, "noted")))


def _without_taker(state: Acknowledged, ladder: Ladder, world: World) -> Step[State]:
    """Whoever had it has it no more: the others who could are paged at once."""
    if state.late:
        # It has climbed on already, and goes on so.
        return _perhaps_on(Silent(ladder, state.contact_by), world)
    further = _others(ladder, world) or _above(ladder, world) or _again(ladder, world)
    return _answerable(further, world) if further else _nobody(ladder, world)


def barred(state: State | None, bars: Collection[PersonId], world: World) -> Step[State | None]:
    """These must not be asked any more: they are on no rung, and what they have taken is taken from them."""
    if state is None or not any(state.ladder.concerns(person) for person in bars):
        return Step(state)
    ladder = state.ladder.without(bars)
    if isinstance(state, Acknowledged) and state.by in bars:
        step = _without_taker(state, ladder, world)
    else:
        step = _perhaps_on(replace(state, ladder=ladder), world)
    return step.of(step.state)


def time_is_up(state: State, what: TimeIsUp, world: World) -> Step[State]:
    """A rung was silent, or a contact was not made: the ladder climbs; the last rung is paged again."""
    ladder = state.ladder
    if isinstance(state, Nobody | Ended) or (ladder.ladder_id, ladder.turn) != (what.subject, what.version):
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
    return silent.then(further.of(replace(over, ladder=further.state)) if further else _nobody(ladder, world))


def _late(state: Acknowledged, world: World) -> Step[State]:
    further = _above(state.ladder, world) or _again(state.ladder, world)
    overdue: Step[None] = Step(None, acts=("contact overdue",))
    late = replace(state, late=True)
    return overdue.then(further.of(replace(late, ladder=further.state)) if further else Step(late))


def ending(state: State, world: World) -> Step[State]:
    """The request has ended: whoever was paged need not answer any more."""
    match state:
        case Ended():
            return Step(state)
        case Nobody(ladder=Ladder(pages=())):
            return Step(Ended(state.ladder, "ended", world.now))
        case Paging() | Silent() | Acknowledged() | Nobody():
            over = (LadderEnded(ladder=state.ladder.ladder_id, how="ended"),)
            return Step(Ended(state.ladder, "ended", world.now), over, acts=("ladder ended",))
        case _:
            assert_never(state)
