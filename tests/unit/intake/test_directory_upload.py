"""From rows to people: every problem by row and field, and what an upload changes."""

import tracemalloc
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.csvfile import read_csv
from services.intake.domain.directory import (
    IndexKind,
    Known,
    canonical,
    compare,
    entry_of,
    in_cycles,
    index_of,
    normalised,
)
from services.intake.domain.upload import (
    MAX_NAMED,
    MAX_PEOPLE,
    Reading,
    Row,
    read_people,
    refuse_too_many,
    rows_of_cells,
    rows_of_json,
)
from shared.errors import Refused
from shared.types import AgencyId, Help, PersonId, Role
from tests.unit.intake.test_agency_rules import RIVERTON

AGENCY = replace(RIVERTON, languages=("en", "es"), mail_domain="riverton.gov")
KEY = b"k" * 32
KINDS: tuple[IndexKind, ...] = ("ref", "name", "badge", "unit", "address")
PEER = {"person_ref": "P1", "role": "peer", "name": "Ana Reyes", "contact": "ana@home.test"}


def read(*people: dict[str, Any]) -> Reading:
    return read_people([Row(one) for one in people], AGENCY)


def found(reading: Reading) -> set[tuple[str, str]]:
    return {(one.pointer, one.code) for one in reading.problems}


def test_a_full_row_is_read_and_normalised() -> None:
    row = PEER | {
        "unit": " Patrol   north ",
        "language": "ES",
        "attributes": "Veteran|gender:female",
        "designated_from": "3/14/2026",
        "trained_until": "2027-03-14",
        "hours": "mon-fri 8:00-18:00",
        "offers": "ride talk",
        "shows": "801-555-0111",
    }
    (person,) = read(row).required()
    assert (person.unit, person.language, person.hours) == ("Patrol north", "es", "Mon-Fri 08:00-18:00")
    assert person.attributes == ("gender:female", "veteran")
    assert (person.designated_from, person.trained_until) == (date(2026, 3, 14), date(2027, 3, 14))
    assert (person.offers, person.shows) == ((Help.RIDE, Help.TALK), "+18015550111")


def test_csv_and_json_make_the_same_person() -> None:
    content = b"person_ref;role;name;contact;offers\r\nP1;Peer;Ana Reyes;ANA@home.test;talk|ride\r\n"
    document = {"people": [PEER | {"contact": ["ana@home.test"], "offers": ["ride", "talk"], "hours": None}]}
    from_csv = read_people(rows_of_cells(read_csv(content)), AGENCY).required()
    from_json = read_people(rows_of_json(document), AGENCY).required()
    assert from_csv == from_json


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("person_ref", "", "missing"),
        ("name", None, "missing"),
        ("role", "chief", "unknown"),
        ("role", "duty", "unknown"),
        ("name", 5, "type"),
        ("name", "x" * 201, "too-long"),
        ("name", "Ana\u200b\u0007", "character"),
        ("name", "\ud800", "character"),
        ("contact", "", "missing"),
        ("contact", "ana", "not-an-address"),
        ("contact", "801-555-0111", "channel-not-available-yet"),
        ("contact", ["ana@home.test", 5], "type"),
        ("contact", " ".join(f"a{n}@home.test" for n in range(6)), "too-many"),
        ("language", "spanish", "not-a-language"),
        ("attributes", "Has Dog!", "not-an-attribute"),
        ("offers", "talk flying", "unknown"),
        ("designated_from", "14/3/2026", "not-a-date"),
        ("designated_from", "2026-02-30", "not-a-date"),
        ("trained_until", "3/14/26", "not-a-date"),
        ("trained_until", "9999-12-31", "out-of-range"),
        ("designated_from", "0001-01-01", "out-of-range"),
        ("hours", "mornings", "not-hours"),
        ("time_zone", "Mars/Olympus", "not-a-time-zone"),
        ("time_zone", "MST", "not-a-time-zone"),
        ("time_zone", "../../etc/passwd", "not-a-time-zone"),
        ("time_zone", "America", "not-a-time-zone"),
        ("time_zone", "x" * 65, "too-long"),
        ("time_zone", 7, "type"),
        ("shows", "555-0101", "not-a-number"),
        ("supervisor_ref", "P9", "unknown-person"),
        ("supervisor_ref", "P1", "cycle"),
    ],
)
def test_a_problem_is_told_by_row_field_and_code(field: str, value: object, code: str) -> None:
    row = PEER | {field: value}
    assert (f"/people/0/{field}", code) in found(read(row))


