"""Whom an emergency pages, rung by rung, from capabilities alone."""

from uuid import UUID

from services.intake.domain.rungs import Helper, rungs_from
from shared.events.policy import Capabilities
from shared.types import REGION, AgencyId, PersonId, Role

HOME, OTHER = AgencyId(UUID(int=70)), AgencyId(UUID(int=71))
NONE = Capabilities(consult=False, accept_referral=False, direct_employee=False, direct_family=False)
ON_CALL = NONE.model_copy(update={"on_call": True})
CHIEF, DEPUTY, CALLED, QUIET, DUTY, STRANGER = (PersonId(UUID(int=number)) for number in range(1, 7))
HELPERS = [
    Helper(QUIET, HOME, Role.CLINICIAN),
    Helper(CALLED, HOME, Role.CLINICIAN, on_call=True),
    Helper(DEPUTY, HOME, Role.COORDINATOR, deputy=True),
    Helper(CHIEF, HOME, Role.COORDINATOR),
    Helper(DUTY, REGION, Role.DUTY),
    Helper(STRANGER, OTHER, Role.CLINICIAN, on_call=True),
]


def test_without_the_capability_no_clinician_is_paged() -> None:
    assert rungs_from(HELPERS, HOME, (), NONE) == ((CHIEF,), (DEPUTY,), (DUTY,))


def test_with_it_the_clinician_on_call_is_first_and_the_others_stand_with_the_deputies() -> None:
    assert rungs_from(HELPERS, HOME, (), ON_CALL) == ((CALLED,), (CHIEF,), (DEPUTY, QUIET), (DUTY,))


def test_who_is_barred_stands_nowhere_and_an_empty_rung_is_left_out() -> None:
    assert rungs_from(HELPERS, HOME, {CALLED, CHIEF}, ON_CALL) == ((DEPUTY, QUIET), (DUTY,))
    assert rungs_from(HELPERS, HOME, {CHIEF, DEPUTY, DUTY}, NONE) == ()


def test_scenario_32_who_wants_nobody_of_their_agency_has_the_region_first_and_is_left_alone_by_nobody() -> None:
    rungs = rungs_from(HELPERS, HOME, (), ON_CALL, own=False)
    assert rungs == ((DUTY,), (CALLED,), (CHIEF,), (DEPUTY, QUIET))
    assert rungs_from(HELPERS[2:4], HOME, (), NONE, own=False) == ((CHIEF,), (DEPUTY,))


def test_a_deputy_on_call_stands_on_the_first_rung_alone() -> None:
    both = Helper(QUIET, HOME, Role.CLINICIAN, on_call=True, deputy=True)
    assert rungs_from([both], HOME, (), ON_CALL) == ((QUIET,),)


def test_another_agencys_people_are_never_paged() -> None:
    assert rungs_from(HELPERS, OTHER, (), ON_CALL) == ((STRANGER,), (DUTY,))
