"""What a requester does with the code, from the search to the purge."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.intake.domain.case import SLACK
from shared import clock
from shared.events.intake import (
    AnotherPeerAsked,
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ChoiceOverdue,
    ContactReleased,
    PeerChosen,
    RequestSubmitted,
)
from shared.events.matching import (
    AssignmentEnded,
    Candidate,
    ContactConfirmed,
    ContactOverdue,
    NobodyFound,
    OfferMade,
    PeerAssigned,
    SearchStarted,
    ShortlistReady,
)
from shared.events.notify import ContactStopped, ContactVerified, PageSettled
from shared.events.referral import LadderAcknowledged, RungPaged
from shared.types import CaseId, PersonId, Urgency
from tests.integration.intake_case.front import Front

LEFT = {"intake.tombstones", "intake.audit", "intake.outbox", "vault.data_keys"}
"""What may hold the id of a case that is gone: tombstone, audit, what is still to be sent, and the key's grave."""


def peer(ref: str = "p1", **fields: Any) -> dict[str, Any]:
    return {
        "person_ref": ref,
        "role": "peer",
        "name": f"Peer {ref}",
        "contact": f"{ref}@home.test",
        "shows": "801-555-0111",
        "hours": "Mon-Fri 08:00-18:00",
    } | fields


def assigned(person: PersonId) -> PeerAssigned:
    return PeerAssigned(assignment=uuid4(), offer=uuid4(), person=person, contact_by=clock.now() + timedelta(hours=2))


async def accepted(front: Front, case: CaseId, person: PersonId) -> PeerAssigned:
    fact = assigned(person)
    await front.hear(
        case,
        OfferMade(offer=fact.offer, person=person, urgency=Urgency.ROUTINE, manner="call", expires=fact.contact_by),
        fact,
    )
    return fact


async def test_who_accepted_is_shown_after_the_release(front: Front) -> None:
    ids = await front.upload(peer())
    code, case = await front.begun()
    await accepted(front, case, ids["p1"])
    status = await front.status(code)
    assert (status["state"], status["who"]["name"], status["who"]["shows"]) == ("released", "Peer p1", "+18015550111")
    assert [type(fact) for fact in await front.facts(case)] == [RequestSubmitted, ContactReleased]


async def test_ask_me_shows_a_name_and_no_number_before_the_ok(front: Front) -> None:
    ids = await front.upload(peer())
    code, case = await front.begun(release="ask_me")
    await accepted(front, case, ids["p1"])
    before = await front.status(code)
    assert (before["state"], before["who"]["name"], before["who"]["shows"]) == ("accepted", "Peer p1", "")
    assert before["can"][:2] == ["release", "another-peer"]
    after = await front.post(code, "release")
    assert (after.json["state"], after.json["who"]["shows"]) == ("released", "+18015550111")


async def test_a_repeated_post_acts_once(front: Front) -> None:
    ids = await front.upload(peer(), peer("p2"))
    code, case = await front.begun()
    await accepted(front, case, ids["p1"])
    first = await front.post(code, "another-peer", key="tap-00001")
    await accepted(front, case, ids["p2"])
    again = await front.post(code, "another-peer", key="tap-00001")
    assert (first.json["state"], again.json["state"]) == ("searching", "released")
    assert [fact for fact in await front.facts(case) if isinstance(fact, AnotherPeerAsked)] == [
        AnotherPeerAsked(refused=ids["p1"])
    ]
    assert (await front.post(code, "close", key="tap-00001")).json["type"] == "/problems/idempotency-key-reused"


async def test_a_shortlist_is_picked_from(front: Front) -> None:
    ids = await front.upload(peer(), peer("p2"))
    code, case = await front.begun(choose="shortlist")
    listed = tuple(Candidate(person=one, available=True, factors={}) for one in ids.values())
    await front.hear(case, ShortlistReady(candidates=listed, due=clock.now() + timedelta(hours=1)))
    shown = await front.json("GET", "/v1/case/peers", code=code)
    assert [(one["name"], one["shows"]) for one in shown.json["peers"]] == [("Peer p1", ""), ("Peer p2", "")]
    answer = await front.json("PUT", "/v1/case/choice", {"person": str(ids["p2"])}, code=code)
    assert answer.json["state"] == "searching"
    assert (await front.facts(case))[-1] == PeerChosen(person=ids["p2"])
    bad = await front.json("PUT", "/v1/case/choice", {"person": str(uuid4()), "anyone": True}, code=code)
    assert bad.status == 422


