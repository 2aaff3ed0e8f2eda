"""What a requester may say, and how codes look."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.intake.domain import codes
from services.intake.domain.request import Request, refuse_what_does_not_fit
from services.intake.routes import ask
from shared.errors import Refused
from shared.http.problems import problems_of

CODE = codes.code_from(bytes(range(16)))
BODY: dict[str, Any] = {
    "relation": "officer",
    "urgency": "routine",
    "notice": {"version": "us-employee-en-1"},
    "code_hash": codes.hash_of(CODE),
}


def places(**changed: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        Request.model_validate(BODY | changed)
    return [(one.pointer, one.code) for one in problems_of(caught.value)]


def test_the_least_that_is_needed_is_enough() -> None:
    request = Request.model_validate(BODY)
    assert (request.choose, request.release, request.manner) == ("anyone", "on_accept", "they_reach_you")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"relation": "chief"}, ("/relation", "enum")),
        ({"help": []}, ("/help", "too_short")),
        ({"help": ["magic"]}, ("/help/0", "enum")),
        ({"topics": ["my sergeant"]}, ("/topics/0", "enum")),
        ({"avoid": ["Jane"]}, ("", "extra_forbidden")),
        ({"code_hash": "short"}, ("/code_hash", "not_a_code_hash")),
        ({"reach": {"channel": "call", "address": "12"}}, ("/reach", "not_a_phone_number")),
        ({"reach": {"channel": "text", "address": "911"}}, ("/reach", "not_a_phone_number")),
        ({"reach": {"channel": "mail", "address": "a@"}}, ("/reach", "not_a_mail_address")),
        ({"preferences": {"prefer": ["A B"]}}, ("/preferences/prefer/0", "string_pattern_mismatch")),
        ({"avoid_people": ["a\u0000b"]}, ("/avoid_people/0", "not_printable")),
        ({"language": "Spanish please"}, ("/language", "not_a_language")),
    ],
)
def test_a_problem_has_a_place_and_a_code(changed: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in places(**changed)


def test_a_number_is_kept_as_machines_write_it() -> None:
    request = Request.model_validate(BODY | {"reach": {"channel": "call", "address": "(310) 555-0123"}})
    assert request.reach is not None
    assert (request.manner, request.reach.normalised().address) == ("call", "+13105550123")


def test_the_same_request_has_the_same_bytes_whatever_the_order() -> None:
    again = dict(reversed(list(BODY.items()))) | {"choose": "anyone"}
    assert Request.model_validate(again).canonical() == Request.model_validate(BODY).canonical()
    assert (
        Request.model_validate(BODY | {"choose": "shortlist"}).canonical() != Request.model_validate(BODY).canonical()
    )


OUTREACH = {"channel": "mail", "address": "Pat@Home.test"}


def test_one_message_goes_only_to_somebody_else() -> None:
    worried = Request.model_validate(BODY | {"about": "someone_else", "outreach": OUTREACH})
    refuse_what_does_not_fit(worried)
    assert worried.outreach is not None
    assert worried.outreach.normalised() == "pat@home.test"
    with pytest.raises(Refused, match="invalid"):
        refuse_what_does_not_fit(Request.model_validate(BODY | {"outreach": OUTREACH}))


def test_there_is_no_place_for_the_name_of_somebody_else() -> None:
    for more in ({"name": "Pat"}, {"outreach": OUTREACH | {"name": "Pat"}}):
        with pytest.raises(ValidationError):
            Request.model_validate(BODY | {"about": "someone_else"} | more)


@pytest.mark.parametrize(("urgency", "direct"), [("routine", True), ("emergency", False)])
def test_in_an_emergency_nobody_waits_for_a_clinician_alone(urgency: str, direct: bool) -> None:
    assert Request.model_validate(BODY | {"want": "clinician", "urgency": urgency}).direct is direct


def test_what_they_may_call_you_is_at_most_sixty_characters() -> None:
    reach = {"channel": "call", "address": "801 555 0123"}
    named = Request.model_validate(BODY | {"reach": reach | {"name": " Sam "}})
    assert named.reach is not None
    assert named.reach.normalised().name == "Sam"
    with pytest.raises(ValidationError):
        Request.model_validate(BODY | {"reach": reach | {"name": "x" * 61}})


def test_only_an_emergency_comes_without_a_notice() -> None:
    bare = {name: value for name, value in BODY.items() if name != "notice"}
    with pytest.raises(Refused, match="invalid"):
        refuse_what_does_not_fit(Request.model_validate(bare))
    refuse_what_does_not_fit(Request.model_validate(bare | {"urgency": "emergency"}))


def test_a_code_has_128_bits_and_its_hash_43_characters() -> None:
    assert codes.looks_like_code(CODE)
    assert codes.looks_like_hash(codes.hash_of(CODE))
    assert codes.readings(codes.spaced(CODE)) == (CODE,)
    with pytest.raises(ValueError, match="128"):
        codes.code_from(b"short")


def test_a_code_that_was_written_down_is_read_as_it_was_meant() -> None:
    code = codes.code_from(b"\xff" * 8 + bytes(8))
    assert len(code) == 26
    typed = codes.spaced(code).lower().replace("0", "o").replace("1", "l").replace(" ", "-")
    assert code in codes.readings(typed)
    assert codes.readings("aB3-_xyz") == ("aB3-_xyz",)


def test_a_reference_is_short_and_readable() -> None:
    reference = codes.reference_from(bytes(range(8)))
    assert len(reference) == 9
    assert not set(reference) & set("01ILOU")


FORM = {
    "relation": ["officer"],
    "urgency": ["soon"],
    "help": ["talk", "ride"],
    "code": [CODE],
    "version": ["us-employee-en-1"],
    "channel": ["text"],
    "address": [" 310 555 0123 "],
    "avoid_people": ["Jane Roe\r\n\r\n 4711 "],
    "unit": ["Patrol"],
    "screen": ["three"],
}


def test_the_form_becomes_the_same_request_as_the_api_takes() -> None:
    request = ask.request_of(FORM)
    assert (request.manner, request.avoid_people) == ("text", ("Jane Roe", "4711"))
    assert request.about_me is not None
    assert (request.about_me.unit, request.code_hash) == ("Patrol", codes.hash_of(CODE))
    assert set(ask.kept(FORM)) == set(FORM) - {"screen", "version"}


def test_a_wrong_number_does_not_hold_up_an_emergency() -> None:
    request = ask.emergency_of({"relation": ["family"], "address": ["12"], "code": [CODE]})
    assert (request.emergency, request.reach) == (True, None)
    assert ask.emergency_of({"address": ["310 555 0123"], "code": [CODE]}).manner == "call"
