"""Both sides of one referral, each with its own state, and the bus between them as slow as it likes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain import clinical as shown
from services.intake.domain.acts import Act, AskClinician, Consented, Unconsented
from services.intake.domain.case import Case as Asked
from services.intake.domain.case import Closing
from services.intake.domain.course import begun
from services.intake.domain.course import heard as told
from services.intake.domain.course.referral import OfClinical
from services.intake.domain.status import possible
from services.referral.domain.case import Case
from services.referral.domain.effects import Alarm
from services.referral.domain.heard import Heard, heard
from services.referral.domain.referrals import Stage
from shared.errors import Refused
from shared.events.intake import ConsentGiven, ConsentWithdrawn, DirectAsked, RequestSubmitted
from shared.events.notify import ReferralVerb
from tests.unit.referral.given import (
    CARL,
    CLEO,
    NONE,
    NOW,
    PETRA,
    SUPERVISOR,
    answer,
    ask,
    assigned,
    due,
    wanted,
    world,
)

Who = Literal["first", "second", "peer"]
FromIntake = ConsentGiven | ConsentWithdrawn | DirectAsked
AS_SHOWN: dict[Stage, type[shown.Running]] = {
    Stage.CONSENT: shown.Asking,
    Stage.REQUESTED: shown.Requested,
    Stage.ACCEPTED: shown.Accepted,
    Stage.ON_HOLD: shown.OnHold,
    Stage.IN_PROGRESS: shown.InProgress,
}


@dataclass
class Both:
    """intake and referral, each hearing the other in order, but when the bus pleases."""

    intake: Asked
    referral: Case
    now: datetime = NOW
    may: bool = True
    to_referral: deque[FromIntake] = field(default_factory=deque)
    to_intake: deque[OfClinical] = field(default_factory=deque)
    alarms: list[Alarm] = field(default_factory=list)

    def requester(self, act: Act) -> bool:
        """The requester presses a button; whether it was possible."""
        try:
            step = told(self.intake, act, self.now)
        except Refused:
            return False
        assert isinstance(step.case, Asked)
        self.intake = step.case
        self.to_referral += [fact for fact in step.facts if isinstance(fact, FromIntake)]
        return True

    def to(self, what: Heard) -> None:
        """referral hears something."""
        seen = world(at=self.now, present=SUPERVISOR if self.may else NONE)
        step = heard(self.referral, what, seen)
        self.referral = step.state
        self.alarms += step.alarms
        self.to_intake += [fact for fact in step.facts if isinstance(fact, OfClinical)]

    def clinician(self, who: Who, verb: ReferralVerb) -> None:
        if self.referral.referral:
            person = {"first": CLEO, "second": CARL, "peer": PETRA}[who]
            self.to(answer(self.referral.referral.referral_id, person, verb))

    def carry(self, where: Literal["referral", "intake"]) -> None:
        """The bus brings one fact to its reader."""
        if where == "referral" and self.to_referral:
            self.to(self.to_referral.popleft())
        elif where == "intake" and self.to_intake:
            step = told(self.intake, self.to_intake.popleft(), self.now)
            assert isinstance(step.case, Asked)
            self.intake = step.case

    def wait(self, by: timedelta) -> None:
        """Time passes, and what is due goes off."""
        self.now += by
        late = [one for one in self.alarms if one.at <= self.now]
        self.alarms = [one for one in self.alarms if one.at > self.now]
        for one in late:
            self.to(due(one))

    def at_rest(self) -> None:
        while self.to_referral or self.to_intake:
            self.carry("referral")
            self.carry("intake")


def both() -> Both:
    """A case in which Petra supports the requester, of a program with clinicians."""
    asked = ask()
    first = begun(asked, NOW, jurisdiction="US-UT")
    pair = Both(first.case, Case())
    pair.to(RequestSubmitted(ask=asked))
    pair.to(assigned())
    return pair


MONTH = timedelta(days=31)
"""Longer than a consent lasts."""
Move = Callable[[Both], object]


def says(who: Who, verb: ReferralVerb) -> Move:
    return lambda both: both.clinician(who, verb)


VERBS: tuple[ReferralVerb, ...] = ("accept", "reject", "hold", "resume", "handoff", "complete", "cannot_go_on")
MOVES: dict[str, Move] = {
    "wanted": lambda both: both.to(wanted()),
    "yes": lambda both: both.requester(Consented(uuid4())),
    "no": lambda both: both.requester(Unconsented()),
    "direct": lambda both: both.requester(AskClinician(uuid4(), uuid4(), SUPERVISOR)),
    "to referral": lambda both: both.carry("referral"),
    "to intake": lambda both: both.carry("intake"),
    "an hour": lambda both: both.wait(timedelta(hours=1)),
    "a month": lambda both: both.wait(MONTH),
    "no program": lambda both: setattr(both, "may", not both.may),
    "peer handoff": says("peer", "handoff"),
    **{f"first {verb}": says("first", verb) for verb in VERBS},
    **{f"second {verb}": says("second", verb) for verb in VERBS},
}

OFTEN = ("wanted", "yes", "no", "direct", "a month", *("to referral", "to intake") * 3)
"""Without these little happens."""


def agree(pair: Both) -> bool:
    """Whether the requester is shown what is."""
    here, there = pair.intake.clinical, pair.referral.referral
    if there is None or not there.open:
        return not shown.running(here)
    return isinstance(here, AS_SHOWN[there.stage]) and here.referral == there.referral_id


def walked(moves: list[str]) -> Both:
    """Both sides after all of it, with nothing under way any more. A referral is not asked about after a no to it."""
    pair, refused = both(), set()
    for name in moves:
        before = pair.intake.clinical
        MOVES[name](pair)
        now = pair.intake.clinical
        if name == "no" and before is not None:
            refused.add(before.referral)
        assert not isinstance(now, shown.Asking) or now.referral not in refused
    pair.at_rest()
    return pair


@given(st.lists(st.sampled_from([*sorted(MOVES), *OFTEN]), max_size=30))
@settings(max_examples=500)
def test_when_everything_has_been_heard_the_requester_is_shown_what_is(moves: list[str]) -> None:
    pair = walked(moves)
    if not isinstance(pair.intake.stage, Closing):
        assert agree(pair)


def test_a_question_that_comes_anew_is_shown_and_its_answer_counts() -> None:
    pair = walked(["wanted", "to intake", "yes", "to referral", "to intake", "a month"])
    # The first clinician was silent, and the consent has run out: nobody else is asked without a new one.
    assert isinstance(pair.intake.clinical, shown.Asking)
    assert {"consent", "refuse-consent"} <= set(possible(pair.intake))
    pair.requester(Consented(uuid4()))
    pair.at_rest()
    assert isinstance(pair.intake.clinical, shown.Requested)
    pair.clinician("first", "accept")
    pair.at_rest()
    assert isinstance(pair.intake.clinical, shown.Accepted)
    assert (pair.intake.clinical.clinician, pair.intake.clinical.shown) == (CLEO, True)


def test_a_yes_that_arrives_when_it_has_run_out_has_the_question_asked_anew() -> None:
    pair = walked(["wanted", "to intake", "yes", "a month"])
    assert isinstance(pair.intake.clinical, shown.Asking)
    pair.requester(Consented(uuid4()))
    pair.at_rest()
    assert isinstance(pair.intake.clinical, shown.Requested)


def test_a_question_that_crosses_with_a_no_is_not_asked() -> None:
    pair = walked(["wanted", "to intake", "yes", "to referral", "to intake"])
    pair.wait(MONTH)
    pair.requester(Unconsented())
    pair.carry("intake")
    assert isinstance(pair.intake.clinical, shown.Ended)
    pair.at_rest()
    assert pair.intake.clinical.how == "withdrawn"
