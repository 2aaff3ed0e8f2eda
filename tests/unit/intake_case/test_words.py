"""Every sentence that can be needed is there, and says nothing that it must not."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from services.intake.domain.acts import SetReach, Withdraw
from services.intake.domain.agency import Line
from services.intake.domain.notices import BadNotice, Notices, notice_from
from services.intake.domain.request import Topic
from services.intake.domain.resources import GENERAL, resources_with
from services.intake.domain.status import sentences
from services.intake.routes.desk import PAGES, read_notices
from services.intake.routes.speech import read_speech
from shared.types import Help, Relation, Urgency
from tests.unit.intake_case.given import (
    ACKNOWLEDGED,
    CONFIRMED,
    CONTACT,
    LADDER_OVER,
    NOBODY,
    OVERDUE,
    PAGED,
    assigned,
    case,
    emergency,
    ended,
    folded,
    listed,
    offered,
    settled,
)

SPEECH = read_speech(PAGES / "words")
WORDS = SPEECH.of("en")
NOTICES = read_notices(PAGES / "notices")
JURISDICTIONS = ("US", "US-CA", "US-UT", "US-MN", "US-CO")


def test_every_label_and_topic_has_a_word() -> None:
    assert set(WORDS["urgency"]) == {one.value for one in Urgency}
    assert set(WORDS["relation"]) == {one.value for one in Relation}
    assert set(WORDS["help"]) == {one.value for one in Help}
    assert set(WORDS["topics"]) == {one.value for one in Topic}


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ([], ("searching",)),
        ([offered()], ("asked",)),
        ([assigned(), ended("stepped_back")], ("searching_again",)),
        ([assigned()], ("released_you_call",)),
        ([assigned(), OVERDUE], ("overdue",)),
        ([assigned(), CONFIRMED], ("in_contact",)),
        ([NOBODY], ("unserved",)),
        ([NOBODY.model_copy(update={"recipients": ()})], ("unserved_untold",)),
        ([Withdraw(held=True)], ("over_held",)),
        ([listed()], ("choosing_nobody",)),
    ],
)
def test_the_sentence_is_the_one_that_is_true(happened: list[object], expected: tuple[str, ...]) -> None:
    found = sentences(folded(case(), happened))
    assert found == expected
    assert set(found) <= set(WORDS["says"])


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ([], "emergency_taken"),
        ([PAGED], "emergency_taken"),
        ([PAGED, settled("unknown")], "emergency_nobody"),
        ([settled("accepted"), PAGED], "emergency_paged"),
        ([LADDER_OVER], "emergency_nobody"),
        ([ACKNOWLEDGED], "emergency_acknowledged_no_reach"),
        ([SetReach(b"x"), ACKNOWLEDGED], "emergency_acknowledged"),
        ([CONTACT], "emergency_contact"),
    ],
)
def test_nobody_is_said_to_be_paged_before_it_is_true(happened: list[object], expected: str) -> None:
    assert sentences(folded(emergency(), happened))[0] == expected
    assert expected in WORDS["says"]


def _texts() -> dict[str, str]:
    files = [*PAGES.glob("templates/*.html"), *PAGES.glob("notices/*.toml"), *PAGES.glob("words/*.toml")]
    return {str(path.relative_to(PAGES)): path.read_text("utf-8") for path in files}


@pytest.mark.parametrize("name", sorted(_texts()))
def test_no_text_calls_anybody_weak_names_the_product_or_draws_risk_from_the_job(name: str) -> None:
    found = re.search(
        r"\b(weak|weakness|peerline|at[- ]risk officer|high[- ]risk (job|profession))\b", _texts()[name], re.IGNORECASE
    )
    assert found is None


@pytest.mark.parametrize("name", sorted(one for one in _texts() if one.endswith(".html")))
def test_no_page_loads_anything_from_elsewhere_or_runs_a_script(name: str) -> None:
    assert re.search(r"<script|\bon\w+=|style=|https?://|src=", _texts()[name]) is None


@pytest.mark.parametrize("jurisdiction", JURISDICTIONS)
@pytest.mark.parametrize("relation", list(Relation))
def test_every_jurisdiction_has_its_own_draft_for_employees_and_for_families(
    jurisdiction: str, relation: Relation
) -> None:
    notice = NOTICES.current(jurisdiction, relation, "en")
    assert notice.jurisdiction == jurisdiction
    assert "counsel" in notice.draft
    assert notice.group == ("family" if relation in {Relation.FAMILY, Relation.RETIREE} else "employee")
    assert len(notice.digest) == 64


def test_where_no_statute_is_on_file_the_federal_model_is_shown() -> None:
    assert NOTICES.current("US-ZZ", Relation.OFFICER, "es").version == "us-employee-en-1"


def test_a_notice_that_lacks_something_or_comes_twice_is_refused(tmp_path: Path) -> None:
    whole = tomllib.loads((PAGES / "notices" / "us-employee.toml").read_text("utf-8"))
    with pytest.raises(BadNotice):
        notice_from({name: value for name, value in whole.items() if name != "version"})
    with pytest.raises(BadNotice):
        Notices([notice_from(whole), notice_from(whole)])
    with pytest.raises(BadNotice):
        read_notices(tmp_path)


def test_an_agencys_lines_come_after_those_for_everybody() -> None:
    lines = resources_with([Line("Wellness line", "+13105550100")], today=date(2026, 11, 23))
    assert [one["call"] for one in lines] == [*(one["call"] for one in GENERAL), "+13105550100"]
