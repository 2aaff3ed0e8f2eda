"""What clinicians and the peer answer to a referral, and what happens when they do not.

Whoever was not asked, or asks for what the stage does not have, changes nothing and is told so.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from services.referral.domain import choosing, referrals
from services.referral.domain.effects import Outcome, Step
from services.referral.domain.referrals import Referral, Side, Stage
from services.referral.domain.world import ClinicianGone, Peer, World
from shared.events import Fact
from shared.events.intake import Ask
from shared.events.notify import ReferralReplied
from shared.events.referral import ConsentReminded, HandoffConfirmed, HandoffOverdue, ReferralCompleted


def refused(referral: Referral, fact: ReferralReplied, outcome: Outcome = "refused") -> Step[Referral]:
    """Nothing changes, and the reply is told so."""
    return Step(referral, acts=("referral reply refused",)).settled(fact.reply, outcome)


def replied(referral: Referral, fact: ReferralReplied, peer: Peer | None, ask: Ask, world: World) -> Step[Referral]:
    """An answer to this referral. A peer may only confirm the hand-off of one that came through them."""
    side = _side(referral, fact, peer)
    if side is None:
        return refused(referral, fact)
    if not referral.open:
        return refused(referral, fact, "ended" if referral.stage is Stage.CANCELLED else "too_late")
    if side == "peer" or (fact.verb == "handoff" and fact.person == referral.clinician):
        return _confirmed(referral, side, fact, peer, world)
    if fact.verb == "accept":
        return _accept(referral, fact, ask, world)
    if fact.person != referral.clinician:
        # Asked before and silent: only an acceptance or a no is of any use now.
        no = fact.verb in {"reject", "cannot_go_on"}
        return (
            Step(referral.said(fact.person, "rejected")).settled(fact.reply, "noted") if no else _late(referral, fact)
        )
    return _of_clinician(referral, fact, ask, world)


def _side(referral: Referral, fact: ReferralReplied, peer: Peer | None) -> Side | None:
    if any(one.person == fact.person for one in referral.asked):
        return "clinician"
    is_peer = peer is not None and peer.person == fact.person and referral.through(peer)
    return "peer" if is_peer and fact.verb == "handoff" else None


def _late(referral: Referral, fact: ReferralReplied) -> Step[Referral]:
    return refused(referral, fact, "too_late")


def _accept(referral: Referral, fact: ReferralReplied, ask: Ask, world: World) -> Step[Referral]:
    """The first acceptance counts, of whoever was asked and has not said no."""
    stage = referral.held_from if referral.stage is Stage.ON_HOLD else referral.stage
    if stage in {Stage.ACCEPTED, Stage.IN_PROGRESS} and referral.clinician == fact.person:
        return Step(referral).settled(fact.reply, "accepted")
    said_no = any(one.person == fact.person and one.said == "rejected" for one in referral.asked)
    if stage is not Stage.REQUESTED or said_no:
        return _late(referral, fact)
    step = referrals.accepted(referral, fact.person, ask, world)
    return step.settled(fact.reply, "accepted" if step.state.stage is Stage.ACCEPTED else "ended")


def _of_clinician(referral: Referral, fact: ReferralReplied, ask: Ask, world: World) -> Step[Referral]:
    clinician, stage = fact.person, referral.stage
    match fact.verb:
        case "reject" | "cannot_go_on":
            step = referrals.passed_on(referral, ask, world)
        case "hold":
            held = stage is Stage.ON_HOLD
            step = Step(referral) if held else referrals.on_hold(referral, clinician, world)
        case "resume":
            step = referrals.resumed(referral, ask, world) if stage is Stage.ON_HOLD else Step(referral)
        case "complete":
            # "Sent" is never "done": somebody has to have been handed over first.
            if stage is not Stage.IN_PROGRESS and "clinician" not in referral.confirmed:
                return refused(referral, fact)
            done = ReferralCompleted(referral=referral.referral_id, clinician=clinician)
            step = Step(referral.moved(Stage.COMPLETED, world.now), (done,), acts=("referral completed",))
        case "accept" | "handoff":
            return refused(referral, fact)
        case _:
            assert_never(fact.verb)
    return step.settled(fact.reply, "noted")


def _confirmed(
    referral: Referral, side: Side, fact: ReferralReplied, peer: Peer | None, world: World
) -> Step[Referral]:
    """One side says that the hand-off has happened."""
    if referral.stage is Stage.IN_PROGRESS or side in referral.confirmed:
        return Step(referral).settled(fact.reply, "noted")
    if referral.stage is not Stage.ACCEPTED:
        return refused(referral, fact)
    said = HandoffConfirmed(referral=referral.referral_id, side=side)
    noted = Step(replace(referral, confirmed=referral.confirmed | {side}), (said,), acts=("hand-off confirmed",))
    return noted.then(handed_off(noted.state, peer, world)).settled(fact.reply, "noted")


def handed_off(referral: Referral, peer: Peer | None, world: World) -> Step[Referral]:
    """In progress once both sides have confirmed; of one that came through no peer who is still there, one side."""
    sides: set[Side] = {"clinician", "peer"} if referral.through(peer) else {"clinician"}
    if referral.stage is not Stage.ACCEPTED or referral.clinician is None or not sides <= referral.confirmed:
        return Step(referral)
    return referrals.in_progress(referral, referral.clinician, world)


def time_is_up(referral: Referral, peer: Peer | None, ask: Ask, world: World) -> Step[Referral]:
    """What was due has not happened."""
    match referral.stage:
        case Stage.CONSENT:
            return _no_consent(referral, peer, world)
        case Stage.REQUESTED:
            return referrals.unanswered(referral, ask, world)
        case Stage.ACCEPTED:
            return _overdue(referral, ask, world)
        case Stage.ON_HOLD:
            return referrals.resumed(referral, ask, world)
        case Stage.IN_PROGRESS:
            # Nobody has said for a year how it goes: for this program it is over.
            return referrals.cancelled(referral, world)
        case Stage.COMPLETED | Stage.FAILED | Stage.CANCELLED:
            return Step(referral)
        case _:
            assert_never(referral.stage)


def _no_consent(referral: Referral, peer: Peer | None, world: World) -> Step[Referral]:
    """The peer hears of it once, the requester never; then nothing nags, and in the end the question lapses."""
    if referral.told:
        return referrals.cancelled(referral, world)
    waits = replace(referral.moved(Stage.CONSENT, world.now + referrals.CONSENT_LAPSES), told=True)
    facts: tuple[Fact, ...] = ()
    if peer is not None and referral.through(peer):
        facts = (ConsentReminded(referral=referral.referral_id, assignment=peer.assignment, person=peer.person),)
    return Step(waits, facts, (waits.alarm(),))


def _overdue(referral: Referral, ask: Ask, world: World) -> Step[Referral]:
    """The first time coordinators hear a count. The second time the clinician's word is enough, and silence is a no."""
    if referral.clinician is None:
        return Step(referral)
    if not referral.told:
        fact = HandoffOverdue(
            referral=referral.referral_id, clinician=referral.clinician, recipients=choosing.to_tell(world, ask)
        )
        due = world.now + timedelta(seconds=ask.policy.handoff_within_s)
        waits = replace(referral.moved(Stage.ACCEPTED, due), told=True)
        return Step(waits, (fact,), (waits.alarm(),), ("hand-off overdue",))
    if "clinician" in referral.confirmed:
        return referrals.in_progress(referral, referral.clinician, world)
    return referrals.passed_on(referral, ask, world)


def gone(referral: Referral, what: ClinicianGone, ask: Ask, world: World) -> Step[Referral]:
    """The receiving clinician is not there any more: the next one who still is, else an honest failure.

    A mail address that stopped takes nothing from somebody who has accepted; treatment in progress goes on anyhow, and
    counts as over when nobody can have reported its end for a while.
    """
    if referral.clinician != what.person or not referral.open:
        return Step(referral)
    stage = referral.held_from if referral.stage is Stage.ON_HOLD else referral.stage
    if stage is Stage.REQUESTED:
        return referrals.unanswered(referral, ask, world)
    if stage is Stage.ACCEPTED and what.left:
        return referrals.passed_on(referral, ask, world)
    if referral.stage is Stage.IN_PROGRESS and what.left:
        return referrals.without_reports(referral, world)
    return Step(referral)
