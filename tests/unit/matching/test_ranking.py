"""Who may be asked, and in which order: the gates one by one, and an order that no shuffling changes."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from math import fsum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain.eligibility import eligible, suits, trained
from services.matching.domain.loads import Ledger, Load, Move
from services.matching.domain.people import Calendar, Peer
from services.matching.domain.ranking import Shelves, cap_of, is_crisis, personal, place_of, stated, tier
from services.matching.domain.roster import Roster, point
from shared.availability import Window, text_of
from shared.events.intake import Ask, Wishes
from shared.events.policy import Weights
from shared.types import Help, PersonId, Relation, Role, Urgency
from tests.unit.matching.given import ANA, BEN, CASE, CEM, DEE, NOW, ask, peer, rank

TODAY = NOW.date()
TAGS = ("veteran", "gender:female", "language:es", "faith", "night_shift", "retired")
LEAVE = text_of([Window(False, NOW - timedelta(hours=1), NOW + timedelta(hours=1))])
SHIFT = text_of([Window(True, NOW - timedelta(hours=1), NOW + timedelta(hours=1))])


@pytest.mark.parametrize(
    ("changed", "may"),
    [
        ({}, True),
        ({"active": False}, False),
        ({"verified": False}, False),
        ({"role": Role.COORDINATOR}, False),
        ({"role": Role.MEMBER}, False),
        ({"designated_from": None}, False),
        ({"designated_from": TODAY}, True),
        ({"designated_from": TODAY + timedelta(days=1)}, False),
        ({"designated_to": TODAY}, True),
        ({"designated_to": TODAY - timedelta(days=1)}, False),
        ({"trained_until": None}, True),
        ({"offers": frozenset({Help.TALK, Help.RIDE})}, True),
        ({"offers": frozenset({Help.RIDE})}, False),
    ],
)
def test_each_gate_by_itself(changed: dict[str, Any], may: bool) -> None:
    assert eligible(peer(ANA, **changed), ask(), TODAY, ()) is may


def test_bars_refusals_and_requirements_keep_out() -> None:
    somebody = peer(ANA, attributes=("veteran",))
    assert not eligible(somebody, ask(bars=(ANA,)), TODAY, ())
    assert not eligible(somebody, ask(), TODAY, {ANA})
    assert eligible(somebody, ask(wishes=Wishes(require=("veteran",))), TODAY, {BEN})
    assert not eligible(somebody, ask(wishes=Wishes(require=("veteran", "faith"))), TODAY, ())


def test_wishes_come_before_load_and_load_before_turns() -> None:
    wishes = Wishes(prefer=("veteran",), avoid=("faith",))
    people = [peer(ANA, attributes=("veteran",)), peer(BEN), peer(CEM, attributes=("faith",))]
    loads = {ANA: Load(open=3), CEM: Load()}
    assert [one.peer.person for one in rank(people, ask(wishes=wishes), loads, case_id=CASE, now=NOW)] == [
        ANA,
        BEN,
        CEM,
    ]
    carried = {ANA: Load(open=1), BEN: Load(asked=5), CEM: Load(asked=2)}
    plain = [peer(person) for person in (ANA, BEN, CEM)]
    assert [one.peer.person for one in rank(plain, ask(), carried, case_id=CASE, now=NOW)] == [CEM, BEN, ANA]


def test_language_counts_by_the_peers_own_and_by_what_is_declared() -> None:
    spanish = ask(language="es-MX")
    people = [peer(ANA), peer(BEN, attributes=("language:es",)), peer(CEM, language="es")]
    ordered = rank(people, spanish, {}, case_id=CASE, now=NOW)
    assert {one.peer.person for one in ordered[:2]} == {BEN, CEM}
    assert ordered[-1].peer.person == ANA


def test_factors_say_what_the_order_comes_from() -> None:
    wishes = Wishes(prefer=("veteran",), avoid=("faith",))
    somebody = peer(ANA, attributes=("veteran", "faith"), trained_until=TODAY - timedelta(days=1))
    (only,) = rank([somebody], ask(wishes=wishes), {ANA: Load(open=2, asked=7)}, case_id=CASE, now=NOW)
    assert only.factors == {
        "available": 1.0,
        "prefer": 2.0,
        "avoid": -3.0,
        "language": 1.0,
        "load": -2.0,
        "asked": -7.0,
    }


def test_training_is_no_gate_but_shown() -> None:
    assert not trained(peer(ANA, trained_until=date(2020, 1, 1)), TODAY)
    ordered = rank([peer(ANA, trained_until=None), peer(BEN)], ask(), {}, case_id=CASE, now=NOW)
    assert [one.peer.person for one in ordered] == [BEN, ANA]


def test_whoever_is_at_the_cap_is_not_a_candidate() -> None:
    loads = {ANA: Load(open=4), BEN: Load(open=3, crisis=1)}
    people = [peer(ANA), peer(BEN)]
    assert [one.peer.person for one in rank(people, ask(), loads, case_id=CASE, now=NOW)] == [BEN]
    emergency = ask(Urgency.EMERGENCY)
    assert [one.peer.person for one in rank(people, emergency, loads, case_id=CASE, now=NOW)] == [ANA]


def test_among_equals_nobody_is_the_favourite() -> None:
    people = [peer(UUID(int=number)) for number in range(1, 6)]
    chosen = random.Random(7)
    firsts = Counter(
        rank(people, ask(), {}, case_id=UUID(int=chosen.getrandbits(128)), now=NOW)[0].peer.person for _ in range(1000)
    )
    assert len(firsts) == 5
    # The five stand where they stand on the ring: the smallest share is a seventh.
    assert min(firsts.values()) > 100


asks = st.builds(
    ask,
    st.sampled_from(Urgency),
    relation=st.sampled_from((Relation.OFFICER, Relation.OFFICER, Relation.RETIREE)),
    bars=st.lists(st.sampled_from((ANA, BEN, CEM)), max_size=2).map(tuple),
    wanted=st.lists(st.sampled_from((ANA, CEM, DEE)), max_size=2, unique=True).map(tuple),
    stamped=st.fixed_dictionaries(
        {
            "training_required": st.booleans(),
            "weights": st.builds(Weights, prefer=st.sampled_from((2.0, 0.1, 3.0)), wanted=st.sampled_from((5.0, 0.0))),
        }
    ),
    language=st.sampled_from(("en-US", "es")),
    help=st.lists(st.sampled_from((Help.TALK, Help.RIDE)), unique=True).map(tuple),
    wishes=st.builds(
        Wishes,
        require=st.lists(st.sampled_from(TAGS), max_size=1).map(tuple),
        prefer=st.lists(st.sampled_from(TAGS), max_size=2).map(tuple),
        avoid=st.lists(st.sampled_from(TAGS), max_size=2).map(tuple),
    ),
)
peers = st.builds(
    peer,
    st.integers(1, 40).map(lambda number: UUID(int=number)),
    active=st.sampled_from((True, True, True, False)),
    verified=st.sampled_from((True, True, True, False)),
    role=st.sampled_from((Role.PEER, Role.PEER, Role.COORDINATOR)),
    attributes=st.lists(st.sampled_from(TAGS), unique=True),
    offers=st.frozensets(st.sampled_from((Help.TALK, Help.RIDE))),
    designated_from=st.sampled_from((TODAY, None, TODAY - timedelta(days=9), TODAY + timedelta(days=1))),
    language=st.sampled_from(("en", "es")),
    hours=st.sampled_from(("", "Mon-Fri 08:00-18:00", "Sat 10:00-12:00")),
    windows=st.sampled_from(("", "", "", LEAVE, SHIFT)),
    alone=st.sampled_from((False, False, True)),
    trained_until=st.sampled_from((TODAY, TODAY - timedelta(days=1), None)),
)
crowds = st.lists(peers, max_size=25, unique_by=lambda one: one.person)
some_loads = st.builds(
    Load,
    open=st.integers(0, 4),
    crisis=st.integers(0, 1),
    asked=st.integers(0, 3),
    rest_until=st.sampled_from((None, NOW, NOW + timedelta(hours=1))),
    paused_until=st.sampled_from((None, None, NOW, NOW + timedelta(hours=1))),
)


def naive(crowd: list[Peer], asked: Ask, loads: dict[PersonId, Load], case: UUID) -> list[PersonId]:
    """The order by its definition: of equals those whom the case alone moves, then round from where it begins."""
    calendar, own, found = Calendar(NOW), personal(asked), []
    for one in crowd:
        today, load = calendar.today(one.time_zone), loads.get(one.person, Load())
        paused = load.paused_until is not None and load.paused_until > NOW
        room = load.taken(crisis=is_crisis(asked)) < cap_of(asked) and not paused
        if suits(one, asked, today) and room and not calendar.off(one):
            shares = stated(one, asked, trained_now=trained(one, today)) | own.get(one.person, {})
            rests = load.rest_until is not None and load.rest_until > NOW
            first = rests, not calendar.there(one), tier(one, asked)
            key = (*first, -fsum(shares.values()), load.open + load.crisis, load.asked)
            far = (point(one.person) - point(case)) % 2**128
            found.append((key, (0, one.person.int) if one.person in own else (1, far), one.person))
    return [person for _, _, person in sorted(found) if person not in asked.bars]


@given(crowds, asks, st.dictionaries(st.integers(1, 40), some_loads), st.uuids(), st.randoms(use_true_random=False))
def test_the_order_is_the_defined_one_and_shuffling_changes_nothing(
    crowd: list[Peer], asked: Ask, numbered: dict[int, Load], case: UUID, shuffling: random.Random
) -> None:
    loads = {PersonId(UUID(int=number)): load for number, load in numbered.items()}
    expected = naive(crowd, asked, loads, case)
    shuffled = list(crowd)
    shuffling.shuffle(shuffled)
    ordered = rank(shuffled, asked, loads, case_id=case, now=NOW)
    assert [one.peer.person for one in ordered] == expected
    # What is stamped replays the order, also after a database has sorted its names.
    stamped = [dict(sorted(one.factors.items())) for one in ordered]
    assert [place_of(factors) for factors in stamped] == sorted(place_of(factors) for factors in stamped)
    assert all(eligible(one.peer, asked, TODAY, ()) for one in ordered)


@given(crowds, asks, st.lists(st.tuples(st.integers(1, 40), st.sampled_from((1, -1))), max_size=30), st.uuids())
def test_shelves_that_followed_the_moves_are_like_new_ones(
    crowd: list[Peer], asked: Ask, steps: list[tuple[int, int]], case: UUID
) -> None:
    ledger = Ledger({one.person: Load(open=2, crisis=0) for one in crowd})
    followed = Shelves(Roster(crowd), asked, Calendar(NOW), ledger)
    for number, by in steps:
        person = PersonId(UUID(int=number))
        taken = ledger.of(person).taken(crisis=is_crisis(asked))
        if (by > 0 and taken < cap_of(asked)) or (by < 0 < taken):
            rest = NOW + timedelta(hours=1) if by < 0 and number % 2 else None
            ledger.apply(Move(person, is_crisis(asked), by, cap_of(asked), rest))
            list(followed.best(case, (), personal(asked)))
    fresh = Shelves(Roster(crowd), asked, Calendar(NOW), ledger)
    assert list(followed.best(case, (), personal(asked))) == list(fresh.best(case, (), personal(asked)))


def test_the_ledger_knows_how_much_more_somebody_may_have_carried() -> None:
    ledger = Ledger({ANA: Load(open=1)})
    ledger.apply(Move(ANA, crisis=False, by=1, cap=4))
    ledger.apply(Move(ANA, crisis=False, by=1, cap=50))
    (change,) = ledger.changes()
    assert (change.open, change.asked, change.open_limit) == (2, 2, 3)


def test_room_with_somebody_who_was_full_is_noticed() -> None:
    ledger = Ledger({ANA: Load(open=4), BEN: Load(open=3)})
    assert ledger.relieves(Move(ANA, crisis=False, by=-1, cap=4))
    assert not ledger.relieves(Move(BEN, crisis=False, by=-1, cap=4))
