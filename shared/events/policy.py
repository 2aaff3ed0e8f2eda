"""What an agency's policy comes to for one case: resolved once, stamped into the event that starts the case.

No other service keeps policies, and an edited policy never changes a case in flight.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FiniteFloat

from shared.events.envelope import Value
from shared.types import Relation, Structure


class Capabilities(Value):
    """What an agency's structure allows. The software asks for these, never for the structure's name."""

    consult: bool
    """A licensed clinician advises peers. Without it a coordinator or a second peer does."""
    accept_referral: bool
    direct_employee: bool
    direct_family: bool
    direct_retiree: bool = False
    on_call: bool = False
    """A clinician is paged in an emergency."""
    trains: bool = False

    def direct(self, relation: Relation) -> bool:
        """Whether somebody of this relation may go to the clinician without a peer in between (Toone's difference)."""
        match relation:
            case Relation.OFFICER | Relation.CIVILIAN:
                return self.direct_employee
            case Relation.FAMILY:
                return self.direct_family
            case Relation.RETIREE:
                return self.direct_retiree


Weight = Annotated[FiniteFloat, Field(ge=-10, le=10)]


class Weights(Value):
    """What each part of the order of peers counts. No study gives any (domain, section 2): these are ours."""

    prefer: Weight = 2.0
    """Of each wish that a peer meets; `avoid` of each that they should not."""
    avoid: Weight = -3.0
    language: Weight = 1.0
    trained: Weight = 0.5
    wanted: Weight = 5.0
    """Of who is asked for by name."""


class Policy(Value):
    """Times in seconds, counts as numbers; the defaults per urgency stand in `services.intake.domain.policy`."""

    structure: Structure
    capabilities: Capabilities
    offers_out: int = Field(ge=1, le=10)
    answer_within_s: int = Field(ge=30)
    contact_within_s: int = Field(ge=60)
    choose_within_s: int = Field(ge=0)
    rung_within_s: int = Field(ge=30)
    grace_s: int = Field(ge=0)
    open_cases_per_peer: int = Field(ge=1, le=50)
    crisis_cases_per_peer: int = Field(ge=1, le=10)
    crisis_cooldown_s: int = Field(ge=0)
    check_in_s: int = Field(default=86_400, ge=0)
    """So long after an emergency has ended for a peer they are asked how they are; 0 for never."""
    consult_within_s: int = Field(default=86_400, ge=30)
    """An adviser answers by; a reminder goes out after half of it."""
    consent_remind_s: int = Field(default=86_400, ge=30)
    referral_within_s: int = Field(default=86_400, ge=30)
    """A clinician accepts or rejects by; then the next one is asked."""
    handoff_within_s: int = Field(default=86_400, ge=30)
    """From acceptance to the hand-off that both sides confirm."""
    shortlist: int = Field(default=5, ge=3, le=5)
    weights: Weights = Weights()
    designation_required: bool = True
    """Whether the law that holds for the requester's agency asks that it has designated the peer."""
    training_required: bool = False
    """Whether the law or the agency's policy makes current training a condition."""
