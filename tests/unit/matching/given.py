"""What tests of matching begin with: asks, peers, and a desk that feeds cases and keeps their books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from services.matching.domain.case import Assigned, Ended, HeardOf, InContact, State
from services.matching.domain.decide import Heard, Subject, TimeIsUp, decide
from services.matching.domain.effects import Alarm
from services.matching.domain.loads import Ledger, Load, Move
from services.matching.domain.people import Calendar, Peer
from services.matching.domain.ranking import Ranked, Shelves, personal
from services.matching.domain.roster import Roster
from services.matching.domain.world import World
from shared.events import Fact
from shared.events.intake import Ask, Wishes
from shared.events.matching import OfferMade, PeerAssigned, ReplySettled
from shared.events.notify import ReplyReceived, Verb
from shared.events.policy import Capabilities, Policy
from shared.types import AgencyId, CaseId, Help, PersonId, Relation, Role, Structure, Urgency

F = TypeVar("F", bound=Fact)

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
"""A Monday, nine in the morning in Chicago."""
AGENCY = AgencyId(UUID(int=0xA))
CASE = CaseId(UUID(int=0xC))
ANA, BEN, CEM, DEE, EVA = (PersonId(UUID(int=number)) for number in range(1, 6))
COORDINATOR, DUTY = PersonId(UUID(int=0x100)), PersonId(UUID(int=0x200))
CAPABILITIES = Capabilities(consult=False, accept_referral=False, direct_employee=False, direct_family=False)
TIMES = {
    Urgency.ROUTINE: (1, 4 * 3600, 24 * 3600, 24 * 3600),
    Urgency.SOON: (1, 3600, 4 * 3600, 8 * 3600),
    Urgency.URGENT: (2, 900, 3600, 3600),
    Urgency.EMERGENCY: (3, 180, 600, 0),
}


def policy(urgency: Urgency = Urgency.ROUTINE, **changed: Any) -> Policy:
    """The region's defaults for this urgency, but for what is changed."""
    out, answer, contact, choose = TIMES[urgency]
    values = {
        "offers_out": out,
        "answer_within_s": answer,
        "contact_within_s": contact,
        "choose_within_s": choose,
        "rung_within_s": 300,
        "grace_s": 0,
        "open_cases_per_peer": 4,
        "crisis_cases_per_peer": 1,
        "crisis_cooldown_s": 72 * 3600,
    }
    return Policy(structure=Structure.TEAM_COORDINATOR, capabilities=CAPABILITIES, **{**values, **changed})


def ask(urgency: Urgency = Urgency.ROUTINE, *, stamped: dict[str, Any] | None = None, **changed: Any) -> Ask:
    """Somebody wants to talk to anyone; `stamped` changes the policy."""
    values = {
        "relation": Relation.OFFICER,
        "help": (Help.TALK,),
        "choose": "anyone",
        "release": "on_accept",
        "manner": "call",
        "language": "en-US",
        "wishes": Wishes(),
    }
    return Ask(urgency=urgency, policy=policy(urgency, **(stamped or {})), **{**values, **changed})


def peer(person: UUID, **changed: Any) -> Peer:
    """A designated and verified peer who is always there."""
    values: dict[str, Any] = {
        "active": True,
        "role": Role.PEER,
        "verified": True,
        "designated_from": date(2025, 1, 1),
        "trained_until": date(2027, 1, 1),
        "time_zone": "America/Chicago",
    }
    tags = frozenset(changed.pop("attributes", ()))
    return Peer(PersonId(person), attributes=tags, **{**values, **changed})


def coordinator(person: UUID = COORDINATOR) -> Peer:
    """Somebody who hears that nobody was found."""
    return peer(person, role=Role.COORDINATOR)


def ids(start: int = 1) -> Callable[[], UUID]:
    """New ids that a test can read."""
    numbers = iter(range(start, 10**9))
    return lambda: UUID(int=(0xF << 64) + next(numbers))


