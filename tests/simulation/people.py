"""Whoever asks for support and whoever answers, at the services' doors: what they do is drawn from the move's dice.

They accept, decline, are silent, answer late and twice, choose, consent or not, step back, close and withdraw. A door
whose process dies in the middle is tried again later, as people do.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from services.intake.actions import availability, conflicts, directory, pool, requester
from services.intake.actions.requests import Submission, submit
from services.intake.domain.acts import Act, Another, AskPeer, Choose, Close, Emergency, Release, Unconsented, Wait
from services.intake.domain.calendars import Calendar
from services.intake.domain.codes import CODE_BYTES, code_from, hash_of
from services.intake.domain.conflicts import Conflicts
from services.intake.domain.notices import Notices
from services.intake.domain.request import Reach, Request
from services.intake.domain.upload import rows_of_json
from services.intake.store.agencies import load_agency
from services.intake.store.cases import CODE_DOOR, code_hash
from services.notify.actions.desk import Desk, Entered
from services.notify.actions.showing import Shown
from services.notify.actions.writing import Said
from services.notify.domain.matters import Word
from services.notify.domain.things import RESOURCES, TOPICS
from shared import clock
from shared.db import Transaction
from shared.doors import Door
from shared.errors import Refused
from shared.http.idempotency import digest
from shared.types import REGION, CaseId, Relation, Urgency
from tests.simulation.post import Mail
from tests.simulation.region import Region
from tests.simulation.replica import Fate
from tests.simulation.town import LENT, PEERS, PIN, PIN_COST, PROGRAMS, Program, Town, borrow, people_of, set_policy
from tests.simulation.watch import Watch

T = TypeVar("T")
ACTS: dict[str, Act] = {
    "release": Release(),
    "another-peer": Another(),
    "peer": AskPeer(),
    "emergency": Emergency(),
    "close": Close(),
    "wait": Wait(),
    "refuse-consent": Unconsented(),
}
INCIDENT = "26-1042"
SELDOM = {"withdraw": 1, "close": 2, "emergency": 1, "another-peer": 2}
"""How likely an act is, where it is not 6."""
ASKED = (
    (Urgency.ROUTINE, 5),
    (Urgency.SOON, 3),
    (Urgency.URGENT, 3),
    (Urgency.EMERGENCY, 2),
)


@dataclass
class Requester:
    """Somebody who has asked, or has tried to: `answered` once intake has said that the request was taken."""

    code: str
    program: Program
    request: Request
    case: CaseId | None = None
    answered: bool = False
    withdrawn: bool = False


def _about_me(dice: random.Random, program: Program) -> dict[str, Any] | None:
    """What somebody says of themselves: mostly nothing."""
    return dice.choice(
        [
            None,
            None,
            None,
            {"unit": "unit 1", "unit_agreed": dice.random() < 0.3},
            {"incident": INCIDENT},
            {"me": dice.choice(sorted(program.people)), "unit_agreed": dice.random() < 0.5},
            {"me": f"Max {program.slug} a"},
        ]
    )


def nearest(dice: int, among: Iterable[tuple[str, T]]) -> T | None:
    """One of these, by its name and the dice: the same one also when others are missing."""
    best = min(among, key=lambda one: hashlib.blake2b(f"{dice}:{one[0]}".encode()).digest(), default=None)
    return best[1] if best else None


class People:
    """Everybody outside of the services."""

    def __init__(self, region: Region, town: Town, notices: Notices) -> None:
        """`notices` are intake's."""
        self._region, self._town, self._notices = region, town, notices
        self.requesters: list[Requester] = []
        self.cases: set[UUID] = set()
        """Everything that was ever accepted."""
        self._told_paged: set[CaseId] = set()

    def tell(self, watch: Watch) -> None:
        """Whom requesters do not want to meet, and what they were told."""
        for one in self.requesters:
            if one.case is not None and one.case not in watch.avoided:
                people, about = one.program.people, one.request.about_me
                # Nobody is asked to support themselves either.
                me = [about.me] if about is not None and about.me in people else []
                watch.avoided[one.case] = frozenset(people[name] for name in (*one.request.avoid_people, *me))
        for case in self._told_paged:
            watch.claims_paged(case)
        self._told_paged.clear()

    async def at_door(
        self, service: str, number: int, work: Callable[[], Coroutine[Any, Any, T]], fate: Fate | None
    ) -> T | None:
        """What a door answers; None when its process has died meanwhile, or it was refused."""
        self._region.steps += 1
        try:
            return await self._region.at_door(service, number, work(), fate)
        except Refused:
            return None

    async def ask(self, dice: random.Random, fate: Fate | None) -> None:
        """Somebody asks for support."""
        program = dice.choice(self._town.programs)
        code = code_from(clock.random_id().bytes[:CODE_BYTES])
        one = Requester(code, program, self._request(dice, program, code))
        self.requesters.append(one)
        await self.submit(one, dice.randrange(2), fate)

    async def ask_again(self, dice: random.Random, fate: Fate | None) -> None:
        """A request is sent once more, whose answer was lost or not."""
        unsure = [one for one in self.requesters if not one.answered]
        one = nearest(dice.randrange(2**32), [(one.code, one) for one in unsure or self.requesters])
        if one is not None:
            await self.submit(one, dice.randrange(2), fate)

    async def submit(self, one: Requester, number: int, fate: Fate | None) -> None:
        """A request is sent, for the first time or again."""
        keyring = self._region.office.keyring
        db = self._region.replicas["intake"][number].db

        async def work() -> CaseId | None:
            async with db.transaction({one.program.agency_id, REGION}) as tx:
                agency = await load_agency(tx, one.program.agency_id)
                if agency is None:
                    raise Refused("not-found", 404)
                body = digest(keyring.derived("idempotency"), one.request.canonical())
                try:
                    receipts = await submit(tx, keyring, self._notices, [Submission(agency, one.request, body)])
                except Refused as refused:
                    if refused.slug != "case-over":
                        raise
                    # It had been taken, the answer was lost, and it has ended since.
                    one.answered = one.withdrawn = True
                    return None
            return receipts[0].case_id

        case = await self.at_door("intake", number, work, fate)
        # Also what was taken by a process that died before it could say so.
        hashed = code_hash(keyring.derived("doors"), one.request.code_hash)
        taken = await self._region.sql.fetchval(
            "SELECT subject FROM intake.doors WHERE hash = $1 AND kind = $2", hashed, CODE_DOOR
        )
        self.cases |= {found for found in (case, taken) if found is not None}
        if case is not None:
            # An emergency with a code whose case is over begins another one.
            one.case, one.answered, one.withdrawn = case, True, False

    def _request(self, dice: random.Random, program: Program, code: str) -> Request:
        urgency = dice.choices([one for one, _ in ASKED], [weight for _, weight in ASKED])[0]
        relation = dice.choice(list(Relation))
        notice = self._notices.current("US-UT", relation, "en")
        reach = Reach(channel="mail", address="somebody@own.test") if dice.random() < 0.8 else None
        return Request.model_validate(
            {
                "relation": relation.value,
                "urgency": urgency.value,
                "want": "clinician" if dice.random() < 0.15 else "peer",
                "choose": dice.choice(["anyone", "anyone", "shortlist"]),
                "release": dice.choice(["on_accept", "on_accept", "ask_me"]),
                "avoid_people": dice.sample(sorted(program.people), dice.choice([0, 0, 1, 2])),
                "wanted_people": dice.sample(sorted(program.people), dice.choice([0, 0, 0, 1])),
                "about_me": _about_me(dice, program),
                "reach": reach.model_dump() if reach else None,
                "notice": {"version": notice.version},
                "code_hash": hash_of(code),
            }
        )

    async def act(self, dice: random.Random, fate: Fate | None, *, only: str = "") -> None:
        """A requester looks at the case and does something that can be done there."""
        live = [(one.code, one) for one in self.requesters if one.answered and not one.withdrawn]
        one = nearest(dice.randrange(2**32), live)
        if one is not None:
            await self.act_of(one, dice, fate, only=only)

    async def act_of(self, one: Requester, dice: random.Random, fate: Fate | None, *, only: str = "") -> None:
        """As `act`, by this requester; `only` names the act."""
        number = dice.randrange(2)

        async def work() -> bool:
            return await self._acted(one, number, dice, only)

        if await self.at_door("intake", number, work, fate):
            one.withdrawn = True

    async def _acted(self, one: Requester, number: int, dice: random.Random, only: str) -> bool:
        """Whether the case is withdrawn."""
        db, keyring = self._region.replicas["intake"][number].db, self._region.office.keyring
        door = await requester.door_of(db, keyring, one.code)
        if door is None:
            # Closed and purged meanwhile.
            return True
        async with db.transaction([door.agency_id, REGION]) as tx:
            view = await requester.view(tx, keyring, door)
            listed = await requester.peers(tx, keyring, door)
        if "emergency_paged" in view.says and one.case is not None:
            self._told_paged.add(one.case)
        can = [name for name in view.can if not only or name == only]
        if not can:
            return False
        what = dice.choices(can, [SELDOM.get(name, 6) for name in can])[0]
        person = dice.choice(listed).person if what == "choose" and listed and dice.random() < 0.8 else None
        waits = person is not None and dice.random() < 0.4
        async with db.transaction([door.agency_id, REGION]) as tx:
            await self._does(tx, door, what, Choose(person, wait=waits))
        return what == "withdraw"

    async def _does(self, tx: Transaction, door: Door, what: str, choice: Choose) -> None:
        keyring = self._region.office.keyring
        match what:
            case "withdraw":
                await requester.withdraw(tx, door)
            case "consent":
                await requester.consent(tx, door)
            case "clinician":
                keyed = requester.keyed_post(keyring.derived("idempotency"), door, clock.token(), b"clinician")
                await requester.ask_clinician(tx, door, keyed=keyed)
            case "reach":
                await requester.set_reach(tx, keyring, door, Reach(channel="mail", address="else@own.test"))
            case "choose":
                await requester.act(tx, door, choice)
            case _:
                await requester.act(tx, door, ACTS[what])

    async def staff(self, dice: random.Random, fate: Fate | None) -> None:
        """An agency says something of its people: who they are, when they are there, who must not meet."""
        await dice.choice([self._directory, self._directory, self._calendar, self._conflicts, self._pool])(dice, fate)

    async def _calendar(self, dice: random.Random, fate: Fate | None) -> None:
        """Somebody goes on leave, has a rota, or neither any more."""
        program, number = dice.choice(self._town.programs), dice.randrange(2)
        now: datetime = await self._region.sql.fetchval("SELECT region.now()")
        start = now.replace(tzinfo=None, microsecond=0) - timedelta(hours=dice.choice([1, 9, 20]))
        entry = {
            "means": dice.choice(["away", "there"]),
            "start": start.isoformat(),
            "end": (start + timedelta(hours=dice.choice([2, 12, 48]))).isoformat(),
            "repeats": dice.choice([None, "FREQ=DAILY;INTERVAL=2"]),
        }
        wanted = Calendar.model_validate(
            {"alone": dice.random() < 0.2, "entries": [entry] if dice.random() < 0.7 else []}
        )

        async def work() -> None:
            await availability.put(
                self._region.replicas["intake"][number].db,
                self._region.office.keyring,
                lambda _: wanted,
                agency_id=program.agency_id,
                person_ref=f"P{dice.choice([*range(PEERS), LENT, LENT])}",
                actor=program.agency_id,
                matches=lambda _: None,
            )

        await self.at_door("intake", number, work, fate)

    async def _conflicts(self, dice: random.Random, fate: Fate | None) -> None:
        """An agency lists who must not meet, or nobody any more."""
        program, number = dice.choice(self._town.programs), dice.randrange(2)
        listed = [
            {"kind": "evaluator", "people": [f"P{dice.randrange(PEERS)}"]},
            {"kind": "incident", "reference": INCIDENT, "people": [f"P{n}" for n in range(2)]},
            {"kind": "investigation", "people": [f"P{dice.randrange(PEERS)}", "M0"]},
        ]
        wanted = Conflicts.model_validate({"conflicts": dice.sample(listed, dice.randint(0, 3))})

        async def work() -> None:
            await conflicts.put_conflicts(
                self._region.replicas["intake"][number].db,
                self._region.office.keyring,
                wanted,
                agency_id=program.agency_id,
                actor=program.agency_id,
                matches=lambda _: None,
            )

        await self.at_door("intake", number, work, fate)

    async def _pool(self, dice: random.Random, fate: Fate | None) -> None:
        """An agency takes whom others offer, or some of them; or it leaves the pool, or comes back."""
        at, number = dice.randrange(len(PROGRAMS)), dice.randrange(2)
        program, db = self._town.programs[at], self._region.replicas["intake"][number].db
        keyring, share = self._region.office.keyring, dice.random()

        async def work() -> None:
            if share < 0.3:
                await set_policy(db, program.agency_id, PROGRAMS[at][2] | {"pool": share < 0.2})
                return
            offered = await pool.look(db, keyring, agency_id=program.agency_id, actor=program.agency_id)
            people = [one.peer for one in offered.peers if one.original]
            await borrow(db, keyring, program, people if share < 0.7 else people[::2])

        await self.at_door("intake", number, work, fate)

    async def _directory(self, dice: random.Random, fate: Fate | None) -> None:
        """Somebody of the team has left, or is back; somebody has another superior."""
        program, number = dice.choice(self._town.programs), dice.randrange(2)
        listed = [
            one | {"supervisor_ref": dice.choice(["C0", "C1"])} if "supervisor_ref" in one else one
            for one in people_of(program.slug, program.structure)
        ]
        leaves = {f"P{LENT}": 0.5}
        left = {
            ref
            for one in listed
            if one["role"] != "member" and dice.random() < leaves.get(ref := one["person_ref"], 0.2)
        }
        rows = rows_of_json({"people": [one for one in listed if one["person_ref"] not in left]})

        async def work() -> None:
            await directory.put_directory(
                self._region.replicas["intake"][number].db,
                self._region.office.keyring,
                rows,
                agency_id=program.agency_id,
                actor=program.agency_id,
                matches=lambda _: None,
            )

        await self.at_door("intake", number, work, fate)

    async def answer(self, dice: random.Random, fate: Fate | None) -> None:
        """Whoever has got a mail opens its link, some of them late or again, and says something that can be said."""
        asking = [
            mail for mail in self._region.post.arrived if mail.purpose not in {None, "verify", "outreach", "team"}
        ]
        # Mostly what has come lately; now and then something old.
        among = asking[-12:] if dice.random() < 0.8 else asking
        mail = nearest(dice.randrange(2**32), [(one.token, one) for one in among])
        if mail is None:
            return
        number = dice.randrange(2)

        async def work() -> None:
            await self._answered(mail, number, dice)

        await self.at_door("notify", number, work, fate)

    async def _answered(self, mail: Mail, number: int, dice: random.Random) -> None:
        if mail.purpose is None:
            return
        desk = Desk(self._region.replicas["notify"][number].db, self._region.office, pin_cost=PIN_COST)
        entered = await desk.enter(mail.purpose, mail.token, PIN)
        if not isinstance(entered, Entered) or not entered.shown.view.verbs:
            return
        said = _said(entered.shown, dice)
        again = 2 if dice.random() < 0.1 else 1
        for _ in range(again):
            await desk.answer(mail.purpose, mail.token, entered.session, said, traceparent=None)


def _said(shown: Shown, dice: random.Random) -> Said:
    verbs: list[Word] = list(shown.view.verbs)
    verb = dice.choices(verbs, [_LIKELY.get(one, 4) for one in verbs])[0]
    match verb:
        case "advice":
            to = dice.choice(shown.advisers) if shown.advisers else ""
            return Said(verb, text="How do I go on from here?", to=str(to), codes=(dice.choice(TOPICS),))
        case "answer":
            return Said(verb, text="Listen first, and ask about sleep.")
        case "resources":
            return Said(
                verb, codes=(dice.choice([kind for kind in RESOURCES if kind not in shown.given] or RESOURCES),)
            )
        case _:
            return Said(verb)


_LIKELY: dict[Word, int] = {"accept": 12, "contacted": 8, "danger": 1, "step_back": 2, "close": 3, "acknowledge": 8}
