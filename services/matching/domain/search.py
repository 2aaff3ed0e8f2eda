"""Looking for a peer: who is asked next, a shortlist instead, waiting for the morning, or nobody.

Hours: routine and soon do not wake people. When everybody suitable is off hours they wait for the first hours to
begin if that is within the time for a first contact, counted from when the round began; otherwise the best is asked
all the same, for a mail that waits is better than nobody. In urgent and emergency anybody suitable is asked, whoever
is there first. In an emergency nobody who rests after another one is asked while somebody else suitable is, or has
yet to answer: fewer are asked at once then, and those who rest when nobody else is left. Somebody who was silent, or
said "not now", may be asked again after the time for a first contact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice, takewhile

from services.matching.domain.case import (
    EXPIRY_GRACE,
    Assigned,
    Assignment,
    Case,
    Choosing,
    Offer,
    Open,
    Searching,
    Unserved,
)
from services.matching.domain.effects import Effects
from services.matching.domain.eligibility import suits
from services.matching.domain.ranking import Place, Ranked, Shelves, is_crisis, personal, place_of
from services.matching.domain.world import World
from shared.events.intake import Ask
from shared.events.matching import Candidate, NobodyFound, OfferMade, SearchStarted, ShortlistReady
from shared.types import PersonId, Urgency

EMERGENCY_AGAIN = timedelta(minutes=5)
AGAIN = timedelta(hours=1)
SOON = timedelta(minutes=20)
NEXT_SHORTLIST = timedelta(days=1)
"""A shortlist that nobody has chosen from is made afresh once a day after its first time."""
PATIENT = frozenset({Urgency.ROUTINE, Urgency.SOON})


def patience(ask: Ask) -> timedelta:
    """How long somebody who was silent is left alone, and how long a search may wait for hours to begin."""
    return timedelta(seconds=ask.policy.contact_within_s)


def pause(ask: Ask) -> timedelta:
    """Until the next try when nobody was found."""
    if is_crisis(ask):
        return EMERGENCY_AGAIN
    return timedelta(seconds=ask.policy.choose_within_s) or AGAIN


def begun(case: Case, world: World, effects: Effects) -> Open:
    """A new round: nobody has this case now."""
    case = case if case.since == world.now else replace(case, since=world.now)
    return looked(case, world, effects, fresh=True)


def looked(
    case: Case, world: World, effects: Effects, *, beside: Assignment | None = None, fresh: bool = False
) -> Open:
    """Where the search stands after asking whoever can be asked now.

    `beside`: an assignment whose contact is late; somebody else is asked beside it. `fresh`: until now nothing was
    under way, so that the search is told.
    """
    if case.waits_for is not None and not case.pending:
        return _waited(case, case.waits_for, world, effects, beside)
    if case.chooses:
        return _listed(case, world, effects, beside)
    # A search is told before its offers, although they say until when.
    first = len(effects.facts) if fresh else None
    missing = _missing(case, beside)
    asked = _kept_for_last(case, list(islice(_best(case, world, beside), missing)) if missing else [], world)
    opening = _worth_waiting_for(case, asked, world, beside)
    case = _offered(case, [] if opening else asked, missing, world, effects)
    if case.pending:
        return _on_the_way(case, _first_answer(case), effects, beside, first)
    if opening:
        case = replace(case, turn=case.turn + 1)
        effects.alarm_look(case, opening, crisis=False)
        return _on_the_way(case, opening, effects, beside, first)
    soon = _asked_for_again(case, world)
    if soon:
        case = replace(case, turn=case.turn + 1, hungry=True)
        effects.alarm_look(case, soon, crisis=False)
        return _on_the_way(case, soon, effects, beside, first)
    return _nobody(case, world, effects, beside)


def _asked_for_again(case: Case, world: World) -> datetime | None:
    """When the first who has said "ask me in a quarter of an hour" can be asked: so long nobody is told of nobody.

    Not in an emergency: there whoever can do something about it hears of it at once. Nor when a first contact should
    have been made by now: then it is time that somebody hears of it, whatever has been said.
    """
    if is_crisis(case.ask) or world.now >= case.since + patience(case.ask):
        return None
    waiting = (until for one, until in case.kept_out.items() if until is not None and one in case.promised)
    return min((until for until in waiting if world.now < until <= world.now + SOON), default=None)


def _missing(case: Case, beside: Assignment | None) -> int:
    """How many more offers the policy wants out now; one beside a late assignment."""
    crisis = is_crisis(case.ask)
    wanted = 1 if beside else case.ask.policy.offers_out
    return max(wanted - sum(offer.crisis == crisis for offer in case.pending), 0)


def _first_answer(case: Case) -> datetime:
    """When the first of the pending offers is acted on if nobody answers."""
    return min(offer.expires for offer in case.pending) + EXPIRY_GRACE


def _on_the_way(
    case: Case, until: datetime, effects: Effects, beside: Assignment | None, told_at: int | None = None
) -> Open:
    if beside:
        if not any(isinstance(fact, OfferMade) for fact in effects.facts):
            # Until then nobody else is asked, and whoever watches over the silent one has to know.
            effects.tell(SearchStarted(due=until))
        return Assigned(case, beside, until)
    if told_at is not None:
        effects.facts.insert(told_at, SearchStarted(due=until))
    return Searching(case, until)


def _without(case: Case, world: World, beside: Assignment | None) -> frozenset[PersonId]:
    """Who is not asked now: barred, kept out, asked already, or the one who has it."""
    asked = {offer.person for offer in case.pending}
    has_it = {beside.person} if beside else set[PersonId]()
    return frozenset({*case.ask.bars, *case.out(world.now), *asked, *has_it})


def _best(case: Case, world: World, beside: Assignment | None) -> Iterator[Ranked]:
    shelves = world.shelves(case.agency_id, case.ask)
    return shelves.best(case.case_id, _without(case, world, beside), personal(case.ask))


def _kept_for_last(case: Case, asked: list[Ranked], world: World) -> list[Ranked]:
    """Of an emergency: without those who rest, as long as somebody else suitable can be asked or has been."""
    if not is_crisis(case.ask):
        return asked
    rested = [one for one in asked if one.rested]
    waits = any(world.rested(offer.carrier) for offer in case.pending if offer.crisis)
    return rested if rested or waits else asked


def _worth_waiting_for(case: Case, asked: Sequence[Ranked], world: World, beside: Assignment | None) -> datetime | None:
    """When the first hours begin, if everybody suitable is off hours now and the request can wait for that."""
    if not asked or asked[0].available or case.ask.urgency not in PATIENT:
        return None
    alike = (one.peer for one in _best(case, world, beside) if one.rested == asked[0].rested)
    opening = world.calendar.next_there(alike)
    return opening if opening is not None and opening <= case.since + patience(case.ask) else None


def _offered(case: Case, asked: Sequence[Ranked], missing: int, world: World, effects: Effects) -> Case:
    """Ask these; of a patient request only those who are there, if anybody is."""
    if asked and asked[0].available and case.ask.urgency in PATIENT:
        asked = list(takewhile(lambda one: one.available, asked))
    offers = tuple(made(case, one, world, effects) for one in asked)
    hungry = len(offers) < missing
    if not offers and hungry == case.hungry:
        return case
    return replace(case, offers=case.offers + offers, hungry=hungry)


def made(case: Case, one: Ranked, world: World, effects: Effects) -> Offer:
    """Offer the case to this peer: his load is reserved, and the answer counts until the time-out."""
    ask = case.ask
    expires = world.now + timedelta(seconds=ask.policy.answer_within_s)
    offer = Offer(world.new_id(), one.peer.person, expires, is_crisis(ask), one.factors, bearer=one.peer.bearer)
    effects.reserve(offer, ask)
    effects.alarm_offer(offer)
    effects.tell(
        OfferMade(
            offer=offer.offer_id,
            person=offer.person,
            urgency=ask.urgency,
            manner=ask.manner,
            expires=expires,
            factors=one.factors,
            practice=ask.practice,
        )
    )
    return offer


def _listed(case: Case, world: World, effects: Effects, beside: Assignment | None) -> Open:
    """The requester chooses: a shortlist, and nobody is asked. While an offer to the chosen one is out: nothing."""
    if case.pending:
        return _on_the_way(case, _first_answer(case), effects, beside)
    best = list(islice(_best(case, world, beside), case.ask.policy.shortlist))
    listed = _shortlist(case, best, world, beside)
    if not listed:
        return _nobody(case, world, effects, beside)
    within = timedelta(seconds=case.ask.policy.choose_within_s) or AGAIN
    due = world.now + (max(within, NEXT_SHORTLIST) if world.now - case.since >= within else within)
    case = replace(case, turn=case.turn + 1, hungry=not best)
    if not best:
        # Whoever is on the list can only be waited for: somebody hears of it, and looks again when there is room.
        effects.room_at = world.shelves(case.agency_id, case.ask).room_from(_without(case, world, beside))
        _count(case, due, world, effects)
    effects.tell(ShortlistReady(candidates=listed, due=due))
    effects.alarm_look(case, due, crisis=False)
    return Assigned(case, beside, due) if beside else Choosing(case, due)


def _shortlist(case: Case, best: Sequence[Ranked], world: World, beside: Assignment | None) -> tuple[Candidate, ...]:
    """The best, in the order of the ranking, and among them whoever was asked for by name.

    Those also when they are not to be asked now, or have no room: they can be waited for, but not all places are theirs
    while somebody can be asked. Why they cannot be, and until when, is their own affair.
    """
    ask, longest = case.ask, case.ask.policy.shortlist
    shelves, without = world.shelves(case.agency_id, ask), _without(case, world, beside)
    named = [shelves.named(one, personal(ask)) for one in ask.wanted if one not in without]
    wanted = sorted((one for one in named if one is not None), key=_place)
    can = any(shelves.find(one.peer.person) is not None for one in wanted[:longest])
    wanted = wanted[: longest if can or not best else longest - 1]
    others = [one for one in best if one.peer.person not in ask.wanted][: longest - len(wanted)]
    return tuple(_candidate(one, shelves, world) for one in sorted((*wanted, *others), key=_place))


def _place(one: Ranked) -> Place:
    return place_of(one.factors)


def _candidate(one: Ranked, shelves: Shelves, world: World) -> Candidate:
    person = one.peer.person
    only_away = not one.available and shelves.find(person) is not None
    there_from = world.calendar.next_there([one.peer]) if only_away else None
    return Candidate(person=person, available=one.available, factors=one.factors, there_from=there_from)


def _shut_out(case: Case, beside: Assignment | None) -> frozenset[PersonId]:
    """Who is not asked even when the requester picks them."""
    return frozenset({*case.ask.bars, *case.out_for_good(), *({beside.person} if beside else ())})


def _waited(case: Case, person: PersonId, world: World, effects: Effects, beside: Assignment | None) -> Open:
    """Ask the one who is waited for if they are there and have room now; else say until when the search waits.

    Whoever cannot be asked any more is waited for no longer, and the requester chooses again; nor is anybody who is
    still not there, or still has no room, when the time is over that a first contact takes after they should have been.
    Nobody else is asked meanwhile.
    """
    peer = world.peer(case.agency_id, person)
    shut_out = person in _shut_out(case, beside)
    if peer is None or shut_out or not suits(peer, case.ask, world.calendar.today(peer.day_zone)):
        return looked(replace(case, waits_for=None, waits_until=None), world, effects, beside=beside)
    opening = world.calendar.next_there([peer])
    if opening is None or opening <= world.now:
        if world.shelves(case.agency_id, case.ask).find(person) is not None:
            return chosen(replace(case, waits_for=None, waits_until=None), person, world, effects, beside=beside)
        # No room: hungry, so that the search looks again as soon as there is some.
        opening = world.now + AGAIN
    until = case.waits_until or opening + patience(case.ask)
    if world.now >= until:
        return looked(replace(case, waits_for=None, waits_until=None), world, effects, beside=beside)
    case, opening = replace(case, waits_until=until), min(opening, until)
    case = replace(case, turn=case.turn + 1, hungry=True)
    effects.alarm_look(case, opening, crisis=False)
    return _on_the_way(case, opening, effects, beside, len(effects.facts))


def chosen(case: Case, person: PersonId, world: World, effects: Effects, *, beside: Assignment | None) -> Open:
    """Ask the one whom the requester has picked; a new shortlist when that one cannot be asked any more.

    Whoever was only silent, or busy then, may be picked all the same; whoever was asked for by name and has no room now
    is waited for.
    """
    shut_out, shelves = person in _shut_out(case, beside), world.shelves(case.agency_id, case.ask)
    found = None if shut_out else shelves.find(person, personal(case.ask))
    if found is None:
        later = not shut_out and person in case.ask.wanted and shelves.named(person) is not None
        return looked(replace(case, waits_for=person) if later else case, world, effects, beside=beside)
    first = len(effects.facts)
    offer = made(case, found, world, effects)
    case = replace(case, offers=(*case.offers, offer), hungry=False)
    return _on_the_way(case, offer.expires + EXPIRY_GRACE, effects, beside, first)


def _nobody(case: Case, world: World, effects: Effects, beside: Assignment | None) -> Open:
    """Nobody suitable is left: those who can do something about it hear a count, and the search goes on.

    Whoever wants nobody of their own agency is not counted there either, and what is only practised is nowhere.
    """
    next_try = world.now + pause(case.ask)
    case = replace(case, turn=case.turn + 1, hungry=True)
    effects.room_at = world.shelves(case.agency_id, case.ask).room_from(_without(case, world, beside))
    effects.alarm_look(case, next_try, crisis=is_crisis(case.ask))
    _count(case, next_try, world, effects)
    effects.acts.append("nobody found")
    return Assigned(case, beside, next_try) if beside else Unserved(case, next_try)


def _count(case: Case, next_try: datetime, world: World, effects: Effects) -> None:
    """Tell those who can do something about it that nobody was found."""
    out = frozenset({*case.ask.bars, *case.out_for_good()})
    own = case.ask.wishes.own_agency
    recipients = () if case.ask.practice else world.to_tell(case.agency_id, out, own=own)
    effects.tell(NobodyFound(recipients=recipients, next_try=next_try, urgency=case.ask.urgency))
