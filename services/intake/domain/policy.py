"""What an agency's policy comes to for one case: the region's defaults by urgency, and what the agency set instead.

The defaults are section 5 of the data design; what the structure allows is `domain.structure`'s. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from services.intake.domain import structure
from services.intake.domain.agency import Agency
from shared.errors import Problem, Refused
from shared.events.policy import Capabilities, Policy
from shared.types import Urgency

MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True)
class Bound:
    """A value of the policy: what it is by default, and within what an agency may set it."""

    default: int
    least: int
    most: int


def _within(default: int, least: int, most: int) -> Bound:
    return Bound(default, least, most)


# An emergency may be made quicker, never slow: its upper bounds stay near its defaults.
PER_URGENCY: Mapping[Urgency, Mapping[str, Bound]] = MappingProxyType(
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

OVERALL: Mapping[str, Bound] = MappingProxyType(
    {
        "rung_within_s": _within(5 * MINUTE, 30, 15 * MINUTE),
        "grace_s": _within(72 * HOUR, 0, 30 * DAY),
        "open_cases_per_peer": _within(4, 1, 20),
        "crisis_cases_per_peer": _within(1, 1, 5),
        "crisis_cooldown_s": _within(72 * HOUR, 0, 14 * DAY),
    }
)


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
        elif name not in set(Urgency):
            # The name of a field is the caller's input too; only the place is told.
            problems.append(Problem("", "unknown"))
        elif not isinstance(value, Mapping):
            problems.append(Problem(f"/{name}", "type"))
        else:
            problems += _problems_of_urgency(Urgency(name), value)
        kept[name] = value
    if problems:
        raise Refused("policy-invalid", 422, tuple(dict.fromkeys(problems)))
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in kept.items()}


def _problems_of_urgency(urgency: Urgency, given: Mapping[str, Any]) -> list[Problem]:
    bounds, found = PER_URGENCY[urgency], []
    for name, value in given.items():
        if name in bounds:
            found += _problems(f"/{urgency.value}/{name}", value, bounds[name])
        else:
            found.append(Problem(f"/{urgency.value}", "unknown"))
    return found


def _problems(pointer: str, value: object, bound: Bound) -> list[Problem]:
    if not isinstance(value, int) or isinstance(value, bool):
        return [Problem(pointer, "type")]
    return [] if bound.least <= value <= bound.most else [Problem(pointer, "out-of-bounds")]


def resolve(agency: Agency, urgency: Urgency, now: datetime) -> Policy:
    """The policy that is stamped on a case of this urgency that begins now: the defaults, what the agency set instead.

    In an emergency the requester is never made to choose: `choose_within_s` is 0, everything is released at once.
    """
    own = agency.policy.get(urgency.value)
    special = own if isinstance(own, Mapping) else {}
    values = {name: int(special.get(name, bound.default)) for name, bound in PER_URGENCY[urgency].items()}
    values |= {name: _overall(agency, name, bound) for name, bound in OVERALL.items()}
    values.setdefault("choose_within_s", 0)
    present = structure.program_at(agency.programs, now).structure
    return Policy(structure=present, capabilities=capabilities_at(agency, now), **values)


def _overall(agency: Agency, name: str, bound: Bound) -> int:
    given = agency.policy.get(name)
    return given if isinstance(given, int) else bound.default
