"""What an agency's policy comes to for one case: resolved once, stamped into the event that starts the case.

No other service keeps policies, and an edited policy never changes a case in flight.
"""

from __future__ import annotations

from pydantic import Field

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
    consult_within_s: int = Field(default=86_400, ge=30)
    """An adviser answers by; a reminder goes out after half of it."""
    consent_remind_s: int = Field(default=86_400, ge=30)
    referral_within_s: int = Field(default=86_400, ge=30)
    """A clinician accepts or rejects by; then the next one is asked."""
    handoff_within_s: int = Field(default=86_400, ge=30)
    """From acceptance to the hand-off that both sides confirm."""
