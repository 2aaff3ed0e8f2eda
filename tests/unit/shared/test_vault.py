"""Sealing: a text opens at its own place alone; a keyring is its owner's alone and says nothing of itself."""

import base64
import json
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SealBroken
from shared.types import AgencyId
from shared.vault import KEY_BYTES, BadKeyring, DataKey, Keyring, Subject, make_keyring, read_keyring

AGENCY = AgencyId(UUID("9d2b7c64-1a0f-4c1e-8b53-6f2d1c7e4a10"))
SUBJECT = Subject(AGENCY, "case", UUID("4f0c2a51-8f5e-4f0b-9a39-0f6f1f3d9c11"))
KEY = DataKey(SUBJECT, b"k" * KEY_BYTES)


@given(text=st.binary(max_size=200), field=st.text(max_size=20), version=st.integers(0, 9))
def test_what_was_sealed_opens_again(text: bytes, field: str, version: int) -> None:
    assert KEY.open(field, KEY.seal(field, text, version=version), version=version) == text


def test_the_same_text_is_sealed_differently_every_time() -> None:
    assert len({KEY.seal("reach", b"801-555-0142") for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "elsewhere",
    [
        Subject(AgencyId(UUID(int=1)), "case", SUBJECT.subject_id),
        Subject(AGENCY, "case", UUID(int=1)),
        Subject(AGENCY, "person", SUBJECT.subject_id),
    ],
)
def test_a_text_copied_to_another_agency_case_or_kind_does_not_open(elsewhere: Subject) -> None:
    sealed = KEY.seal("reach", b"801-555-0142")
    with pytest.raises(SealBroken, match=r"^reach$"):
        DataKey(elsewhere, KEY.key).open("reach", sealed)


@pytest.mark.parametrize(("field", "version"), [("about_me", 1), ("reach", 2), ("reach:1", 1)])
def test_a_text_copied_to_another_field_or_version_does_not_open(field: str, version: int) -> None:
    with pytest.raises(SealBroken):
        KEY.open(field, KEY.seal("reach", b"801-555-0142"), version=version)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(SealBroken):
        DataKey(SUBJECT, b"x" * KEY_BYTES).open("reach", KEY.seal("reach", b"801-555-0142"))


@given(place=st.integers(0, 40), bit=st.integers(0, 7))
def test_one_changed_bit_is_noticed(place: int, bit: int) -> None:
    sealed = bytearray(KEY.seal("reach", b"801-555-0142"))
    sealed[place] ^= 1 << bit
    with pytest.raises(SealBroken):
        KEY.open("reach", bytes(sealed))


@given(st.binary(max_size=60))
def test_what_was_never_sealed_is_refused_and_not_quoted(text: bytes) -> None:
    with pytest.raises(SealBroken) as raised:
        KEY.open("reach", text)
    assert str(raised.value) == "reach"


def test_no_key_shows_itself() -> None:
    assert "kkkk" not in repr(KEY)
    assert repr(KEY.key) not in repr(KEY)


def test_a_new_keyring_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    make_keyring(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        make_keyring(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == before
    assert read_keyring(path).current == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o644])
def test_a_keyring_that_others_can_reach_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    make_keyring(path)
    path.chmod(mode)
    with pytest.raises(BadKeyring, match="chmod 600"):
        read_keyring(path)


def good() -> dict[str, object]:
    key = base64.b64encode(b"k" * KEY_BYTES).decode()
    return {"generations": {"1": key}, "root": key}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"root": "a2s="}',
        json.dumps(good() | {"generations": {}}),
        json.dumps(good() | {"generations": []}),
        json.dumps(good() | {"generations": {"one": "a2s="}}),
        json.dumps(good() | {"root": "c2hvcnQ="}),
        json.dumps(good() | {"root": 7}),
        json.dumps(good() | {"root": "\N{SNOWMAN}"}),
    ],
)
def test_a_malformed_keyring_is_refused_and_nothing_of_it_is_shown(content: str, tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(BadKeyring) as raised:
        read_keyring(path)
    assert "a2s=" not in str(raised.value)
    assert "c2hv" not in str(raised.value)


def test_a_missing_keyring_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadKeyring, match=r"^keyring\.json: FileNotFoundError$"):
        read_keyring(tmp_path / "keyring.json")


def test_each_purpose_has_a_key_of_its_own_that_no_turn_changes() -> None:
    before = Keyring({1: b"1" * KEY_BYTES}, b"r" * KEY_BYTES)
    after = Keyring({1: b"1" * KEY_BYTES, 2: b"2" * KEY_BYTES}, b"r" * KEY_BYTES)
    assert len({before.derived(purpose) for purpose in ("doors", "index", "pin", "")}) == 4
    assert after.derived("doors") == before.derived("doors")
    assert (before.current, after.current) == (1, 2)
