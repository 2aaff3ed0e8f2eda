"""What the page of a link shows to the person it was sent to, and what only the one answer to a right PIN reveals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.notify.domain import views
from services.notify.domain.intents import Purpose
from services.notify.domain.matters import Matter, Reply
from services.notify.domain.things import Around, Consult, Referral
from services.notify.domain.views import View
from services.notify.domain.waits import Board
from services.notify.store import links, things
from services.notify.store.sending import Link
from shared import audit, vault
from shared.db import Transaction
from shared.errors import SealBroken
from shared.events.intake import About, Adviser
from shared.types import CaseId
from shared.vault import DataKey, Keyring

REVEALING: frozenset[Purpose] = frozenset({"case", "consult", "referral"})
"""Links whose page reveals something in the answer to the PIN, and in no other."""


@dataclass(frozen=True, repr=False)
class Reach:
    """How to reach a requester, in the clear: only ever in the answer to one request with a right PIN."""

    channel: str
    address: str
    safe_times: str
    leave_message: bool | None
    name: str = ""


@dataclass(frozen=True, repr=False)
class Advice:
    """A consult as one page shows it: the peer's the answer, the adviser's the question; in the clear when revealed."""

    consult: Consult
    question: str | None = None
    answer: str | None = None


@dataclass(frozen=True, repr=False)
class Shown:
    """What the page of a link shows now. `revealed`: this is the one answer that also holds what is sealed."""

    purpose: Purpose
    case_id: CaseId
    view: View
    language: str
    revealed: bool = False
    urgency: str | None = None
    manner: str | None = None
    reach: Reach | None = None
    they_call: bool = False
    about: About = "self"
    advisers: tuple[Adviser, ...] = ()
    advice: tuple[Advice, ...] = ()
    referrals: tuple[Referral, ...] = ()
    given: frozenset[str] = frozenset()
    wants_language: str = ""
    board: Board | None = None
    practice: bool = False


@dataclass(frozen=True, repr=False)
class Page:
    """What was loaded for the page of one link."""

    link: Link
    case_id: CaseId
    matter: Matter | None
    replies: Sequence[Reply]
    around: Around
    language: str

    @property
    def own_consult(self) -> Consult | None:
        """Of an adviser's page: what is asked."""
        part = self.matter.part_of if self.matter else None
        return self.around.consults.get(part) if part else None

    @property
    def own_referral(self) -> Referral | None:
        """Of a clinician's page: what is asked."""
        part = self.matter.part_of if self.matter else None
        return self.around.referrals.get(part) if part else None


async def load(tx: Transaction, link: Link, case: CaseId) -> Page:
    """Everything that the page of this link needs."""
    matter = await links.matter(tx, link.subject, case)
    replies = await links.replies_to(tx, link.subject, case)
    around = Around()
    if link.purpose in REVEALING:
        consults, referrals = await things.consults(tx, [case]), await things.referrals(tx, [case])
        around = Around({one.consult_id: one for _, one in consults}, {one.referral_id: one for _, one in referrals})
    return Page(link, case, matter, replies, around, await links.language_of(tx, link.person))


async def shown(tx: Transaction, keyring: Keyring, page: Page, *, reveal: bool) -> Shown:
    """The page as it is now; with `reveal` also what is sealed, where its person may see it and the keys are there."""
    now, matter = await tx.now(), page.matter
    plain = Shown(page.link.purpose, page.case_id, views.view(matter, page.replies, now, page.around), page.language)
    if matter is None or not matter.stands(now):
        return plain
    plain = _plain(page, matter, plain, now)
    if not reveal or page.link.purpose not in REVEALING:
        return plain
    plain = replace(plain, revealed=True, advice=await _opened_advice(tx, keyring, page, plain.advice))
    if page.link.purpose == "consult" or not matter.shows(now):
        return plain
    if matter.sealed is None:
        return replace(plain, they_call=True)
    reach = await reach_of(tx, keyring, page)
    if reach is None:
        # The key has been destroyed: nothing is shown any more.
        return Shown(page.link.purpose, page.case_id, View("ended"), page.language)
    await audit.record(tx, [audit.Entry(page.link.agency_id, "reach_shown", subject=page.case_id)])
    return replace(plain, reach=reach)


