"""A case that a peer has closed may ask for a peer again; one that its requester has closed may not."""

from __future__ import annotations

import pytest

from services.matching.actions import _blank
from services.matching.domain.case import Ended, InContact, Searching, stands
from shared.anchors import Anchor
from shared.events import Fact
from shared.events.intake import CaseClosing, CaseWithdrawn, CrisisRaised, RequestSubmitted
from shared.events.matching import OfferMade, PeerAssigned
from shared.types import Urgency
from tests.unit.matching.given import AGENCY, ANA, BEN, CASE, Desk, ask, one, peer, told


def closed_by_the_peer() -> Desk:
    desk = Desk((peer(ANA),))
    (offer,) = told(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    assignment = one(desk.accept(offer), PeerAssigned).assignment
    desk.hear(desk.answer(assignment, ANA, "contacted"))
    assert isinstance(desk.state(), InContact)
    desk.hear(desk.answer(assignment, ANA, "close", number=2))
    return desk


def test_a_search_begins_again_after_the_peer_has_closed_and_asks_nobody_who_is_barred() -> None:
    desk = closed_by_the_peer()
    desk.people = (peer(ANA), peer(BEN))
    offers = told(desk.hear(RequestSubmitted(ask=ask(bars=(ANA,)))), OfferMade)
    assert [offer.person for offer in offers] == [BEN]


@pytest.mark.parametrize("end", [CaseClosing(), CaseWithdrawn()])
def test_no_search_begins_after_the_requester_has_ended_it(end: Fact) -> None:
    desk = closed_by_the_peer()
    desk.hear(end)  # type: ignore[arg-type]
    assert desk.hear(RequestSubmitted(ask=ask())) == []
    assert desk.state() == Ended()


def test_danger_after_the_peer_has_closed_begins_with_the_request_that_goes_along() -> None:
    desk, danger = closed_by_the_peer(), ask(Urgency.EMERGENCY)
    assert desk.hear(CrisisRaised(ask=danger, jurisdiction="US-UT", rungs=())) == []
    desk.hear(RequestSubmitted(ask=danger))
    assert isinstance(desk.state(), Searching)


@pytest.mark.parametrize("state", [Ended(), Ended(by_peer=True)])
def test_who_has_ended_it_is_read_back_from_the_anchor(state: Ended) -> None:
    stood = stands(state)
    assert _blank(Anchor(CASE, AGENCY, 1, stood.name, terminal=True, owner=None, due_at=None)) == state
