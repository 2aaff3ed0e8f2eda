"""What a structure allows, from when until when: the table of capabilities, contracts and plans."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.intake.domain.structure import (
    Contract,
    Program,
    Wanted,
    capabilities_at,
    checked,
    next_change,
    program_at,
    replanned,
)
from shared.errors import Refused
from shared.types import Structure

ZONE = "America/Denver"
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
OPEN = Contract(date(2026, 1, 1))
TC, CA, CS = Structure.TEAM_COORDINATOR, Structure.CLINICAL_ADVISOR, Structure.CLINICAL_SUPERVISOR
SUPERVISED = Program(CS, SINCE, OPEN, on_call=True)


def allowed(*programs: Program, at: datetime = NOW) -> set[str]:
    return {name for name, can in capabilities_at(programs, ZONE, at).model_dump().items() if can}


def wanted(structure: Structure, **given: Any) -> Wanted:
    return Wanted.model_validate({"structure": structure} | given)


def refused(asked: Wanted) -> set[tuple[str, str]]:
    with pytest.raises(Refused) as caught:
        checked(asked, ZONE, NOW)
    assert (caught.value.slug, caught.value.status) == ("structure-invalid", 422)
    return {(one.pointer, one.code) for one in caught.value.problems}


@pytest.mark.parametrize(
    ("program", "can"),
    [
        (Program(TC, SINCE), set()),
        (Program(CA, SINCE, OPEN), {"consult", "trains"}),
        (Program(CA, SINCE, OPEN, on_call=True), {"consult", "trains", "on_call"}),
        (SUPERVISED, {"consult", "accept_referral", "direct_employee", "direct_family", "on_call", "trains"}),
    ],
)
def test_a_structure_allows_what_the_table_says(program: Program, can: set[str]) -> None:
    assert allowed(program) == can


def test_retirees_go_direct_where_the_agency_says_so() -> None:
    assert "direct_retiree" in allowed(replace(SUPERVISED, direct_retiree=True))


def test_an_agency_without_a_plan_has_no_clinician() -> None:
    assert allowed() == set()
    assert program_at((), NOW).structure is TC


def test_outside_of_its_contract_a_structure_allows_nothing() -> None:
    program = Program(CS, SINCE, Contract(date(2026, 11, 20), date(2026, 11, 22)), on_call=True)
    first, after = datetime(2026, 11, 20, 7, tzinfo=UTC), datetime(2026, 11, 23, 7, tzinfo=UTC)
    moments = [first - timedelta(seconds=1), first, after - timedelta(seconds=1), after]
    assert [bool(allowed(program, at=at)) for at in moments] == [False, True, True, False]


def test_the_last_structure_that_has_begun_is_in_force() -> None:
    later = Program(CA, NOW + timedelta(days=2), OPEN)
    assert program_at((SUPERVISED, later), NOW) is SUPERVISED
    assert program_at((SUPERVISED, later), later.effective_from) is later


def test_a_new_plan_gives_up_what_was_planned_for_then_or_later() -> None:
    soon, late = (Program(CA, NOW + timedelta(days=days), OPEN) for days in (2, 9))
    changed = Program(TC, NOW + timedelta(days=2))
    assert replanned((SUPERVISED, soon, late), changed) == (SUPERVISED, changed)


def test_the_next_change_is_the_next_beginning_or_end_of_what_is_then_in_force() -> None:
    ending = replace(SUPERVISED, contract=Contract(date(2026, 1, 1), date(2026, 11, 30)))
    midnight = datetime(2026, 12, 1, 7, tzinfo=UTC)
    assert next_change((ending,), ZONE, NOW) == midnight
    assert next_change((ending,), ZONE, midnight) is None
    assert next_change((ending, Program(TC, NOW + timedelta(days=1))), ZONE, NOW + timedelta(days=2)) is None


def test_a_clinician_comes_with_a_contract_and_a_coordinator_with_none() -> None:
    assert refused(wanted(CA)) == {("/contract", "missing")}
    assert refused(wanted(CS)) == {("/contract", "missing")}
    assert refused(wanted(TC, contract={"from": "2026-01-01"})) == {("/contract", "not-in-structure")}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"effective_from": NOW - timedelta(minutes=2)}, ("/effective_from", "in-the-past")),
        ({"contract": {"from": "2026-11-02", "to": "2026-11-01"}}, ("/contract/to", "before-start")),
        ({"contract": {"from": "2026-01-01", "to": "2026-11-01"}}, ("/contract/to", "over-before-it-begins")),
        ({"direct_retiree": True}, ("/direct_retiree", "not-in-structure")),
    ],
)
def test_what_cannot_be_planned_is_named_by_pointer(given: dict[str, Any], found: tuple[str, str]) -> None:
    assert refused(wanted(CA, **{"contract": {"from": "2026-01-01"}} | given)) == {found}


def test_nobody_is_on_call_where_there_is_no_clinician() -> None:
    assert refused(wanted(TC, on_call=True)) == {("/on_call", "not-in-structure")}


def test_a_moment_ago_is_now_and_a_supervisor_is_on_call_unless_it_is_said_otherwise() -> None:
    late = NOW - timedelta(seconds=30)
    program = checked(wanted(CS, effective_from=late, contract={"from": "2026-01-01"}), ZONE, NOW)
    assert (program.effective_from, program.on_call) == (NOW, True)
    assert not checked(wanted(CS, on_call=False, contract={"from": "2026-01-01"}), ZONE, NOW).on_call
    assert not checked(wanted(CA, contract={"from": "2026-01-01"}), ZONE, NOW).on_call
