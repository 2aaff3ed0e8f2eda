"""How notify keeps its cases for `shared.casework.fold`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from services.notify.domain.case import CaseState
from services.notify.domain.deciding import SETTLE_WITHIN, Decider, What
from services.notify.domain.matters import settler
from services.notify.store import cases as rows
from services.notify.store import things, waits
from shared import clock, forgetting, timers
from shared.anchors import PLACEHOLDER, Anchor
from shared.casework import Decided, Input, Standing, Wake
from shared.db import Transaction
from shared.errors import Unprocessable
from shared.types import CaseId

T = TypeVar("T")

SEND = "send"
"""The kind of the timer that sends an intent; its subject is the intent."""


class Cases:
    """notify's book of cases, for one transaction."""

    def __init__(self, now: datetime) -> None:
        """`now` is the region's time in this transaction."""
        self._now, self._decider = now, Decider(now, clock.random_id)

    async def load(self, tx: Transaction, cases: Mapping[CaseId, Anchor]) -> dict[CaseId, CaseState]:
        """All of these locked cases, with a stop event that came while the lock was waited for."""
        there = await rows.kept(tx, cases)
        homes = {case: anchor.agency_id for case, anchor in cases.items()}
        endings = await rows.endings(tx, homes) if "tombstones" in there else {}
        quiet = await waits.quiet(tx, cases) if "quiet" in there else set()
        matters = _by_case(await rows.matters(tx, cases) if "matters" in there else ())
        replies = _by_case(await rows.replies(tx, cases) if "replies" in there else ())
        consults = _by_case(await things.consults(tx, cases) if "consults" in there else ())
        referrals = _by_case(await things.referrals(tx, cases) if "referrals" in there else ())
        told = _by_case(await waits.waits(tx, cases) if "waits" in there else ())
        barred = _by_case(await rows.barred(tx, cases) if "barred" in there else ())
        states = {
            case: CaseState(
                case,
                anchor.agency_id,
                matters={matter.matter_id: matter for matter in matters[case]},
                replies={reply.reply_id: reply for reply in replies[case]},
                consults={consult.consult_id: consult for consult in consults[case]},
                referrals={referral.referral_id: referral for referral in referrals[case]},
                waits={wait.key: wait for wait in told[case]},
                quiet=case in quiet,
                barred=frozenset(barred[case]),
                ending=endings.get(case),
                fresh=anchor.state == PLACEHOLDER,
            )
            for case, anchor in cases.items()
        }
        for case, intent in await rows.intents(tx, cases) if "intents" in there else ():
            states[case] = states[case].with_intent(intent)
        return states

    def decide(self, state: CaseState, what: Input) -> Decided[CaseState]:
        """What a fact, a timer, an attempt's end or an answer comes to."""
        step = self._decider.decided(state, _known(what.what))
        wakes = tuple(Wake(SEND, one.intent_id, one.version, self._now, one.lane) for one in step.sends)
        return Decided(step.state, facts=step.facts, wakes=wakes, ending=step.ending)

    def standing(self, state: CaseState) -> Standing:
        """Open while something is to be sent, or an answer waits for its outcome."""
        due: list[tuple[datetime, str]] = [
            (intent.expires_at, "notify") for intent in state.intents.values() if intent.is_open
        ]
        for reply in state.replies.values():
            if reply.outcome is None:
                kind = state.matters[reply.subject].kind
                due.append((reply.received_at + SETTLE_WITHIN, settler(kind, reply.verb)))
        if not due:
            return Standing(state.ending or "quiet")
        soonest, owner = min(due)
        return Standing("sending" if owner == "notify" else "settling", owner, soonest)

    async def save(
        self, tx: Transaction, before: Mapping[CaseId, CaseState], after: Mapping[CaseId, CaseState]
    ) -> None:
        """Write what has changed; the words after an end become intents of no case."""
        pairs = [(before[case], state) for case, state in after.items()]
        await rows.save_matters(
            tx,
            [
                (new.agency_id, new.case_id, matter)
                for old, new in pairs
                for key, matter in new.matters.items()
                if old.matters.get(key) is not matter
            ],
        )
        if spent := [outreach for old, new in pairs for outreach in new.spent_since(old)]:
            await forgetting.destroy(tx, "outreach", spent)
        lines = [line for _, new in pairs for line in new.lines]
        changed = [
            (new.case_id, intent)
            for old, new in pairs
            for key, intent in new.intents.items()
            if old.intents.get(key) is not intent
        ]
        await rows.save_intents(tx, [*changed, *((None, line) for line in lines)])
        await rows.save_replies(
            tx,
            [
                (new.agency_id, new.case_id, reply)
                for old, new in pairs
                for key, reply in new.replies.items()
                if old.replies.get(key) is not reply
            ],
        )
        await rows.save_barred(
            tx, [(new.agency_id, new.case_id, one) for old, new in pairs for one in sorted(new.barred - old.barred)]
        )
        await _save_things(tx, pairs)
        await timers.schedule(
            tx,
            [
                timers.Due(line.agency_id, line.lane, SEND, line.person, line.intent_id, line.version, self._now)
                for line in lines
            ],
        )

    async def purge(self, tx: Transaction, cases: Collection[CaseId]) -> None:
        """Remove every row of these cases, and destroy the keys of their consults: nothing opens those any more."""
        known = await things.consults(tx, cases)
        if known:
            await forgetting.destroy(tx, "consult", [consult.consult_id for _, consult in known])
        await rows.purge(tx, cases)


def _by_case(rows: Iterable[tuple[CaseId, T]]) -> Mapping[CaseId, list[T]]:
    found: dict[CaseId, list[T]] = defaultdict(list)
    for case, row in rows:
        found[case].append(row)
    return found


async def _save_things(tx: Transaction, pairs: Sequence[tuple[CaseState, CaseState]]) -> None:
    consults = [
        (new.agency_id, new.case_id, consult)
        for old, new in pairs
        for key, consult in new.consults.items()
        if old.consults.get(key) is not consult
    ]
    await things.save_consults(tx, consults)
    if spent := [consult.consult_id for _, _, consult in consults if consult.forgotten]:
        await forgetting.destroy(tx, "consult", spent)
    await things.save_referrals(
        tx,
        [
            (new.agency_id, new.case_id, referral)
            for old, new in pairs
            for key, referral in new.referrals.items()
            if old.referrals.get(key) is not referral
        ],
    )
    await waits.save(
        tx,
        [
            (new.agency_id, new.case_id, wait)
            for old, new in pairs
            for key, wait in new.waits.items()
            if old.waits.get(key) is not wait
        ],
    )
    await waits.silence(tx, [(new.agency_id, new.case_id) for old, new in pairs if new.quiet and not old.quiet])


def _known(what: object) -> What:
    if not isinstance(what, What):
        raise Unprocessable("fact")
    return what
