"""An emergency is taken as far as it can be read, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.intake.domain import codes
from services.intake.domain.request import Request
from services.intake.domain.salvage import emergency_in
from shared.types import Relation, Urgency

HASH = codes.hash_of(codes.code_from(bytes(16)))
BARE: dict[str, Any] = {"urgency": "emergency", "code_hash": HASH}
REACH = {"channel": "call", "address": "310 555 0123"}


def left(request: Request) -> set[tuple[tuple[int | str, ...], str]]:
    return {(one.path, one.code) for one in request.left_out}


def test_an_emergency_needs_nothing_but_its_code() -> None:
    request = Request.model_validate(BARE)
    assert (request.relation, request.urgency) == (Relation.OFFICER, Urgency.EMERGENCY)
    assert left(request) == {(("relation",), "missing")}


@pytest.mark.parametrize(
    ("part", "where"),
    [
        ({"relation": "captain"}, ("relation",)),
        ({"reach": {"channel": "call", "address": "12"}}, ("reach",)),
        ({"reach": "310 555 0123"}, ("reach",)),
        ({"reach": {"channel": "call"}}, ("reach",)),
        ({"reach": REACH | {"safe_times": 7}}, ("reach", "safe_times")),
        ({"help": []}, ("help",)),
        ({"help": ["talk", "gold"]}, ("help", 1)),
        ({"preferences": {"require": ["?"]}}, ("preferences", "require", 0)),
        ({"notice": {}}, ("notice",)),
        ({"about_me": {"unit": "x" * 500, "supervisor": "Jo"}}, ("about_me", "unit")),
        ({"misspelt": True}, ("misspelt",)),
        ({"about": "nobody"}, ("about",)),
    ],
)
def test_a_part_that_cannot_be_read_is_left_out_and_named(part: dict[str, Any], where: tuple[int | str, ...]) -> None:
    request = Request.model_validate({"relation": "family"} | BARE | part)
    assert request.emergency
    assert where in {path for path, _ in left(request)}
    with pytest.raises(ValidationError):
        Request.model_validate({"relation": "family"} | BARE | part | {"urgency": "urgent"})


def test_one_name_that_cannot_be_read_takes_no_other_away() -> None:
    request = Request.model_validate(BARE | {"avoid_people": ["Jo Smith", "\x00", 7, "Mo Late"]})
    assert request.avoid_people == ("Jo Smith", "Mo Late")
    assert Request.model_validate(BARE | {"avoid_people": [str(n) for n in range(40)]}).avoid_people == tuple(
        str(n) for n in range(30)
    )


def test_what_is_fine_is_taken_whole() -> None:
    request = Request.model_validate(
        {"relation": "family", "reach": REACH, "urgency": " Emergency "} | {"code_hash": HASH}
    )
    assert (request.manner, request.left_out) == ("call", ())


def test_a_body_without_the_header_that_says_it_is_json_is_read() -> None:
    assert Request.model_validate(json.dumps(BARE).encode()).emergency


@pytest.mark.parametrize(
    "raw", [{"urgency": "emergency"}, BARE | {"code_hash": "short"}, [BARE], b"{", b"urgency=emergency"]
)
def test_without_a_code_or_a_body_nothing_is_taken(raw: object) -> None:
    with pytest.raises(ValidationError):
        Request.model_validate(raw)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from([name for name in Request.model_fields if name not in BARE]) | st.text(max_size=8)


@given(st.dictionaries(NAMES, ANY, max_size=8))
def test_whatever_else_stands_in_it_an_emergency_is_taken(parts: dict[str, Any]) -> None:
    assert Request.model_validate(parts | BARE).emergency


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(BARE | {"avoid_people": ["Peña"]}, ensure_ascii=False).encode("cp1252"),
        json.dumps(BARE | {"\ud800": 1}).encode(),
        f"urgency=emergency&code_hash={HASH}".encode(),
        f"urgency=Emergency&code_hash={HASH}&relation=family&x=%ff".encode(),
        json.dumps(BARE).encode()[:-1],
        json.dumps(BARE).encode()[:-1] + b', "x": ' + b"9" * 5000 + b"}",
        json.dumps(BARE).encode()[:-1] + b', "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_an_emergency_is_taken_in_whatever_form_it_can_be_recognised(body: bytes) -> None:
    request = Request.model_validate(body)
    assert (request.emergency, request.code_hash) == (True, HASH)


@pytest.mark.parametrize(
    "body",
    [
        f"urgency=urgent&code_hash={HASH}".encode(),
        json.dumps(BARE | {"urgency": "urgent"}).encode()[:-1],
        json.dumps({"topics": ['"urgency": "emergency"']}).encode(),
        b"",
        b"\xff\x00",
    ],
)
def test_nothing_else_is_read_so(body: bytes) -> None:
    assert emergency_in(body) is None


def test_a_name_in_windows_letters_still_bars() -> None:
    body = json.dumps(BARE | {"avoid_people": ["Peña"]}, ensure_ascii=False).encode("cp1252")
    assert Request.model_validate(body).avoid_people == ("Peña",)
