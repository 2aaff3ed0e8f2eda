"""Reading earlier versions: as published, raised step by step, validated after each step."""

from typing import ClassVar, Literal
from uuid import UUID, uuid4

import pytest
from pydantic import Field

from shared.errors import UnknownEvent, Unprocessable
from shared.events import encode
from shared.events.envelope import MATCHING, Fact, Topic
from shared.events.versions import Earlier, Versions


class SaidV1(Fact):
    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.said.v1"] = "matching.said.v1"
    person: UUID


class SaidV2(Fact):
    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.said.v2"] = "matching.said.v2"
    persons: tuple[UUID, ...]


class SaidV3(Fact):
    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.said.v3"] = "matching.said.v3"
    persons: tuple[UUID, ...]
    count: int = Field(ge=1, le=3)


def v1_to_v2(old: SaidV1) -> SaidV2:
    return SaidV2(persons=(old.person,))


def v2_to_v3(old: SaidV2) -> SaidV3:
    return SaidV3(persons=old.persons, count=len(old.persons))


STEPS = {"matching.said.v1": Earlier(SaidV1, v1_to_v2), "matching.said.v2": Earlier(SaidV2, v2_to_v3)}
VERSIONS = Versions({"matching.said.v3": SaidV3}, STEPS)


def test_an_earlier_version_becomes_what_services_know() -> None:
    person = uuid4()
    read = VERSIONS.decode("matching.said.v1", encode(SaidV1(person=person)))
    assert read == SaidV3(persons=(person,), count=1)


def test_the_newest_version_is_read_as_it_is() -> None:
    said = SaidV3(persons=(), count=2)
    assert VERSIONS.decode("matching.said.v3", encode(said)) == said


def test_an_earlier_version_is_validated_as_it_was_published() -> None:
    with pytest.raises(Unprocessable, match=r"^person: missing$"):
        VERSIONS.decode("matching.said.v1", b'{"type": "matching.said.v1"}')


def test_a_version_of_tomorrow_waits() -> None:
    with pytest.raises(UnknownEvent):
        VERSIONS.decode("matching.said.v4", b"{}")


def test_a_step_that_fails_waits_for_a_release_that_can_do_it() -> None:
    too_many = SaidV2(persons=tuple(uuid4() for _ in range(4)))
    with pytest.raises(UnknownEvent) as waits:
        VERSIONS.decode("matching.said.v2", encode(too_many))
    assert waits.value.__cause__ is None


def past_validation(old: SaidV2) -> SaidV3:
    return SaidV3.model_construct(persons=old.persons, count=99)


def to_nowhere(old: SaidV2) -> SaidV2:
    return old


@pytest.mark.parametrize("step", [past_validation, to_nowhere])
def test_no_step_gets_past_validation_and_none_turns_for_ever(step: object) -> None:
    assert callable(step)
    versions = Versions({"matching.said.v3": SaidV3}, {"matching.said.v2": Earlier(SaidV2, step)})
    with pytest.raises(UnknownEvent):
        versions.decode("matching.said.v2", encode(SaidV2(persons=())))
