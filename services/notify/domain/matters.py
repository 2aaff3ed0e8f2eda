"""What a person is asked or told about: an offer, an assignment, a page, a consult, a referral, and the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.notify.domain.intents import Purpose
from shared.events.intake import About, Adviser, ClinicalPath
from shared.events.notify import PageVerb, ReferralVerb, Verb
from shared.types import PersonId

Kind = Literal["offer", "assignment", "page", "consult", "referral", "outreach"]
State = Literal["open", "accepted", "declined", "covered", "expired", "ended"]
ConsultVerb = Literal["answer", "cannot"]
AskVerb = Literal["advice", "clinician", "resources", "danger"]
"""What a peer asks for in a case, besides the answers about the assignment itself."""
AGAIN_IN, PAUSE = timedelta(minutes=15), timedelta(days=1)
PauseVerb = Literal["in_15", "pause"]
"""Not now, in other words: ask me this again in a quarter of an hour; ask me nothing new for a day."""
Word = Verb | PageVerb | ReferralVerb | ConsultVerb | AskVerb | PauseVerb

KIND_OF: Mapping[Purpose, Kind] = {
    "offer": "offer",
    "case": "assignment",
    "page": "page",
    "consult": "consult",
    "referral": "referral",
}
"""What the link of each purpose leads to, behind a PIN."""

VERBS: Mapping[Kind, tuple[Word, ...]] = {
    "offer": ("accept", "decline", "not_now", "in_15", "pause", "step_back"),
    "assignment": (
        "contacted",
        "danger",
        "advice",
        "clinician",
        "resources",
        "handoff",
        "pause",
        "step_back",
        "close",
    ),
    "page": ("acknowledge", "cannot", "contact_confirmed"),
    "consult": ("answer", "cannot"),
    "referral": ("accept", "reject", "handoff", "complete", "hold", "resume", "cannot_go_on"),
}
"""What can be answered to each, in the order of the buttons."""

CONFIRMED_FIRST: Mapping[Kind, frozenset[Word]] = {
    "offer": frozenset({"step_back"}),
    "assignment": frozenset({"step_back", "close"}),
    "referral": frozenset({"complete", "cannot_go_on"}),
}
"""Answers that end something for good, at least for this person: the page asks once more."""

FORWARD: frozenset[Word] = frozenset(
    {"accept", "contacted", "acknowledge", "contact_confirmed", "handoff", "answer", "resume"}
)
"""Answers that take things forward: their button is the one that stands out."""

OWN_PAGE: frozenset[Word] = frozenset({"advice", "resources", "answer"})
"""Answers that have a form of their own, and no mere button."""


@dataclass(frozen=True)
class Matter:
    """One thing that one person is asked or told.

    `sealed` is how to reach the requester (of an outreach: the address), under the case's key. `part_of` is the
    consult or the referral in which this person has a seat. `advisers`, `clinical` and `about` came with the release;
    it is for good, or until the consent behind it has run out (`released_until`). `earlier` is what `sealed` was before
    the requester changed it: its person has read that, too.
    """

    matter_id: UUID
    person: PersonId
    kind: Kind
    state: State = "open"
    expires_at: datetime | None = None
    urgency: str | None = None
    manner: str | None = None
    ladder: UUID | None = None
    sealed: bytes | None = None
    earlier: tuple[bytes, ...] = ()
    released: bool = False
    released_until: datetime | None = None
    part_of: UUID | None = None
    about: About = "self"
    advisers: tuple[Adviser, ...] = ()
    clinical: ClinicalPath = "none"
    slug: str = ""
    language: str = ""
    practice: bool = False

    @property
    def live(self) -> bool:
        """It goes on: it is open, or a referral that this clinician has accepted."""
        return self.state == "open" or (self.kind == "referral" and self.state == "accepted")

    def shows(self, now: datetime) -> bool:
        """Its person may read now how to reach the requester."""
        return self.released and (self.released_until is None or now < self.released_until)

    def stands(self, now: datetime) -> bool:
        """It goes on, and an answer to it would still count."""
        return self.live and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class Reply:
    """An answer that was taken. `outcome` is None until matching or referral has said what came of it.

    `codes`: the kinds of resources that were given.
    """

    reply_id: UUID
    person: PersonId
    subject: UUID
    verb: Word
    received_at: datetime
    outcome: str | None = None
    codes: tuple[str, ...] = ()


Settler = Literal["matching", "referral"]

_OF_MATCHING: Mapping[Kind, frozenset[Word]] = {
    "offer": frozenset(VERBS["offer"]),
    "assignment": frozenset({"contacted", "pause", "step_back", "close"}),
}


def settler(kind: Kind, verb: Word) -> Settler:
    """Who says what came of an answer."""
    return "matching" if verb in _OF_MATCHING.get(kind, ()) else "referral"
