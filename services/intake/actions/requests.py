"""Taking requests: sealed before anything is written, any number in a constant number of statements."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.intake.actions import barring, names
from services.intake.actions.barring import Emergency, Named, Wanted, named_in
from services.intake.domain import codes, course
from services.intake.domain.agency import Agency, language_tag
from services.intake.domain.course import Begun, Direct
from services.intake.domain.notices import Notice, Notices
from services.intake.domain.policy import capabilities_at, resolve
from services.intake.domain.request import Reach, Request, outreach_of, refuse_what_does_not_fit
from services.intake.store import cases as store
from services.intake.store.cases import NewRequest
from shared import audit, clock, outbox, timers, vault
from shared.db import Transaction
from shared.effects import BEGUN
from shared.errors import Problem, Refused
from shared.events.intake import Ask, OutreachAsked
from shared.http.idempotency import digest
from shared.outbox import Draft
from shared.timers import Due
from shared.types import CaseId, Lane, PersonId
from shared.vault import DataKey, Keyring, Subject

REACH, OUTREACH = "reach", "outreach"
"""The fields under which they are sealed: with the case's key, and with the outreach's own."""


@dataclass(frozen=True)
class Submission:
    """A request as it came in at an agency's door. `digest` is keyed and tells two bodies apart.

    `practice`: nobody is waiting. `read_in`: in which language the notice was read, where not in the request's.
    """

    agency: Agency
    request: Request
    digest: bytes
    traceparent: str | None = None
    practice: bool = False
    read_in: str | None = None


def digest_of(keyring: Keyring, slug: str | None, request: Request) -> bytes:
    """What tells two requests at an agency's door apart, whatever the order of their fields."""
    return digest(keyring.derived("idempotency"), f"{slug}\0".encode() + request.canonical())


@dataclass(frozen=True)
class Receipt:
    """What is answered, in which language. `notice`: it was taken before this notice was acknowledged."""

    case_id: CaseId
    reference: str
    next_by: datetime
    replayed: bool
    notice: Notice | None
    language: str


@dataclass(frozen=True)
class _New:
    """A request whose code has just been taken, the notice in force, and the one that was acknowledged."""

    case_id: CaseId
    submission: Submission
    current: Notice
    read: Notice | None


@dataclass(frozen=True)
class People:
    """Whom a request names: who must not be asked, and who is wished for."""

    barred: tuple[PersonId, ...]
    wanted: tuple[PersonId, ...]


async def submit(
    tx: Transaction, keyring: Keyring, notices: Notices, submissions: Sequence[Submission]
) -> list[Receipt]:
    """Take requests, or answer again what was answered before. The region has to be in view (`region_too`).

    Raises `Refused`: 409 `notice-changed`, `no-clinician-in-program`, `case-over`, 422 `code-reused`, `invalid`.
    """
    pepper = keyring.derived("doors")
    hashes = [store.code_hash(pepper, one.request.code_hash) for one in submissions]
    ids = [CaseId(clock.random_id()) for _ in submissions]
    wanted = [(code, one.agency.agency_id, case) for code, one, case in zip(hashes, submissions, ids, strict=True)]
    in_danger = [code for code, one in zip(hashes, submissions, strict=True) if one.request.emergency]
    await store.unspend(tx, in_danger)
    taken, now = await store.reserve(tx, wanted)
    receipts = {}
    if now is not None:
        tx.told_now(now)
    if taken != set(ids):
        before = await store.answered(tx, hashes)
        if await store.spent(tx, set(hashes) - set(before)):
            raise Refused("case-over", 409)
        receipts = {
            code: _again(one, before.get(code), notices)
            for code, one, case in zip(hashes, submissions, ids, strict=True)
            if case not in taken
        }
    fresh = {
        code: _new(case, one, notices)
        for code, one, case in zip(hashes, submissions, ids, strict=True)
        if case in taken
    }
    if now is not None:
        receipts |= await _begin(tx, keyring, now, fresh)
    return [receipts[code] for code in hashes]


