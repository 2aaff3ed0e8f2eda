"""How a wait ends. That something waits is told where it becomes known, by `Planner.count`.

Facts of several services travel on topics of their own: each wait ends by facts of the topic that began it, by what is
remembered (the state of a referral, an assignment that has ended), or because nobody is to count the case any more.
"""

from __future__ import annotations

from dataclasses import replace

from services.notify.domain.case import CaseState
from services.notify.domain.waits import Kind, Wait, closed
from shared.events.envelope import Fact
from shared.events.intake import AnotherPeerAsked, CaseClosing, ContactReleased, PeerChosen
from shared.events.matching import AssignmentEnded, ContactConfirmed, PeerAssigned, ShortlistReady

Heard = ShortlistReady | ContactConfirmed | PeerChosen | AnotherPeerAsked | CaseClosing
"""Facts that mean nothing here but the end of a wait."""

_TAKEN = frozenset({"accepted", "in_progress", "completed"})


def after(state: CaseState, fact: Fact) -> CaseState:
    """The case after this fact, without the waits that it ends."""
    known = _quieter(state, fact)
    ended = _ended_by(known, fact)
    over = {
        key: wait
        for key, wait in known.waits.items()
        if not wait.over
        and (wait.thing.kind == ended or not known.counts_for(wait.person) or not _still_waits(known, wait))
    }
    return replace(known, waits={**known.waits, **closed(over)}) if over else known


def withdrawn(state: CaseState) -> CaseState:
    """Nothing of it waits any more."""
    return replace(state, waits=closed(state.waits)) if state.waits else state


def _quieter(state: CaseState, fact: Fact) -> CaseState:
    """Remembered, because what began before this may be heard of after it."""
    return replace(state, quiet=True) if isinstance(fact, CaseClosing) and not state.quiet else state


def _ended_by(state: CaseState, fact: Fact) -> Kind | None:
    match fact:
        case PeerAssigned() | ShortlistReady() | ContactConfirmed() | AssignmentEnded(how="closed"):
            # Of a peer who was silent and then came, nothing but the contact tells that nobody is looked for any more.
            return "nobody_found"
        case PeerChosen() | AnotherPeerAsked():
            return "choice"
        case ContactReleased() if not _of_other(state, fact):
            return "choice"
        case _:
            return None


def _of_other(state: CaseState, fact: ContactReleased) -> bool:
    """A release to a clinician, or to whoever took a page: the choice of a peer still stands out."""
    clinical = fact.consent is not None or fact.assignment in state.referrals
    return clinical or any(matter.ladder == fact.assignment for matter in state.matters.values())


def _still_waits(state: CaseState, wait: Wait) -> bool:
    match wait.thing.kind:
        case "handoff":
            referral = state.referrals.get(wait.thing.subject)
            return referral is None or referral.state == "accepted"
        case "referral_failed":
            return not any(referral.state in _TAKEN for referral in state.referrals.values())
        case "choice":
            matter = state.matters.get(wait.thing.subject)
            return matter is None or matter.state != "ended"
        case _:
            return True
