"""The secrets of a region on one machine, and what each service is told."""

from __future__ import annotations

import stat
from datetime import date
from pathlib import Path

import pytest

from deploy.local.cast import DUTY, PEOPLE, TOWNS, directory_csv
from deploy.local.engines import Endpoints, free_ports
from deploy.local.region import BadSecretsError, LocalRegion, keyring_in, programs, secrets_in, write_private
from shared.migrate import SERVICES, logins
from shared.types import Structure
from shared.vault import read_keyring

ENDPOINTS = Endpoints(
    kafka="127.0.0.1:1",
    postgres_host="127.0.0.1",
    postgres_port=2,
    postgres_password="superuser's own",
    smtp_host="127.0.0.1",
    smtp_port=3,
    mailbox_url="http://127.0.0.1:4",
    zipkin_url="http://127.0.0.1:5",
)


def region(state: Path, endpoints: Endpoints = ENDPOINTS) -> LocalRegion:
    return LocalRegion(state=state, endpoints=endpoints, ports=free_ports(), secrets=secrets_in(state))


def test_secrets_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    first, second = secrets_in(tmp_path), secrets_in(tmp_path)
    assert first == second
    assert set(first.passwords) == set(logins())
    assert len(set(first.passwords.values())) == len(logins())
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
    assert read_keyring(keyring_in(tmp_path)).current == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"passwords": {}, "fingerprint_key": "x"}'])
def test_a_broken_secrets_file_is_one_sentence_that_quotes_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(BadSecretsError) as raised:
        secrets_in(tmp_path)
    assert "make clean" in str(raised.value)


def test_a_private_file_replaces_what_was_there(tmp_path: Path) -> None:
    for text in ("one", "two"):
        write_private(tmp_path / "file", text)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "two"


def test_each_service_is_told_its_own_passwords_and_no_others(tmp_path: Path) -> None:
    local = region(tmp_path)
    secret = {**local.secrets.passwords, "superuser": ENDPOINTS.postgres_password}
    for service in SERVICES:
        told = set(local.service_environment(service).values())
        known = {login for login, password in secret.items() if password in told}
        assert known == {f"{service}_app", f"{service}_loop"}


def test_only_the_services_that_may_open_the_vault_are_told_of_the_keyring(tmp_path: Path) -> None:
    local = region(tmp_path)
    told = {service for service in SERVICES if "PEERLINE_KEYRING" in local.service_environment(service)}
    assert told == {"intake", "notify"}


def test_services_inherit_nothing_from_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERLINE_FAULT", "after-commit")
    assert all("PEERLINE_FAULT" not in program.environment for program in programs(region(tmp_path)))


def test_a_region_is_not_printed_with_its_secrets(tmp_path: Path) -> None:
    local = region(tmp_path)
    assert not [one for one in local.secrets.passwords.values() if one in f"{local!r}{local.secrets!r}"]


def test_the_demos_directory_is_a_spreadsheet_with_peers_and_their_superiors() -> None:
    rows = [line.split(";") for line in directory_csv(PEOPLE, date(2026, 11, 23)).splitlines()]
    assert len(rows) == len(PEOPLE) + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    references = {row[0] for row in rows[1:]}
    assert {row[4] for row in rows[1:]} - {""} <= references
    assert [row[1] for row in rows].count("peer") == 6


def test_nobody_in_the_demo_has_an_address_that_could_exist() -> None:
    everybody = {(person.name, person.contact) for town in TOWNS for person in town.people if person.contact}
    contacts = [contact for _, contact in (*everybody, *DUTY)]
    assert len(set(contacts)) == len(contacts)
    assert all(contact.endswith(".test") for contact in contacts)


def test_the_demo_has_every_structure_and_one_clinician_who_serves_two() -> None:
    assert {town.structure for town in TOWNS} == set(Structure)
    served = [town.slug for town in TOWNS for person in town.people if person.name.startswith("Hana")]
    assert served == ["lakeside", "summit"]
    assert not any(person.role == "clinician" for person in TOWNS[0].people)
