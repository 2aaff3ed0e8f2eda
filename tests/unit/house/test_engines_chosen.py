"""Which engines a test run takes."""

from __future__ import annotations

import pytest

from tests.harness.engines import KIND, NoEngines, chosen


def test_local_engines_can_be_asked_for_whatever_docker_has() -> None:
    assert chosen("local") is None


def test_another_word_is_refused_by_the_name_of_the_setting() -> None:
    with pytest.raises(NoEngines, match=KIND):
        chosen("docker")


def test_containers_that_were_asked_for_and_are_not_there_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERLINE_KAFKA_IMAGE", "peerline-test/no-such-image:0.0")
    assert chosen("") is None
    with pytest.raises(NoEngines, match="never pulled"):
        chosen("containers")
