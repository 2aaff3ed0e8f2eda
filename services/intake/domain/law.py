"""What the law of a jurisdiction asks of a peer before an officer may be offered one: data with a date, and its source.

Every line is a draft, to be checked by counsel against the official text: most of it was read in secondary sources.
Which persons are barred from a case (parties, witnesses, investigations, chain of command) is not a matter of the
jurisdiction here: everybody obeys the strictest of the statutes (California Gov 8669.5(c), Utah 78B-5-903, Colorado
12-30-125, Minnesota 181.9731), see `actions.barring`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

ALWAYS = date.min
"""In force since before the region began, or since a day that was not looked up."""
DRAFT = "to be checked by counsel"
ANYWHERE = "US"


@dataclass(frozen=True)
class Rule:
    """One statute's conditions on who may serve, from a day on. `seen` is what was read of it."""

    jurisdiction: str
    statute: str
    seen: str
    effective_from: date = ALWAYS
    designation_required: bool = True
    """The agency's chief or sheriff has named this peer: without it the conversation is not privileged."""
    training_required: bool = False
    draft: str = DRAFT

    def document(self) -> dict[str, object]:
        """The rule as an agency reads it."""
        return {
            "statute": self.statute,
            "effective_from": self.effective_from.isoformat() if self.effective_from > ALWAYS else None,
            "designation_required": self.designation_required,
            "training_required": self.training_required,
            "draft": self.draft,
        }


RULES: tuple[Rule, ...] = (
    Rule(
        ANYWHERE,
        "34 USC 50901 (for federal officers; the model elsewhere)",
        "Peer support staff of an agency's program, who follow its guidelines; training is a best practice (50902).",
    ),
    Rule(
        "US-CA",
        "California Gov 8669.2-8669.6",
        "An agency-approved training course is a condition of confidentiality (8669.6).",
        effective_from=date(2020, 1, 1),
        training_required=True,
    ),
    Rule(
        "US-CO",
        "Colorado 12-30-125, 13-90-107",
        "In official capacity, within written guidelines, designated by the agency.",
    ),
    Rule("US-FL", "Florida 111.09", "Designated by the first responder's employing agency."),
    Rule("US-MN", "Minnesota 181.9731", "Designated by the emergency service provider's agency."),
    Rule(
        "US-MT",
        "Montana 7-32-602",
        "Nobody is forced onto a peer with supervisory authority; what the statute asks of training was not seen.",
    ),
    Rule(
        "US-UT",
        "Utah 78B-5-903",
        "Training approved by POST, written team guidelines, named to a team by the chief or sheriff.",
        training_required=True,
    ),
    Rule(
        "US-WA",
        "Washington HB 2311 (2024)",
        "A forty-hour course; read in the analysis of the bill as it was introduced.",
        effective_from=date(2024, 6, 6),
        training_required=True,
    ),
)


def rule_for(jurisdiction: str, today: date) -> Rule:
    """The rule of this jurisdiction that holds on this day; of the country where it has none.

    The one that began last counts, so that a law that changes on a known day stands here before that day.
    """
    for place in (jurisdiction, ANYWHERE):
        begun = [one for one in RULES if one.jurisdiction == place and one.effective_from <= today]
        if begun:
            return max(begun, key=lambda one: one.effective_from)
    return Rule(jurisdiction, "none on file", "")
