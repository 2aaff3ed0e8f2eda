"""What an agency's policy comes to for one case: the region's defaults by urgency, and what the agency set instead.

The defaults are section 5 of the data design; the capabilities of the three structures are from Toone, "Therapeutic
Considerations in Police Peer Support". Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from services.intake.domain.agency import Agency
from shared.errors import Problem, Refused
from shared.events.policy import Capabilities, Policy
from shared.types import Structure, Urgency

MINUTE, HOUR, DAY = 60, 3600, 86_400

_CAPABILITIES: Mapping[Structure, Capabilities] = MappingProxyType(
    {
        Structure.TEAM_COORDINATOR: Capabilities(
            consult=False, accept_referral=False, direct_employee=False, direct_family=False
        ),
        Structure.CLINICAL_ADVISOR: Capabilities(
            consult=True, accept_referral=False, direct_employee=False, direct_family=False
        ),
        Structure.CLINICAL_SUPERVISOR: Capabilities(
            consult=True, accept_referral=True, direct_employee=True, direct_family=True
        ),
    }
)


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
        },
        Urgency.SOON: {
            "offers_out": _within(1, 1, 5),
            "answer_within_s": _within(HOUR, MINUTE, 12 * HOUR),
            "contact_within_s": _within(4 * HOUR, MINUTE, DAY),
            "choose_within_s": _within(8 * HOUR, MINUTE, 2 * DAY),
        },
        Urgency.URGENT: {
            "offers_out": _within(2, 1, 8),
            "answer_within_s": _within(15 * MINUTE, MINUTE, HOUR),
            "contact_within_s": _within(HOUR, MINUTE, 4 * HOUR),
            "choose_within_s": _within(HOUR, MINUTE, 4 * HOUR),
        },
        Urgency.EMERGENCY: {
            "offers_out": _within(3, 1, 10),
            "answer_within_s": _within(3 * MINUTE, 30, 10 * MINUTE),
            "contact_within_s": _within(10 * MINUTE, MINUTE, 30 * MINUTE),
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


def capabilities_of(structure: Structure) -> Capabilities:
    """What a structure allows. The software asks for these, never for the structure's name."""
    return _CAPABILITIES[structure]


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


def resolve(agency: Agency, urgency: Urgency) -> Policy:
    """The policy that is stamped on a case of this urgency: the defaults, and what the agency set instead.

    In an emergency the requester is never made to choose: `choose_within_s` is 0, everything is released at once.
    """
    own = agency.policy.get(urgency.value)
    special = own if isinstance(own, Mapping) else {}
    values = {name: int(special.get(name, bound.default)) for name, bound in PER_URGENCY[urgency].items()}
    values |= {name: _overall(agency, name, bound) for name, bound in OVERALL.items()}
    values.setdefault("choose_within_s", 0)
    return Policy(structure=agency.structure, capabilities=capabilities_of(agency.structure), **values)


def _overall(agency: Agency, name: str, bound: Bound) -> int:
    given = agency.policy.get(name)
    return given if isinstance(given, int) else bound.default
