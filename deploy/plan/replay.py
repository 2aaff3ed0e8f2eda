"""A month is replayed: each request goes through matching's own decisions, on a clock that jumps from one event on.

Nothing is decided here but what people answer (`demand`): who is asked, who comes next, when somebody's time is up and
who gets room that has become free come from `services.matching.domain`, and the policy from `services.intake.domain`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import cast
from uuid import UUID

from deploy.plan.demand import Asked, Assumptions, answer, lasts, month
from services.intake.domain.agency import Agency
from services.intake.domain.policy import resolve
from services.matching.domain.case import Case, Ended, HeardOf, State
from services.matching.domain.decide import Heard, LookAgain, Subject, TimeIsUp, decide
from services.matching.domain.loads import Ledger, Load, faded, season_of
from services.matching.domain.people import Calendar, Peer
from services.matching.domain.roster import Roster
from services.matching.domain.world import World
from shared.events import Fact
from shared.events.intake import Ask, CaseClosed, CaseWithdrawn, CrisisRaised, RequestSubmitted
from shared.events.matching import NobodyFound, OfferMade, PeerAssigned
from shared.events.notify import ReplyReceived, Verb
from shared.types import CaseId, Help, PersonId, Relation, Urgency

WARM_UP_DAYS = 60
"""Before what is measured: a team that begins empty would look better than it is."""
MEASURED_DAYS = 30
_ORDER = (Urgency.EMERGENCY, Urgency.URGENT, Urgency.SOON, Urgency.ROUTINE)


@dataclass
class Course:
    """What became of one request."""

    asked: Asked
    measured: bool
    offers: int = 0
    nobody: int = 0
    assigned_at: datetime | None = None

    @property
    def waited(self) -> timedelta | None:
        """Until a peer had accepted."""
        return self.assigned_at - self.asked.at if self.assigned_at else None


@dataclass(frozen=True)
class Replayed:
    """All requests of the measured month, and how often each peer was asked and has accepted in it."""

    start: datetime
    end: datetime
    courses: tuple[Course, ...]
    asked: Counter[PersonId]
    accepted: Counter[PersonId]


@dataclass
class _Replay:
    agency: Agency
    roster: Roster
    assumed: Assumptions
    start: datetime
    seed: int
    ids: Random
    cases: Random
    season: int
    loads: dict[PersonId, Load] = field(default_factory=dict)
    states: dict[CaseId, State] = field(default_factory=dict)
    courses: dict[CaseId, Course] = field(default_factory=dict)
    asked: Counter[PersonId] = field(default_factory=Counter)
    accepted: Counter[PersonId] = field(default_factory=Counter)
    tries: Counter[tuple[CaseId, PersonId]] = field(default_factory=Counter)
    coming: list[tuple[datetime, int, CaseId, Heard]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def new_id(self) -> UUID:
        return UUID(int=self.ids.getrandbits(128))

    def dice(self, *about: object) -> Random:
        """What chance says about this, whoever else is there: two teams are compared by the same luck."""
        return Random(" ".join(map(str, (self.seed, *about))))  # noqa: S311 - a simulation

    def later(self, at: datetime, case: CaseId, what: Heard) -> None:
        heappush(self.coming, (at, next(self.numbers), case, what))

    def ask(self, asked: Asked) -> None:
        case = CaseId(UUID(int=self.cases.getrandbits(128)))
        self.courses[case] = Course(asked, asked.at >= self.start)
        ask = Ask(
            relation=Relation.OFFICER,
            urgency=asked.urgency,
            help=(Help.TALK,),
            choose="anyone",
            release="on_accept",
            manner="call",
            language=asked.language,
            policy=resolve(self.agency, asked.urgency, asked.at),
            jurisdiction=self.agency.jurisdiction,
        )
        self.later(asked.at + timedelta(days=self.assumed.gives_up_days), case, CaseWithdrawn())
        if asked.urgency is Urgency.EMERGENCY:
            self.later(asked.at, case, CrisisRaised(ask=ask, jurisdiction=self.agency.jurisdiction, rungs=()))
        else:
            self.later(asked.at, case, RequestSubmitted(ask=ask))

    def run(self, end: datetime) -> None:
        while self.coming and self.coming[0][0] < end:
            now, _, case, what = heappop(self.coming)
            if isinstance(what, CaseWithdrawn) and self.courses[case].assigned_at:
                continue
            if self.hear(now, [(case, what)]):
                # As matching does it: room goes to the most urgent who has waited longest.
                first = sorted(self.hungry(), key=lambda one: (_ORDER.index(one.ask.urgency), one.since))
                self.hear(now, [(one.case_id, LookAgain()) for one in first])

    def hungry(self) -> list[Case]:
        open_cases = (state.case for state in self.states.values() if not isinstance(state, HeardOf | Ended))
        return [case for case in open_cases if case.hungry]

    def hear(self, now: datetime, inputs: Sequence[tuple[CaseId, Heard]]) -> bool:
        """Some inputs at one moment; returns whether somebody who was full has room again."""
        if (season := season_of(now)) != self.season:
            self.loads = {person: faded(load, season - self.season) for person, load in self.loads.items()}
            self.season = season
        world = World(now, self.new_id, {self.agency.agency_id: self.roster}, (), Ledger(self.loads))
        relieved = False
        for case, what in inputs:
            before = self.states.get(case, HeardOf())
            self.states[case], effects = decide(before, what, Subject(case, self.agency.agency_id), world)
            for move in effects.moves:
                relieved |= move.by < 0 and world.ledger.relieves(move)
                world.ledger.apply(move)
            for alarm in effects.alarms:
                self.later(alarm.at, case, TimeIsUp(alarm.of, alarm.subject, alarm.version))
            for fact in effects.facts:
                self.told(now, case, fact)
        for change in world.ledger.changes():
            self.loads[change.person] = world.ledger.of(change.person)
        return relieved

    def told(self, now: datetime, case: CaseId, fact: Fact) -> None:
        course = self.courses[case]
        match fact:
            case OfferMade():
                course.offers += 1
                self.asked[fact.person] += course.measured
                self.offered(now, case, fact)
            case PeerAssigned():
                course.assigned_at = course.assigned_at or now
                self.accepted[fact.person] += course.measured
                dice = self.dice(case, "support")
                spoken = now + timedelta(minutes=dice.uniform(5, 60))
                self.later(spoken, case, self.reply(fact.assignment, fact.person, "contacted", spoken))
                self.later(spoken + lasts(self.assumed, dice), case, CaseClosed())
            case NobodyFound():
                course.nobody += 1
            case _:
                pass

    def offered(self, now: datetime, case: CaseId, offer: OfferMade) -> None:
        peer = self.roster.people[self.roster.place_of[offer.person]]
        self.tries[case, offer.person] += 1
        dice = self.dice(case, offer.person, self.tries[case, offer.person])
        said = answer(self.assumed, offer.urgency, dice, there=Calendar(now).there(peer))
        if said is not None:
            at = now + said.after
            self.later(at, case, self.reply(offer.offer, offer.person, cast("Verb", said.verb), at))

    def reply(self, subject: UUID, person: PersonId, verb: Verb, at: datetime) -> ReplyReceived:
        return ReplyReceived(reply=self.new_id(), subject=subject, person=person, verb=verb, received_at=at)


def replay(
    agency: Agency,
    people: Sequence[Peer],
    assumed: Assumptions,
    *,
    start: datetime,
    seed: int,
    progress: Callable[[datetime], None] = lambda _: None,
) -> Replayed:
    """The thirty days from `start` on, after sixty days that are not counted. The same seed is the same month.

    Neither requests nor what somebody says to one depend on who else is there: what a larger team changes is seen on
    the same month.
    """
    begin, end = start - timedelta(days=WARM_UP_DAYS), start + timedelta(days=MEASURED_DAYS)
    course = _Replay(
        agency=agency,
        roster=Roster(people),
        assumed=assumed,
        start=start,
        seed=seed,
        ids=Random(f"ids {seed}"),  # noqa: S311 - a simulation
        cases=Random(f"cases {seed}"),  # noqa: S311
        season=season_of(begin),
    )
    wanted = month(
        assumed,
        begin,
        WARM_UP_DAYS + MEASURED_DAYS,
        agency.time_zone,
        Random(f"requests {seed}"),  # noqa: S311
    )
    for asked in wanted:
        course.run(asked.at)
        course.ask(asked)
        progress(asked.at)
    # Whoever asked on the last day may be served after it.
    course.run(end + timedelta(days=7))
    measured = tuple(one for one in course.courses.values() if one.measured)
    return Replayed(start, end, measured, course.asked, course.accepted)
