"""Names and units that requesters have typed are looked for again whenever a directory changes.

A change sets a round for each agency concerned; a round goes through the agency's open cases in pages, each a timer
of its own, after the change has been committed. A request that was taken while a directory changed may have read the
older one and be missed by the round: it is looked at once more after its own commit. Of the two, whichever commits
last sees both.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.intake.actions import barring, cases
from services.intake.domain.acts import NamesFound
from services.intake.domain.request import AboutMe
from services.intake.store import cases as store
from services.intake.store.cases import Named
from shared import clock, timers, vault
from shared.casework import Input
from shared.db import Transaction
from shared.errors import SealBroken
from shared.timers import Due, Fired
from shared.types import AgencyId, CaseId, Lane
from shared.vault import DataKey, Keyring

log = logging.getLogger(__name__)

AVOID, ABOUT = "avoid_people", "about_me"
"""The fields under which a request's names are sealed with its case's key."""
ROUND: Literal["names"] = "names"
"""A page of an agency's round; the timer's subject is the last case of the page before."""
ONCE: Literal["named"] = "named"
"""One request, once more."""
PAGE = 60
FIRST = UUID(int=0)


def sealed_people(key: DataKey, people: Sequence[str]) -> bytes | None:
    """The people to avoid, as they are kept."""
    return key.seal(AVOID, json.dumps(people).encode()) if people else None


def sealed_about(key: DataKey, about: AboutMe | None) -> bytes | None:
    """What somebody said of themselves, as it is kept."""
    # What was not said is left out: a release before this one may read it, and knows no newer parts.
    return key.seal(ABOUT, about.model_dump_json(exclude_defaults=True).encode()) if about is not None else None


async def again_once(tx: Transaction, now: datetime, named: Sequence[tuple[AgencyId, CaseId]]) -> None:
    """Look at these new cases once more after their commit."""
    await timers.schedule(tx, [Due(agency, Lane.BULK, ONCE, case, case, 0, now) for agency, case in named])


async def again(tx: Transaction, agencies: Collection[AgencyId], *, after: timedelta = timedelta(0)) -> None:
    """Set a round for each of these agencies, which have to be in view."""
    begins = await tx.now() + after
    # A round of its own for every change: one that is under way may have passed a case already.
    number = clock.random_id().int & 0x7FFF_FFFF
    await timers.schedule(
        tx, [Due(agency, Lane.BULK, ROUND, agency, FIRST, number, begins) for agency in sorted(agencies)]
    )


async def fire(tx: Transaction, fired: Sequence[Fired], *, keyring: Keyring, page: int = PAGE) -> None:
    """Pages of rounds, and single requests. The region has to be in view: its people may be meant as well."""
    rounds = [one for one in fired if one.kind == ROUND]
    pages = await store.named_of(tx, [(one.agency_id, one.subject_id) for one in rounds], page) if rounds else []
    once = [CaseId(one.key) for one in fired if one.kind == ONCE]
    found = [*(one for listed in pages for one in listed), *(await store.named(tx, once) if once else ())]
    await _look(tx, keyring, {one.case_id: one for one in found})
    now = await tx.now()
    full = [(one, listed[-1].case_id) for one, listed in zip(rounds, pages, strict=True) if len(listed) == page]
    await timers.schedule(
        tx, [Due(one.agency_id, Lane.BULK, ROUND, one.agency_id, last, one.version, now) for one, last in full]
    )


async def _look(tx: Transaction, keyring: Keyring, named: Mapping[CaseId, Named]) -> None:
    keys = await vault.load(tx, keyring, "case", named)
    opened = {}
    for number, (case, one) in enumerate(named.items()):
        if (key := keys.get(case)) and (names := opened_names(key, one)):
            opened[number] = names
    bars = await barring.bars(tx, keyring.derived("index"), opened)
    inputs = [
        Input(one.agency_id, case, NamesFound(bars[number]))
        for number, (case, one) in enumerate(named.items())
        if bars.get(number)
    ]
    await cases.take(tx, inputs)


def opened_names(key: DataKey, one: Named) -> barring.Named | None:
    """What was typed. One that does not open must not keep the others from being looked at."""
    try:
        people = json.loads(key.open(AVOID, one.avoid_people)) if one.avoid_people else []
        about = AboutMe.model_validate_json(key.open(ABOUT, one.about_me)) if one.about_me else None
    except SealBroken:
        log.error("names of a request do not open")
        return None
    return barring.Named(one.agency_id, tuple(people), about, listed=one.listed)
