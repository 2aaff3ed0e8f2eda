"""Whom an experienced coordinator would have asked: weights, fair turns, and the scenarios of one agency's search."""

from __future__ import annotations

import random
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain.case import Ended, Unserved
from services.matching.domain.decide import TimeIsUp
from services.matching.domain.loads import Load
from services.matching.domain.people import Peer
from shared.events.intake import (
    AnotherPeerAsked,
    Ask,
    CaseWithdrawn,
    PeerChosen,
    RequestSubmitted,
    Wishes,
)
from shared.events.matching import (
    AssignmentEnded,
    ContactConfirmed,
    ContactOverdue,
    NobodyFound,
    OfferMade,
    OfferRescinded,
    PeerAssigned,
    ShortlistReady,
)
from shared.types import CaseId, Help, PersonId, Relation, Urgency
from tests.unit.matching.given import (
    ANA,
    BEN,
    CASE,
    CEM,
    COORDINATOR,
    DEE,
    DUTY,
    EVA,
    NOW,
    Desk,
    ask,
    coordinator,
    names,
    one,
    order,
    outcomes,
    peer,
    rank,
    told,
)

FIVE = (ANA, BEN, CEM, DEE, EVA)


def first(people: list[Peer], asked: Ask) -> PersonId:
    return rank(people, asked, {}, case_id=CASE, now=NOW)[0].peer.person


def test_a_weight_of_the_policy_changes_who_comes_first() -> None:
    people = [peer(ANA, attributes=("veteran",), language="es"), peer(BEN)]
    wishes = Wishes(prefer=("veteran",))
    assert first(people, ask(wishes=wishes)) == ANA
    assert first(people, ask(wishes=wishes, stamped={"weights": {"prefer": 0.5}})) == BEN


def test_the_column_of_the_language_says_it_as_well_as_an_attribute_does() -> None:
    people = [peer(ANA, language="es-US"), peer(BEN), peer(CEM, attributes=("language:es",))]
    assert set(order(people, ask(wishes=Wishes(require=("language:es",))))) == {ANA, CEM}
    assert order(people, ask(wishes=Wishes(avoid=("language:es",))))[0] == BEN
    assert order(people, ask(wishes=Wishes(require=("language:es-us",)))) == [ANA]


def test_who_is_wanted_comes_first_whatever_they_carry_and_never_over_a_bar_or_a_cap() -> None:
    people, wanting = [peer(ANA), peer(BEN)], ask(wanted=(ANA,))
    busy = {ANA: Load(open=3, asked=40)}
    assert [one.peer.person for one in rank(people, wanting, busy, case_id=CASE, now=NOW)] == [ANA, BEN]
    full = {ANA: Load(open=4)}
    assert [one.peer.person for one in rank(people, wanting, full, case_id=CASE, now=NOW)] == [BEN]
    barred = ask(wanted=(ANA,), bars=(ANA,))
    assert [one.peer.person for one in rank(people, barred, {}, case_id=CASE, now=NOW)] == [BEN]


@pytest.mark.parametrize("longest", [3, 4, 5])
def test_a_shortlist_is_as_long_as_the_policy_says(longest: int) -> None:
    desk = Desk([peer(person) for person in FIVE])
    facts = desk.hear(RequestSubmitted(ask=ask(choose="shortlist", stamped={"shortlist": longest})))
    assert len(one(facts, ShortlistReady).candidates) == longest


asks = st.builds(
    ask,
    st.just(Urgency.ROUTINE),
    wishes=st.builds(Wishes, require=st.lists(st.sampled_from(("veteran", "faith")), max_size=1).map(tuple)),
    stamped=st.just({"open_cases_per_peer": 2}),
)
crowds = st.lists(
    st.builds(
        peer,
        st.uuids(),
        attributes=st.lists(st.sampled_from(("veteran", "faith")), max_size=2, unique=True),
    ),
    max_size=5,
    unique_by=lambda one: one.person,
)


def served(people: list[Peer], requests: list[tuple[UUID, Ask]]) -> set[CaseId]:
    desk = Desk(people)
    found = set()
    for number, asked in requests:
        if told(desk.hear(RequestSubmitted(ask=asked), case=CaseId(number)), OfferMade):
            found.add(CaseId(number))
    return found


@given(crowds, st.uuids(), st.lists(st.sampled_from(("veteran", "faith")), max_size=2), st.lists(asks, max_size=12))
def test_one_more_peer_never_leaves_a_case_without_that_had_one(
    crowd: list[Peer], another: UUID, attributes: list[str], asked: list[Ask]
) -> None:
    chosen = random.Random(len(asked))
    requests = [(UUID(int=chosen.getrandbits(128)), one) for one in asked]
    more = [*crowd, peer(another, attributes=attributes)]
    assert served(crowd, requests) <= served([*{one.person: one for one in more}.values()], requests)


