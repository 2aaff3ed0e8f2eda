"""The four real processes: their consumer groups as the broker sees them, and how they start, wait and stop."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol

from shared.events import TOPICS
from shared.migrate import SERVICES
from tests.harness.region import SESSION_TIMEOUT_MS, Region
from tests.harness.waiting import eventually
from tools.lint.tree import ROOT, files

GROUPS = {
    "intake.ordinary": {"peerline.matching", "peerline.referral", "peerline.notify"},
    "intake.crisis": {"peerline.referral.crisis", "peerline.notify.crisis"},
    "matching.ordinary": {"peerline.intake", "peerline.notify"},
    "matching.crisis": {"peerline.intake.crisis"},
    "matching.directory": {"peerline.directory"},
    "referral.ordinary": {"peerline.intake", "peerline.matching", "peerline.notify"},
    "referral.crisis": {"peerline.intake.crisis", "peerline.notify.crisis"},
    "referral.directory": {"peerline.directory"},
    "notify.ordinary": {"peerline.intake", "peerline.matching", "peerline.referral"},
    "notify.crisis": {"peerline.intake.crisis", "peerline.referral.crisis"},
    "notify.directory": {"peerline.contacts", "peerline.directory"},
}
BUS_CLIENTS = {"AIOKafkaProducer", "AIOKafkaConsumer", "KafkaBroker", "KafkaRouter", "subscriber", "publisher"}


async def described(region: Region, groups: list[str]) -> dict[str, Any]:
    """State, and per member its id and partitions, of each consumer group of this region."""
    admin = AIOKafkaAdminClient(bootstrap_servers=region.topics.kafka)
    await admin.start()
    try:
        # One by one: the client cannot read an answer about several groups.
        answers = [await admin.describe_consumer_groups([region.topics.named(group)]) for group in groups]
    finally:
        await admin.close()
    found = [group for [answer] in answers for group in answer.groups]
    return {
        group[1].removeprefix(region.topics.prefix): (group[2], {one[0]: _partitions(one[4]) for one in group[5]})
        for group in found
    }


def _partitions(assignment: bytes) -> set[TopicPartition]:
    return set(ConsumerProtocol.ASSIGNMENT.decode(assignment).partitions()) if assignment else set()


async def stable(region: Region, groups: list[str], members: int = 1) -> dict[str, Any]:
    found = await described(region, groups)
    assert {state for state, _ in found.values()} == {"Stable"}
    assert {len(ids) for _, ids in found.values()} == {members}
    return found


async def test_every_group_listens_to_its_topics_as_a_static_member_and_all_stop_cleanly(region: Region) -> None:
    await region.start_all()
    groups = await eventually(lambda: stable(region, list(GROUPS)), 30)
    for name, (_, members) in groups.items():
        [(member, places)] = members.items()
        assert member.startswith(f"{region.topics.prefix}{name}.0-")
        assert {place.topic for place in places} == {region.topics.named(topic) for topic in GROUPS[name]}
        assert len(places) == len(GROUPS[name]) * region.topics.partitions
    assert set().union(*GROUPS.values()) == set(TOPICS)
    await region.stop()
    codes = {name: region.services[name, "0"].process.returncode for name in SERVICES}
    assert codes == dict.fromkeys(SERVICES, 0)


async def test_a_restart_within_the_session_disturbs_no_other_member(region: Region) -> None:
    groups = ["referral.ordinary", "referral.crisis"]
    await region.start("referral")
    await region.start("referral", replica="1")
    before = await eventually(lambda: stable(region, groups, 2), 30)
    other = f"{region.topics.prefix}referral.ordinary.1-"
    await region.kill("referral")
    await region.start("referral")
    after = await eventually(lambda: stable(region, groups, 2), 30)

    def places(found: dict[str, Any]) -> set[TopicPartition]:
        _, members = found["referral.ordinary"]
        return next(taken for member, taken in members.items() if member.startswith(other))

    assert places(after) == places(before)
    assert SESSION_TIMEOUT_MS < 10_000


async def test_a_dead_replicas_partitions_move_to_the_living_one(region: Region) -> None:
    await region.start("referral")
    await region.start("referral", replica="1")
    await eventually(lambda: stable(region, ["referral.crisis"], 2), 30)
    await region.kill("referral", replica="1")
    found = await eventually(lambda: stable(region, ["referral.crisis"], 1), 30)
    [(_, places)] = found["referral.crisis"][1].items()
    assert len(places) == len(GROUPS["referral.crisis"]) * region.topics.partitions


async def test_a_process_that_cannot_reach_kafka_lives_and_is_not_ready(region: Region) -> None:
    process = await region.start("referral", env={"PEERLINE_KAFKA": "127.0.0.1:9"}, ready=False)

    async def answers(path: str, status: int) -> bool:
        async with region.http.get(f"{process.url}{path}") as answer:
            return answer.status == status

    async def alive() -> bool:
        assert process.running, process.said()
        try:
            return await answers("/health/live", 200)
        except OSError:
            return False

    await eventually(alive, 30)
    assert await answers("/health/ready", 503)
    assert await process.stop() == 0


@pytest.mark.parametrize("fault", ["after-commit", "no-such-point"])
async def test_a_fault_point_or_a_wrong_one_keeps_a_process_from_starting_in_production(
    fault: str, region: Region
) -> None:
    env = {"PEERLINE_ENVIRONMENT": "production", "PEERLINE_TOPIC_PREFIX": ""}
    process = await region.start("referral", fault=fault, env=env, ready=False)
    assert await process.ended() != 0
    assert "FaultInProduction" in process.said() or "UnknownFault" in process.said()


def clients(path: Path) -> Iterator[str]:
    """Where a module makes a client of the bus, or a kind of one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        named = [node.func] if isinstance(node, ast.Call) else node.bases if isinstance(node, ast.ClassDef) else []
        for one in named:
            name = one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "")
            if name in BUS_CLIENTS:
                yield f"{path.relative_to(ROOT)}: {name}"


def test_every_subscriber_and_producer_is_made_in_the_one_place_whose_settings_are_tested() -> None:
    product = [path for path in files(ROOT, "*.py") if path.relative_to(ROOT).parts[0] in {"services", "shared"}]
    found = {one for path in product for one in clients(path)}
    assert found == {f"shared/broker.py: {name}" for name in BUS_CLIENTS - {"KafkaRouter", "publisher"}}
