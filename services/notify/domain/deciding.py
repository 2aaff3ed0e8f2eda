"""What each fact, timer and answer makes of a case. Pure: one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from services.notify.domain import intents
from services.notify.domain.case import Answer, CaseState, Step
from services.notify.domain.intents import Intent, Settled, Template
from services.notify.domain.matters import Matter, Reply, answerable
from services.notify.domain.matters import State as MatterState
from shared.events.envelope import Fact
from shared.events.intake import CaseClosed, CaseWithdrawn, ChoiceOverdue, ContactReleased
from shared.events.matching import (
    AssignmentEnded,
    NobodyFound,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    OfferRescinded,
    PeerAssigned,
    ReplySettled,
)
from shared.events.notify import IntentSettled, PageReplied, PageSettled, ReplyReceived
from shared.events.referral import CrisisReplySettled, LadderAcknowledged, LadderEnded, RungPaged
from shared.types import PersonId

FromMatching = (
    OfferMade
    | OfferDeclined
    | OfferExpired
    | OfferRescinded
    | ReplySettled
    | PeerAssigned
    | AssignmentEnded
    | NobodyFound
)
FromOthers = ChoiceOverdue | ContactReleased | RungPaged | LadderAcknowledged | LadderEnded | CrisisReplySettled
Stop = CaseWithdrawn | CaseClosed
Heard = FromMatching | FromOthers | Stop
"""The facts of other services that mean something here; every other one is passed over unread."""

COUNT_AGAIN_AFTER = timedelta(hours=4)
"""One person hears of the same unanswered request at most so often."""

SETTLE_WITHIN = timedelta(minutes=5)
"""What matching or referral may take to say what came of a reply, before the waiting list shows it as overdue."""

What = Heard | Answer | intents.Start | intents.Ended


@dataclass(frozen=True)
class Decider:
    """Decides with one `now` and a source of ids."""

    now: datetime
    new_id: Callable[[], UUID]

    def decided(self, state: CaseState, what: What) -> Step:
        """What this input comes to. Of a withdrawn or closed case nothing is planned any more."""
        known = replace(state, fresh=False) if state.fresh else state
        if known.ending == "closed":
            return Step(known, ending="closed")
        match what:
            case intents.Start():
                return self._start(known, what)
            case intents.Ended():
                return self._ended(known, what)
            case Answer():
                return self._answer(known, what)
            case CaseWithdrawn():
                return Step(self._over(known), ending="withdrawn")
            case CaseClosed():
                return Step(replace(known, ending="closed"), ending="closed")
            case _ if known.ending is not None:
                return Step(known)
            case (
                ChoiceOverdue()
                | ContactReleased()
                | RungPaged()
                | LadderAcknowledged()
                | LadderEnded()
                | CrisisReplySettled()
            ):
                return self._heard_of_others(known, what)
            case _:
                return self._heard_of_matching(known, what)

    def _heard_of_matching(self, state: CaseState, fact: FromMatching) -> Step:
        match fact:
            case OfferMade():
                return self._offer(state, fact)
            case OfferDeclined():
                return Step(self._moved(state, fact.offer, "declined"))
            case OfferExpired():
                return Step(self._moved(state, fact.offer, "expired"))
            case OfferRescinded():
                return Step(self._rescinded(state, fact))
            case PeerAssigned():
                return Step(self._assigned(state, fact))
            case AssignmentEnded():
                return Step(self._assignment_ended(state, fact))
            case NobodyFound():
                return self._counted(state, fact.recipients, until=fact.next_try)
            case ReplySettled():
                return Step(state.with_outcome(fact.reply, fact.outcome))
            case _:
                assert_never(fact)

    def _heard_of_others(self, state: CaseState, fact: FromOthers) -> Step:
        match fact:
            case ChoiceOverdue():
                return self._counted(state, fact.recipients, until=fact.due)
            case ContactReleased():
                return self._released(state, fact)
            case RungPaged():
                return self._paged(state, fact)
            case LadderAcknowledged():
                return Step(self._acknowledged(state, fact))
            case LadderEnded():
                return Step(self._ladder_ended(state, fact))
            case CrisisReplySettled():
                return Step(state.with_outcome(fact.reply, fact.outcome))
            case _:
                assert_never(fact)

    def _plan(
        self,
        state: CaseState,
        template: Template,
        asked: Iterable[tuple[PersonId, UUID]],
        *,
        expires: datetime,
        crisis: bool = False,
    ) -> Step:
        """Plan a message to each (person, subject); with `crisis` on the crisis lane whatever the case."""
        klass: intents.Class = "count" if template == "count" else "crisis" if template == "page" else "ordinary"
        if (crisis or state.is_emergency) and klass == "ordinary":
            klass = "crisis"
        planned = tuple(
            Intent(
                intent_id=self.new_id(),
                agency_id=state.agency_id,
                person=person,
                template=template,
                klass=klass,
                subject=subject,
                expires_at=expires,
                planned_at=self.now,
            )
            for person, subject in asked
        )
        return Step(replace(state, intents={**state.intents, **{one.intent_id: one for one in planned}}), sends=planned)

    def _offer(self, state: CaseState, fact: OfferMade) -> Step:
        if fact.offer in state.matters:
            return Step(state)
        offer = Matter(
            fact.offer, fact.person, "offer", expires_at=fact.expires, urgency=fact.urgency, manner=fact.manner
        )
        return self._plan(state.with_matter(offer), "offer", [(fact.person, fact.offer)], expires=fact.expires)

    def _rescinded(self, state: CaseState, fact: OfferRescinded) -> CaseState:
        after = self._moved(state, fact.offer, "covered" if fact.why == "covered" else "ended")
        if after is state or fact.why != "ended":
            return after
        return self._told_over(after, [state.matters[fact.offer]])

    def _assigned(self, state: CaseState, fact: PeerAssigned) -> CaseState:
        after = self._moved(state, fact.offer, "accepted")
        if fact.assignment in after.matters:
            return after
        return after.with_matter(Matter(fact.assignment, fact.person, "assignment"))

    def _released(self, state: CaseState, fact: ContactReleased) -> Step:
        page = next((m for m in state.matters.values() if m.kind == "page" and m.ladder == fact.assignment), None)
        ladder = page.ladder if page is not None else None
        fresh = Matter(fact.assignment, fact.recipient, "assignment", ladder=ladder)
        known = state.matters.get(fact.assignment) or fresh
        # The end of a ladder travels on another topic and may have been heard first.
        if any(m.ladder == ladder and m.state == "ended" for m in state.matters.values() if ladder is not None):
            return Step(state)
        if known.state != "open" or known.person != fact.recipient:
            return Step(state)
        after = state.with_matter(replace(known, sealed=fact.sealed, released=True))
        if known.released:
            return Step(after)
        expires = self.now + intents.DETAILS_WITHIN
        asked = [(fact.recipient, fact.assignment)]
        return self._plan(after, "details", asked, expires=expires, crisis=ladder is not None)

    def _assignment_ended(self, state: CaseState, fact: AssignmentEnded) -> CaseState:
        known = state.matters.get(fact.assignment)
        if known is None:
            # Remembered: the release of its contact travels on another topic and may come later.
            return state.with_matter(Matter(fact.assignment, fact.person, "assignment", state="ended"))
        after = self._moved(state, fact.assignment, "ended")
        own = {r.verb for r in state.replies.values() if r.subject == fact.assignment} & {"step_back", "close"}
        if after is not state and not own and fact.how in {"replaced", "lapsed", "withdrawn", "closed"}:
            after = self._told_over(after, [known])
        taken = [m for m in after.matters.values() if m.person == fact.person and m.state == "accepted"]
        return replace(after, matters={**after.matters, **{m.matter_id: replace(m, state="ended") for m in taken}})

    def _counted(self, state: CaseState, recipients: Iterable[PersonId], *, until: datetime) -> Step:
        recent = {
            intent.person
            for intent in state.intents.values()
            if intent.template == "count" and intent.planned_at > self.now - COUNT_AGAIN_AFTER
        }
        told = [person for person in dict.fromkeys(recipients) if person not in recent]
        expires = max(until, self.now + COUNT_AGAIN_AFTER)
        return self._plan(state, "count", [(person, state.case_id) for person in told], expires=expires)

    def _paged(self, state: CaseState, fact: RungPaged) -> Step:
        new = [(page, person) for page, person in fact.pages if page not in state.matters]
        after = state
        for page, person in new:
            after = after.with_matter(Matter(page, person, "page", ladder=fact.ladder))
        return self._plan(after, "page", [(person, page) for page, person in new], expires=fact.expires)

    def _acknowledged(self, state: CaseState, fact: LadderAcknowledged) -> CaseState:
        after = state
        for page in state.matters.values():
            if page.kind == "page" and page.ladder == fact.ladder and page.person != fact.person:
                after = self._moved(after, page.matter_id, "covered")
        return after

    def _ladder_ended(self, state: CaseState, fact: LadderEnded) -> CaseState:
        after = state
        for page in state.matters.values():
            # Also how to reach the requester: nobody is to read it after the end.
            if page.ladder == fact.ladder:
                after = self._moved(after, page.matter_id, "ended")
        return after

    def _moved(self, state: CaseState, matter: UUID, to: MatterState) -> CaseState:
        """An open matter leaves that state; what was planned about it is cancelled."""
        known = state.matters.get(matter)
        if known is None or known.state != "open":
            return state
        after = state.with_matter(replace(known, state=to))
        return after.cancelling({i.intent_id for i in state.intents.values() if i.subject == matter})

    def _told_over(self, state: CaseState, matters: Iterable[Matter]) -> CaseState:
        """One neutral line to each person who was told of one of these, of no case any more."""
        already = {line.person for line in state.lines}
        told = [one for one in dict.fromkeys(m.person for m in matters if state.has_told(m)) if one not in already]
        expires = self.now + intents.TELL_WITHIN
        lines = tuple(self._line(state, person, expires) for person in told)
        return replace(state, lines=(*state.lines, *lines)) if lines else state

    def _line(self, state: CaseState, person: PersonId, expires: datetime) -> Intent:
        own = self.new_id()
        return Intent(
            intent_id=own,
            agency_id=state.agency_id,
            person=person,
            template="over",
            klass="rescind",
            subject=own,
            expires_at=expires,
            planned_at=self.now,
        )

    def _over(self, state: CaseState) -> CaseState:
        after = self._told_over(state, [m for m in state.matters.values() if m.stands(self.now)])
        ended = {
            key: replace(matter, state="ended") if matter.state == "open" else matter
            for key, matter in after.matters.items()
        }
        # Nobody will say any more what came of these: their pages must not wait for it.
        replies = {key: replace(reply, outcome=reply.outcome or "ended") for key, reply in after.replies.items()}
        return replace(after, matters=ended, replies=replies, ending="withdrawn").cancelling(set(after.intents))

    def _start(self, state: CaseState, start: intents.Start) -> Step:
        intent = state.intents.get(start.intent_id)
        if intent is None:
            return Step(state)
        wanted = self._still_wanted(state, intent)
        if not wanted and intent.state == "planned":
            return Step(state.cancelling({intent.intent_id}))
        after, settled = intents.started(intent, start if wanted else replace(start, contact=None), self.now)
        return self._settled(state, after, settled)

    def _ended(self, state: CaseState, ended: intents.Ended) -> Step:
        intent = state.intents.get(ended.intent_id)
        if intent is None:
            return Step(state)
        after, settled = intents.ended(intent, ended, self.now)
        if after.state == "planned" and after is not intent and not self._still_wanted(state, after):
            return Step(state.with_intent(after).cancelling({after.intent_id}))
        return self._settled(state, after, settled)

    def _still_wanted(self, state: CaseState, intent: Intent) -> bool:
        """What it is about may have ended while an attempt was under way: then it is not tried again."""
        matter = state.matters.get(intent.subject)
        return state.ending is None and (matter is None or matter.state == "open")

    def _settled(self, state: CaseState, intent: Intent, settled: Settled | None) -> Step:
        after = state.with_intent(intent)
        if settled is None or state.ending is not None:
            return Step(after)
        return Step(after, facts=(_settlement(state, settled),))

    def _answer(self, state: CaseState, answer: Answer) -> Step:
        matter = state.matters.get(answer.subject)
        if matter is None or matter.person != answer.person or state.ending is not None:
            return Step(state)
        if not answerable(matter, state.replies.values(), answer.verb, self.now):
            return Step(state)
        reply = Reply(answer.reply_id, answer.person, answer.subject, answer.verb, self.now)
        after = replace(state, replies={**state.replies, reply.reply_id: reply})
        return Step(after, facts=(_reply_fact(matter, reply),))


def _settlement(state: CaseState, settled: Settled) -> Fact:
    intent = settled.intent
    if intent.state not in {"accepted", "failed", "unknown", "expired"}:
        raise ValueError(intent.state)
    page = state.matters.get(intent.subject) if intent.template == "page" else None
    if page is not None and page.ladder is not None:
        return PageSettled(
            page=page.matter_id, ladder=page.ladder, person=intent.person, outcome=intent.state, code=settled.code
        )
    return IntentSettled(
        intent=intent.intent_id,
        subject=intent.subject,
        person=intent.person,
        channel="mail",
        outcome=intent.state,
        code=settled.code,
    )


def _reply_fact(matter: Matter, reply: Reply) -> Fact:
    match reply.verb:
        case "acknowledge" | "cannot" | "contact_confirmed":
            return PageReplied(
                reply=reply.reply_id,
                page=matter.matter_id,
                ladder=matter.ladder or matter.matter_id,
                person=reply.person,
                verb=reply.verb,
                received_at=reply.received_at,
            )
        case "accept" | "decline" | "not_now" | "contacted" | "step_back" | "close":
            return ReplyReceived(
                reply=reply.reply_id,
                subject=matter.matter_id,
                person=reply.person,
                verb=reply.verb,
                received_at=reply.received_at,
            )
        case _:
            assert_never(reply.verb)