@given(crowds, st.uuids(), st.uuids(), asks)
def test_who_comes_and_goes_does_not_change_the_order_of_the_others(
    crowd: list[Peer], another: UUID, case: UUID, asked: Ask
) -> None:
    """Else a newcomer could send a case to the only one who suits the next."""
    more = [*(one for one in crowd if one.person != another), peer(another)]
    ordered = [one.peer.person for one in rank(more, asked, {}, case_id=case, now=NOW)]
    without = [one.peer.person for one in rank(more[:-1], asked, {}, case_id=case, now=NOW)]
    assert [person for person in ordered if person != another] == without


def gini(shares: list[float]) -> float:
    """0 when all have the same, towards 1 when one has everything (Gini 1912, by mean differences)."""
    mean = sum(shares) / len(shares)
    return sum(abs(one - other) for one in shares for other in shares) / (2 * len(shares) ** 2 * mean)


def test_a_month_is_spread_over_the_team_and_a_favourite_is_not_burnt_out() -> None:
    """Two requests in three prefer what one peer alone declares: they get more than others, and no more than twice."""
    people = [peer(UUID(int=1), attributes=("veteran",)), *(peer(UUID(int=number)) for number in range(2, 13))]
    desk, chosen, cases = Desk(people), random.Random(11), dict.fromkeys((one.person for one in people), 0)
    plain, fond = ask(), ask(wishes=Wishes(prefer=("veteran",)))
    under_way: list[tuple[CaseId, PeerAssigned]] = []
    for _ in range(3000):
        case = CaseId(UUID(int=chosen.getrandbits(128)))
        if len(under_way) > 30:
            old, assigned = under_way.pop(chosen.randrange(len(under_way)))
            desk.hear(desk.answer(assigned.assignment, assigned.person, "close"), case=old)
        offer = one(desk.hear(RequestSubmitted(ask=chosen.choice((plain, fond, fond))), case=case), OfferMade)
        facts = desk.hear(desk.answer(offer.offer, offer.person, "accept"), case=case)
        under_way.append((case, one(facts, PeerAssigned)))
        cases[offer.person] += 1
    # Everybody is there all the time, so cases per available hour are cases.
    others = [float(number) for person, number in cases.items() if person != people[0].person]
    assert gini(others) < 0.05
    assert cases[people[0].person] <= 2 * sum(others) / len(others)


def test_scenario_01_routine_without_preference_is_offered_and_contact_is_due_within_a_day() -> None:
    desk = Desk([peer(ANA), peer(BEN)])
    offer = one(desk.hear(RequestSubmitted(ask=ask(help=(Help.TALK,)))), OfferMade)
    assigned = one(desk.accept(offer), PeerAssigned)
    assert assigned.contact_by == NOW + timedelta(days=1)
    assert told(desk.hear(desk.answer(assigned.assignment, offer.person, "contacted", number=2)), ContactConfirmed)
    ended = one(desk.hear(desk.answer(assigned.assignment, offer.person, "close", number=3)), AssignmentEnded)
    assert ended.how == "closed"
    assert (desk.carried(), desk.state()) == (0, Ended(by_peer=True))


def test_scenario_03_two_refused_peers_are_not_listed_again_and_never_learn_of_it() -> None:
    desk = Desk([peer(person) for person in FIVE])
    desk.hear(RequestSubmitted(ask=ask(choose="shortlist")))
    facts = [*desk.hear(AnotherPeerAsked(refused=ANA)), *desk.hear(AnotherPeerAsked(refused=BEN))]
    assert set(names(facts)) == {"shortlist_ready"}
    assert {listed.person for listed in told(facts, ShortlistReady)[-1].candidates} == {CEM, DEE, EVA}
    # What was chosen from an older list is not asked either.
    assert not told(desk.hear(PeerChosen(person=ANA)), OfferMade)


def test_scenario_24_five_who_decline_or_are_silent_end_in_a_count_and_the_search_goes_on() -> None:
    desk = Desk([*(peer(person) for person in FIVE), coordinator()])
    offer = one(desk.hear(RequestSubmitted(ask=ask(Urgency.SOON))), OfferMade)
    for number in range(4):
        if number % 2:
            desk.now = offer.expires + timedelta(seconds=31)
            facts = desk.hear(TimeIsUp("offer", offer.offer, 0))
        else:
            facts = desk.hear(desk.answer(offer.offer, offer.person, "decline", number=number))
        offer = one(facts, OfferMade)
    facts = desk.hear(desk.answer(offer.offer, offer.person, "decline", number=9))
    nobody = one(facts, NobodyFound)
    assert nobody.recipients == (COORDINATOR, DUTY)
    assert isinstance(desk.state(), Unserved)
    # Never a dead end: it is tried again, and whoever was only silent may be asked again.
    desk.now = nobody.next_try
    assert told(desk.due(), OfferMade)


def test_scenario_25_accepted_and_then_silent_is_offered_beside_and_a_late_word_counts_once() -> None:
    desk = Desk([peer(ANA), peer(BEN)])
    offers = told(desk.hear(RequestSubmitted(ask=ask(Urgency.URGENT))), OfferMade)
    assigned = one(desk.accept(offers[0]), PeerAssigned)
    desk.now = assigned.contact_by
    facts = desk.due()
    assert told(facts, ContactOverdue)
    beside = one(facts, OfferMade)
    assert beside.person == offers[1].person
    late = desk.hear(desk.answer(assigned.assignment, assigned.person, "contacted", number=2))
    assert (len(told(late, ContactConfirmed)), one(late, OfferRescinded).why) == (1, "covered")
    assert outcomes(desk.hear(desk.answer(beside.offer, beside.person, "accept", number=3))) == ["covered"]