def region_too(request: Request) -> bool:
    """Whether the regional duty coordinators have to be in view: they may have to be paged, or barred."""
    return request.emergency or bool(request.avoid_people)


def _current(submission: Submission, notices: Notices) -> Notice:
    language = submission.read_in or _language(submission)
    return notices.current(submission.agency.jurisdiction, submission.request.relation, language)


def _language(submission: Submission) -> str:
    return language_tag(submission.request.language or "") or submission.agency.languages[0]


def _again(submission: Submission, before: store.Answered | None, notices: Notices) -> Receipt:
    if before is None or not hmac.compare_digest(before.digest, submission.digest):
        raise Refused("code-reused", 422, (Problem("/code_hash", "reused"),))
    notice = None if before.noticed else _current(submission, notices)
    return Receipt(
        before.case_id, before.reference, before.next_by, replayed=True, notice=notice, language=_language(submission)
    )


def _new(case_id: CaseId, submission: Submission, notices: Notices) -> _New:
    refuse_what_does_not_fit(submission.request)
    current = _current(submission, notices)
    given = submission.request.notice
    if given is not None and given.version == current.version:
        return _New(case_id, submission, current, current)
    if submission.request.emergency:
        return _New(case_id, submission, current, None)
    raise Refused("notice-changed", 409, (Problem("/notice/version", "changed"),), extra={"notice": current.shown()})


async def _begin(tx: Transaction, keyring: Keyring, now: datetime, fresh: Mapping[bytes, _New]) -> dict[bytes, Receipt]:
    new = list(fresh.values())
    for one in new:
        _refuse_without_clinician(one, now)
    whose = {n: named_in(one.submission.agency, one.submission.request) for n, one in enumerate(new)}
    barred = await barring.bars(tx, keyring.derived("index"), whose)
    wishes = {
        n: Wanted(one.submission.agency.agency_id, one.submission.request.wanted_people) for n, one in enumerate(new)
    }
    wanted = await barring.wanted(tx, keyring.derived("index"), wishes)
    urgent = {n: one.submission for n, one in enumerate(new) if one.submission.request.emergency}
    rungs = await barring.rungs(tx, {n: _emergency(one, barred[n], now) for n, one in urgent.items()})
    keys = await vault.create(tx, keyring, [subject for one in new for subject in _sealed_for(one)])
    begun = [_begun(one, People(barred[n], wanted[n]), rungs.get(n, ()), now, keys) for n, one in enumerate(new)]
    rows = [
        _row(one, first, keys[one.case_id], named=whose[n])
        for n, (one, first) in enumerate(zip(new, begun, strict=True))
    ]
    await store.begin(tx, rows)
    await timers.schedule(tx, [due for row, first in zip(rows, begun, strict=True) for due in _due(row, first)])
    await names.again_once(tx, now, [(row.agency_id, row.case_id) for row in rows if row.named])
    tx.traces.update({one.case_id: one.submission.traceparent for one in new if one.submission.traceparent})
    pairs = list(zip(rows, begun, strict=True))
    await outbox.emit(tx, [Draft(row.agency_id, row.case_id, fact) for row, first in pairs for fact in first.facts])
    acts = [(row, act) for row, first in pairs for act in (BEGUN, first.act)]
    await audit.record(tx, [audit.Entry(row.agency_id, act, subject=row.case_id) for row, act in acts])
    return {code: _receipt(one, row) for (code, one), row in zip(fresh.items(), rows, strict=True)}


def _sealed_for(new: _New) -> list[Subject]:
    """The case has a key, and so has the address of an outreach: nothing opens it when the one message has gone out."""
    agency = new.submission.agency.agency_id
    case = Subject(agency, "case", new.case_id)
    return [case, Subject(agency, "outreach", outreach_of(new.case_id))] if _reaches_out(new) else [case]


def _emergency(new: Submission, bars: Collection[PersonId], now: datetime) -> Emergency:
    own_agency = new.request.preferences.wishes.own_agency
    return Emergency(new.agency.agency_id, bars, capabilities_at(new.agency, now), own_agency)