def test_a_zone_is_kept_where_it_is_not_the_agencys() -> None:
    content = (
        b"person_ref;role;name;contact;hours;Time zone\r\nP1;peer;Ana;ana@home.test;22:00-06:00;America/Phoenix\r\n"
    )
    (elsewhere,) = read_people(rows_of_cells(read_csv(content)), AGENCY).required()
    assert (elsewhere.hours, elsewhere.time_zone) == ("Mon-Sun 22:00-06:00", "America/Phoenix")
    rows: list[dict[str, Any]] = [
        PEER,
        PEER | {"time_zone": AGENCY.time_zone},
        PEER | {"time_zone": " "},
        PEER | {"time_zone": None},
    ]
    same = [read(row).required() for row in rows]
    assert {one.time_zone for (one,) in same} == {""}
    # A row that says nothing of a zone is what it was before there was a column.
    assert {b"time_zone" in canonical(one) for (one,) in same} == {False}
    assert canonical(elsewhere) != canonical(replace(elsewhere, time_zone=""))


def test_a_wrong_zone_is_told_by_the_row_of_the_spreadsheet() -> None:
    content = b"person_ref,role,name,contact,time_zone\nP1,peer,Ana,ana@home.test,\nP2,peer,Ben,ben@home.test,Arizona\n"
    reading = read_people(rows_of_cells(read_csv(content)), AGENCY)
    assert [(one.row, one.field, one.code) for one in reading.problems] == [(3, "time_zone", "not-a-time-zone")]


def test_a_problem_never_repeats_what_was_typed() -> None:
    with pytest.raises(Refused) as caught:
        read(PEER | {"contact": "canary-text", "home address": "canary-text"}).required()
    refused = caught.value
    assert "canary-text" not in f"{refused!r}{refused.problems}{refused.extra}"
    assert "home address" not in f"{refused!r}{refused.problems}{refused.extra}"


def test_an_unknown_field_is_told_by_its_row() -> None:
    assert found(read(PEER | {"age": "41"})) == {("/people/0", "unknown-field")}


def test_what_the_directory_answers_may_come_back_with_it() -> None:
    assert read(PEER | {"verified": True}).required()


def test_all_problems_come_at_once_with_the_rows_of_the_spreadsheet() -> None:
    content = b"person_ref;role;name;contact\n\nP1;peer;;nobody\nP2;peer;Ben;ben@home.test\nP3;boss;Cy;\n"
    reading = read_people(rows_of_cells(read_csv(content)), AGENCY)
    told = {(one.row, one.field, one.code) for one in reading.problems}
    assert told == {(3, "contact", "not-an-address"), (3, "name", "missing"), (5, "role", "unknown")}


def test_many_problems_are_counted_and_the_first_are_named() -> None:
    rows = [PEER | {"person_ref": f"P{n}", "role": "chief"} for n in range(MAX_NAMED + 50)]
    with pytest.raises(Refused) as caught:
        read(*rows).required()
    assert len(caught.value.problems) == MAX_NAMED
    assert caught.value.extra["problems"] == MAX_NAMED + 50


def test_a_clinician_is_asked_for_a_licence_and_not_for_a_designation() -> None:
    clinician = PEER | {"role": "clinician", "attributes": "licence:us-ut|speciality:trauma|on_call"}
    elsewhere = clinician | {"person_ref": "K2", "contact": "k2@home.test", "attributes": "licence:utah"}
    reading = read(clinician, elsewhere)
    assert reading.required()[0].role is Role.CLINICIAN
    assert {(one.pointer, one.code) for one in reading.warnings} == {("/people/1/attributes", "no-licence")}


def test_a_reference_may_stand_once_whatever_its_case() -> None:
    assert found(read(PEER, PEER | {"person_ref": " p1", "contact": "b@home.test"})) == {
        ("/people/1/person_ref", "duplicate")
    }


def test_a_chain_of_command_that_bites_its_tail_is_told_at_every_link() -> None:
    people = [
        {"person_ref": ref, "role": "member", "name": ref, "supervisor_ref": up} for ref, up in ("ab", "bc", "cb")
    ]
    assert found(read(*people)) == {("/people/1/supervisor_ref", "cycle"), ("/people/2/supervisor_ref", "cycle")}


def test_a_supervisor_whose_own_row_is_wrong_is_still_known() -> None:
    boss = {"person_ref": "S1", "role": "member", "name": ""}
    assert found(read(PEER | {"supervisor_ref": "s1"}, boss)) == {("/people/1/name", "missing")}


