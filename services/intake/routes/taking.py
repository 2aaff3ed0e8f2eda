"""Taking requests at the door, by the API or by the pages: counted, then together with whatever arrives meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request as HttpRequest

from services.intake.actions.requests import Receipt, Submission, digest_of, region_too, submit
from services.intake.domain.request import Request
from services.intake.routes.desk import Desk, source_of
from services.intake.store.agencies import load_agencies
from shared import faults
from shared.db import CONTENDED, Database
from shared.http.tracing import work_of
from shared.joiner import Joiner
from shared.types import REGION, AgencyId

TRIES = 3


@dataclass(frozen=True)
class _Arrived:
    """A request at the door of an agency."""

    agency_id: AgencyId
    slug: str
    body: Request
    traceparent: str


class Taking:
    """The door for requests. An emergency never shares a transaction with ordinary requests, nor waits for one."""

    def __init__(self, desk: Desk) -> None:
        """One for the whole process."""
        self._desk = desk
        self._ordinary = Joiner(partial(self._all, desk.db))
        self._emergencies = Joiner(partial(self._all, desk.crisis))

    async def take(self, request: HttpRequest, slug: str, body: Request) -> Receipt:
        """Count a request and take it. Raises `Refused`: 404, 409, 422, 429."""
        desk = self._desk
        agency_id = await desk.agency_id(slug)
        desk.admit(source_of(request), slug, emergency=body.emergency)
        joiner = self._emergencies if body.emergency else self._ordinary
        receipt = await joiner.do(_Arrived(agency_id, slug, body, work_of(request).traceparent))
        work_of(request).tag_case(receipt.case_id)
        return receipt

    async def _all(self, db: Database, arrived: Sequence[_Arrived]) -> list[Receipt]:
        for _ in range(TRIES):
            try:
                return await self._once(db, arrived)
            except CONTENDED:
                continue
        return await self._once(db, arrived)

    async def _once(self, db: Database, arrived: Sequence[_Arrived]) -> list[Receipt]:
        desk = self._desk
        homes = {one.agency_id for one in arrived}
        view = homes | {REGION} if any(region_too(one.body) for one in arrived) else homes
        async with db.transaction(view) as tx:
            agencies = await load_agencies(tx, homes)
            submissions = [
                Submission(
                    desk.known(agencies.get(one.agency_id)),
                    one.body,
                    digest_of(desk.keyring, one.slug, one.body),
                    one.traceparent,
                )
                for one in arrived
            ]
            receipts = await submit(tx, desk.keyring, desk.notices, submissions)
        faults.reached("after-commit", "request")
        return receipts
