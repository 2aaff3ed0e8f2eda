"""What travels between the houses, held by samples that are never edited.

A new version gets a new sample, `<type>.json`. When a version gains a field, the sample of before stays what it is and
a further one shows the field: `<type>+2.json`, `<type>+3.json`, ... Their hashes stand in `golden.sha256`, which
`make check` compares.
"""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnknownEvent, Unprocessable
from shared.events import EARLIER, FACTS, TOPICS, decode, encode, from_headers, source_of, to_headers
from shared.events.envelope import MAX_PAYLOAD

GOLDEN = Path(__file__).parent / "golden"
KINDS = sorted(FACTS)
STEMS = sorted(path.name.removesuffix(".json") for path in GOLDEN.iterdir())
CANARY = "Canary-7f3a René"


def read(stem: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GOLDEN / f"{stem}.json").read_text())
    return loaded


def sample(kind: str) -> dict[str, Any]:
    """The newest sample of a kind: the one that shows every field."""
    return read(max((stem for stem in STEMS if stem.partition("+")[0] == kind), key=_edition))


def _edition(stem: str) -> int:
    return int(stem.partition("+")[2] or 1)


def headers_of(kind: str) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in sample(kind)["headers"].items()]


def as_body(value: object) -> bytes:
    return json.dumps(value).encode()


def test_every_fact_has_a_sample_and_every_sample_a_fact() -> None:
    assert {stem.partition("+")[0] for stem in STEMS} == FACTS.keys() | EARLIER.keys()


@pytest.mark.parametrize("stem", STEMS)
def test_every_sample_that_ever_was_is_read_and_loses_nothing(stem: str) -> None:
    kind, body = stem.partition("+")[0], read(stem)["body"]
    model = EARLIER[kind].model if kind in EARLIER else FACTS[kind]
    assert _within(body, json.loads(encode(model.model_validate_json(as_body(body)))))
    assert decode(kind, as_body(body)).type in FACTS


def _within(old: Any, new: Any) -> bool:
    """Whether everything in `old` stands in `new`, which may have more fields."""
    match old, new:
        case dict(), dict():
            return all(name in new and _within(value, new[name]) for name, value in old.items())
        case list(), list():
            return len(old) == len(new) and all(_within(*pair) for pair in zip(old, new, strict=True))
        case _:
            return bool(old == new)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_is_read_and_written_back_the_same(kind: str) -> None:
    body = sample(kind)["body"]
    fact = decode(kind, as_body(body))
    assert type(fact) is FACTS[kind]
    assert json.loads(encode(fact)) == body
    assert len(encode(fact)) < MAX_PAYLOAD


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_shows_every_field(kind: str) -> None:
    assert set(sample(kind)["body"]) == set(FACTS[kind].model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_of_a_newer_producer_is_ignored(kind: str) -> None:
    body = sample(kind)["body"]
    newer = decode(kind, as_body(_with_unknown_fields(body)))
    assert json.loads(encode(newer)) == body


def _with_unknown_fields(value: Any) -> Any:
    match value:
        # The only map with free keys is `factors`: there every key is known.
        case dict() if all(isinstance(one, float) for one in value.values()) and value:
            return value
        case dict():
            return {name: _with_unknown_fields(one) for name, one in value.items()} | {"added_later": [CANARY]}
        case list():
            return [_with_unknown_fields(one) for one in value]
        case _:
            return value


@pytest.mark.parametrize("kind", KINDS)
def test_a_fact_travels_on_a_topic_of_its_sender(kind: str) -> None:
    topic = FACTS[kind].TOPIC
    assert TOPICS[topic.name] is topic
    assert topic.writer == kind.split(".", 1)[0]
    assert sample(kind)["headers"]["ce_source"] == source_of(topic)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fact_cannot_be_changed(kind: str) -> None:
    fact = decode(kind, as_body(sample(kind)["body"]))
    with pytest.raises(ValueError, match="frozen"):
        setattr(fact, "type", "changed")  # noqa: B010 - mypy knows already that it cannot be set


@pytest.mark.parametrize("kind", KINDS)
def test_the_headers_make_a_round_trip(kind: str) -> None:
    envelope = from_headers(headers_of(kind))
    assert to_headers(envelope) == headers_of(kind)
    assert envelope.type == sample(kind)["body"]["type"] == kind


def test_no_two_samples_share_an_event_id() -> None:
    ids = {UUID(read(stem)["headers"]["ce_id"]) for stem in STEMS}
    assert len(ids) == len(STEMS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_of_another_type_is_refused(kind: str) -> None:
    body = sample(kind)["body"] | {"type": CANARY}
    with pytest.raises(Unprocessable) as refused:
        decode(kind, as_body(body))
    assert str(refused.value) == "type: literal_error"


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_value_is_told_by_its_field_and_never_quoted(kind: str) -> None:
    for name in set(sample(kind)["body"]) - {"type"}:
        body = sample(kind)["body"] | {name: {CANARY: CANARY} if _is_text(kind, name) else CANARY}
        with pytest.raises(Unprocessable) as refused:
            decode(kind, as_body(body))
        assert str(refused.value).startswith(name)
        assert CANARY not in str(refused.value)


def _is_text(kind: str, name: str) -> bool:
    return FACTS[kind].model_fields[name].annotation is str


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"null", b"[]", b'{"type":', b"[" * 100_000, b'"Canary-7f3a"'])
def test_what_is_no_object_is_refused_without_an_echo(body: bytes) -> None:
    with pytest.raises(Unprocessable) as refused:
        decode("intake.case_closing.v1", body)
    assert "Canary" not in str(refused.value)


