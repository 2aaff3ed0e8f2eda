"""The walks hold every death that there can be, whatever else is said about how many of them share one."""

from __future__ import annotations

from shared.events import TOPICS
from tests.faults.kills import CASES, CONSUMING, GROUPS, PEOPLE, PUBLISHED, PUBLISHING, SENDING, STEPS, TIMED


def test_every_service_dies_at_every_point_about_every_topic_that_it_reads_and_writes() -> None:
    found = [(kill.service, kill.point, kill.what) for course in (*CASES, *PEOPLE) for kill in course.kills]
    read = {
        (service, point, topic)
        for service, groups in GROUPS.items()
        for topics in groups.values()
        for topic in topics
        if topic in STEPS
        for point in CONSUMING
    }
    written = {
        (TOPICS[topic].writer, point, topic)
        for topics in PUBLISHED.values()
        for topic in topics
        for point in PUBLISHING
    }
    assert {one for one in found if one[2] in TOPICS} == read | written


def test_a_service_dies_at_its_doors_with_its_timers_and_beside_the_mail_server() -> None:
    found = {
        (kill.service, kill.point, kill.what) for course in CASES for kill in course.kills if kill.what not in TOPICS
    }
    timed = {
        (service, point, kind) for service, kind in (("intake", "grace"), ("matching", "offer")) for point in TIMED
    }
    sent = {("notify", point, "send") for point in SENDING}
    assert found == timed | sent | {("intake", "after-commit", "request"), ("notify", "after-commit", "answer")}


def test_no_two_deaths_of_a_walk_come_at_the_same_step() -> None:
    assert all(len(course.steps) == len(course.kills) > 0 for course in (*CASES, *PEOPLE))
