"""Every sentence that can be needed is there, and says nothing that it must not."""

import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.intake.domain.acts import SetReach, TimeIsUp, Unconsented, Withdraw
from services.intake.domain.agency import Line
from services.intake.domain.case import Case
from services.intake.domain.clinical import CONSENT_LASTS
from services.intake.domain.course import heard
from services.intake.domain.listing import KINDS
from services.intake.domain.notices import BadNotice, Notices, notice_from
from services.intake.domain.request import Topic
from services.intake.domain.resources import GENERAL, resources_with
from services.intake.domain.status import read_at, sentences
from services.intake.routes.desk import PAGES, read_notices
from services.intake.routes.speech import local_time, read_speech
from shared.http.numbers import readable
from shared.types import Help, Relation, Urgency
from tests.integration.intake_case.front import riverton
from tests.unit.intake_case.given import (
    ACCEPTED,
    ACKNOWLEDGED,
    ANA,
    ASKED,
    CANCELLED,
    COMPLETED,
    CONFIRMED,
    CONTACT,
    FAILED,
    GIVEN,
    GOING,
    LADDER_OVER,
    NO_PATH,
    NOBODY,
    NOW,
    ON_HOLD,
    OVERDUE,
    PAGED,
    REQUESTED,
    YES,
    assigned,
    case,
    direct,
    emergency,
    ended,
    folded,
    listed,
    offered,
    settled,
    supervised,
)

SPEECH = read_speech(PAGES / "words")
WORDS = SPEECH.of("en")
NOTICES = read_notices(PAGES / "notices")
PLACES = re.compile(r"\{\w+\}")
NOT_SAID = re.compile(
    r"\b(weak|weakness|d[ée]bil|debilidad|peerline|support group|grupo de apoyo"
    r"|at[- ]risk officer|high[- ]risk (job|profession)|profesi[óo]n de (alto )?riesgo)\b",
    re.IGNORECASE,
)
JURISDICTIONS = ("US", "US-CA", "US-UT", "US-MN", "US-CO")


def test_every_label_and_topic_has_a_word() -> None:
    assert set(WORDS["urgency"]) == {one.value for one in Urgency}
    assert set(WORDS["relation"]) == {one.value for one in Relation}
    assert set(WORDS["help"]) == {one.value for one in Help}
    assert set(WORDS["topics"]) == {one.value for one in Topic}
    assert set(WORDS["kinds"]) == set(KINDS)
    assert set(WORDS["about"]) == {"self", "someone_else"}
    assert set(WORDS["want"]) == {"peer", "clinician"}


def test_english_and_spanish_have_the_same_names_and_the_same_places_to_fill() -> None:
    spanish = SPEECH.of("es")
    assert {name: set(texts) for name, texts in WORDS.items()} == {name: set(texts) for name, texts in spanish.items()}
    for section, texts in WORDS.items():
        for name, text in texts.items():
            assert sorted(PLACES.findall(text)) == sorted(PLACES.findall(spanish[section][name]))
            assert spanish[section][name].strip()


def test_what_is_wished_for_in_a_language_that_is_not_spoken_here_is_answered_in_the_next() -> None:
    assert SPEECH.tongue("", "fr", "es-MX", "en") == "es"
    assert SPEECH.tongue("tlh") == "en"
    assert (SPEECH.other("en"), SPEECH.other("es")) == ("es", "en")


def test_a_time_is_read_aloud_in_each_language() -> None:
    moment = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)
    agency = riverton()
    assert local_time(moment, agency, WORDS) == "Monday 23 November, 14:30"
    assert local_time(moment, agency, SPEECH.of("es")) == "lunes 23 de noviembre, 14:30"


CLINICAL = [ASKED, YES, REQUESTED, ACCEPTED, ON_HOLD, GOING]


@pytest.mark.parametrize("states", range(len(CLINICAL) + 1))
@pytest.mark.parametrize("last", [None, COMPLETED, FAILED, CANCELLED, Unconsented(), NO_PATH, GIVEN])
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_sentence_of_the_clinical_side_has_words(states: int, last: object, language: str) -> None:
    happened = [*CLINICAL[: states or 1], *([last] if last else [])]
    found = sentences(folded(supervised(), happened))
    known = set(SPEECH.of(language)["says"])
    assert set(found) <= known
    late = read_at(folded(direct(), happened[1:]), NOW + CONSENT_LASTS)
    assert set(sentences(folded(direct(), happened[1:]))) | set(sentences(late)) <= known


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


def test_who_has_let_a_time_pass_reads_so_before_anybody_hears_of_it() -> None:
    for start, name in (
        (folded(case(choose="shortlist"), [listed(ANA)]), "choosing"),
        (folded(case(release="ask_me"), [assigned()]), "accepted"),
    ):
        kind = "choose" if name == "choosing" else "release"
        once = heard(start, TimeIsUp(kind, start.turn), NOW).case
        assert isinstance(once, Case)
        twice = heard(once, TimeIsUp(kind, once.turn), NOW).case
        assert isinstance(twice, Case)
        assert [sentences(one) for one in (start, once, twice)] == [(name,), (f"{name}_reminded",), (name,)]
        assert f"{name}_reminded" in WORDS["says"]


def _texts() -> dict[str, str]:
    files = [*PAGES.glob("templates/*.html"), *PAGES.glob("notices/*.toml"), *PAGES.glob("words/*.toml")]
    return {str(path.relative_to(PAGES)): path.read_text("utf-8") for path in files}


@pytest.mark.parametrize("name", sorted(_texts()))
def test_no_text_calls_anybody_weak_names_the_product_or_draws_risk_from_the_job(name: str) -> None:
    found = NOT_SAID.search(_texts()[name])
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
    assert NOTICES.current("US-ZZ", Relation.OFFICER, "fr").version == "us-employee-en-1"


@pytest.mark.parametrize("jurisdiction", JURISDICTIONS)
@pytest.mark.parametrize(("relation", "group"), [(Relation.CIVILIAN, "employee"), (Relation.FAMILY, "family")])
def test_every_draft_is_there_in_spanish_as_well(jurisdiction: str, relation: Relation, group: str) -> None:
    notice = NOTICES.current(jurisdiction, relation, "es-MX")
    english = NOTICES.current(jurisdiction, relation, "en")
    assert notice.version == f"{jurisdiction.lower()}-{group}-es-1"
    assert "counsel" in notice.draft
    assert [len(one.lines) for one in notice.sections] == [len(one.lines) for one in english.sections]


def test_the_law_of_the_place_goes_before_the_language() -> None:
    assert NOTICES.current("US-UT", Relation.OFFICER, "fr").version == "us-ut-employee-en-1"


def test_an_english_notice_on_a_spanish_page_says_that_it_is() -> None:
    templates = Environment(loader=FileSystemLoader(PAGES / "templates"), autoescape=True, undefined=StrictUndefined)
    templates.filters["readable"] = readable
    notice = NOTICES.current("US-UT", Relation.OFFICER, "fr")
    shown = str(templates.get_template("parts.html").module.notice_text(notice, "es", SPEECH.of("es")["page"]))  # type: ignore[attr-defined]
    assert shown.strip().startswith('<div class="notice" lang="en">')
    assert '<p class="says" lang="es">Este texto está aquí por ahora solo en inglés.</p>' in shown


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
