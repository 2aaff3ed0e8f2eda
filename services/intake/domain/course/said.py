"""What the requester says at a door."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from services.intake.domain.acts import (
    Act,
    Another,
    AskClinician,
    AskPeer,
    Choose,
    Close,
    Consented,
    Emergency,
    Release,
    SetReach,
    Step,
    Unconsented,
    Wait,
    Withdraw,
)
from services.intake.domain.case import (
    Accepted,
    Case,
    Choosing,
    InContact,
    NoPeer,
    Over,
    Released,
    Searching,
    may_choose,
    support_of,
)
from services.intake.domain.course import consents, showing
from services.intake.domain.course.ends import closing, with_timer, withdrawn, within
from services.intake.domain.course.peer import KEPT_ENDED, anew, released
from shared.errors import Problem, Refused
from shared.events.intake import AnotherPeerAsked, PeerChosen, RequestSubmitted


def acted(case: Case, act: Act, now: datetime) -> Step:
    """What an act at a door comes to. Raises `Refused` when it is not possible now."""
    if isinstance(act, Withdraw):
        return withdrawn(case, now, held=act.held, moved=act.moved)
    if isinstance(act, Close):
        return Step(case) if isinstance(case.stage, Over) else closing(case, now)
    if isinstance(case.stage, Over):
        raise Refused("case-over", 409)
    match act:
        case Choose() | Wait() | Release() | Another() | AskPeer():
            return _of_peer(case, act, now)
        case SetReach(sealed):
            return _reachable(case, sealed, now)
        case Consented(consent):
            return consents.given(case, consent, now)
        case Unconsented():
            return consents.taken_back(case, now)
        case AskClinician():
            return consents.direct(case, act, now)
        case Emergency():
            raise TypeError("danger needs the help that there is")
        case never:
            assert_never(never)


def _of_peer(case: Case, act: Choose | Wait | Release | Another | AskPeer, now: datetime) -> Step:
    match act:
        case Choose():
            return _chosen(case, act, now)
        case Wait():
            return _more_time(case, now)
        case Release():
            return _ok(case, now)
        case Another():
            return _another(case, now)
        case AskPeer():
            return _peer_too(case, now)
        case never:
            assert_never(never)


def _chosen(case: Case, act: Choose, now: datetime) -> Step:
    person = act.person
    if not may_choose(case) and not isinstance(case.stage, Choosing):
        raise Refused("nothing-to-choose", 409)
    if person is not None and person not in {one.person for one in case.shortlist}:
        raise Refused("invalid", 422, (Problem("/person", "not-on-the-list"),))
    until = _until(case, act, now)
    if isinstance(case.stage, Released):
        # The silent one stays meanwhile; if this one cannot either, a new list comes.
        after = replace(case, stage=replace(case.stage, due=until), shortlist=())
    else:
        # Whoever has said "anyone" is past choosing.
        listed = case.shortlist if person is not None else ()
        after = replace(case, stage=Searching(until, waits=act.wait), shortlist=listed)
    return Step(after, (PeerChosen(person=person, wait=act.wait),), acts=("peer_chosen",))


def _until(case: Case, act: Choose, now: datetime) -> datetime:
    """Until something is heard of the pick: matching says it more exactly in a moment."""
    there = next((one.there_from for one in case.shortlist if act.wait and one.person == act.person), None)
    return max(there or now, now + within(case.ask.policy.answer_within_s))


def _more_time(case: Case, now: datetime) -> Step:
    if not isinstance(case.stage, Choosing):
        raise Refused("nothing-to-choose", 409)
    due = now + within(case.ask.policy.choose_within_s)
    return with_timer(case, Choosing(due), "choose", due)


def _ok(case: Case, now: datetime) -> Step:
    if isinstance(case.stage, Released | InContact):
        return Step(case)
    if not isinstance(case.stage, Accepted):
        raise Refused("nobody-accepted-yet", 409)
    # The time for the first contact begins with the OK.
    contact_by = now + within(case.ask.policy.contact_within_s)
    return released(case, replace(case.stage.support, contact_by=contact_by))


def _another(case: Case, now: datetime) -> Step:
    support = support_of(case)
    if support is None:
        raise Refused("nobody-accepted-yet", 409)
    after = replace(
        case,
        stage=Searching(now + within(case.ask.policy.answer_within_s)),
        refused=(*case.refused, support.person),
        shortlist=tuple(one for one in case.shortlist if one.person != support.person),
        ended=(*case.ended, support.assignment)[-KEPT_ENDED:],
    )
    return Step(after, (AnotherPeerAsked(refused=support.person),), acts=("another_peer_asked",))


def _peer_too(case: Case, now: datetime) -> Step:
    if not isinstance(case.stage, NoPeer):
        raise Refused("peer-asked-already", 409)
    after = replace(case, stage=Searching(now + within(case.ask.policy.answer_within_s)))
    return Step(after, (RequestSubmitted(ask=anew(case).ask),), acts=("request_submitted",))


def _reachable(case: Case, sealed: bytes | None, now: datetime) -> Step:
    after = replace(case, reach=sealed)
    # Whoever was shown the old way, or that there was none, has to hear of the new one.
    facts = showing.to_all(after, now)
    return Step(after, facts, acts=("reach_set", *("contact_released" for _ in facts)))
