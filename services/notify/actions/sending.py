"""Sending in two transactions: one that writes the attempt, one that records its outcome. In between no connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notify.actions.book import Cases
from services.notify.channels import Message
from services.notify.domain import intents, texts
from services.notify.domain.case import CaseState
from services.notify.domain.intents import KINDS, Intent, Purpose, Start, link_until
from services.notify.domain.outcomes import Outcome, recorded
from services.notify.store import cases as rows
from services.notify.store import sending as store
from services.notify.store.sending import Aim, Attempt, Link
from shared import clock, doors, timers, vault
from shared.casework import Input, fold
from shared.db import Transaction
from shared.doors import Door
from shared.errors import KeyDestroyed, SealBroken
from shared.timers import Fired
from shared.types import CaseId
from shared.vault import DataKey, Keyring

PATHS: Mapping[Purpose, str] = {
    "verify": "v",
    "offer": "m",
    "case": "w",
    "page": "p",
    "consult": "c",
    "referral": "r",
    "outreach": "o",
    "team": "t",
}
"""The first part of a link's path, by what it is for."""


@dataclass(frozen=True, repr=False)
class Office:
    """What sending and answering need besides the database."""

    keyring: Keyring
    public_url: str

    @property
    def pepper(self) -> bytes:
        """The key of the hashes in `doors`."""
        return self.keyring.derived("doors")


@dataclass(frozen=True, repr=False)
class Outgoing:
    """A mail whose attempt is committed. Address and link are in the clear: it lives in memory alone."""

    fired: Fired
    intent_id: UUID
    case_id: CaseId | None
    attempt: UUID
    message: Message
    left_s: float
    """Seconds until it expires, counted from the transaction that wrote its attempt."""


@dataclass(frozen=True, repr=False)
class Sent:
    """How an outgoing mail ended, and the trace of its sending."""

    outgoing: Outgoing
    outcome: Outcome
    traceparent: str | None = None


@dataclass(frozen=True, repr=False)
class _Round:
    """One round of fired timers: where each intent would go, its address unsealed, and the attempt it would be."""

    fired: Mapping[UUID, Fired]
    aims: Mapping[UUID, Aim]
    addresses: Mapping[UUID, str]
    attempts: Mapping[UUID, UUID]

    def start(self, intent: UUID) -> Start:
        aim, contact = self.aims[intent], None
        if intent in self.addresses:
            contact = aim.contact
        return Start(intent, self.fired[intent].version, self.attempts[intent], contact)


async def begin(tx: Transaction, fired: Sequence[Fired], office: Office) -> list[Outgoing]:
    """The first transaction: check everything again, write the attempts with the hashes of fresh links.

    Timers of intents that are not to be sent (expired, ended, nobody to reach, gone) are finished here, at the end.
    """
    by_intent = {timer.subject_id: timer for timer in fired}
    aims = await store.aims(tx, by_intent)
    addresses = await _unsealed(tx, office.keyring, aims)
    this = _Round(by_intent, aims, addresses, {intent: clock.random_id() for intent in aims})
    now = await tx.now()
    sending = {
        intent.intent_id: intent
        for intent in [*await _start_of_cases(tx, this, now), *await _start_caseless(tx, this, now)]
        if intent.state == "sending" and intent.attempt == this.attempts[intent.intent_id]
    }
    outgoing = await _written(tx, this, sending, office, now)
    await timers.finish(tx, [timer for intent, timer in by_intent.items() if intent not in sending])
    return outgoing


async def _unsealed(tx: Transaction, keyring: Keyring, aims: Mapping[UUID, Aim]) -> dict[UUID, str]:
    sealed = {intent: aim for intent, aim in aims.items() if aim.sealed is not None}
    outreach = [aim for aim in sealed.values() if aim.template == "outreach"]
    directory = {aim.person for aim in sealed.values() if aim.template != "outreach"}
    keys: dict[UUID, DataKey] = dict(await vault.load(tx, keyring, "person", directory))
    if outreach:
        # Whom an outreach is for has no id but that of the outreach.
        keys |= await vault.load(tx, keyring, "outreach", {aim.person for aim in outreach})
        keys |= await _of_before(tx, keyring, [aim for aim in outreach if aim.person not in keys])
    opened = {intent: _address(keys.get(aim.person), aim) for intent, aim in sealed.items()}
    return {intent: address for intent, address in opened.items() if address is not None}


async def _of_before(tx: Transaction, keyring: Keyring, aims: Collection[Aim]) -> dict[UUID, DataKey]:
    """The case's key opens what was sealed before an outreach had a key of its own."""
    cases = {aim.person: aim.case_id for aim in aims if aim.case_id is not None}
    keys = await vault.load(tx, keyring, "case", set(cases.values())) if cases else {}
    return {person: keys[case] for person, case in cases.items() if case in keys}


def _address(key: DataKey | None, aim: Aim) -> str | None:
    if key is None or aim.sealed is None:
        return None
    try:
        return key.open(aim.sealed_as, aim.sealed).decode()
    except (SealBroken, KeyDestroyed, UnicodeDecodeError):
        return None


async def _start_of_cases(tx: Transaction, this: _Round, now: datetime) -> list[Intent]:
    cased = {intent: aim for intent, aim in this.aims.items() if aim.case_id is not None}
    inputs = [
        Input(aim.agency_id, aim.case_id, this.start(intent), this.fired[intent].timer_id)
        for intent, aim in cased.items()
        if aim.case_id is not None
    ]
    states = await fold(tx, inputs, Cases(now), kept=True)
    return _found(states, cased)


