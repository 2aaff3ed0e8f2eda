"""What happens to a case when something is heard of it. One entry; each rule family decides its own part."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from services.referral.domain import acts, answers, barring, consults, ladder, referrals
from services.referral.domain.case import Case, stamped
from services.referral.domain.effects import Step, TimeIsUp
from services.referral.domain.world import ClinicianGone, Peer, World, allowed, never_paged
from shared.events.intake import (
    BarsChanged,
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ConsentGiven,
    ConsentWithdrawn,
    CrisisRaised,
    DirectAsked,
    RequestSubmitted,
)
from shared.events.matching import AssignmentEnded, PeerAssigned
from shared.events.notify import (
    ClinicianWanted,
    ConsultAsked,
    ConsultReplied,
    DangerReported,
    PageReplied,
    PageSettled,
    ReferralReplied,
    ResourcesOffered,
)
from shared.events.referral import AnswerSettled, CrisisReplySettled, ReferralCancelled

FromIntake = (
    RequestSubmitted
    | BarsChanged
    | CrisisRaised
    | DirectAsked
    | ConsentGiven
    | ConsentWithdrawn
    | CaseClosing
    | CaseWithdrawn
    | CaseClosed
)
FromMatching = PeerAssigned | AssignmentEnded
FromNotify = (
    ConsultAsked
    | ConsultReplied
    | ClinicianWanted
    | ResourcesOffered
    | ReferralReplied
    | DangerReported
    | PageSettled
    | PageReplied
)
Heard = FromIntake | FromMatching | FromNotify | TimeIsUp | ClinicianGone


def heard(case: Case, what: Heard, world: World) -> Step[Case]:
    """What this comes to. What can never take effect changes nothing but the audit trail, and its reply is settled."""
    if isinstance(what, FromIntake):
        return _from_intake(case, what, world)
    if isinstance(what, FromMatching):
        return _from_matching(case, what, world)
    if isinstance(what, FromNotify):
        return _from_notify(case, what, world)
    if isinstance(what, TimeIsUp):
        return _time_is_up(case, what, world)
    return _gone(case, what, world)


def _from_intake(case: Case, what: FromIntake, world: World) -> Step[Case]:
    match what:
        case RequestSubmitted():
            # A request after the closing opens the case again: on this topic the two come in order.
            return acts.released(Step(replace(stamped(case, what.ask, of_request=True), ended=False)), world)
        case CrisisRaised():
            return _raised(case, what, world)
        case BarsChanged():
            return barring.barred(case, what.bars, world)
        case DirectAsked():
            return _direct(case, what, world)
        case ConsentGiven():
            return _consented(case, what, world)
        case ConsentWithdrawn():
            return _unconsented(case, what, world)
        case CaseClosing() | CaseWithdrawn():
            return _ending(case, world)
        case CaseClosed():
            return Step(case)
        case _:
            assert_never(what)


def _from_matching(case: Case, what: FromMatching, world: World) -> Step[Case]:
    if isinstance(what, PeerAssigned):
        return acts.released(Step(replace(case, peer=Peer(what.assignment, what.person))), world)
    return _left(case, what, world)


def _from_notify(case: Case, what: FromNotify, world: World) -> Step[Case]:
    match what:
        case ConsultAsked() | ClinicianWanted() | ResourcesOffered():
            return acts.done(case, what, world)
        case ConsultReplied():
            return _advised(case, what, world)
        case ReferralReplied():
            return _answered(case, what, world)
        case DangerReported():
            # intake raises the crisis; here only the page that took it is told.
            return Step(case, (CrisisReplySettled(reply=what.reply, outcome="noted"),))
        case PageSettled():
            if case.ladder is None:
                return Step(case)
            step = ladder.settled(case.ladder, what, world)
            return step.of(case.with_ladder(step.state))
        case PageReplied():
            answered = ladder.replied(case.ladder, what, world)
            return answered.of(case.with_ladder(answered.state))
        case _:
            assert_never(what)


def _raised(case: Case, fact: CrisisRaised, world: World) -> Step[Case]:
    """An emergency, unless the case has ended: intake raises none in such a one, so it was raised before the end."""
    if case.ended:
        return Step(case, acts=("crisis after the end",))
    ask = fact.ask if fact.ask.jurisdiction else fact.ask.model_copy(update={"jurisdiction": fact.jurisdiction})
    known = stamped(case, ask, of_request=False)
    never = never_paged(known.ask or ask, world)
    step = ladder.raised(known.ladder, fact, never, world)
    return acts.released(step.of(known.with_ladder(step.state)), world)


def _direct(case: Case, fact: DirectAsked, world: World) -> Step[Case]:
    """At most one referral is open. A direct request takes the place of a question that is still unanswered."""
    if case.referral and case.referral.referral_id == fact.referral:
        return Step(case, acts=("direct request refused",))
    case = replace(stamped(case, fact.ask, of_request=True), ended=False)
    ask = case.ask or fact.ask
    before: Step[None] = Step(None)
    open_one = case.referral if case.referral and case.referral.open else None
    if open_one and open_one.stage is referrals.Stage.CONSENT:
        cancelled = referrals.cancelled(open_one, world)
        before, open_one = cancelled.of(None), None
        case = case.with_referral(cancelled.state)
    may = allowed(ask, world)
    if open_one or fact.expires <= world.now or not may.direct(ask.relation):
        over = ReferralCancelled(referral=fact.referral)
        no_path = () if open_one else (acts.no_path(may),)
        refused = Step(case, (over, *no_path), acts=("direct request refused",))
        return acts.released(before.then(refused), world)
    step = referrals.direct(fact, ask, world)
    return acts.released(before.then(step.of(case.with_referral(step.state))), world)


def _consented(case: Case, fact: ConsentGiven, world: World) -> Step[Case]:
    if case.referral is None or case.ask is None or not case.referral.open:
        return Step(case, acts=("consent refused",))
    step = referrals.consented(case.referral, fact, case.ask, world)
    return step.of(case.with_referral(step.state))


def _unconsented(case: Case, fact: ConsentWithdrawn, world: World) -> Step[Case]:
    if case.referral is None or case.referral.referral_id != fact.referral:
        return Step(case, acts=("withdrawal of consent refused",))
    step = referrals.cancelled(case.referral, world)
    return step.of(case.with_referral(step.state))


def _left(case: Case, fact: AssignmentEnded, world: World) -> Step[Case]:
    """The peer's support is over: nobody waits for their advice, and a hand-off waits for the clinician alone."""
    peer = case.peer if case.peer and case.peer.assignment != fact.assignment else None
    case = replace(
        case,
        peer=peer,
        gone=case.gone | {fact.assignment},
        former=case.former | {fact.person},
        consults=tuple(consults.ended(one) if one.assignment == fact.assignment else one for one in case.consults),
    )
    step = Step(case)
    if case.referral:
        handed = answers.handed_off(case.referral, None, world)
        step = handed.of(case.with_referral(handed.state))
    return acts.released(step, world)


