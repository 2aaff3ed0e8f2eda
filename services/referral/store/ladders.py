"""The rows of ladders and their pages. The caller holds the locks of their cases' anchors."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal, assert_never
from uuid import UUID

from services.referral.domain.ladder import Acknowledged, Ended, Nobody, Paging, Silent, State
from services.referral.domain.rungs import Ladder, Page
from shared.db import Row, Transaction
from shared.types import AgencyId, CaseId, PersonId

_LADDERS = """
SELECT case_id, ladder_id, state, rungs, rung, turn, rung_within, contact_within, moment, acknowledged_by, takers
  FROM ladders WHERE case_id = ANY ($1::uuid[])
"""
_PAGES = """
SELECT p.case_id, p.page_id, p.person_id, p.outcome, p.cannot FROM pages p
  JOIN ladders l ON l.case_id = p.case_id AND l.agency_id = p.agency_id AND l.ladder_id = p.ladder_id
 WHERE p.case_id = ANY ($1::uuid[]) ORDER BY p.case_id, p.place
"""


async def load(tx: Transaction, cases: Collection[CaseId]) -> dict[CaseId, State]:
    """The ladders of these locked cases; a case without one is absent."""
    rows = await tx.connection.fetch(_LADDERS, list(cases))
    if not rows:
        return {}
    pages: dict[CaseId, list[Page]] = {}
    for row in await tx.connection.fetch(_PAGES, [row["case_id"] for row in rows]):
        pages.setdefault(CaseId(row["case_id"]), []).append(
            Page(row["page_id"], PersonId(row["person_id"]), row["outcome"], row["cannot"])
        )
    return {CaseId(row["case_id"]): _state(row, pages.get(CaseId(row["case_id"]), [])) for row in rows}


def _state(row: Row, pages: Sequence[Page]) -> State:
    ladder = Ladder(
        ladder_id=row["ladder_id"],
        rungs=tuple(tuple(PersonId(UUID(person)) for person in rung) for rung in json.loads(row["rungs"])),
        rung=row["rung"],
        turn=row["turn"],
        rung_within=row["rung_within"],
        contact_within=row["contact_within"],
        pages=tuple(pages),
        takers=tuple(PersonId(one) for one in row["takers"]),
    )
    name: Name = row["state"]
    match name:
        case "paging":
            return Paging(ladder, row["moment"])
        case "silent":
            return Silent(ladder, row["moment"])
        case "acknowledged" | "late":
            return Acknowledged(ladder, PersonId(row["acknowledged_by"]), row["moment"], late=name == "late")
        case "nobody":
            return Nobody(ladder, row["moment"])
        case "contact" | "ended":
            return Ended(ladder, name, row["moment"])
        case _:
            assert_never(name)


Name = Literal["paging", "silent", "acknowledged", "late", "contact", "ended", "nobody"]


def _columns(state: State) -> tuple[Name, datetime, PersonId | None]:
    match state:
        case Paging():
            return "paging", state.expires, None
        case Silent():
            return "silent", state.since, None
        case Acknowledged():
            return "late" if state.late else "acknowledged", state.contact_by, state.by
        case Nobody():
            return "nobody", state.since, None
        case Ended():
            return state.how, state.at, None
        case _:
            assert_never(state)


_SAVE = """
INSERT INTO ladders(case_id, agency_id, ladder_id, state, rungs, rung, turn, rung_within, contact_within, moment,
                    acknowledged_by, takers)
SELECT c, a, l, s, r::jsonb, n, t, w, o, m, b, string_to_array(k, ' ')::uuid[]
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::int[], $8::interval[],
              $9::interval[], $10::timestamptz[], $11::uuid[], $12::text[]) u(c, a, l, s, r, n, t, w, o, m, b, k)
ON CONFLICT (case_id, agency_id) DO UPDATE SET
       ladder_id = excluded.ladder_id, state = excluded.state, rungs = excluded.rungs, rung = excluded.rung,
       turn = excluded.turn, rung_within = excluded.rung_within, contact_within = excluded.contact_within,
       moment = excluded.moment, acknowledged_by = excluded.acknowledged_by, takers = excluded.takers
"""
_SAVE_PAGES = """
INSERT INTO pages(page_id, agency_id, case_id, ladder_id, place, person_id, outcome, cannot)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int[], $6::uuid[], $7::text[], $8::bool[])
ON CONFLICT (page_id, agency_id) DO UPDATE SET outcome = excluded.outcome, cannot = excluded.cannot
"""


async def save(tx: Transaction, agencies: Mapping[CaseId, AgencyId], states: Mapping[CaseId, State]) -> None:
    """Write these ladders and their pages."""
    if not states:
        return
    cases, ladders = list(states), [state.ladder for state in states.values()]
    columns = [_columns(state) for state in states.values()]
    await tx.connection.execute(
        _SAVE,
        cases,
        [agencies[case] for case in cases],
        [ladder.ladder_id for ladder in ladders],
        [name for name, _, _ in columns],
        [json.dumps([[str(person) for person in rung] for rung in ladder.rungs]) for ladder in ladders],
        [ladder.rung for ladder in ladders],
        [ladder.turn for ladder in ladders],
        [ladder.rung_within for ladder in ladders],
        [ladder.contact_within for ladder in ladders],
        [moment for _, moment, _ in columns],
        [person for _, _, person in columns],
        [" ".join(str(person) for person in ladder.takers) for ladder in ladders],
    )
    pages = [(case, s.ladder.ladder_id, n, page) for case, s in states.items() for n, page in enumerate(s.ladder.pages)]
    if pages:
        await _save_pages(tx, agencies, pages)


async def _save_pages(
    tx: Transaction, agencies: Mapping[CaseId, AgencyId], pages: Sequence[tuple[CaseId, UUID, int, Page]]
) -> None:
    await tx.connection.execute(
        _SAVE_PAGES,
        [page.page_id for _, _, _, page in pages],
        [agencies[case] for case, _, _, _ in pages],
        [case for case, _, _, _ in pages],
        [ladder for _, ladder, _, _ in pages],
        [place for _, _, place, _ in pages],
        [page.person for _, _, _, page in pages],
        [page.outcome for _, _, _, page in pages],
        [page.cannot for _, _, _, page in pages],
    )


_PURGE = """
WITH gone AS (DELETE FROM pages WHERE case_id = ANY ($1::uuid[]))
DELETE FROM ladders WHERE case_id = ANY ($1::uuid[])
"""


async def purge(tx: Transaction, cases: Collection[CaseId]) -> None:
    """Remove every ladder and page of these cases."""
    await tx.connection.execute(_PURGE, list(cases))
