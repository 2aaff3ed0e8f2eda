"""Whom there is to page when an open case turns out to be an emergency, read before it is decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from services.intake.actions import barring
from services.intake.actions.barring import Emergency
from services.intake.domain.acts import Help
from services.intake.domain.case import Case
from services.intake.domain.policy import capabilities_at, resolve
from services.intake.store.agencies import load_agencies
from shared.db import Transaction
from shared.types import AgencyId, CaseId, Urgency


async def help_for(
    tx: Transaction, cases: Mapping[CaseId, Case], agencies: Mapping[CaseId, AgencyId], now: datetime
) -> dict[CaseId, Help]:
    """Policy and rungs of these cases; two statements, whatever their number. The region has to be in view.

    A clinician is paged where that is possible now and was when the case began.
    """
    if not cases:
        return {}
    known = await load_agencies(tx, {agencies[case] for case in cases})
    homes = {case: known[agencies[case]] for case in cases if agencies[case] in known}
    wanted = {}
    for number, (case, home) in enumerate(homes.items()):
        ask = cases[case].ask
        stamped = ask.policy.capabilities.on_call
        present = capabilities_at(home, now)
        allowed = present.model_copy(update={"on_call": stamped and present.on_call})
        wanted[number] = Emergency(home.agency_id, ask.bars, allowed, ask.wishes.own_agency)
    rungs = await barring.rungs(tx, wanted)
    return {
        case: Help(resolve(home, Urgency.EMERGENCY, now), home.jurisdiction, rungs[number])
        for number, (case, home) in enumerate(homes.items())
    }