def test_scenario_26_a_peer_steps_back_without_a_cause_and_carries_nothing_any_more() -> None:
    desk = Desk([peer(ANA), peer(BEN)])
    offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    assigned = one(desk.accept(offer), PeerAssigned)
    facts = desk.hear(desk.answer(assigned.assignment, assigned.person, "step_back", number=2))
    assert one(facts, AssignmentEnded).how == "stepped_back"
    assert one(facts, OfferMade).person != assigned.person
    assert desk.load(assigned.person).open == 0
    assert not {"reason", "cause", "why"} & set(AssignmentEnded.model_fields)


@pytest.mark.parametrize("matched", [False, True])
def test_scenario_27_a_withdrawal_stops_everything_before_and_after_a_match(*, matched: bool) -> None:
    desk = Desk([peer(person) for person in FIVE])
    offers = told(desk.hear(RequestSubmitted(ask=ask(Urgency.URGENT))), OfferMade)
    if matched:
        desk.accept(offers[0])
    facts = desk.hear(CaseWithdrawn())
    ends = {"assignment_ended"} if matched else {"offer_rescinded"}
    assert set(names(facts)) == ends
    assert (desk.carried(), desk.state()) == (0, Ended())
    late = desk.hear(desk.answer(offers[1].offer, offers[1].person, "accept", number=5))
    assert outcomes(late) == ["ended"]


def test_an_agencys_own_people_come_before_its_retirees_and_a_retiree_is_asked_rather_than_nobody() -> None:
    ana, ben = peer(ANA, attributes=("retired", "veteran")), peer(BEN)
    assert order([ana, ben], ask(wishes=Wishes(prefer=("veteran",)))) == [BEN, ANA]
    assert order([ana], ask()) == [ANA]
    # In urgent cases who is there comes first, whoever it is.
    away = peer(BEN, hours="Sat 10:00-11:00")
    assert order([ana, away], ask(Urgency.URGENT)) == [ANA, BEN]


@pytest.mark.parametrize(
    "asked", [ask(relation=Relation.RETIREE), ask(wishes=Wishes(prefer=("retired",)))], ids=["retiree", "wish"]
)
def test_scenario_30_a_retiree_is_served_by_retirees_first(asked: Ask) -> None:
    assert order([peer(ANA, attributes=("retired",)), peer(BEN)], asked) == [ANA, BEN]


@pytest.mark.parametrize(
    ("stamped", "wishes"), [({"training_required": True}, Wishes()), ({}, Wishes(require=("trained",)))]
)
def test_scenario_31_training_that_lapsed_yesterday_is_a_gate_by_law_or_by_wish(
    stamped: dict[str, bool], wishes: Wishes
) -> None:
    lapsed = peer(ANA, trained_until=NOW.date() - timedelta(days=1))
    today = peer(BEN, trained_until=NOW.date())
    assert order([lapsed, today], ask(stamped=stamped, wishes=wishes)) == [BEN]
    assert order([lapsed], ask()) == [ANA]


def test_scenario_31_who_is_not_designated_is_asked_only_where_the_law_needs_no_designation() -> None:
    nobody = peer(ANA, designated_from=None)
    assert order([nobody], ask()) == []
    assert order([nobody], ask(stamped={"designation_required": False})) == [ANA]


def test_designation_and_training_go_by_the_agencys_day_wherever_the_peer_lives() -> None:
    """When it is nine in the evening in Chicago it is the next day in Berlin."""
    evening, today = NOW + timedelta(hours=12), NOW.date()
    days = {"agency_zone": "America/Chicago", "designated_to": today, "trained_until": today}
    strict = ask(stamped={"designation_required": True, "training_required": True})
    here, elsewhere = peer(ANA, **days), peer(BEN, time_zone="Europe/Berlin", **days)
    found = rank([here, elsewhere], strict, {}, case_id=CASE, now=evening)
    assert {one.peer.person for one in found} == {ANA, BEN}
    assert rank([here, elsewhere], strict, {}, case_id=CASE, now=evening + timedelta(hours=4)) == []


def test_hours_are_those_of_the_peers_own_clock() -> None:
    """In July it is an hour later in Denver than in Phoenix."""
    night = {"hours": "22:00-06:00", "agency_zone": "America/Denver"}
    people = [peer(ANA, time_zone="America/Phoenix", **night), peer(BEN, time_zone="America/Denver", **night)]
    half_past_ten_in_denver = NOW.replace(month=7, hour=4, minute=30)
    found = rank(people, ask(), {}, case_id=CASE, now=half_past_ten_in_denver)
    assert {one.peer.person: one.available for one in found} == {ANA: False, BEN: True}
