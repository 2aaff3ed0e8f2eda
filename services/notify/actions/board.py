"""The coordinator's page: what waits that this person was told of, and how many of the team can be reached.

Only numbers leave here: no case, person, topic, text, or time of a single request.
"""

from __future__ import annotations

from services.notify.actions.showing import Shown
from services.notify.domain.views import View
from services.notify.domain.waits import board
from services.notify.store import links, waits
from services.notify.store.sending import Link
from shared.db import Transaction
from shared.types import CaseId


async def shown(tx: Transaction, link: Link, case: CaseId) -> Shown:
    """The page as it is now, of the link's agency alone. The case is only what the link goes away with."""
    told = await waits.told(tx, link.person, link.agency_id)
    staff = await waits.staff(tx, link.agency_id)
    regional = not await waits.belongs(tx, link.person, link.agency_id)
    now = board(told, staff, regional=regional)
    view = View("team_waits" if now.lines else "team_nothing")
    return Shown(link.purpose, case, view, await links.language_of(tx, link.person), board=now)
