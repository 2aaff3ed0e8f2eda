"""Whatever comes in whatever order: at most one accepted, nobody above a cap, nobody asked who may not be."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain.case import Ended, HeardOf, OfferState, State, stands
from services.matching.domain.decide import Heard, LookAgain
from services.matching.domain.eligibility import eligible
from services.matching.domain.people import Calendar, Peer
from shared.availability import Window, text_of
from shared.events import Fact
from shared.events.intake import (
    AnotherPeerAsked,
    Ask,
    BarsChanged,
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ContactReleased,
    CrisisRaised,
    PeerChosen,
    RequestSubmitted,
    Wishes,
)
from shared.events.matching import AssignmentEnded, OfferMade, PeerAssigned, ReplySettled
from shared.events.notify import ReplyReceived, Verb
from shared.types import CaseId, PersonId, Urgency
from tests.unit.matching.given import (
    ANA,
    BEN,
    CEM,
    DEE,
    EVA,
    NOW,
    Desk,
    ask,
    coordinator,
    peer,
    standing_assignments,
    told,
)

PEOPLE = (ANA, BEN, CEM, DEE, EVA)
CASES = tuple(CaseId(UUID(int=0xC0 + number)) for number in range(3))
VERBS: tuple[Verb, ...] = ("accept", "accept", "accept", "decline", "not_now", "contacted", "step_back", "close")
ENDS = (CaseClosing(), CaseWithdrawn(), CaseClosed())

LEAVE = text_of([Window(False, NOW - timedelta(hours=1), NOW + timedelta(hours=9))])
SHIFT = text_of([Window(True, NOW - timedelta(hours=9), NOW + timedelta(hours=1))])
LATER = st.sampled_from((None, None, 900))
PAUSES = st.sampled_from((None, None, None, 86_400))

people = st.lists(
    st.builds(
        peer,
        st.sampled_from(PEOPLE),
        active=st.sampled_from((True, True, False)),
        verified=st.sampled_from((True, True, False)),
        attributes=st.lists(st.sampled_from(("veteran", "faith")), max_size=2),
        hours=st.sampled_from(("", "", "Mon-Fri 08:00-18:00")),
        windows=st.sampled_from(("", "", LEAVE, SHIFT)),
        alone=st.sampled_from((False, False, True)),
    ),
    max_size=5,
    unique_by=lambda one: one.person,
)
asks = st.builds(
    ask,
    st.sampled_from((Urgency.ROUTINE, Urgency.SOON, Urgency.URGENT)),
    choose=st.sampled_from(("anyone", "anyone", "shortlist")),
    release=st.sampled_from(("on_accept", "ask_me")),
    bars=st.lists(st.sampled_from(PEOPLE), max_size=2).map(tuple),
    wishes=st.builds(Wishes, require=st.lists(st.just("veteran"), max_size=1).map(tuple)),
    stamped=st.fixed_dictionaries({"open_cases_per_peer": st.just(2)}),
)
crises = st.builds(ask, st.just(Urgency.EMERGENCY), bars=st.lists(st.sampled_from(PEOPLE), max_size=2).map(tuple))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), asks),
        st.tuples(st.just("crisis"), crises),
        st.tuples(st.just("answer"), st.tuples(st.sampled_from(VERBS), st.integers(0, 9), st.integers(-4000, 100))),
        st.tuples(st.just("answer"), st.tuples(st.sampled_from(VERBS), st.integers(0, 9), st.integers(-4000, 100))),
        st.tuples(st.just("not now"), st.tuples(st.integers(0, 9), LATER, PAUSES)),
        st.tuples(st.just("hear"), st.builds(PeerChosen, person=st.none() | st.sampled_from(PEOPLE))),
        st.tuples(st.just("hear"), st.builds(PeerChosen, person=st.sampled_from(PEOPLE), wait=st.just(True))),
        st.tuples(st.just("another"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("bar"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("release"), st.none()),
        st.tuples(st.just("people"), people),
        st.tuples(st.just("time"), st.sampled_from((60, 240, 1000, 4000, 15_000, 90_000))),
        st.tuples(st.just("end"), st.sampled_from(ENDS)),
    ),
    max_size=25,
)


class Course:
    """A desk with three cases; after every step what must hold is checked."""

    def __init__(self, first: list[Peer]) -> None:
        self.desk = Desk((*first, coordinator()))
        self.asks: dict[CaseId, list[Ask]] = {case: [] for case in CASES}
        self.told: dict[CaseId, list[Fact]] = {case: [] for case in CASES}
        self.refused: dict[CaseId, set[PersonId]] = {case: set() for case in CASES}
        self.paused: dict[PersonId, datetime | None] = {}

    def step(self, case: CaseId, what: str, how: Any) -> None:
        match what:
            case "ask":
                self.asks[case].append(how)
                self.hear(case, RequestSubmitted(ask=how))
            case "crisis":
                self.asks[case].append(how)
                self.hear(case, CrisisRaised(ask=how, jurisdiction="", rungs=()))
            case "answer":
                self.answer(case, *how)
            case "not now":
                self.not_now(case, *how)
            case "another":
                # Nobody refuses a peer before having asked: within a topic there is order.
                self.refused[case] |= {how} if self.asks[case] else set()
                self.hear(case, AnotherPeerAsked(refused=how))
            case "bar":
                self.refused[case] |= {how}
                self.hear(case, BarsChanged(bars=(how,)))
            case "release":
                for fact in told(self.told[case], PeerAssigned)[-1:]:
                    self.hear(case, ContactReleased(assignment=fact.assignment, recipient=fact.person))
            case "people":
                self.desk.people = (*how, coordinator())
                for one in CASES:
                    self.hear(one, LookAgain())
            case "time":
                self.desk.later(seconds=how)
                self.ring()
            case _:
                self.hear(case, how)

    def answer(self, case: CaseId, verb: Verb, number: int, offset: int) -> None:
        subjects = [(fact.offer, fact.person) for fact in told(self.told[case], OfferMade)]
        subjects += [(fact.assignment, fact.person) for fact in told(self.told[case], PeerAssigned)]
        subject, person = subjects[number % len(subjects)] if subjects else (uuid4(), ANA)
        at = self.desk.now + timedelta(seconds=offset)
        self.hear(case, self.desk.answer(subject, person, verb, at=at))

    def not_now(self, case: CaseId, number: int, again: int | None, pause: int | None) -> None:
        offers = [(fact.offer, fact.person) for fact in told(self.told[case], OfferMade)]
        if offers:
            subject, person = offers[number % len(offers)]
            said = self.desk.answer(subject, person, "not_now")
            self.hear(case, said.model_copy(update={"again_in_s": again, "pause_s": pause}))

    def ring(self) -> None:
        for case in CASES:
            self.note(case, self.desk.due(case), ())

    def hear(self, case: CaseId, heard: Heard) -> None:
        replies = (heard,) if isinstance(heard, ReplyReceived) else ()
        self.note(case, self.desk.hear(heard, case=case), replies)

    def note(self, case: CaseId, facts: list[Fact], replies: Iterable[ReplyReceived]) -> None:
        self.told[case] += facts
        self.asked_are_eligible(case, facts)
        self.paused = {person: load.paused_until for person, load in self.desk.loads.items()}
        assert [fact.reply for fact in told(facts, ReplySettled)] == [reply.reply for reply in replies]
        assert len(list(standing_assignments(self.told[case]))) <= 1
        state = self.desk.states.get(case, HeardOf())
        self.every_state_stands(state)

    def asked_are_eligible(self, case: CaseId, facts: list[Fact]) -> None:
        calendar = Calendar(self.desk.now)
        by_id = {one.person: one for one in self.desk.people}
        state = self.desk.states.get(case, HeardOf())
        for offer in told(facts, OfferMade):
            one = by_id[offer.person]
            assert not isinstance(state, HeardOf)
            asked = state.case.ask if not isinstance(state, Ended) else self.asks[case][0]
            assert eligible(one, asked, calendar.today(one.time_zone), self.refused[case])
            assert not calendar.off(one)
            paused = self.paused.get(offer.person)
            assert paused is None or paused <= self.desk.now

    def every_state_stands(self, state: State) -> None:
        if isinstance(state, HeardOf | Ended):
            return
        assert stands(state).owner is not None
        accepted = [offer for offer in state.case.offers if offer.state is OfferState.ACCEPTED]
        assert len(accepted) <= 1
        own = [alarm for alarm in self.desk.alarms if self.desk.alarmed[alarm] == state.case.case_id]
        assert any(alarm.at >= self.desk.now for alarm in own)


@settings(max_examples=80, deadline=None)
@given(people, st.lists(st.tuples(st.sampled_from(CASES), steps), max_size=3))
def test_any_course_of_events_keeps_the_promises(
    first: list[Peer], courses: list[tuple[CaseId, list[tuple[str, object]]]]
) -> None:
    course = Course(first)
    longest = max((len(line) for _, line in courses), default=0)
    for position in range(longest):
        for case, line in courses:
            if position < len(line):
                course.step(case, *line[position])
    for case in CASES:
        course.hear(case, CaseClosed())
        made = told(course.told[case], PeerAssigned)
        over = told(course.told[case], AssignmentEnded)
        assert len(over) in {len(made), len(made) - 1}
    assert course.desk.carried() == 0
    assert not +course.desk.held