async def test_whoever_chooses_may_choose_somebody_beside_a_peer_who_is_silent(front: Front) -> None:
    ids = await front.upload(peer(), peer("p2"))
    code, case = await front.begun(choose="shortlist")
    silent = await accepted(front, case, ids["p1"])
    soon, later = clock.now() + timedelta(hours=5), clock.now() + timedelta(days=1)
    other = (Candidate(person=ids["p2"], available=True, factors={}),)
    # While the peer has time left a list means nothing.
    await front.hear(case, ShortlistReady(candidates=other, due=soon))
    assert "choose" not in (await front.status(code))["can"]
    await front.hear(case, ContactOverdue(assignment=silent.assignment, person=ids["p1"]), SearchStarted(due=soon))
    assert await front.sql.fetchval("SELECT due_at FROM cases WHERE case_id = $1", case) == soon + SLACK
    await front.hear(case, ShortlistReady(candidates=other, due=later))
    assert await front.sql.fetchval("SELECT due_at FROM cases WHERE case_id = $1", case) == later + SLACK
    status = await front.status(code)
    assert (status["state"], status["can"][:2]) == ("released", ["another-peer", "choose"])
    assert "choose somebody else beside them" in status["says"][0]
    assert [one["name"] for one in (await front.json("GET", "/v1/case/peers", code=code)).json["peers"]] == ["Peer p2"]
    answer = await front.json("PUT", "/v1/case/choice", {"person": str(ids["p2"])}, code=code)
    # The silent one stays until the other has said yes.
    assert (answer.json["state"], "choose" in answer.json["can"]) == ("released", False)
    assert "asking somebody else as well" in answer.json["says"][0]
    assert (await front.facts(case))[-1] == PeerChosen(person=ids["p2"])
    ended = AssignmentEnded(assignment=silent.assignment, person=ids["p1"], how="replaced")
    await front.hear(case, ended)
    await accepted(front, case, ids["p2"])
    assert (await front.status(code))["who"]["name"] == "Peer p2"


async def test_nobody_found_is_told_as_it_is(front: Front) -> None:
    code, case = await front.begun()
    await front.hear(
        case, NobodyFound(recipients=(), next_try=clock.now() + timedelta(minutes=10), urgency=Urgency.ROUTINE)
    )
    status = await front.status(code)
    assert status["state"] == "unserved"
    assert "there is no coordinator" in status["says"][0]


async def test_a_new_reach_is_sealed_and_sent_on(front: Front) -> None:
    ids = await front.upload(peer())
    code, case = await front.begun()
    await accepted(front, case, ids["p1"])
    body = {"reach": {"channel": "text", "address": "801 555 0199"}}
    answer = await front.json("PUT", "/v1/case/reach", body, code=code)
    assert (answer.status, answer.json["reachable"]) == (200, True)
    released = [fact for fact in await front.facts(case) if isinstance(fact, ContactReleased)]
    assert [fact.sealed is None for fact in released] == [True, False]


async def test_an_emergencys_status_says_only_what_happened(front: Front) -> None:
    duty = await front.duty("Dee Duty", "dee@home.test")
    code, case = await front.begun(urgency="emergency")
    ladder, page = uuid4(), uuid4()
    await front.hear(case, RungPaged(ladder=ladder, rung=0, pages=((page, duty),), expires=clock.now()))
    assert (await front.status(code))["emergency"]["paged"] == 0
    await front.hear(case, PageSettled(page=page, ladder=ladder, person=duty, outcome="accepted"))
    assert (await front.status(code))["emergency"]["paged"] == 1
    await front.hear(case, LadderAcknowledged(ladder=ladder, person=duty))
    status = await front.status(code)
    assert (status["emergency"]["acknowledged"], status["emergency"]["who"]["name"]) == (True, "Dee Duty")


async def test_a_withdrawal_leaves_nothing_but_a_tombstone(front: Front) -> None:
    ids = await front.upload(peer())
    code, case = await front.begun(
        reach={"channel": "mail", "address": "me@home.test"}, avoid_people=["X Y"], release="ask_me"
    )
    await accepted(front, case, ids["p1"])
    await front.post(code, "release", key="key-0002")
    answer = await front.json("DELETE", "/v1/case", code=code)
    assert (answer.status, answer.json["state"]) == (200, "withdrawn")
    assert (await front.json("GET", "/v1/case", code=code)).status == 404
    assert [type(fact) for fact in await front.facts(case)][-2:] == [CaseWithdrawn, CaseClosed]
    assert await front.listed() == ["forget_case"]
    assert await front.tables_holding(case) == LEFT
    assert await front.sql.fetchval("SELECT wrapped IS NULL FROM vault.data_keys WHERE subject_id = $1", case)


async def test_a_closed_case_waits_for_its_grace_and_is_then_purged(front: Front) -> None:
    ids = await front.upload(peer())
    code, case = await front.begun(release="ask_me")
    fact = await accepted(front, case, ids["p1"])
    await front.post(code, "release")
    await front.hear(case, ContactConfirmed(assignment=fact.assignment, person=fact.person))
    await front.hear(case, AssignmentEnded(assignment=fact.assignment, person=fact.person, how="closed"))
    assert (await front.status(code))["state"] == "closing"
    assert await front.fire() == []
    await front.move_clock(timedelta(hours=72, minutes=1))
    assert "grace" in await front.fire()
    assert (await front.json("GET", "/v1/case", code=code)).status == 404
    assert [type(one) for one in await front.facts(case)][-2:] == [CaseClosing, CaseClosed]
    assert await front.listed() == ["forget_case"]
    assert await front.tables_holding(case) == LEFT