def _advised(case: Case, fact: ConsultReplied, world: World) -> Step[Case]:
    consult = case.consult(fact.consult)
    if consult is None or case.ask is None or fact.person in case.ask.bars:
        return Step(case, acts=("consult reply refused",)).settled(fact.reply, "ended" if case.ended else "refused")
    step = consults.replied(consult, fact, case.ask, world.without(case.former))
    return step.of(case.with_consult(step.state))


def _answered(case: Case, fact: ReferralReplied, world: World) -> Step[Case]:
    known = case.referral is not None and case.referral.referral_id == fact.referral
    if case.referral is None or case.ask is None or not known or fact.person in case.ask.bars:
        return Step(case, acts=("referral reply refused",)).settled(fact.reply, "ended")
    step = answers.replied(case.referral, fact, case.peer, case.ask, world)
    return step.of(case.with_referral(step.state))


def _time_is_up(case: Case, what: TimeIsUp, world: World) -> Step[Case]:
    match what.of:
        case "rung" | "contact":
            if case.ladder is None:
                return Step(case)
            climbed = ladder.time_is_up(case.ladder, what, world)
            return climbed.of(case.with_ladder(climbed.state))
        case "consult":
            consult = case.consult(what.subject)
            if consult is None or case.ask is None or consult.version != what.version:
                return Step(case)
            passed = consults.time_is_up(consult, case.ask, world.without(case.former))
            return passed.of(case.with_consult(passed.state))
        case "referral":
            referral = case.referral
            if (
                referral is None
                or case.ask is None
                or (referral.referral_id, referral.version)
                != (
                    what.subject,
                    what.version,
                )
            ):
                return Step(case)
            due = answers.time_is_up(referral, case.peer, case.ask, world)
            return due.of(case.with_referral(due.state))
        case "waiting":
            return acts.waited(case, what, world)
        case _:
            assert_never(what.of)


def _gone(case: Case, what: ClinicianGone, world: World) -> Step[Case]:
    if case.referral is None or case.ask is None:
        return Step(case)
    step = answers.gone(case.referral, what, case.ask, world)
    return step.of(case.with_referral(step.state))


def _ending(case: Case, world: World) -> Step[Case]:
    """The request is over: whoever was asked or paged need not answer any more, and what waits hears so."""
    step: Step[None] = Step(None)
    if case.ladder:
        over = ladder.ending(case.ladder, world)
        step, case = step.then(over.of(None)), case.with_ladder(over.state)
    if case.referral:
        cancelled = referrals.cancelled(case.referral, world)
        step, case = step.then(cancelled.of(None)), case.with_referral(cancelled.state)
    told = tuple(AnswerSettled(reply=one.act.reply, outcome="ended") for one in case.waiting)
    closed = tuple(consults.ended(one) for one in case.consults)
    return step.then(Step(replace(case, consults=closed, waiting=(), ended=True), told))