def test_warnings_tell_what_is_allowed_and_unwise() -> None:
    reading = read(
        PEER | {"contact": "ana@mail.riverton.gov"},
        {"person_ref": "M1", "role": "member", "name": "Max", "contact": "max@home.test"},
        PEER | {"person_ref": "P2", "contact": "ana@mail.riverton.gov", "designated_from": "2026-01-01"},
    )
    assert {(one.pointer, one.code) for one in reading.warnings} == {
        ("/people/0/contact", "agency-mail-domain"),
        ("/people/0/designated_from", "not-designated"),
        ("/people/1/contact", "not-kept"),
        ("/people/2/contact", "agency-mail-domain"),
        ("/people/2/contact", "shared-address"),
    }
    assert reading.required()[1].contacts == ()


def test_a_peer_who_says_nothing_of_it_offers_to_talk() -> None:
    assert read(PEER).required()[0].offers == (Help.TALK,)


@pytest.mark.parametrize(
    ("document", "pointer"), [([], ""), ({}, "/people"), ({"people": {}}, "/people"), ({"people": [5]}, "/people/0")]
)
def test_json_of_another_shape_is_refused(document: object, pointer: str) -> None:
    with pytest.raises(Refused) as caught:
        rows_of_json(document)
    assert [one.pointer for one in caught.value.problems] == [pointer]


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("name", "Peña, Ana-María", "ANA MARIA PENA"),
        ("name", "Sgt. Kim  Aldous", "kim aldous sgt"),
        ("badge", "#0042", "42"),
        ("badge", "k-9 17", "K917"),
        ("unit", "Patrol  North", "patrol north"),
        ("ref", "\uff301", "p1"),
    ],
)
def test_who_is_meant_is_found_however_it_is_typed(kind: Any, one: str, other: str) -> None:
    assert index_of(KEY, AGENCY.agency_id, kind, one) == index_of(KEY, AGENCY.agency_id, kind, other)


def test_the_same_text_has_another_index_in_another_agency_and_as_another_kind() -> None:
    other = AgencyId(UUID(int=8))
    indexes = {index_of(KEY, agency, kind, "K9") for agency in (other, AGENCY.agency_id) for kind in KINDS}
    assert len(indexes) == 2 * len(KINDS)


def known(reading: Reading) -> dict[bytes, Known]:
    entries = [entry_of(KEY, AGENCY.agency_id, person) for person in reading.required()]
    return {
        one.ref_index: Known(PersonId(UUID(int=9)), 1, True, Role.PEER, "en", one.digest, one.ref_index)
        for one in entries
    }


def test_a_plan_tells_new_changed_removed_and_unchanged_apart() -> None:
    rows = [PEER | {"person_ref": f"P{n}", "contact": f"p{n}@home.test"} for n in range(3)]
    before = known(read(*rows))
    after = read(rows[0], rows[1] | {"unit": "Traffic"}, rows[2] | {"person_ref": "P7"}).required()
    plan = compare(before, [entry_of(KEY, AGENCY.agency_id, person) for person in after])
    assert (len(plan.added), len(plan.changed), len(plan.removed), plan.unchanged) == (1, 1, 1, 1)


def test_the_same_upload_changes_nothing() -> None:
    reading = read(PEER)
    plan = compare(known(reading), [entry_of(KEY, AGENCY.agency_id, person) for person in reading.required()])
    assert not plan.changes


@given(st.text(max_size=40))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    for kind in ("name", "badge", "unit"):
        once = normalised(kind, text)
        assert normalised(kind, once) == once


@given(st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from("abcdefg")))
def test_exactly_those_who_come_back_to_themselves_are_in_a_cycle(above: dict[str, str]) -> None:
    def returns(start: str) -> bool:
        one, seen = above.get(start), set()
        while one is not None and one not in seen and one != start:
            seen.add(one)
            one = above.get(one)
        return one == start

    assert in_cycles(above) == {ref for ref in above if returns(ref)}


@given(st.text(min_size=1, max_size=30))
def test_another_name_is_another_row(name: str) -> None:
    (person,) = read(PEER).required()
    assert (canonical(person) == canonical(replace(person, name=name))) == (name == person.name)


@pytest.mark.parametrize("filling", [b"{},", b"[],", b"[[]],"])
def test_json_with_more_objects_than_any_directory_has_is_refused_before_it_is_built(filling: bytes) -> None:
    body = b'{"people":[' + filling * 5 * MAX_PEOPLE + b"{}]}"
    tracemalloc.start()
    with pytest.raises(Refused) as caught:
        refuse_too_many(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(one.pointer, one.code) for one in caught.value.problems] == [("/people", "too-many")]
    assert peak < len(body)