def _plain(page: Page, matter: Matter, plain: Shown, now: datetime) -> Shown:
    """What the session of the link may see again and again."""
    plain = replace(plain, urgency=matter.urgency, manner=matter.manner, practice=matter.practice)
    match page.link.purpose:
        case "case":
            if not matter.shows(now):
                return plain
            if matter.ladder is not None:
                # Whoever took a page needs a way to reach the requester, and nothing of their advice or treatment.
                return replace(plain, about=matter.about)
            return replace(
                plain,
                about=matter.about,
                advisers=matter.advisers,
                advice=tuple(Advice(one) for one in page.around.asked_in(matter)),
                referrals=page.around.referred_in(matter),
                given=views.given_kinds(matter, page.replies),
            )
        case "consult":
            consult = page.own_consult
            return replace(plain, advice=(Advice(consult),) if consult else ())
        case "referral":
            referral = page.own_referral
            return replace(
                plain,
                referrals=(referral,) if referral else (),
                wants_language=matter.language,
                about=matter.about if matter.shows(now) else "self",
            )
        case _:
            return plain


async def _opened_advice(tx: Transaction, keyring: Keyring, page: Page, advice: Sequence[Advice]) -> tuple[Advice, ...]:
    """The peer reads answers, the adviser the question."""
    sealed = {
        one.consult.consult_id: one.consult.question if page.link.purpose == "consult" else one.consult.answer
        for one in advice
    }
    wanted = [key for key, text in sealed.items() if text is not None]
    if not wanted:
        return tuple(advice)
    keys = await vault.load(tx, keyring, "consult", wanted)
    await audit.record(tx, [audit.Entry(page.link.agency_id, "consult_shown", subject=page.case_id)])
    if page.link.purpose == "consult":
        return tuple(replace(one, question=_text(keys, one.consult.consult_id, "question", sealed)) for one in advice)
    return tuple(replace(one, answer=_text(keys, one.consult.consult_id, "answer", sealed)) for one in advice)


def _text(keys: dict[UUID, DataKey], consult: UUID, field: str, sealed: dict[UUID, bytes | None]) -> str | None:
    key, text = keys.get(consult), sealed[consult]
    if key is None or text is None:
        return None
    try:
        return key.open(field, text).decode()
    except (SealBroken, UnicodeDecodeError):
        return None


async def reach_of(tx: Transaction, keyring: Keyring, page: Page) -> Reach | None:
    """The reach of this matter, unsealed under the case's key; None when there is none, or its key is destroyed."""
    if page.matter is None or page.matter.sealed is None:
        return None
    key = (await vault.load(tx, keyring, "case", [page.case_id])).get(page.case_id)
    return _opened_reach(key, page.matter.sealed)


async def reaches_of(tx: Transaction, keyring: Keyring, page: Page) -> list[Reach]:
    """Every reach that the person of this page has been shown, or could have been: the present one and all earlier."""
    sealed = [page.matter.sealed, *page.matter.earlier] if page.matter else []
    key = (await vault.load(tx, keyring, "case", [page.case_id])).get(page.case_id) if any(sealed) else None
    return [reach for one in sealed if one is not None and (reach := _opened_reach(key, one)) is not None]


def _opened_reach(key: DataKey | None, sealed: bytes) -> Reach | None:
    try:
        return _reach(key.open("reach", sealed)) if key else None
    except SealBroken:
        return None


def _reach(opened: bytes) -> Reach | None:
    try:
        told = json.loads(opened)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    leave = told.get("leave_message")
    return Reach(
        channel=str(told.get("channel") or ""),
        address=str(told.get("address") or ""),
        safe_times=str(told.get("safe_times") or ""),
        leave_message=leave if isinstance(leave, bool) else None,
        name=str(told.get("name") or ""),
    )


@dataclass(frozen=True)
class Opened:
    """The page behind the link of an outreach: whose public page it leads to, and in which language."""

    slug: str
    language: str


def outreach(matter: Matter | None) -> Opened | None:
    """What that page needs."""
    return Opened(matter.slug, matter.language) if matter is not None and matter.kind == "outreach" else None
