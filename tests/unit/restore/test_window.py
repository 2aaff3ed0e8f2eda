"""Which records a restored database knows, and what is to become of those that it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from deploy.restore import window
from deploy.restore.window import HEARD, Known, Seen
from shared.types import AgencyId
from tests.faults.kills import GROUPS

AGENCY = AgencyId(UUID(int=9))
OLD, NEW = UUID(int=1), UUID(int=2)
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTAKE, CRISIS, MATCHING = ("peerline.intake", 0), ("peerline.intake.crisis", 0), ("peerline.matching", 0)
KNOWN = Known(published={INTAKE: 10, MATCHING: 5}, waiting=frozenset(), cases=frozenset({OLD}))


def seen(place: tuple[str, int], offset: int, kind: str, *, case: UUID = OLD, event: int = 0) -> Seen:
    number = event or hash((place, offset)) & 0xFFFF_FFFF
    return Seen(place, offset, UUID(int=number), AGENCY, case, kind, BEGAN + timedelta(seconds=offset), b"digest")


def test_what_was_published_before_the_backup_is_no_loss() -> None:
    before, after = seen(INTAKE, 9, "intake.case_closing.v1"), seen(INTAKE, 10, "intake.case_closing.v1")
    assert window.lost([before, after], KNOWN) == [after]


def test_a_topic_of_which_nothing_was_published_by_then_is_lost_from_its_beginning() -> None:
    first = seen(CRISIS, 0, "intake.crisis_raised.v1")
    assert window.lost([first], KNOWN) == [first]


def test_what_still_waits_in_an_outbox_is_published_again_and_must_take_effect() -> None:
    acked = seen(INTAKE, 12, "intake.request_submitted.v1", event=77)
    waiting = Known(KNOWN.published, frozenset({UUID(int=77)}), KNOWN.cases)
    assert window.lost([acked], waiting) == []


def test_a_repeat_of_what_was_published_before_is_no_loss_either() -> None:
    first = seen(INTAKE, 9, "intake.case_closing.v1", event=77)
    repeat = seen(INTAKE, 12, "intake.case_closing.v1", event=77)
    assert window.lost([first, repeat], KNOWN) == []


def test_each_service_lays_aside_what_it_hears_and_nothing_else() -> None:
    records = [seen(INTAKE, 10, "intake.peer_chosen.v1"), seen(MATCHING, 5, "matching.offer_made.v1")]
    aside = window.laid_aside(records, KNOWN)
    assert aside["matching"] == records[:1]
    assert aside["intake"] == records[1:]
    assert aside["notify"] == records


def test_an_end_is_heard_and_the_case_is_ended_again() -> None:
    end = seen(CRISIS, 3, "intake.case_withdrawn.v1")
    assert not any(window.laid_aside([end], KNOWN).values())
    assert window.ended([end], KNOWN) == {OLD: AGENCY}


def test_danger_is_heard_in_a_case_that_there_is_and_listed_where_there_is_none() -> None:
    there, gone = seen(CRISIS, 1, "intake.crisis_raised.v1"), seen(CRISIS, 2, "intake.crisis_raised.v1", case=NEW)
    aside = window.laid_aside([there, gone], KNOWN)
    assert aside["referral"] == aside["matching"] == [gone]
    assert window.begun([there, gone], KNOWN) == {NEW: gone}


def test_a_request_that_is_gone_is_lost_unless_it_was_taken_back() -> None:
    asked = seen(INTAKE, 10, "intake.request_submitted.v1", case=NEW)
    taken_back = seen(CRISIS, 4, "intake.case_withdrawn.v1", case=NEW)
    assert window.begun([asked], KNOWN) == {NEW: asked}
    assert window.begun([asked, taken_back], KNOWN) == {}


def test_a_request_that_became_an_emergency_later_is_one_by_whoever_told_it() -> None:
    asked = seen(INTAKE, 10, "intake.request_submitted.v1", case=NEW)
    for kind in ("intake.crisis_raised.v1", "notify.danger_reported.v1"):
        records = [asked, later := seen(CRISIS, 20, kind, case=NEW)]
        assert window.begun(records, KNOWN) == {NEW: asked}
        assert window.in_danger(records) == {NEW: later}


def test_a_case_that_has_ended_is_not_in_danger_any_more() -> None:
    records = [seen(CRISIS, 3, "intake.crisis_raised.v1"), seen(CRISIS, 4, "intake.case_withdrawn.v1")]
    assert window.in_danger(records) == {}


def test_a_case_that_was_withdrawn_and_not_closed_is_under_a_legal_hold() -> None:
    withdrawn, closed = seen(CRISIS, 3, "intake.case_withdrawn.v1"), seen(CRISIS, 4, "intake.case_closed.v1")
    assert window.held([withdrawn], KNOWN) == {OLD: AGENCY}
    assert window.held([withdrawn, closed], KNOWN) == {}


def test_a_partition_that_begins_after_what_was_published_by_the_backup_is_not_whole() -> None:
    assert window.forgotten({INTAKE: 10, MATCHING: 6, CRISIS: 0}, KNOWN) == [MATCHING]


def test_a_case_that_went_on_stands_where_it_stood_and_one_that_ended_does_not() -> None:
    went_on, end = seen(MATCHING, 6, "matching.offer_made.v1"), seen(CRISIS, 3, "intake.case_closed.v1")
    assert window.gone_back([went_on], KNOWN) == {OLD}
    assert window.gone_back([went_on, end], KNOWN) == set()


def test_what_services_hear_is_what_they_subscribe_to() -> None:
    assert {
        service: frozenset(topic for topics in groups.values() for topic in topics)
        for service, groups in GROUPS.items()
    } == HEARD
