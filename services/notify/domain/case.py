"""What notify holds of one case, whole, and small changes to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from services.notify.domain.intents import Intent
from services.notify.domain.matters import Matter, Reply, Word
from services.notify.domain.things import Around, Consult, Referral
from services.notify.domain.waits import Key, Wait
from shared.events.envelope import Fact
from shared.events.intake import Adviser
from shared.types import AgencyId, CaseId, PersonId, Urgency

Ending = Literal["withdrawn", "closed"]


@dataclass(frozen=True)
class CaseState:
    """All of one case. `fresh` marks an anchor that was made just now, for a case that nobody here knew.

    `barred` must not be asked or told: what names one of them may still come on another topic than the news of it.
    `lines` are the neutral words after an end; they belong to no case any more, so that its purge leaves them alone.
    `quiet`: it is closing, and no part of anybody's count any more.
    """

    case_id: CaseId
    agency_id: AgencyId
    matters: Mapping[UUID, Matter] = field(default_factory=dict)
    intents: Mapping[UUID, Intent] = field(default_factory=dict)
    replies: Mapping[UUID, Reply] = field(default_factory=dict)
    consults: Mapping[UUID, Consult] = field(default_factory=dict)
    referrals: Mapping[UUID, Referral] = field(default_factory=dict)
    barred: frozenset[PersonId] = frozenset()
    waits: Mapping[Key, Wait] = field(default_factory=dict)
    quiet: bool = False
    lines: tuple[Intent, ...] = ()
    ending: Ending | None = None
    fresh: bool = False

    @property
    def is_emergency(self) -> bool:
        """Whatever is sent about it goes over the crisis lane."""
        return any(matter.urgency == Urgency.EMERGENCY for matter in self.matters.values())

    @property
    def is_practice(self) -> bool:
        """Nobody is waiting: whatever is sent about it says so."""
        return any(matter.practice for matter in self.matters.values())

    @property
    def around(self) -> Around:
        """What a page of this case needs besides its own matter."""
        return Around(self.consults, self.referrals)

    def counts_for(self, person: PersonId) -> bool:
        """Whether this person may hear that something of it waits: not one who is barred, nor anybody at its end."""
        return not self.quiet and person not in self.barred

    def waits_for(self, person: PersonId) -> bool | None:
        """Whether something of it still waits that this person was told of; None when they were told of nothing."""
        own = [wait for wait in self.waits.values() if wait.person == person]
        return any(not wait.over for wait in own) if own else None

    @property
    def clinician_wanted_in(self) -> UUID | None:
        """The assignment whose peer was the last to say that a clinician is wanted.

        For what was said by a referral of before it named the assignment itself: it acts on nothing else.
        """
        said = [reply for reply in self.replies.values() if reply.verb == "clinician"]
        return max(said, key=lambda one: one.received_at).subject if said else None

    def spent_since(self, before: CaseState) -> list[UUID]:
        """Outreaches whose message was settled meanwhile: nobody may read their address any more, from any copy."""
        known = {key for key, one in before.matters.items() if one.sealed is None}
        return [
            k for k, one in self.matters.items() if one.kind == "outreach" and one.sealed is None and k not in known
        ]

    def with_matter(self, matter: Matter) -> CaseState:
        """The same with this matter in it."""
        return replace(self, matters={**self.matters, matter.matter_id: matter})

    def with_consult(self, consult: Consult) -> CaseState:
        """The same with this consult in it."""
        return replace(self, consults={**self.consults, consult.consult_id: consult})

    def with_referral(self, referral: Referral) -> CaseState:
        """The same with this referral in it."""
        return replace(self, referrals={**self.referrals, referral.referral_id: referral})

    def seats(self, thing: UUID) -> list[Matter]:
        """The matters of everybody who has a part in this consult or referral."""
        return [matter for matter in self.matters.values() if matter.part_of == thing]

    def pages(self, ladder: UUID | None) -> list[Matter]:
        """The pages of a ladder, of everybody who was paged."""
        return [one for one in self.matters.values() if one.kind == "page" and one.ladder == ladder]

    def last_said(self, *matters: UUID) -> Reply | None:
        """The latest answer to any of these."""
        said = [reply for reply in self.replies.values() if reply.subject in matters]
        return max(said, key=lambda reply: reply.received_at, default=None)

    def with_intent(self, intent: Intent) -> CaseState:
        """The same with this intent in it; the very same when nothing of it has changed."""
        if self.intents.get(intent.intent_id) is intent:
            return self
        return replace(self, intents={**self.intents, intent.intent_id: intent})

    def with_outcome(self, reply: UUID, outcome: str) -> CaseState:
        """What came of a reply. The first word on it stands; of an unknown reply nothing is kept."""
        known = self.replies.get(reply)
        if known is None or known.outcome is not None:
            return self
        return replace(self, replies={**self.replies, reply: replace(known, outcome=outcome)})

    def cancelling(self, which: Collection[UUID]) -> CaseState:
        """Planned ones of these intents will not be sent. One being sent goes on: its outcome is recorded."""
        stopped = {
            key: replace(intent, state="cancelled")
            for key, intent in self.intents.items()
            if key in which and intent.state == "planned"
        }
        return replace(self, intents={**self.intents, **stopped}) if stopped else self

    def has_told(self, matter: Matter) -> bool:
        """Its person has heard of this matter, or may have; of an assignment through the offer before it."""
        about = {m.matter_id for m in self.matters.values() if m.person == matter.person and m.state == "accepted"}
        about.add(matter.matter_id)
        return any(intent.mailed and intent.subject in about for intent in self.intents.values())


@dataclass(frozen=True)
class Answer:
    """Somebody has pressed a button. Nothing happens when it does not count any more.

    `sealed` is what was written: a question under the key of the new consult `thing`, or the answer to one.
    `codes` are topics or kinds of resources.
    """

    reply_id: UUID
    person: PersonId
    subject: UUID
    verb: Word
    sealed: bytes | None = None
    thing: UUID | None = None
    to: Adviser | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """What an input comes to: the state after it, facts to emit, and intents whose sending is due at once."""

    state: CaseState
    facts: tuple[Fact, ...] = ()
    sends: tuple[Intent, ...] = ()
    ending: Ending | None = None
