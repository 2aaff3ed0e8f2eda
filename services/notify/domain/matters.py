"""What a person is asked or told about: an offer, an assignment or a crisis page, and the answers to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never
from uuid import UUID

from services.notify.domain.intents import Purpose
from shared.events.notify import PageVerb, Verb
from shared.types import PersonId

Kind = Literal["offer", "assignment", "page"]
State = Literal["open", "accepted", "declined", "covered", "expired", "ended"]
Word = Verb | PageVerb

KIND_OF: Mapping[Purpose, Kind] = {"offer": "offer", "case": "assignment", "page": "page"}
"""What the link of each purpose leads to."""

VERBS: Mapping[Kind, tuple[Word, ...]] = {
    "offer": ("accept", "decline", "not_now"),
    "assignment": ("contacted", "step_back", "close"),
    "page": ("acknowledge", "cannot", "contact_confirmed"),
}
"""What can be answered to each, in the order of the buttons."""

CONFIRMED_FIRST: frozenset[Word] = frozenset({"close"})
"""Answers that end something for good: the page asks once more."""

FORWARD: frozenset[Word] = frozenset({"accept", "contacted", "acknowledge", "contact_confirmed"})
"""Answers that take things forward: their button is the one that stands out."""


@dataclass(frozen=True)
class Matter:
    """One thing that one person is asked or told. `sealed` is how to reach the requester, under the case's key."""

    matter_id: UUID
    person: PersonId
    kind: Kind
    state: State = "open"
    expires_at: datetime | None = None
    urgency: str | None = None
    manner: str | None = None
    ladder: UUID | None = None
    sealed: bytes | None = None
    released: bool = False

    def stands(self, now: datetime) -> bool:
        """It is open, and an answer to it would still count."""
        return self.state == "open" and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class Reply:
    """An answer that was taken. `outcome` is None until matching or referral has said what came of it."""

    reply_id: UUID
    person: PersonId
    subject: UUID
    verb: Word
    received_at: datetime
    outcome: str | None = None


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
]
"""What a page says: one key of `domain.texts` each."""


@dataclass(frozen=True)
class View:
    """What the page of a matter shows now: one sentence, and the answers that can still be given."""

    told: Told
    verbs: tuple[Word, ...] = ()

    @property
    def waiting(self) -> bool:
        """Somebody else has yet to say what came of the answer: the page asks again by itself."""
        return self.told == "moment"


_OUTCOMES: Mapping[str, Told] = {
    "accepted": "details_follow",
    "declined": "noted",
    "covered": "covered",
    "too_late": "too_late",
    "noted": "noted",
    "ended": "ended",
    "acknowledged": "taken",
}


def answerable(matter: Matter, replies: Iterable[Reply], verb: Word, now: datetime) -> bool:
    """Whether this answer counts: the matter stands, knows the word, and has no answer that rules it out."""
    given = [reply for reply in replies if reply.subject == matter.matter_id]
    return verb in _left(matter, given, now)


def _left(matter: Matter, given: list[Reply], now: datetime) -> tuple[Word, ...]:
    if not matter.stands(now) or (matter.kind == "assignment" and not matter.released):
        return ()
    said = {reply.verb for reply in given}
    match matter.kind:
        case "offer":
            return () if said else VERBS["offer"]
        case "assignment":
            if matter.ladder is not None:
                # What is said of a page is said at its own link, so that it reaches who runs the ladder.
                return ()
            over = said & {"step_back", "close"}
            return () if over else tuple(verb for verb in VERBS["assignment"] if verb not in said)
        case "page":
            if not said:
                return ("acknowledge", "cannot")
            took = "acknowledge" in said and "contact_confirmed" not in said
            return ("contact_confirmed",) if took else ()
        case _:
            assert_never(matter.kind)


def view(matter: Matter | None, replies: Iterable[Reply], now: datetime) -> View:
    """What the page says. The latest answer speaks first, then the state of the matter."""
    if matter is None:
        return View("ended")
    given = sorted((r for r in replies if r.subject == matter.matter_id), key=lambda r: r.received_at)
    left = _left(matter, given, now)
    if given and given[-1].outcome is None:
        # Of an assignment the other answers can still be given: nobody has to wait for them.
        return View("moment", left)
    if matter.state == "ended":
        return View("ended")
    if given:
        return View(_OUTCOMES.get(given[-1].outcome or "", "noted"), left)
    return View(_untouched(matter, now), left)


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
