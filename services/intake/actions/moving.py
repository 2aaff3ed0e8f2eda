"""A request that came to the wrong agency goes on with the right one, when its requester says so; here it never was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.intake.actions import cases
from services.intake.actions.barring import Named, person_id
from services.intake.actions.names import opened_names
from services.intake.actions.requests import REACH, Receipt, Submission, digest_of, submit
from services.intake.domain.case import Case, NoPeer, Over
from services.intake.domain.clinical import Asking, Running, live_consent
from services.intake.domain.notices import Notices
from services.intake.domain.request import Request
from services.intake.store import cases as store
from services.intake.store.agencies import load_agency
from services.intake.store.directory import person_cards
from shared import anchors, clock, vault
from shared.db import Transaction
from shared.doors import Door
from shared.errors import Problem, Refused
from shared.events.intake import Wishes
from shared.types import REGION, AgencyId, CaseId
from shared.vault import DataKey, Keyring


async def move(
    tx: Transaction,
    keyring: Keyring,
    notices: Notices,
    door: Door,
    *,
    to: AgencyId,
    code_hash: str,
    notice: str,
    traceparent: str | None = None,
) -> Receipt:
    """Ask the same of another agency under a new code, and take it back here: both, or nothing.

    Both agencies and the region are in view; `notice` is the version of the other agency's that was read, in whatever
    language. Whom the requester has named or refused is looked for in the other directory; who was wished for by name
    is not kept as typed, and so is wished for no more. Raises `Refused`: 404, 409 `case-over`, `emergency-stays`,
    `practice`, 422 `same-agency`, and as `submit`.
    """
    case_id = CaseId(door.subject)
    await anchors.lock(tx, {case_id: door.agency_id})
    kept, agency = await store.load_kept(tx, case_id), await load_agency(tx, to)
    keys = await vault.load(tx, keyring, "case", [case_id])
    if kept is None or agency is None or not agency.active or case_id not in keys:
        raise Refused("not-found", 404)
    _refuse(kept.case, await tx.now(), same=to == door.agency_id)
    named = await store.named(tx, [case_id])
    typed = opened_names(keys[case_id], named[0]) if named else None
    asked = _request(kept.case, keys[case_id], typed, code_hash=code_hash, notice=notice)
    shown = typed.avoid_people if typed else ()
    # Names of a directory, and however many: the limits of what comes from outside are not for them.
    unwanted = await _unwanted(tx, keyring, kept.case, shown, here=door.agency_id, to=to)
    wanted = asked.model_copy(update={"avoid_people": unwanted})
    submission = Submission(
        agency,
        wanted,
        digest_of(keyring, agency.slug, wanted),
        traceparent,
        read_in=notices.read_in(agency.jurisdiction, wanted.relation, notice),
    )
    (receipt,) = await submit(tx, keyring, notices, [submission])
    await cases.withdraw(tx, door.agency_id, case_id, moved=True)
    return receipt


def may_move(case: Case) -> bool:
    """Whether a request may go on elsewhere now."""
    return _why_not(case, clock.now()) is None


def _with_clinician(case: Case, now: datetime) -> bool:
    """Whether a clinician is asked, or there, by a consent that holds."""
    clinical = case.clinical
    if not isinstance(clinical, Running) or isinstance(clinical, Asking):
        return False
    return live_consent(case.consents, clinical.referral, now) is not None


def _why_not(case: Case, now: datetime) -> str | None:
    if isinstance(case.stage, Over):
        return "case-over"
    if case.ask.practice:
        return "practice"
    if isinstance(case.stage, NoPeer) and not _with_clinician(case, now):
        # Nobody has said yes to a clinician, or not any more, and no peer is asked for: there is nothing to ask there.
        return "case-over"
    # People are on their way to a phone: nobody is called off for a form.
    return "emergency-stays" if case.alarm is not None and not case.alarm.over else None


def _refuse(case: Case, now: datetime, *, same: bool) -> None:
    if why := _why_not(case, now):
        raise Refused(why, 409)
    if same:
        raise Refused("invalid", 422, (Problem("/agency", "same-agency"),))


def _request(case: Case, key: DataKey, typed: Named | None, *, code_hash: str, notice: str) -> Request:
    ask = case.ask
    said: dict[str, Any] = {
        "relation": ask.relation,
        "about": ask.about,
        "urgency": ask.urgency,
        "help": ask.help,
        # What was asked of a clinician alone goes to no peer.
        "want": "clinician" if isinstance(case.stage, NoPeer) else "peer",
        "choose": ask.choose,
        "preferences": _wished(ask.wishes),
        "release": ask.release,
        "language": ask.language,
        "notice": {"version": notice},
        "code_hash": code_hash,
    }
    if case.reach is not None:
        said["reach"] = json.loads(key.open(REACH, case.reach))
    if typed is not None:
        said["about_me"] = typed.about_me
    return Request.model_validate(said)


def _wished(wishes: Wishes) -> dict[str, tuple[str, ...]]:
    """The wishes as they were stated; what an earlier version took as both wanted and avoided is wanted."""
    wanted = {*wishes.require, *wishes.prefer}
    return wishes.model_dump() | {"avoid": tuple(token for token in wishes.avoid if token not in wanted)}


async def _unwanted(
    tx: Transaction, keyring: Keyring, case: Case, named: Sequence[str], *, here: AgencyId, to: AgencyId
) -> tuple[str, ...]:
    """Whom the request has `named`, and whom its requester has refused since, as the other agency can look for them.

    An id of this agency's means nobody there, and would tell where the request came from: its person's name goes along.
    """
    shown = {one: found for one in named if (found := person_id(one)) is not None}
    ids = {*shown.values(), *case.refused}
    names = {one: card.name for one, card in (await person_cards(tx, keyring, here, ids)).items()}
    known = {*await person_cards(tx, keyring, REGION, ids), *await person_cards(tx, keyring, to, ids)} if ids else set()
    said = {one: names.get(one) or (str(one) if one in known else "") for one in ids}
    told = [said[shown[one]] if one in shown else one for one in named]
    return tuple(dict.fromkeys(name for name in (*told, *(said[one] for one in case.refused)) if name))
