"""What an agency's policy comes to for one case: the region's defaults by urgency, and what the agency set instead.

The defaults are section 5 of the data design; what the structure allows is `domain.structure`'s. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from services.intake.domain import structure
from services.intake.domain.agency import Agency, day_of
from services.intake.domain.law import Rule, rule_for
from shared.errors import Problem, Refused
from shared.events.policy import Capabilities, Policy, Weights
from shared.types import Urgency

MINUTE, HOUR, DAY = 60, 3600, 86_400


N = TypeVar("N", int, float)


@dataclass(frozen=True)
class Bound(Generic[N]):
    """A value of the policy: what it is by default, and within what an agency may set it."""

    default: N
    least: N
    most: N


def _within(default: int, least: int, most: int) -> Bound[int]:
    return Bound(default, least, most)


def _weight(name: str, least: float, most: float) -> Bound[float]:
    return Bound(float(Weights.model_fields[name].default), least, most)


# An emergency may be made quicker, never slow: its upper bounds stay near its defaults.
PER_URGENCY: Mapping[Urgency, Mapping[str, Bound[int]]] = MappingProxyType(
    {
        Urgency.ROUTINE: {
            "offers_out": _within(1, 1, 5),
            "answer_within_s": _within(4 * HOUR, MINUTE, 2 * DAY),
            "contact_within_s": _within(DAY, MINUTE, 3 * DAY),
            "choose_within_s": _within(DAY, MINUTE, 7 * DAY),
            "consult_within_s": _within(DAY, MINUTE, 7 * DAY),
            "consent_remind_s": _within(DAY, MINUTE, 7 * DAY),
            "referral_within_s": _within(DAY, MINUTE, 7 * DAY),
            "handoff_within_s": _within(3 * DAY, MINUTE, 14 * DAY),
        },
        Urgency.SOON: {
            "offers_out": _within(1, 1, 5),
            "answer_within_s": _within(HOUR, MINUTE, 12 * HOUR),
            "contact_within_s": _within(4 * HOUR, MINUTE, DAY),
            "choose_within_s": _within(8 * HOUR, MINUTE, 2 * DAY),
            "consult_within_s": _within(4 * HOUR, MINUTE, DAY),
            "consent_remind_s": _within(4 * HOUR, MINUTE, DAY),
            "referral_within_s": _within(4 * HOUR, MINUTE, DAY),
            "handoff_within_s": _within(DAY, MINUTE, 3 * DAY),
        },
        Urgency.URGENT: {
            "offers_out": _within(2, 1, 8),
            "answer_within_s": _within(15 * MINUTE, MINUTE, HOUR),
            "contact_within_s": _within(HOUR, MINUTE, 4 * HOUR),
            "choose_within_s": _within(HOUR, MINUTE, 4 * HOUR),
            "consult_within_s": _within(HOUR, MINUTE, 4 * HOUR),
            "consent_remind_s": _within(HOUR, MINUTE, 4 * HOUR),
            "referral_within_s": _within(HOUR, MINUTE, 4 * HOUR),
            "handoff_within_s": _within(4 * HOUR, MINUTE, DAY),
        },
        Urgency.EMERGENCY: {
            "offers_out": _within(3, 1, 10),
            "answer_within_s": _within(3 * MINUTE, 30, 10 * MINUTE),
            "contact_within_s": _within(10 * MINUTE, MINUTE, 30 * MINUTE),
            "consult_within_s": _within(15 * MINUTE, MINUTE, HOUR),
            "consent_remind_s": _within(15 * MINUTE, MINUTE, HOUR),
            "referral_within_s": _within(15 * MINUTE, MINUTE, HOUR),
            "handoff_within_s": _within(HOUR, MINUTE, 4 * HOUR),
        },
    }
)

OVERALL: Mapping[str, Bound[int]] = MappingProxyType(
    {
        "rung_within_s": _within(5 * MINUTE, 30, 15 * MINUTE),
        "grace_s": _within(72 * HOUR, 0, 30 * DAY),
        "open_cases_per_peer": _within(4, 1, 20),
        "crisis_cases_per_peer": _within(1, 1, 5),
        "crisis_cooldown_s": _within(72 * HOUR, 0, 14 * DAY),
        "check_in_s": _within(DAY, 0, 7 * DAY),
        "shortlist": _within(5, 3, 5),
    }
)

# What a requester prefers never counts against a peer, and what they would rather not never for one.
WEIGHTS: Mapping[str, Bound[float]] = MappingProxyType(
    {
        "prefer": _weight("prefer", 0.0, 10.0),
        "avoid": _weight("avoid", -10.0, 0.0),
        "language": _weight("language", 0.0, 10.0),
        "trained": _weight("trained", 0.0, 10.0),
        "wanted": _weight("wanted", 0.0, 10.0),
    }
)
"""How much each part of the order of peers counts: `{"weights": {"prefer": 2.5}}`."""

AT_HOME: Mapping[str, Bound[int]] = MappingProxyType({"look_back_days": _within(365, 0, 3650)})
"""What intake alone goes by. `look_back_days`: so long does somebody who was in the chain of command count as in it."""
SWITCHES = frozenset({"training_required", "pool"})
"""`training_required`: an agency may ask for more than its law does, never for less. `pool`: it takes part in the
region's pool, and lends and borrows peers."""