def test_an_unknown_type_waits_for_the_upgrade() -> None:
    with pytest.raises(UnknownEvent):
        decode("intake.request_submitted.v99", b"{}")


@pytest.mark.parametrize("kind", KINDS)
def test_samples_hold_nothing_that_a_person_would_be_known_by(kind: str) -> None:
    text = json.dumps(sample(kind))
    assert "@" not in text
    assert "+1" not in text


PLANTED = st.text(alphabet="QXZqxz0123456789é", min_size=8, max_size=40).map(lambda text: f"Planted{text}")


def places(value: Any, path: tuple[int | str, ...] = ()) -> list[tuple[int | str, ...]]:
    """Where a value could be planted."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, one in pairs for found in places(one, (*path, name)))]


def planted_at(value: Any, path: tuple[int | str, ...], text: object) -> Any:
    if not path:
        return text
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = planted_at(copy[path[0]], path[1:], text)
    return copy


def refusal(kind: str, body: bytes) -> str:
    """Everything that a refusal could be logged as, or "" when the body is read."""
    try:
        decode(kind, body)
    except Unprocessable as refused:
        return f"{refused} {refused!r} {refused.__cause__}"
    return ""


@given(st.data(), st.sampled_from(KINDS), PLANTED)
def test_no_refusal_holds_a_planted_value(data: st.DataObject, kind: str, planted: str) -> None:
    body = sample(kind)["body"]
    shape: object = data.draw(st.sampled_from([planted, [planted], {"value": planted}, [[{"x": [planted]}]]]))
    spoiled = planted_at(body, data.draw(st.sampled_from(places(body))), shape)
    assert planted not in refusal(kind, as_body(spoiled))


@given(st.sampled_from(KINDS), st.data(), PLANTED)
def test_no_refused_header_holds_its_value(kind: str, data: st.DataObject, planted: str) -> None:
    name = data.draw(st.sampled_from(["ce_id", "ce_time", "ce_subject", "ce_agency"]))
    headers = [(one, planted.encode() if one == name else value) for one, value in headers_of(kind)]
    with pytest.raises(Unprocessable) as refused:
        from_headers(headers)
    assert str(refused.value) == f"header {name}"


@given(st.sampled_from(KINDS), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else_is_raised(kind: str, body: bytes) -> None:
    assert refusal(kind, body) or isinstance(json.loads(body), dict)
