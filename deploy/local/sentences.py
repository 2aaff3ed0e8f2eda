"""What each fact of a case says to a reader of its timeline: no identity, persons as letters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.events import Fact
from shared.events import intake as said
from shared.events import matching as matched
from shared.events import notify as told
from shared.events import referral as brought
from shared.types import PersonId

Who = Callable[[PersonId], str]


def spoken(span: timedelta) -> str:
    """A time span in the unit people would use."""
    seconds = max(0, round(span.total_seconds()))
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{seconds} seconds"


def sentence(fact: Fact, who: Who, now: datetime) -> str:
    """What a fact says, without identity; "" when it has nothing to say to a reader."""
    match fact:
        case said.RequestSubmitted(ask=ask) | said.CrisisRaised(ask=ask):
            kinds = ", ".join(one.value.replace("_", " ") for one in ask.help) or "anything"
            return f"somebody asks for support: {ask.urgency.value}, {kinds}"
        case said.PeerChosen():
            if fact.wait:
                return "the requester has chosen, and waits until that peer is there"
            return "the requester has chosen" if fact.person else "the requester takes anyone"
        case said.AnotherPeerAsked():
            return f"the requester wants somebody else than peer {who(fact.refused)}, who never learns of it"
        case said.ContactReleased() | said.ContactReleasedInCrisis():
            how = "sealed" if fact.sealed else "none: the requester will use the peer's number"
            return f"{who(fact.recipient)} may see how to reach the requester ({how})"
        case said.CaseClosing():
            return "the case is closing: one unlinkable number is kept, the grace time runs"
        case said.CaseWithdrawn():
            return "the requester has taken it back"
        case said.CaseClosed():
            return "the case is closed: its key is destroyed, its rows are purged everywhere"
        case said.KeyDestroyed():
            return "the key of the case is destroyed: nothing sealed under it opens any more"
        case _:
            return (
                _of_change(fact)
                or _of_consent(fact)
                or _of_notify(fact, who)
                or _of_pages(fact, who)
                or _of_paging(fact, who)
                or _of_ladder(fact, who, now)
                or _of_consult(fact, who, now)
                or _of_referral(fact, who, now)
                or _of_search(fact, who, now)
            )


def _of_change(fact: Fact) -> str:
    match fact:
        case said.ChoiceOverdue():
            return f"the requester has yet to choose; {len(fact.recipients)} coordinators hear a count"
        case said.BarsChanged():
            return f"a directory now holds somebody the requester must not meet; {len(fact.bars)} are barred"
        case _:
            return ""


def _of_consent(fact: Fact) -> str:
    match fact:
        case said.DirectAsked(ask=ask):
            return f"somebody asks for the clinician, without a peer in between: {ask.urgency.value}"
        case said.ConsentGiven():
            return "the requester agrees: a clinician may know how to reach them"
        case said.ConsentWithdrawn():
            return "the requester does not agree, and is not asked why"
        case said.OutreachAsked():
            return "the caller asks for one neutral message to somebody else (sealed)"
        case _:
            return ""


def _of_notify(fact: Fact, who: Who) -> str:
    match fact:
        case told.ReplyReceived():
            return f"peer {who(fact.person)} answers behind link and PIN: {fact.verb.replace('_', ' ')}"
        case told.IntentSettled(outcome="accepted"):
            return f"the mail server has taken a neutral message to {who(fact.person)}"
        case told.IntentSettled():
            return f"a message to peer {who(fact.person)}: {fact.outcome}"
        case _:
            return ""


def _of_pages(fact: Fact, who: Who) -> str:
    match fact:
        case told.ConsultAsked():
            return f"peer {who(fact.person)} wants advice from a {fact.to} (question sealed)"
        case told.ConsultReplied(verb="answer"):
            return f"{who(fact.person)} gives advice (sealed)"
        case told.ConsultReplied():
            return f"{who(fact.person)} cannot advise now"
        case told.ClinicianWanted():
            return f"peer {who(fact.person)} says that they want a clinician"
        case told.ResourcesOffered():
            return f"peer {who(fact.person)} gives resources: {', '.join(fact.kinds)}"
        case told.ReferralReplied():
            return f"{who(fact.person)} answers the referral: {fact.verb.replace('_', ' ')}"
        case told.DangerReported():
            return f"peer {who(fact.person)} says that they are in danger"
        case _:
            return ""


def _of_paging(fact: Fact, who: Who) -> str:
    match fact:
        case told.PageSettled(outcome="accepted"):
            return f"the mail server has taken the page to {who(fact.person)}"
        case told.PageSettled():
            return f"a page to {who(fact.person)}: {fact.outcome}"
        case told.PageReplied():
            return f"{who(fact.person)} answers the page: {fact.verb.replace('_', ' ')}"
        case _:
            return ""


def _of_ladder(fact: Fact, who: Who, now: datetime) -> str:
    match fact:
        case brought.LadderStarted():
            return "the emergency is taken to people"
        case brought.RungPaged():
            within = spoken(fact.expires - now)
            return f"rung {fact.rung + 1}: {len(fact.pages)} are being paged; somebody should answer within {within}"
        case brought.LadderAcknowledged():
            return f"{who(fact.person)} has taken it"
        case brought.LadderGivenBack():
            return f"{who(fact.person)} cannot after all"
        case brought.HumanContactConfirmed():
            return f"{who(fact.person)} has spoken with the requester"
        case brought.LadderEnded(how="nobody"):
            return "nobody is left who can: the requester is told so, the operator sees it"
        case brought.LadderEnded():
            return f"paging is over: {fact.how}"
        case _:
            return ""


def _of_consult(fact: Fact, who: Who, now: datetime) -> str:
    match fact:
        case brought.ConsultOpened():
            return f"{fact.role} {who(fact.adviser)} is asked for advice, and has {spoken(fact.due - now)}"
        case brought.ConsultReminded():
            return f"{who(fact.adviser)} is reminded"
        case brought.ConsultReassigned():
            return f"{who(fact.before)} is not waited for any more"
        case brought.ConsultAnswered():
            return f"peer {who(fact.asked_by)} can read the advice"
        case brought.ConsultExpired():
            return f"nobody advised in time; peer {who(fact.asked_by)} is told so"
        case brought.NoClinicalPath():
            return f"information given ({', '.join(fact.kinds)}): {fact.why.replace('_', ' ')}"
        case brought.ResourcesGiven():
            return f"the requester finds resources on the status page: {', '.join(fact.kinds)}"
        case _:
            return ""


def _of_referral(fact: Fact, who: Who, now: datetime) -> str:
    match fact:
        case brought.ConsentAsked():
            return "the requester is asked for consent, on the status page"
        case brought.ConsentReminded():
            return f"no answer yet: peer {who(fact.person)} hears of it"
        case brought.ReferralRequested():
            return f"clinician {who(fact.clinician)} is asked, and has {spoken(fact.due - now)}"
        case brought.ReferralAccepted():
            return f"clinician {who(fact.clinician)} has accepted"
        case brought.ReferralRejected():
            return f"clinician {who(fact.clinician)} does not take it"
        case brought.ReferralUnanswered():
            return f"clinician {who(fact.clinician)} did not answer in time"
        case brought.ReferralOnHold():
            return f"clinician {who(fact.clinician)} puts it on hold for {spoken(fact.until - now)}"
        case brought.HandoffConfirmed():
            return f"the hand-off is confirmed by the {fact.side}"
        case _:
            return _of_its_end(fact, who)


def _of_its_end(fact: Fact, who: Who) -> str:
    match fact:
        case brought.HandoffOverdue():
            return f"the hand-off is late; {len(fact.recipients)} coordinators hear a count"
        case brought.ReferralInProgress():
            return f"clinician {who(fact.clinician)} is at work with them"
        case brought.ReferralCompleted():
            return f"clinician {who(fact.clinician)} has finished; nothing but that flows back"
        case brought.ReferralFailed():
            return f"no clinician is left to ask; {len(fact.recipients)} coordinators hear a count"
        case brought.ReferralCancelled():
            return "the referral is cancelled"
        case _:
            return ""


def _of_search(fact: Fact, who: Who, now: datetime) -> str:
    match fact:
        case matched.SearchStarted():
            return "suitable peers are looked for"
        case matched.ShortlistReady():
            return f"{len(fact.candidates)} peers stand to choose from"
        case matched.OfferMade():
            return f"peer {who(fact.person)} is asked, and has {spoken(fact.expires - now)} to answer"
        case matched.OfferDeclined():
            return f"peer {who(fact.person)} says no"
        case matched.OfferExpired():
            return f"peer {who(fact.person)} did not answer in time"
        case matched.OfferRescinded():
            return f"peer {who(fact.person)} is no longer needed"
        case matched.NobodyFound():
            return f"nobody suitable is left; {len(fact.recipients)} coordinators hear a count"
        case _:
            return _of_assignment(fact, who, now)


def _of_assignment(fact: Fact, who: Who, now: datetime) -> str:
    match fact:
        case matched.PeerAssigned():
            within = spoken(fact.contact_by - now)
            return f"peer {who(fact.person)} has accepted and should make contact within {within}"
        case matched.ContactConfirmed():
            return f"peer {who(fact.person)} and the requester have spoken"
        case matched.ContactOverdue():
            return f"peer {who(fact.person)} was silent"
        case matched.AssignmentEnded():
            return f"the support by peer {who(fact.person)} has ended: {fact.how.replace('_', ' ')}"
        case _:
            return ""
