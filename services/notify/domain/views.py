"""What a page says now and which answers can still be given. Pure: the latest answer speaks first, then the state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from services.notify.domain.matters import PAUSE, VERBS, Matter, Reply, Word, settler
from services.notify.domain.things import RESOURCES, Around, Referral

Told = Literal[
    "ask",
    "moment",
    "details_follow",
    "noted",
    "covered",
    "too_late",
    "ended",
    "taken",
    "waiting_for_details",
    "use_page",
    "handled",
    "consent_asked",
    "information_given",
    "refused",
    "answer_sent",
    "referral_yours",
    "referral_held",
    "team_waits",
    "team_nothing",
    "consent_over",
]
"""What a page says: one key of `domain.texts` each."""

ALONE = Around()
_OFFERED = tuple(verb for verb in VERBS["offer"] if verb != "step_back")


@dataclass(frozen=True)
class View:
    """What the page of a matter shows now: one sentence, and the answers that can still be given."""

    told: Told
    verbs: tuple[Word, ...] = ()

    @property
    def waiting(self) -> bool:
        """Somebody else has yet to say what came of the answer: the page offers to look again."""
        return self.told == "moment"


_OUTCOMES: Mapping[str, Told] = {
    "accepted": "details_follow",
    "declined": "noted",
    "covered": "covered",
    "too_late": "too_late",
    "noted": "noted",
    "ended": "ended",
    "acknowledged": "taken",
    "consent_asked": "consent_asked",
    "information_given": "information_given",
    "refused": "refused",
}


def answerable(matter: Matter, replies: Iterable[Reply], verb: Word, now: datetime, around: Around = ALONE) -> bool:
    """Whether this answer counts: the matter stands, knows the word, and has no answer that rules it out."""
    given = _given(matter, replies)
    return verb in _left(matter, given, now, around)


def view(matter: Matter | None, replies: Iterable[Reply], now: datetime, around: Around = ALONE) -> View:
    """What the page says."""
    if matter is None:
        return View("ended")
    given = _given(matter, replies)
    left = _left(matter, given, now, around)
    if given and given[-1].outcome is None:
        # Of an assignment the other answers can still be given: nobody has to wait for them.
        return View("moment", left)
    if matter.state == "ended":
        return View("ended")
    if matter.kind == "referral" and matter.state == "accepted":
        return View(_accepted(matter, around, now), left)
    if matter.kind == "referral" and given and given[-1].verb in {"hold", "resume"} and given[-1].outcome == "noted":
        return View("referral_held" if "resume" in left else _untouched(matter, now), left)
    if given:
        return View(_came_of(matter, given[-1], around), left)
    return View(_untouched(matter, now), left)


def given_kinds(matter: Matter, replies: Iterable[Reply]) -> frozenset[str]:
    """The kinds of resources that the peer of this assignment has given: each is given once."""
    return frozenset(code for reply in _given(matter, replies) for code in reply.codes)


def _given(matter: Matter, replies: Iterable[Reply]) -> list[Reply]:
    own = [one for one in replies if one.subject == matter.matter_id]
    if matter.state == "accepted":
        # Settled by a version that did not know the word: whoever has accepted has not stepped back yet.
        own = [one for one in own if (one.verb, one.outcome) != ("step_back", "ended")]
    return sorted(own, key=lambda one: one.received_at)


def _came_of(matter: Matter, last: Reply, around: Around) -> Told:
    told = _OUTCOMES.get(last.outcome or "", "noted")
    referred = around.referred_in(matter)
    if told == "consent_asked" and referred and referred[-1].state != "consent_asked":
        # They have answered since: what came of it stands among the news.
        return "ask"
    if matter.kind == "page" and matter.state == "open" and told == "covered":
        # Whoever had it is late or has given it back: it can be taken again.
        return "ask"
    if matter.kind == "assignment" and told in {"too_late", "ended"} and settler(matter.kind, last.verb) == "referral":
        # What was asked came too late; the peer's own part goes on.
        return "handled"
    if matter.kind == "consult" and last.verb == "answer" and told == "noted":
        return "answer_sent"
    return told


def _left(matter: Matter, given: list[Reply], now: datetime, around: Around) -> tuple[Word, ...]:
    if matter.kind == "offer" and matter.state == "accepted":
        # Until the requester says OK this page is all there is, and nobody is held by it.
        said = {reply.verb for reply in given}
        return () if "step_back" in said else (*(() if _pausing(given, now) else ("pause",)), "step_back")
    if not matter.stands(now) or (matter.kind == "assignment" and not matter.released):
        return ()
    said = {reply.verb for reply in given}
    match matter.kind:
        case "offer":
            return () if said else _OFFERED
        case "assignment":
            return _left_to_peer(matter, given, around, now)
        case "page":
            return _left_of_page(given)
        case "consult":
            return () if said else VERBS["consult"]
        case "referral":
            return _left_to_clinician(matter, given, around)
        case "outreach":
            return ()
        case _:
            assert_never(matter.kind)


def _left_of_page(given: list[Reply]) -> tuple[Word, ...]:
    """Whoever has taken it can confirm or give it back, and whoever cannot may find that they can."""
    last = given[-1] if given else None
    if last is None or last.outcome == "covered":
        return ("acknowledge", "cannot")
    if last.verb == "acknowledge" and last.outcome in {None, "acknowledged"}:
        return ("contact_confirmed", "cannot")
    return ("acknowledge",) if last.verb == "cannot" and last.outcome == "noted" else ()


def _left_to_peer(matter: Matter, given: list[Reply], around: Around, now: datetime) -> tuple[Word, ...]:
    said = {reply.verb for reply in given}
    if matter.ladder is not None or said & {"step_back", "close"}:
        # What is said of a page is said at its own link, so that it reaches who runs the ladder.
        return ()
    waiting = {reply.verb for reply in given if reply.outcome is None}
    # What is practised leads to nobody else: no danger is raised, no adviser and no clinician asked.
    real = not matter.practice
    informed = any(reply.verb == "clinician" and reply.outcome == "information_given" for reply in given)
    can: Mapping[Word, bool] = {
        "contacted": "contacted" not in said,
        "danger": real and "danger" not in waiting,
        "advice": real
        and bool(matter.advisers)
        and "advice" not in waiting
        and not any(one.waits and one.kind == "advice" for one in around.asked_in(matter)),
        "clinician": real
        and "clinician" not in waiting
        and not informed
        and not any(not one.over for one in around.referred_in(matter)),
        "resources": "resources" not in waiting and given_kinds(matter, given) < set(RESOURCES),
        "handoff": "handoff" not in waiting and around.hand_off(matter) is not None,
        "pause": not _pausing(given, now),
        "step_back": True,
        "close": True,
    }
    return tuple(verb for verb in VERBS["assignment"] if can[verb])


def _pausing(given: list[Reply], now: datetime) -> bool:
    return any(reply.verb == "pause" and now < reply.received_at + PAUSE for reply in given)


def _left_to_clinician(matter: Matter, given: list[Reply], around: Around) -> tuple[Word, ...]:
    referral = around.referrals.get(matter.part_of) if matter.part_of else None
    if referral is None or referral.over or (given and given[-1].outcome is None):
        return ()
    said = {reply.verb for reply in given}
    if said & {"reject", "cannot_go_on", "complete"}:
        return ()
    can = _before(matter, referral) if matter.state == "open" else _after(matter, referral)
    return tuple(verb for verb in VERBS["referral"] if can.get(verb))


def _held(matter: Matter, referral: Referral) -> bool:
    return referral.state == "on_hold" and referral.clinician == matter.person


def _before(matter: Matter, referral: Referral) -> Mapping[Word, bool]:
    own, held = referral.clinician == matter.person, _held(matter, referral)
    return {"accept": True, "reject": True, "hold": own and not held, "resume": held}


def _after(matter: Matter, referral: Referral) -> Mapping[Word, bool]:
    if not matter.released:
        return {}
    held, confirmed = _held(matter, referral), "clinician" in referral.confirmed
    return {
        "handoff": referral.state == "accepted" and not confirmed,
        "complete": not held and (confirmed or referral.state == "in_progress"),
        "hold": not held,
        "resume": held,
        "cannot_go_on": True,
    }


def _accepted(matter: Matter, around: Around, now: datetime) -> Told:
    referral = around.referrals.get(matter.part_of) if matter.part_of else None
    if referral is None or referral.over:
        return "ended"
    if not matter.released:
        return "details_follow"
    if not matter.shows(now):
        return "consent_over"
    return "referral_held" if _held(matter, referral) else "referral_yours"


def _untouched(matter: Matter, now: datetime) -> Told:
    match matter.state:
        case "open" if not matter.stands(now):
            return "too_late"
        case "open" if matter.kind == "assignment" and not matter.released:
            return "waiting_for_details"
        case "open":
            return "use_page" if matter.kind == "assignment" and matter.ladder is not None else "ask"
        case "covered":
            return "covered"
        case "expired":
            return "too_late"
        case "accepted" | "declined" | "ended":
            return "ended"
        case _:
            assert_never(matter.state)