@dataclass
class Desk:
    """Feeds cases one input at a time, with the loads of the people kept from one input to the next."""

    people: Sequence[Peer]
    now: datetime = NOW
    states: dict[CaseId, State] = field(default_factory=dict)
    loads: dict[PersonId, Load] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    alarmed: dict[Alarm, CaseId] = field(default_factory=dict)
    held: Counter[tuple[PersonId, bool]] = field(default_factory=Counter)
    rooms: list[datetime] = field(default_factory=list)
    """When somebody can be asked again who could not."""
    new_id: Callable[[], UUID] = field(default_factory=ids)

    def hear(self, *heard: Heard, case: CaseId = CASE) -> list[Fact]:
        """These inputs in one batch; returns what was told."""
        told: list[Fact] = []
        world = World(self.now, self.new_id, {AGENCY: Roster(self.people)}, (DUTY,), Ledger(self.loads))
        for what in heard:
            state, effects = decide(self.states.get(case, HeardOf()), what, Subject(case, AGENCY), world)
            self.states[case] = state
            for move in effects.moves:
                self._count(move)
                world.ledger.apply(move)
            told += effects.facts
            self.rooms += [effects.room_at] if effects.room_at else []
            self.alarms += effects.alarms
            self.alarmed |= dict.fromkeys(effects.alarms, case)
        for person in {change.person for change in world.ledger.changes()}:
            self.loads[person] = world.ledger.of(person)
        self.facts += told
        return told

    def _count(self, move: Move) -> None:
        self.held[move.person, move.crisis] += move.by
        if move.by > 0:
            assert self.held[move.person, move.crisis] <= move.cap
        assert self.held[move.person, move.crisis] >= 0

    def state(self, case: CaseId = CASE) -> State:
        return self.states[case]

    def later(self, **passed: float) -> None:
        self.now += timedelta(**passed)

    def due(self, case: CaseId = CASE) -> list[Fact]:
        """Every alarm of a case whose time has come fires, in order of time."""
        ready = sorted(
            (one for one in self.alarms if one.at <= self.now and self.alarmed[one] == case), key=lambda one: one.at
        )
        self.alarms = [one for one in self.alarms if one not in ready]
        return self.hear(*(TimeIsUp(one.of, one.subject, one.version) for one in ready), case=case)

    def answer(
        self, subject: UUID, person: PersonId, verb: Verb, *, at: datetime | None = None, number: int = 1
    ) -> ReplyReceived:
        """A reply as notify would stamp it now."""
        return ReplyReceived(
            reply=UUID(int=0xE0000 + number), subject=subject, person=person, verb=verb, received_at=at or self.now
        )

    def accept(self, offer: OfferMade) -> list[Fact]:
        return self.hear(self.answer(offer.offer, offer.person, "accept"))

    def load(self, person: PersonId) -> Load:
        return self.loads.get(person, Load())

    def carried(self) -> int:
        """All load that is reserved or taken."""
        return sum(load.open + load.crisis for load in self.loads.values())


def told(facts: Iterable[Fact], kind: type[F]) -> list[F]:
    return [fact for fact in facts if isinstance(fact, kind)]


def one(facts: Iterable[Fact], kind: type[F]) -> F:
    found = told(facts, kind)
    assert len(found) == 1, [fact.type for fact in facts]
    return found[0]


def outcomes(facts: Iterable[Fact]) -> list[str]:
    return [fact.outcome for fact in told(facts, ReplySettled)]


def names(facts: Iterable[Fact]) -> list[str]:
    return [fact.type.split(".")[1] for fact in facts]


def standing_assignments(facts: Iterable[Fact]) -> Iterator[UUID]:
    """Assignments made and not ended, in the order of the facts; asserts that there is never more than one."""
    standing: set[UUID] = set()
    for fact in facts:
        if isinstance(fact, PeerAssigned):
            standing.add(fact.assignment)
        elif hasattr(fact, "how") and hasattr(fact, "assignment"):
            standing.discard(fact.assignment)
        assert len(standing) <= 1
    yield from standing


__all__ = ["Assigned", "Ended", "InContact"]


def rank(
    candidates: Sequence[Peer], asked: Ask, loads: Mapping[PersonId, Load], *, case_id: UUID, now: datetime
) -> list[Ranked]:
    """Every eligible candidate with room, best first."""
    shelves = Shelves(Roster(candidates), asked, Calendar(now), Ledger(loads))
    return list(shelves.best(case_id, frozenset(asked.bars), personal(asked)))


def order(people: list[Peer], asked: Ask) -> list[PersonId]:
    """Who is asked first, of people who carry nothing."""
    return [one.peer.person for one in rank(people, asked, {}, case_id=CASE, now=NOW)]