async def test_one_statistic_stays_that_joins_nothing(front: Front) -> None:
    code, case = await front.begun(help=["talk", "ride"], relation="retiree", notice={"version": "us-ut-family-en-1"})
    await front.post(code, "close")
    await front.json("DELETE", "/v1/case", code=code)
    (row,) = await front.sql.fetch("SELECT * FROM statistics")
    assert (row["help"], row["relation"], row["outcome"], row["month"].day) == (
        ["ride", "talk"],
        "retiree",
        "not_reached",
        1,
    )
    assert row["statistic_id"] != case
    assert set(row.keys()) == {"statistic_id", "agency_id", "month", "relation", "urgency", "help", "outcome", "apart"}


async def test_a_legal_hold_stops_the_destruction(front: Front) -> None:
    code, case = await front.begun()
    await front.sql.execute("UPDATE vault.data_keys SET held = true WHERE subject_id = $1", case)
    answer = await front.json("DELETE", "/v1/case", code=code)
    assert (answer.status, "legal hold" in answer.json["says"][0]) == (200, True)
    assert [type(fact) for fact in await front.facts(case)][-1] is CaseWithdrawn
    await front.sql.execute("UPDATE vault.data_keys SET held = false WHERE subject_id = $1", case)
    await front.move_clock(timedelta(days=1, minutes=1))
    await front.fire()
    assert await front.listed() == ["forget_case"]
    assert await front.tables_holding(case) == LEFT


async def test_late_facts_of_a_gone_case_bring_nothing_back(front: Front) -> None:
    code, case = await front.begun()
    await front.json("DELETE", "/v1/case", code=code)
    await front.hear(case, assigned(PersonId(uuid4())))
    assert await front.sql.fetchval("SELECT count(*) FROM requests") == 0


async def test_who_does_not_choose_is_reminded_and_then_the_coordinators_hear_a_count(front: Front) -> None:
    ids = await front.upload(peer("c1", role="coordinator"), peer("c2", role="coordinator"), peer())
    await front.sql.execute("UPDATE people SET verified = true")
    _, case = await front.begun(choose="shortlist", avoid_people=["Peer c1"])
    await front.hear(case, ShortlistReady(candidates=(), due=clock.now() + timedelta(hours=1)))
    await front.move_clock(timedelta(hours=1, minutes=1))
    assert await front.fire() == ["choose"]
    assert not any(isinstance(fact, ChoiceOverdue) for fact in await front.facts(case))
    await front.move_clock(timedelta(days=1))
    assert await front.fire() == ["choose"]
    (fact,) = [one for one in await front.facts(case) if isinstance(one, ChoiceOverdue)]
    assert fact.recipients == (ids["c2"],)
    rows = await front.sql.fetch("SELECT owner, due_at > region.now() AS ahead FROM cases WHERE case_id = $1", case)
    assert [(row["owner"], row["ahead"]) for row in rows] == [("coordinator", True)]


@pytest.mark.parametrize(("zone", "month"), [("Pacific/Kiritimati", 12), ("America/Adak", 11)])
async def test_the_month_of_a_statistic_is_the_agencys_own(front: Front, zone: str, month: int) -> None:
    await front.sql.execute("UPDATE agencies SET time_zone = $1", zone)
    code, _ = await front.begun()
    # Noon in UTC of the last day of November: in Kiritimati it is the first of December already.
    await front.sql.execute(
        "UPDATE region.clock SET shift = '2027-11-30 12:00+00'::timestamptz - transaction_timestamp()"
    )
    await front.post(code, "close")
    assert await front.sql.fetchval("SELECT month FROM statistics") == date(2027, month, 1)


async def test_verification_is_noted_in_the_directory(front: Front) -> None:
    ids = await front.upload(peer())
    await front.hear(CaseId(ids["p1"]), ContactVerified(revision=5))
    assert await front.sql.fetchval("SELECT verified FROM people")
    await front.hear(CaseId(ids["p1"]), ContactStopped(revision=6))
    assert not await front.sql.fetchval("SELECT verified FROM people")
    assert await front.sql.fetchval("SELECT count(*) FROM cases") == 0


async def test_the_zone_of_a_peers_hours_is_shown_where_it_is_not_the_agencys(front: Front) -> None:
    ids = await front.upload(peer(time_zone="America/Phoenix"), peer("p2"))
    # sql-in-loop: one case after the other
    for ref, zone in (("p1", "America/Phoenix"), ("p2", "")):
        code, case = await front.begun()
        await accepted(front, case, ids[ref])
        who = (await front.status(code))["who"]
        assert (who["hours"], who["time_zone"]) == ("Mon-Fri 08:00-18:00", zone)
