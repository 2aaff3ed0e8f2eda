"""Consults and referrals as the pages show them: what is known of each in a case, whoever has a seat in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID, uuid5

from services.notify.domain.matters import Matter
from shared.types import PersonId

ConsultState = Literal["asked", "open", "answered", "expired", "ended"]
ReferralState = Literal[
    "consent_asked", "requested", "accepted", "on_hold", "in_progress", "completed", "failed", "cancelled"
]
Side = Literal["peer", "clinician"]

TOPICS: tuple[str, ...] = (
    "sleep",
    "stress",
    "anger",
    "critical_incident",
    "shooting",
    "child_death",
    "colleague_death",
    "grief",
    "relationship",
    "family",
    "parenting",
    "separation",
    "money",
    "alcohol",
    "gambling",
    "injury",
    "health",
    "work",
    "investigation",
    "shift",
    "retirement",
    "faith",
    "military",
    "loneliness",
    "other",
)
"""The codes that a peer may name, the same list that requesters choose from."""
RESOURCES: tuple[str, ...] = ("counselling", "group", "medical", "eap", "chaplain", "crisis", "practical")
"""The kinds of resources that a peer may give."""
QUESTION_MAX, ANSWER_MAX, TOPICS_MAX = 1000, 2000, 10


@dataclass(frozen=True)
class Consult:
    """One question for advice. `question` and `answer` are sealed under the consult's own key.

    `assignment` is the support in which it is asked. `asked_by` is None while only the adviser's side is known.
    """

    consult_id: UUID
    kind: Literal["advice", "outside_help"] = "advice"
    state: ConsultState = "asked"
    topics: tuple[str, ...] = ()
    assignment: UUID | None = None
    asked_by: PersonId | None = None
    question: bytes | None = None
    answer: bytes | None = None

    @property
    def waits(self) -> bool:
        """Somebody may still answer."""
        return self.state in {"asked", "open"}

    @property
    def forgotten(self) -> bool:
        """Nobody may read anything of it any more, so that its key has no use."""
        return not self.waits and self.question is None and self.answer is None


@dataclass(frozen=True)
class Referral:
    """One referral and how far it has come. `clinician` is who is being asked or has accepted.

    `assignment` is the support in which a clinician was wanted; None of a direct one, and while that is not known.
    """

    referral_id: UUID
    state: ReferralState
    clinician: PersonId | None = None
    direct: bool = False
    assignment: UUID | None = None
    confirmed: frozenset[Side] = frozenset()

    @property
    def over(self) -> bool:
        """Nothing of it goes on, and nothing brings it back."""
        return self.state in {"completed", "failed", "cancelled"}

    @property
    def waits_for_peer(self) -> bool:
        """The hand-off is to be confirmed by the peer. Of a direct one no peer was told."""
        return self.state == "accepted" and not self.direct and "peer" not in self.confirmed


@dataclass(frozen=True)
class Around:
    """The consults and referrals of a case, as a page needs them.

    A peer is told of what began in their own support, and of nothing else: not of what an earlier peer began, nor of
    what the requester asked for directly. Whoever took a page of an emergency is told of none of it: nothing ever
    begins in a ladder.
    """

    consults: Mapping[UUID, Consult] = field(default_factory=dict)
    referrals: Mapping[UUID, Referral] = field(default_factory=dict)

    def asked_in(self, matter: Matter) -> tuple[Consult, ...]:
        """The consults that the peer of this assignment may read about, in the order in which they became known."""
        return tuple(
            one for one in self.consults.values() if one.assignment == matter.matter_id and one.state != "ended"
        )

    def referred_in(self, matter: Matter) -> tuple[Referral, ...]:
        """The referrals that the peer of this assignment may know of."""
        return tuple(one for one in self.referrals.values() if not one.direct and one.assignment == matter.matter_id)

    def hand_off(self, matter: Matter) -> Referral | None:
        """The referral whose hand-off the peer of this assignment can confirm."""
        return next((one for one in self.referred_in(matter) if one.waits_for_peer), None)


def seat_id(thing: UUID, person: PersonId, earlier: int = 0) -> UUID:
    """The matter of one person in a consult or a referral; `earlier` counts those of this person that have ended."""
    return uuid5(thing, f"{person}:{earlier}")


def seat_of(matters: Iterable[Matter], thing: UUID, person: PersonId) -> tuple[Matter | None, UUID]:
    """The live seat of a person, if any, and the id of the next one."""
    own = [one for one in matters if one.part_of == thing and one.person == person]
    live = next((one for one in own if one.live), None)
    return live, seat_id(thing, person, len(own))
