"""Peers whom other agencies lend: the last to be asked, the first for who wishes for them, one week for one person."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from services.matching.domain.case import HeardOf, Unserved
from services.matching.domain.decide import Subject, TimeIsUp, decide
from services.matching.domain.loads import Ledger, Load
from services.matching.domain.ranking import place_of
from services.matching.domain.roster import Roster
from services.matching.domain.world import World
from shared.events.intake import CaseWithdrawn, RequestSubmitted, Wishes
from shared.events.matching import NobodyFound, OfferMade, PeerAssigned
from shared.types import AgencyId, CaseId, PersonId, Relation, Urgency
from tests.unit.matching.given import (
    AGENCY,
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
    ids,
    one,
    order,
    peer,
    rank,
    told,
)

AT_HOME = PersonId(UUID(int=0xE))
LENT = peer(EVA, attributes=("other_agency",), bearer=AT_HOME)
REQUIRED = Wishes(require=("other_agency",))


def test_own_people_come_first_then_retirees_then_whom_others_lend() -> None:
    retired = peer(BEN, attributes=("retired",))
    assert order([LENT, retired, peer(ANA)], ask()) == [ANA, BEN, EVA]
    # A wish of another kind does not bring the pool forward.
    speaks = peer(EVA, attributes=("other_agency", "veteran"), bearer=AT_HOME)
    assert order([speaks, peer(ANA)], ask(wishes=Wishes(prefer=("veteran",)))) == [ANA, EVA]
    assert order([LENT, retired, peer(ANA)], ask(relation=Relation.RETIREE)) == [BEN, ANA, EVA]


@pytest.mark.parametrize("wishes", [Wishes(prefer=("other_agency",)), REQUIRED])
def test_who_wishes_for_another_agency_has_its_peers_first(wishes: Wishes) -> None:
    assert order([peer(ANA), LENT], ask(wishes=wishes))[0] == EVA


def test_a_lent_peer_has_to_be_designated_by_the_borrower_where_the_law_wants_designation() -> None:
    nobody = peer(EVA, bearer=AT_HOME, designated_from=None)
    assert order([nobody], ask()) == []
    assert order([nobody], ask(stamped={"designation_required": False})) == [EVA]


def test_the_tier_is_stamped_and_replays() -> None:
    found = rank([LENT, peer(ANA), peer(BEN, attributes=("retired",))], ask(), {}, case_id=CASE, now=NOW)
    assert [listed.factors.get("tier", 0.0) for listed in found] == [0.0, -1.0, -2.0]
    assert sorted(found, key=lambda listed: place_of(listed.factors)) == found


def test_scenario_24_when_all_of_ones_own_have_said_no_the_pool_is_asked_with_every_wish_kept() -> None:
    fitting = peer(DEE, attributes=("other_agency", "gender:female"), bearer=AT_HOME)
    other = peer(EVA, attributes=("other_agency", "gender:male"), bearer=PersonId(UUID(int=0xD)))
    own = [peer(person, attributes=("gender:female",)) for person in (ANA, BEN)]
    retired = peer(CEM, attributes=("gender:female", "retired"))
    desk = Desk([*own, retired, other, fitting, coordinator()])
    asked = ask(Urgency.SOON, wishes=Wishes(require=("gender:female",)))
    offer = one(desk.hear(RequestSubmitted(ask=asked)), OfferMade)
    met = [offer.person]
    for number in range(3):
        offer = one(desk.hear(desk.answer(offer.offer, offer.person, "decline", number=number)), OfferMade)
        met.append(offer.person)
    assert (set(met[:2]), met[2:]) == ({ANA, BEN}, [CEM, DEE])
    facts = desk.hear(desk.answer(offer.offer, offer.person, "decline", number=9))
    assert one(facts, NobodyFound).recipients == (COORDINATOR, DUTY)
    assert isinstance(desk.state(), Unserved)


def test_scenario_32_who_wants_another_agency_meets_nobody_of_their_own_and_is_not_counted_there() -> None:
    desk = Desk([peer(ANA), LENT, coordinator()])
    offer = one(desk.hear(RequestSubmitted(ask=ask(wishes=REQUIRED))), OfferMade)
    assert offer.person == EVA
    desk.now = offer.expires + timedelta(seconds=31)
    nobody = one(desk.hear(TimeIsUp("offer", offer.offer, 0)), NobodyFound)
    assert nobody.recipients == (DUTY,)
    assert not told(desk.facts[1:], PeerAssigned)
    # Whoever was only silent is asked again; nobody of the own agency ever is.
    desk.now = nobody.next_try
    assert {made.person for made in told(desk.due(), OfferMade)} == {EVA}


def test_one_person_has_one_week_wherever_they_serve() -> None:
    """What somebody carries at home counts where they are lent to, in one batch of both agencies too."""
    other = AgencyId(UUID(int=0xB))
    here, there = CaseId(UUID(int=0xC1)), CaseId(UUID(int=0xC2))
    ledger = Ledger({AT_HOME: Load(open=3)})
    world = World(NOW, ids(), {other: Roster([peer(AT_HOME)]), AGENCY: Roster([LENT])}, (), ledger)
    met = []
    for case, agency in ((here, other), (there, AGENCY)):
        _, effects = decide(HeardOf(), RequestSubmitted(ask=ask()), Subject(case, agency), world)
        met += told(effects.facts, OfferMade)
        for move in effects.moves:
            ledger.apply(move)
    # The fourth case fills the week up; the fifth meets nobody.
    assert [offer.person for offer in met] == [AT_HOME]
    (change,) = ledger.changes()
    assert (change.person, change.open, change.open_limit) == (AT_HOME, 1, 3)


def test_what_a_lent_peer_takes_on_and_gives_back_counts_at_home() -> None:
    desk = Desk([LENT])
    offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    desk.accept(offer)
    assert (desk.load(AT_HOME).open, desk.load(EVA).open) == (1, 0)
    desk.hear(CaseWithdrawn())
    assert (desk.load(AT_HOME).open, desk.load(EVA).open) == (0, 0)


def test_a_pause_holds_at_home_and_wherever_one_is_lent_to() -> None:
    desk = Desk([LENT])
    offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    reply = desk.answer(offer.offer, EVA, "not_now").model_copy(update={"pause_s": 86_400})
    desk.hear(reply)
    assert desk.load(AT_HOME).paused_until == NOW + timedelta(days=1)
