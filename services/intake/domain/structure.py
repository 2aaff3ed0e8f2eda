"""Which program structure an agency has, since when and under which contract, and what that allows. Pure.

The capabilities are from Toone, "Therapeutic Considerations in Police Peer Support": an advisor advises and trains, a
supervisor also takes people on. They begin and end with the contract; outside of it nobody is promised a clinician.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from services.intake.domain.days import Day, Moment
from shared.errors import Problem, Refused
from shared.events.policy import Capabilities
from shared.types import Structure

LATE = timedelta(minutes=1)
"""A moment so little in the past means now: clocks differ, and requests take their time."""
DAY = timedelta(days=1)
EVER = datetime.min.replace(tzinfo=UTC)
"""Since when an agency without any plan is what it is."""

_NOTHING = Capabilities(consult=False, accept_referral=False, direct_employee=False, direct_family=False)
_CAPABILITIES: Mapping[Structure, Capabilities] = MappingProxyType(
    {
        Structure.TEAM_COORDINATOR: _NOTHING,
        Structure.CLINICAL_ADVISOR: _NOTHING.model_copy(update={"consult": True, "trains": True}),
        Structure.CLINICAL_SUPERVISOR: Capabilities(
            consult=True, accept_referral=True, direct_employee=True, direct_family=True, trains=True
        ),
    }
)


@dataclass(frozen=True)
class Contract:
    """What an agency has agreed with its clinician: from the first day to the last one, open where there is none.

    Days are those of the agency's own time zone.
    """

    first: date
    last: date | None = None

    def begins(self, zone: ZoneInfo) -> datetime:
        """The moment from which it is in force."""
        return datetime.combine(self.first, time(), zone)

    def ends(self, zone: ZoneInfo) -> datetime | None:
        """The moment from which it is no more."""
        return datetime.combine(self.last + DAY, time(), zone) if self.last is not None else None

    def document(self) -> dict[str, str | None]:
        """As agencies write and read it."""
        return {"from": self.first.isoformat(), "to": self.last.isoformat() if self.last else None}


@dataclass(frozen=True)
class Program:
    """A structure from a moment on. `revision` is that of the plan when it was set."""

    structure: Structure
    effective_from: datetime
    contract: Contract | None = None
    on_call: bool = False
    direct_retiree: bool = False
    revision: int = 0


class Dates(BaseModel):
    """The contract's first and last day; without a last one it goes on."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, populate_by_name=True)
    first: Day = Field(alias="from")
    last: Day | None = Field(default=None, alias="to")


class Wanted(BaseModel):
    """A structure as an agency or the operator asks for it. Without `effective_from` it begins now."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    structure: Structure
    effective_from: Moment | None = None
    contract: Dates | None = None
    on_call: bool | None = None
    """Whether a clinician is paged in an emergency; without it a supervisor is and an advisor is not."""
    direct_retiree: bool = False
    """Whether retirees may ask for the clinician without a peer, where employees and families may."""


def checked(wanted: Wanted, zone: str, now: datetime) -> Program:
    """The program that is asked for. Raises `Refused` 422 `structure-invalid` with every problem."""
    begins = wanted.effective_from or now
    supervised = wanted.structure is Structure.CLINICAL_SUPERVISOR
    checks = {
        ("/effective_from", "in-the-past"): begins < now - LATE,
        ("/on_call", "not-in-structure"): bool(wanted.on_call) and wanted.structure is Structure.TEAM_COORDINATOR,
        ("/direct_retiree", "not-in-structure"): wanted.direct_retiree and not supervised,
    }
    problems = [Problem(*one) for one, wrong in checks.items() if wrong]
    begins = max(begins, now)
    problems += _problems_of_contract(wanted, ZoneInfo(zone), begins)
    if problems:
        raise Refused("structure-invalid", 422, tuple(problems))
    contract = Contract(wanted.contract.first, wanted.contract.last) if wanted.contract else None
    on_call = supervised if wanted.on_call is None else wanted.on_call
    return Program(wanted.structure, begins, contract, on_call, wanted.direct_retiree)


def _problems_of_contract(wanted: Wanted, zone: ZoneInfo, begins: datetime) -> list[Problem]:
    dates = wanted.contract
    if wanted.structure is Structure.TEAM_COORDINATOR:
        return [Problem("/contract", "not-in-structure")] if dates is not None else []
    if dates is None:
        return [Problem("/contract", "missing")]
    if dates.last is not None and dates.last < dates.first:
        return [Problem("/contract/to", "before-start")]
    ends = Contract(dates.first, dates.last).ends(zone)
    return [Problem("/contract/to", "over-before-it-begins")] if ends is not None and ends <= begins else []


def replanned(programs: Sequence[Program], program: Program) -> tuple[Program, ...]:
    """The plan with `program` in force from its moment on: whatever was planned for then or later is given up."""
    kept = [one for one in programs if one.effective_from < program.effective_from]
    return (*kept, program)


def program_at(programs: Sequence[Program], now: datetime) -> Program:
    """What is in force at a moment; `programs` are in the order of their beginnings."""
    begun = [one for one in programs if one.effective_from <= now]
    return begun[-1] if begun else Program(Structure.TEAM_COORDINATOR, EVER)


def capabilities_at(programs: Sequence[Program], zone: str, now: datetime) -> Capabilities:
    """What is possible at a moment: what the structure in force allows, while its contract lasts; else nothing."""
    program = program_at(programs, now)
    if not _contracted(program, ZoneInfo(zone), now):
        return _NOTHING
    special = {"on_call": program.on_call, "direct_retiree": program.direct_retiree}
    return _CAPABILITIES[program.structure].model_copy(update=special)


def _contracted(program: Program, zone: ZoneInfo, now: datetime) -> bool:
    if program.contract is None:
        return False
    ends = program.contract.ends(zone)
    return program.contract.begins(zone) <= now and (ends is None or now < ends)


def next_change(programs: Sequence[Program], zone: str, now: datetime) -> datetime | None:
    """When another structure, or the contract of the one in force by then, begins or ends next; None: never."""
    coming = [one.effective_from for one in programs]
    for program in programs:
        coming += [at for at in _edges(program, ZoneInfo(zone)) if program_at(programs, at) is program]
    return min((at for at in coming if at > now), default=None)


def _edges(program: Program, zone: ZoneInfo) -> Iterable[datetime]:
    if program.contract is not None:
        yield program.contract.begins(zone)
        if (ends := program.contract.ends(zone)) is not None:
            yield ends