def capabilities_at(agency: Agency, now: datetime) -> Capabilities:
    """What the agency's structure allows at this moment: what the software asks for, never for the name."""
    return structure.capabilities_at(agency.programs, agency.time_zone, now)


def checked_overrides(given: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides as they are kept: `{"grace_s": 60, "urgent": {"answer_within_s": 600}}`, every one within its bound.

    Raises `Refused` 422 `policy-invalid` with every problem: `unknown` (at its parent), `type`, `out-of-bounds`.
    """
    problems: list[Problem] = []
    kept: dict[str, Any] = {}
    for name, value in given.items():
        if name in OVERALL:
            problems += _problems(f"/{name}", value, OVERALL[name])
        elif name in AT_HOME:
            problems += _problems(f"/{name}", value, AT_HOME[name])
        elif name in SWITCHES:
            problems += [] if isinstance(value, bool) else [Problem(f"/{name}", "type")]
        elif name == "weights":
            problems += _problems_of_group("/weights", value, WEIGHTS)
        elif name not in set(Urgency):
            # The name of a field is the caller's input too; only the place is told.
            problems.append(Problem("", "unknown"))
        else:
            problems += _problems_of_group(f"/{name}", value, PER_URGENCY[Urgency(name)])
        kept[name] = value
    if problems:
        raise Refused("policy-invalid", 422, tuple(dict.fromkeys(problems)))
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in kept.items()}


def _problems_of_group(pointer: str, given: object, bounds: Mapping[str, Bound[N]]) -> list[Problem]:
    if not isinstance(given, Mapping):
        return [Problem(pointer, "type")]
    found = []
    for name, value in given.items():
        if name in bounds:
            found += _problems(f"{pointer}/{name}", value, bounds[name])
        else:
            found.append(Problem(pointer, "unknown"))
    return found


def _problems(pointer: str, value: object, bound: Bound[N]) -> list[Problem]:
    # A whole number is a weight too.
    if not isinstance(value, (type(bound.default), int)) or isinstance(value, bool):
        return [Problem(pointer, "type")]
    return [] if bound.least <= value <= bound.most else [Problem(pointer, "out-of-bounds")]


def resolve(agency: Agency, urgency: Urgency, now: datetime) -> Policy:
    """The policy that is stamped on a case of this urgency that begins now: the defaults, what the agency set instead.

    In an emergency the requester is never made to choose: `choose_within_s` is 0, everything is released at once.
    """
    special = _group(agency, urgency.value)
    values: dict[str, Any] = {
        name: int(special.get(name, bound.default)) for name, bound in PER_URGENCY[urgency].items()
    }
    values |= {name: _overall(agency, name, bound) for name, bound in OVERALL.items()}
    values.setdefault("choose_within_s", 0)
    own = _group(agency, "weights")
    weights = Weights(**{name: float(own.get(name, bound.default)) for name, bound in WEIGHTS.items()})
    present, rule = structure.program_at(agency.programs, now).structure, law_of(agency, now)
    return Policy(
        structure=present,
        capabilities=capabilities_at(agency, now),
        weights=weights,
        designation_required=rule.designation_required,
        training_required=asks_training(agency, now),
        **values,
    )


def law_of(agency: Agency, now: datetime) -> Rule:
    """Which law's conditions on a peer hold for the agency's people today, by its own calendar."""
    return rule_for(agency.jurisdiction, day_of(now, agency.time_zone))


def asks_training(agency: Agency, now: datetime) -> bool:
    """Whether law or the agency itself lets only peers be asked whose training is current."""
    return law_of(agency, now).training_required or agency.policy.get("training_required") is True


def takes_part(agency: Agency) -> bool:
    """Whether the agency lends peers to others and may borrow theirs."""
    return agency.active and agency.policy.get("pool") is True


def look_back_days(agency: Agency) -> int:
    """How long somebody who was in the chain of command counts as in it."""
    return _overall(agency, "look_back_days", AT_HOME["look_back_days"])


def _group(agency: Agency, name: str) -> Mapping[str, Any]:
    given = agency.policy.get(name)
    return given if isinstance(given, Mapping) else {}


def _overall(agency: Agency, name: str, bound: Bound[int]) -> int:
    given = agency.policy.get(name)
    return given if isinstance(given, int) else bound.default
