"""Answers that are given at a page, and what the other services are told of them."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from services.notify.domain.case import Answer, CaseState, Step
from services.notify.domain.deciding import pages
from services.notify.domain.deciding.planning import Planner
from services.notify.domain.matters import AGAIN_IN, PAUSE, Matter, Reply
from services.notify.domain.things import RESOURCES, Consult
from services.notify.domain.views import answerable, given_kinds
from shared.events.envelope import Fact
from shared.events.notify import (
    ClinicianWanted,
    ConsultAsked,
    ConsultReplied,
    DangerReported,
    PageReplied,
    ReferralReplied,
    ReplyReceived,
    ResourcesOffered,
)


def answered(plan: Planner, state: CaseState, answer: Answer) -> Step:
    """An answer counts once, from the person who was asked, and while it can still be given."""
    matter = state.matters.get(answer.subject)
    if matter is None or matter.person != answer.person or state.ending is not None:
        return Step(state)
    if not answerable(matter, state.replies.values(), answer.verb, plan.now, state.around):
        return Step(state)
    codes: tuple[str, ...] = ()
    if answer.verb == "resources":
        given = given_kinds(matter, state.replies.values())
        codes = tuple(code for code in RESOURCES if code in answer.codes and code not in given)
        if not codes:
            return Step(state)
    reply = Reply(answer.reply_id, answer.person, answer.subject, answer.verb, plan.now, codes=codes)
    fact = _fact(state, matter, reply, answer)
    if fact is None:
        return Step(state)
    after = replace(state, replies={**state.replies, reply.reply_id: reply})
    if matter.kind == "page" and reply.verb == "cannot":
        after = pages.given_back(after, matter)
    if isinstance(fact, ConsultAsked):
        after = after.with_consult(
            Consult(
                fact.consult,
                topics=fact.topics,
                assignment=fact.assignment,
                asked_by=fact.person,
                question=fact.sealed,
            )
        )
    return Step(after, facts=(fact,))


def _fact(state: CaseState, matter: Matter, reply: Reply, answer: Answer) -> Fact | None:
    match matter.kind:
        case "offer":
            return _of_matching(matter, reply)
        case "assignment":
            return _of_peer(state, matter, reply, answer)
        case "page":
            return _of_page(matter, reply)
        case "consult":
            return _of_adviser(matter, reply, answer)
        case "referral":
            return _of_clinician(matter, reply)
        case "outreach":
            return None
        case _:
            assert_never(matter.kind)


def _of_matching(matter: Matter, reply: Reply) -> Fact | None:
    match reply.verb:
        case "accept" | "decline" | "not_now" | "contacted" | "step_back" | "close":
            return ReplyReceived(
                reply=reply.reply_id,
                subject=matter.matter_id,
                person=reply.person,
                verb=reply.verb,
                received_at=reply.received_at,
            )
        case "in_15" | "pause":
            return _not_now(matter, reply)
        case _:
            return None


def _not_now(matter: Matter, reply: Reply) -> ReplyReceived:
    """Of what was accepted the pause alone counts: "accept" says of it what stands already."""
    asked = matter.kind == "offer" and matter.state == "open"
    return ReplyReceived(
        reply=reply.reply_id,
        subject=matter.matter_id,
        person=reply.person,
        verb="not_now" if asked else "accept",
        received_at=reply.received_at,
        again_in_s=int(AGAIN_IN.total_seconds()) if reply.verb == "in_15" else None,
        pause_s=int(PAUSE.total_seconds()) if reply.verb == "pause" else None,
    )


def _of_page(matter: Matter, reply: Reply) -> Fact | None:
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
        case _:
            return None


def _of_peer(state: CaseState, matter: Matter, reply: Reply, answer: Answer) -> Fact | None:
    match reply.verb:
        case "advice":
            return _consult_asked(matter, reply, answer)
        case "clinician":
            return ClinicianWanted(
                reply=reply.reply_id,
                assignment=matter.matter_id,
                person=reply.person,
                received_at=reply.received_at,
            )
        case "resources":
            return ResourcesOffered(
                reply=reply.reply_id,
                assignment=matter.matter_id,
                person=reply.person,
                kinds=reply.codes,
                received_at=reply.received_at,
            )
        case "danger":
            return DangerReported(
                reply=reply.reply_id,
                assignment=matter.matter_id,
                person=reply.person,
                received_at=reply.received_at,
            )
        case "handoff":
            referral = state.around.hand_off(matter)
            if referral is None:
                return None
            return ReferralReplied(
                reply=reply.reply_id,
                referral=referral.referral_id,
                person=reply.person,
                verb="handoff",
                received_at=reply.received_at,
            )
        case _:
            return _of_matching(matter, reply)


def _consult_asked(matter: Matter, reply: Reply, answer: Answer) -> Fact | None:
    """Only to whom this program has, and only with a question that was sealed."""
    if answer.thing is None or answer.sealed is None or answer.to not in matter.advisers:
        return None
    return ConsultAsked(
        reply=reply.reply_id,
        consult=answer.thing,
        assignment=matter.matter_id,
        person=reply.person,
        to=answer.to,
        topics=answer.codes,
        sealed=answer.sealed,
        received_at=reply.received_at,
    )


def _of_adviser(matter: Matter, reply: Reply, answer: Answer) -> Fact | None:
    if matter.part_of is None or (reply.verb == "answer" and answer.sealed is None):
        return None
    match reply.verb:
        case "answer" | "cannot":
            return ConsultReplied(
                reply=reply.reply_id,
                consult=matter.part_of,
                person=reply.person,
                verb=reply.verb,
                sealed=answer.sealed if reply.verb == "answer" else None,
                received_at=reply.received_at,
            )
        case _:
            return None


def _of_clinician(matter: Matter, reply: Reply) -> Fact | None:
    if matter.part_of is None:
        return None
    match reply.verb:
        case "accept" | "reject" | "hold" | "resume" | "handoff" | "complete" | "cannot_go_on":
            return ReferralReplied(
                reply=reply.reply_id,
                referral=matter.part_of,
                person=reply.person,
                verb=reply.verb,
                received_at=reply.received_at,
            )
        case _:
            return None
