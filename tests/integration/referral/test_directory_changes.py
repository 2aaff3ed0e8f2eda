"""The directory changes while a case is open: who goes and comes back, at once or later, and whose word counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from shared.events import Fact
from shared.events.intake import PersonSet
from shared.events.notify import ContactStopped, ContactVerified
from shared.events.referral import ConsultOpened, ReferralAccepted, ReferralRequested
from shared.types import AgencyId, PersonId, Role
from tests.harness.bench import Said, cases
from tests.integration.referral.bench import LICENCE, Bench
from tests.integration.referral.test_walk_on_postgres import answer, consented, now, supported
from tests.unit.referral.given import CARL, CLEO, CORA, CS, PAUL, SUPERVISOR, consult, direct, names, only


def cleo(bench: Bench, *, active: bool) -> PersonSet:
    return bench.listed(Role.CLINICIAN, (LICENCE, "on_call"), active=active)


async def told(bench: Bench, *facts: Fact, agency: AgencyId | None = None) -> list[Fact]:
    """Facts about Cleo in one batch of the group that hears them; what came out of it."""
    groups = {"ordinary" if isinstance(one, ContactVerified | ContactStopped) else "directory" for one in facts}
    await bench.take(*(Said(agency or bench.agency, CLEO, one) for one in facts), group=groups.pop())
    return await bench.out()


async def straight(bench: Bench) -> list[Fact]:
    """Somebody asks for a clinician straight away; what comes of it."""
    (case,) = cases(1)
    return await bench.hear(case, direct(expires=await now(bench) + timedelta(days=9)))


async def whom(bench: Bench) -> PersonId:
    """Whom somebody would be led to now who asks for a clinician straight away."""
    return only(await straight(bench), ReferralRequested).clinician


async def test_a_clinician_removed_and_listed_again_at_once_keeps_what_they_were_asked(staffed: Bench) -> None:
    (case,) = cases(1)
    await supported(staffed, case)
    referral, requested = await consented(staffed, case)
    assert requested.clinician == CLEO
    assert await told(staffed, cleo(staffed, active=False), cleo(staffed, active=True)) == []
    assert await whom(staffed) == CLEO
    only(await staffed.hear(case, answer(referral, CLEO, "accept")), ReferralAccepted)


async def test_a_clinician_removed_and_listed_again_later_is_followed_once_and_asked_again_from_then_on(
    staffed: Bench,
) -> None:
    (case,) = cases(1)
    await supported(staffed, case)
    referral, _ = await consented(staffed, case)
    assert only(await told(staffed, cleo(staffed, active=False)), ReferralRequested).clinician == CARL
    assert await whom(staffed) == CARL
    assert await told(staffed, cleo(staffed, active=True)) == []
    assert await whom(staffed) == CLEO
    assert only(await staffed.hear(case, answer(referral, CLEO, "accept")), ReferralAccepted).clinician == CLEO


async def test_an_older_listing_brings_nobody_back(staffed: Bench) -> None:
    before, gone = cleo(staffed, active=True), cleo(staffed, active=False)
    await told(staffed, gone)
    await told(staffed, before)
    assert await whom(staffed) == CARL


STOPPED, BACK = ContactStopped(revision=1), ContactVerified(revision=1)


@pytest.mark.parametrize(
    ("batches", "followed", "led_to"),
    [
        ([[STOPPED, BACK]], 0, CLEO),
        ([[STOPPED], [BACK]], 1, CLEO),
        ([[BACK, STOPPED]], 1, CARL),
        ([[BACK], [STOPPED]], 1, CARL),
        ([[STOPPED, BACK, STOPPED]], 1, CARL),
    ],
)
async def test_of_one_revision_the_last_word_about_a_contact_counts(
    staffed: Bench, batches: Sequence[Sequence[Fact]], followed: int, led_to: PersonId
) -> None:
    (case,) = cases(1)
    await supported(staffed, case)
    await consented(staffed, case)
    out = [fact for batch in batches for fact in await told(staffed, *batch)]
    assert names(out) == ["referral_unanswered", "referral_requested"] * followed
    assert await whom(staffed) == led_to


@pytest.mark.parametrize("stopped", [False, True])
async def test_what_another_agency_says_of_a_clinician_changes_nothing_here(staffed: Bench, *, stopped: bool) -> None:
    (case,), (other,) = cases(1), cases(1)
    await supported(staffed, case)
    referral, _ = await consented(staffed, case)
    beside: Fact = ContactVerified(revision=1) if stopped else staffed.listed(Role.PEER)
    foreign: Fact = ContactStopped(revision=99) if stopped else cleo(staffed, active=False)
    await staffed.take(
        Said(staffed.agency, PAUL, beside),
        Said(AgencyId(other), CLEO, foreign),
        group="ordinary" if stopped else "directory",
    )
    assert await staffed.out() == []
    assert await whom(staffed) == CLEO
    only(await staffed.hear(case, answer(referral, CLEO, "accept")), ReferralAccepted)


async def test_of_an_agency_that_is_not_active_any_more_nobody_is_asked_anew(staffed: Bench) -> None:
    (case,) = cases(1)
    await supported(staffed, case)
    await staffed.may(SUPERVISOR, CS, active=False)
    assert await staffed.out() == []
    assert names(await straight(staffed)) == ["referral_cancelled", "no_clinical_path"]
    asked = await staffed.hear(case, consult("coordinator"))
    assert not any(isinstance(one, ConsultOpened) for one in asked)
    staffed.revision -= 1
    await staffed.may(SUPERVISOR, CS)
    assert not any(isinstance(one, ConsultOpened) for one in await staffed.hear(case, consult("coordinator")))
    await staffed.may(SUPERVISOR, CS)
    assert only(await staffed.hear(case, consult("coordinator")), ConsultOpened).adviser == CORA
    assert await whom(staffed) == CLEO
