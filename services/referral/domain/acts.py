"""What a peer does in a case: asks for advice, says that a clinician is wanted, gives resources.

Only the peer who supports the requester now may, only what the program has, and never before the case is known here.
"""

from __future__ import annotations

from dataclasses import replace

from services.referral.domain import consults, referrals
from services.referral.domain.case import MOST_WAITING, WAITS, Act, Case, Waiting
from services.referral.domain.effects import Alarm, Step, TimeIsUp
from services.referral.domain.world import Peer, World, allowed
from shared.events.intake import Ask
from shared.events.notify import ClinicianWanted, ConsultAsked, ResourcesOffered
from shared.events.policy import Capabilities
from shared.events.referral import NoClinicalPath, ResourcesGiven

KINDS = ("counselling", "group", "medical", "eap", "chaplain", "crisis", "practical")
"""The kinds of resources of the directory."""


def done(case: Case, act: Act, world: World, *, turn: int = 0) -> Step[Case]:
    """An act takes effect, waits for what it needs, or is refused. `turn` counts how often it has been set to wait."""
    if case.ended:
        return _after_the_end(case, act)
    gone = act.assignment in case.gone
    supporting = case.peer is not None and case.peer.assignment == act.assignment
    if case.ask is None or not (supporting or gone):
        if len(case.waiting) >= MOST_WAITING:
            return _refused(case, act)
        until = world.now + WAITS
        waiting = replace(case, waiting=(*case.waiting, Waiting(act, until, turn)))
        return Step(waiting, alarms=(Alarm("waiting", act.reply, turn, until),))
    if gone:
        return _crossed(case, act, case.ask, world)
    if case.peer is None or case.peer.person != act.person:
        return _refused(case, act)
    if isinstance(act, ConsultAsked):
        return _consult(case, act, case.ask, world)
    return _for_requester(case, act, case.ask, world)


def _after_the_end(case: Case, act: Act) -> Step[Case]:
    return Step(case, acts=("act after the end",)).settled(act.reply, "ended")


def _crossed(case: Case, act: Act, ask: Ask, world: World) -> Step[Case]:
    """Said before their support ended, and heard after it: topics have no order among them.

    What is for the requester holds all the same. Nobody can say it after the end: notify then takes no answer.
    """
    if isinstance(act, ConsultAsked) or act.person not in case.former:
        return _after_the_end(case, act)
    return _for_requester(case, act, ask, world)


def _for_requester(case: Case, act: ClinicianWanted | ResourcesOffered, ask: Ask, world: World) -> Step[Case]:
    return _clinician(case, act, ask, world) if isinstance(act, ClinicianWanted) else _resources(case, act)


def _refused(case: Case, act: Act) -> Step[Case]:
    return Step(case, acts=("act refused",)).settled(act.reply, "refused")


def released(step: Step[Case], world: World) -> Step[Case]:
    """More is known of the case: acts that had waited for it take effect, in the order in which they came."""
    held = step.state.waiting
    step = replace(step, state=replace(step.state, waiting=()) if held else step.state)
    for one in held:
        # The alarm of one that goes on waiting stands already; a new one of the same turn changes nothing.
        step = step.then(done(step.state, one.act, world, turn=one.turn))
    return step


def waited(case: Case, what: TimeIsUp, world: World) -> Step[Case]:
    """Nobody knows the assignment: it is refused. While the request itself is not known here, it waits on."""
    late = next((one for one in case.waiting if (one.act.reply, one.turn) == (what.subject, what.version)), None)
    if late is None:
        return Step(case)
    others = replace(case, waiting=tuple(one for one in case.waiting if one is not late))
    return done(others, late.act, world, turn=late.turn + 1) if case.ask is None else _refused(others, late.act)


def _consult(case: Case, act: ConsultAsked, ask: Ask, world: World) -> Step[Case]:
    forbidden = act.to == "clinician" and not allowed(ask, world).consult
    if forbidden or not consults.codes_only(act.topics):
        return _refused(case, act)
    if case.consult(act.consult):
        return Step(case).settled(act.reply, "noted")
    step = consults.asked(act, ask, world.without(case.former))
    return step.of(case.with_consult(step.state)).settled(act.reply, "noted")


def no_path(may: Capabilities) -> NoClinicalPath:
    """The honest answer where nobody of the program takes the requester on."""
    return NoClinicalPath(why="advisor_only" if may.consult else "no_clinician", kinds=referrals.OUTSIDE_KINDS)


def _clinician(case: Case, act: ClinicianWanted, ask: Ask, world: World) -> Step[Case]:
    """Supervisor: consent is asked. Advisor: outside help, and whom they would suggest. Coordinator: information."""
    may = allowed(ask, world)
    if case.referral and case.referral.open:
        asked = case.referral.stage is referrals.Stage.CONSENT
        return Step(case).settled(act.reply, "consent_asked" if asked else "noted")
    if may.accept_referral:
        step = referrals.asking(world.new_id(), act.assignment, ask, world)
        return step.of(case.with_referral(step.state)).settled(act.reply, "consent_asked")
    given = Step(case, (no_path(may),), acts=("information given",))
    pending = any(one.open and one.kind == "outside_help" for one in case.consults)
    if may.consult and not pending and act.assignment not in case.gone:
        given = given.then(_suggestions(case, Peer(act.assignment, act.person), ask, world))
    return given.settled(act.reply, "information_given")


def _suggestions(case: Case, peer: Peer, ask: Ask, world: World) -> Step[Case]:
    step = consults.outside_help(peer.assignment, peer.person, ask, world)
    return step.of(case.with_consult(step.state))


def _resources(case: Case, act: ResourcesOffered) -> Step[Case]:
    """Once per kind: who does not want it is not asked again."""
    if not act.kinds or not set(act.kinds) <= set(KINDS):
        return _refused(case, act)
    new = tuple(kind for kind in dict.fromkeys(act.kinds) if kind not in case.given)
    if not new:
        return Step(case).settled(act.reply, "noted")
    given = replace(case, given=case.given | set(new))
    return Step(given, (ResourcesGiven(kinds=new),), acts=("resources given",)).settled(act.reply, "noted")
