"""Ports and settings of the local region."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from pydantic import ValidationError

from deploy.local.errors import PortBusyError, UnfitMachineError
from deploy.local.ports import NAMES, Ports, check_free, free_ports, ports_from_environment, setting_of
from deploy.local.settings import LocalSettings


def test_the_ports_of_tests_are_distinct_free_and_not_those_of_make_up() -> None:
    ports = free_ports()
    check_free(ports)
    assert len(set(ports.named().values())) == len(NAMES)
    assert not set(ports.named().values()) & set(Ports().named().values())


def test_a_busy_port_says_whose_it_is_and_which_setting_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        busy = server.getsockname()[1]
        ports = replace(free_ports(), postgres=busy)
        with pytest.raises(PortBusyError) as refusal:
            check_free(ports)
        check_free(ports, ("kafka",))
    assert all(word in str(refusal.value) for word in (str(busy), "postgres", "PEERLINE_LOCAL_POSTGRES_PORT"))


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_move_each_port_by_the_name_that_errors_give(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(setting_of(name), "23456")
    moved = replace(Ports(), **{name: 23456})
    assert LocalSettings().ports == moved
    assert ports_from_environment() == moved


@pytest.mark.parametrize("text", ["0", "65536", "eleven", "-1"])
def test_a_setting_that_is_no_port_is_refused_without_a_stack(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(setting_of("kafka"), text)
    with pytest.raises(UnfitMachineError, match="PEERLINE_LOCAL_KAFKA_PORT"):
        ports_from_environment()
    with pytest.raises(ValidationError):
        LocalSettings()


def test_each_profile_has_a_state_folder_of_its_own() -> None:
    settings = LocalSettings()
    assert settings.profile("up") != settings.profile("test-1")
    assert settings.profile("up").parent.name == ".peerline"
