"""What a restored database has brought back is destroyed again, by the list that lies outside of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import get_args

from services.intake.actions import cases
from services.intake.domain.acts import Withdraw
from services.intake.store import cases as store
from shared import forgetting, vault
from shared.casework import Input
from shared.db import Database, Transaction
from shared.types import AgencyId, CaseId
from shared.vault import Kind, Subject


class UnreadableList(Exception):
    """The list of destroyed keys is there and cannot be read: the process ends rather than wait with open doors."""


async def replayed(db: Database, path: Path | None) -> None:
    """Replay the list at `path`, if there is one, before anything else is done.

    Raises `UnreadableList`, and what the database raises.
    """
    listed = await asyncio.to_thread(_listed, path) if path is not None else []
    if listed:
        async with db.transaction({one.agency_id for one in listed}) as tx:
            await replay(tx, listed)


def _listed(path: Path) -> list[Subject]:
    try:
        return forgetting.read([path]) if path.is_file() else []
    except (OSError, ValueError) as error:
        # Not the database's errors: what waits for the database would wait for ever.
        raise UnreadableList(type(error).__name__) from None


async def replay(tx: Transaction, listed: Collection[Subject]) -> list[Subject]:
    """Destroy again what of these is alive, and end the cases among them. Returns what was alive.

    A case whose key is under a legal hold is ended and its key kept: nothing is destroyed under one.
    """
    alive = await vault.alive(tx, listed)
    await end(tx, {CaseId(one.subject_id): one.agency_id for one in alive if one.kind == "case"})
    kinds: tuple[Kind, ...] = get_args(Kind)
    for kind in kinds:
        if again := [one.subject_id for one in alive if one.kind == kind]:
            await forgetting.destroy(tx, kind, again)
    return alive


async def end(tx: Transaction, over: Mapping[CaseId, AgencyId]) -> set[CaseId]:
    """End these cases as their requesters would; returns those that were there to be ended."""
    if not over:
        return set()
    live = await store.load(tx, over)
    held = await store.held(tx, live)
    await cases.take(tx, [Input(over[case], case, Withdraw(held=case in held)) for case in live])
    return set(live)