def _begun(
    new: _New,
    people: People,
    rungs: tuple[tuple[PersonId, ...], ...],
    now: datetime,
    keys: Mapping[UUID, DataKey],
) -> Begun:
    request, agency = new.submission.request, new.submission.agency
    direct = Direct(clock.random_id(), clock.random_id()) if request.direct else None
    ask = _ask(new, people, now)
    first = course.begun(ask, now, jurisdiction=agency.jurisdiction, rungs=rungs, direct=direct)
    if request.reach is not None:
        first = replace(first, case=replace(first.case, reach=sealed_reach(keys[new.case_id], request.reach)))
    return replace(first, facts=(*first.facts, *_outreach(new, keys)))


def _due(row: NewRequest, first: Begun) -> Sequence[Due]:
    timer = first.timer
    if timer is None:
        return ()
    return (Due(row.agency_id, Lane.ORDINARY, timer.kind, row.case_id, row.case_id, timer.turn, timer.due),)


def _reaches_out(new: _New) -> bool:
    """One message goes to somebody else. None in an emergency: then people act, and a mail would wait."""
    request = new.submission.request
    wanted = request.outreach is not None and request.about == "someone_else" and not request.emergency
    return wanted and new.submission.agency.slug is not None


def _outreach(new: _New, keys: Mapping[UUID, DataKey]) -> Sequence[OutreachAsked]:
    address, slug, outreach = new.submission.request.outreach, new.submission.agency.slug, outreach_of(new.case_id)
    if address is None or slug is None or not _reaches_out(new):
        return ()
    sealed = keys[outreach].seal(OUTREACH, address.normalised().encode())
    return (OutreachAsked(outreach=outreach, slug=slug, language=_language(new.submission), sealed=sealed),)


def _refuse_without_clinician(new: _New, now: datetime) -> None:
    request, agency = new.submission.request, new.submission.agency
    if request.direct and not capabilities_at(agency, now).direct(request.relation):
        raise Refused("no-clinician-in-program", 409, (Problem("/want", "not-in-program"),), extra={"offer": "peer"})


def sealed_reach(key: DataKey, reach: Reach) -> bytes:
    """How to reach a requester, as whoever holds the case's key reads it: the JSON of a normalised `Reach`."""
    return key.seal(REACH, reach.normalised().model_dump_json().encode())


def _ask(new: _New, people: People, now: datetime) -> Ask:
    request, agency = new.submission.request, new.submission.agency
    return Ask(
        relation=request.relation,
        urgency=request.urgency,
        help=tuple(dict.fromkeys(request.help)),
        choose="anyone" if request.emergency else request.choose,
        release="on_accept" if request.emergency else request.release,
        manner=request.manner,
        language=_language(new.submission),
        wishes=request.preferences.wishes,
        bars=people.barred,
        wanted=people.wanted,
        about=request.about,
        jurisdiction=agency.jurisdiction,
        policy=resolve(agency, request.urgency, now),
        practice=new.submission.practice,
    )


def _row(new: _New, first: Begun, key: DataKey, *, named: Named) -> NewRequest:
    request, agency = new.submission.request, new.submission.agency
    return NewRequest(
        case_id=new.case_id,
        agency_id=agency.agency_id,
        reference=codes.reference_from(secrets.token_bytes(codes.REFERENCE_BYTES)),
        case=first.case,
        digest=new.submission.digest,
        jurisdiction=agency.jurisdiction,
        avoid_people=names.sealed_people(key, request.avoid_people),
        about_me=names.sealed_about(key, request.about_me),
        named=named.anybody,
        notice_version=new.read.version if new.read else None,
        notice_digest=new.read.digest if new.read else None,
    )


def _receipt(new: _New, row: NewRequest) -> Receipt:
    notice = new.current if new.read is None else None
    return Receipt(
        new.case_id, row.reference, row.next_by, replayed=False, notice=notice, language=_language(new.submission)
    )