def _found(states: Mapping[CaseId, CaseState], wanted: Collection[UUID]) -> list[Intent]:
    return [intent for state in states.values() for key, intent in state.intents.items() if key in wanted]


async def _start_caseless(tx: Transaction, this: _Round, now: datetime) -> list[Intent]:
    caseless = [intent for intent, aim in this.aims.items() if aim.case_id is None]
    if not caseless:
        return []
    before = await store.lock_caseless(tx, caseless)
    after = [intents.started(intent, this.start(key), now)[0] for key, intent in before.items()]
    await rows.save_intents(tx, [(None, intent) for intent in after])
    await store.forget_lines(tx, [intent.intent_id for intent in after if not intent.is_open])
    return after


async def _written(
    tx: Transaction, this: _Round, sending: Mapping[UUID, Intent], office: Office, now: datetime
) -> list[Outgoing]:
    await store.lose_attempts(tx, [key for key in this.aims if this.fired[key].attempts > 1])
    await store.begin_attempts(
        tx,
        [Attempt(this.attempts[key], intent.agency_id, this.aims[key].case_id, key) for key, intent in sending.items()],
    )
    tokens = {key: clock.token() for key, intent in sending.items() if KINDS[intent.template].purpose is not None}
    links = {key: _link(sending[key], this.aims[key], now) for key in tokens}
    await store.add_links(tx, list(links.values()))
    pepper = office.pepper
    await doors.add(tx, [_door(links[key], token, pepper) for key, token in tokens.items()])
    return [
        Outgoing(
            fired=this.fired[key],
            intent_id=key,
            case_id=this.aims[key].case_id,
            attempt=this.attempts[key],
            message=_message(intent, this, office, tokens.get(key)),
            left_s=(intent.expires_at - now).total_seconds(),
        )
        for key, intent in sending.items()
    ]


def _link(intent: Intent, aim: Aim, now: datetime) -> Link:
    purpose = KINDS[intent.template].purpose
    if purpose is None:
        raise ValueError(intent.template)
    until = link_until(purpose, expires_at=intent.expires_at, now=now)
    return Link(clock.random_id(), intent.agency_id, aim.case_id, purpose, intent.person, intent.subject, until)


def _door(link: Link, token: str, pepper: bytes) -> tuple[bytes, Door, datetime | None]:
    kind = f"link:{link.purpose}"
    key = link.case_id or link.person
    return doors.keyed_hash(pepper, kind, token), Door(link.agency_id, kind, link.link_id, key), link.expires_at


def _message(intent: Intent, this: _Round, office: Office, token: str | None) -> Message:
    purpose = KINDS[intent.template].purpose
    link = f"{office.public_url}/{PATHS[purpose]}/{token}" if purpose is not None else ""
    subject, body = texts.mail(this.aims[intent.intent_id].language, intent.template, link)
    return Message(this.addresses[intent.intent_id], subject, body)


async def settle(tx: Transaction, sent: Sequence[Sent]) -> None:
    """The second transaction: record outcomes, say what was settled, finish the timers of what is not tried again.

    Raises `LostClaim` when another process has leased one of the timers meanwhile: nothing of this then stays.
    """
    now = await tx.now()
    tx.traces.update(
        {one.outgoing.case_id: one.traceparent for one in sent if one.outgoing.case_id and one.traceparent}
    )
    known = {one.outgoing.intent_id: one for one in sent}
    after = [*await _settle_of_cases(tx, known, now), *await _settle_caseless(tx, known, now)]
    await store.end_attempts(
        tx, [(one.outgoing.attempt, recorded(one.outcome), getattr(one.outcome, "code", "")) for one in sent]
    )
    await store.forget_lines(tx, [intent.intent_id for intent in after if intent.klass == "rescind"])
    # An intent that is gone was purged with its case, and its timer with it.
    await timers.finish(tx, [known[i.intent_id].outgoing.fired for i in after if not i.is_open])
    await timers.again(tx, [_again(i, known[i.intent_id], now) for i in after if i.state == "planned"])


def _again(intent: Intent, one: Sent, now: datetime) -> tuple[Fired, float]:
    fired = one.outgoing.fired
    return fired, intents.pause_s(intent, one.outcome, fired.attempts, now)


async def _settle_of_cases(tx: Transaction, known: Mapping[UUID, Sent], now: datetime) -> list[Intent]:
    inputs = [
        Input(one.outgoing.fired.agency_id, one.outgoing.case_id, _ended(one), one.outgoing.attempt)
        for one in known.values()
        if one.outgoing.case_id is not None
    ]
    return _found(await fold(tx, inputs, Cases(now), kept=True), known)


async def _settle_caseless(tx: Transaction, known: Mapping[UUID, Sent], now: datetime) -> list[Intent]:
    caseless = [key for key, one in known.items() if one.outgoing.case_id is None]
    if not caseless:
        return []
    before = await store.lock_caseless(tx, caseless)
    after = [intents.ended(intent, _ended(known[key]), now)[0] for key, intent in before.items()]
    await rows.save_intents(tx, [(None, intent) for intent in after])
    return after


def _ended(one: Sent) -> intents.Ended:
    return intents.Ended(one.outgoing.intent_id, one.outgoing.attempt, one.outcome)
