"""What an agency may be, its policy, and addresses as they are kept."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from services.intake.domain.agency import Agency, Line, checked, known_zone, language_tag
from services.intake.domain.contact import BadAddress, mail_address, phone_number, within
from services.intake.domain.law import rule_for
from services.intake.domain.policy import OVERALL, PER_URGENCY, WEIGHTS, checked_overrides, law_of, resolve
from shared.errors import Refused
from shared.events.policy import Weights
from shared.types import AgencyId, Urgency

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
RIVERTON = Agency(
    agency_id=AgencyId(UUID(int=7)),
    revision=1,
    active=True,
    name="Riverton  Police",
    slug="riverton",
    kind="police",
    jurisdiction="US-UT",
    languages=("EN", "es_mx", "en"),
    time_zone="America/Denver",
    mail_domain="Riverton.GOV.",
    lines=(Line("CopLine", "1-800-267-6246"), Line("988", "988")),
)


def problems(refused: Refused) -> set[tuple[str, str]]:
    return {(one.pointer, one.code) for one in refused.problems}


def test_an_agency_is_kept_in_one_form() -> None:
    kept = checked(RIVERTON)
    assert (kept.name, kept.languages, kept.mail_domain) == ("Riverton Police", ("en", "es-MX"), "riverton.gov")
    assert [line.phone for line in kept.lines] == ["+18002676246", "988"]


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("slug", "1riverton", "/slug"),
        ("slug", "r", "/slug"),
        ("slug", "river\nton", "/slug"),
        ("slug", "riverton\n", "/slug"),
        ("slug", "a" * 42, "/slug"),
        ("name", " ", "/name"),
        ("kind", "region", "/kind"),
        ("jurisdiction", "Utah", "/jurisdiction"),
        ("languages", (), "/languages"),
        ("languages", ("english",), "/languages"),
        ("time_zone", "Denver", "/time_zone"),
        ("time_zone", "../etc/passwd", "/time_zone"),
        ("mail_domain", "riverton", "/mail_domain"),
        ("lines", (Line("CopLine", "call me"),), "/lines"),
    ],
)
def test_what_an_agency_cannot_be_is_named_by_field(field: str, value: Any, pointer: str) -> None:
    with pytest.raises(Refused) as caught:
        checked(replace(RIVERTON, **{field: value}))
    assert problems(caught.value) == {(pointer, "invalid")}


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(Refused) as caught:
        checked(replace(RIVERTON, slug="R", kind="navy", time_zone="Mars/Base"))
    assert {pointer for pointer, _ in problems(caught.value)} == {"/slug", "/kind", "/time_zone"}


@pytest.mark.parametrize(("text", "tag"), [("EN-us", "en-US"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419")])
def test_languages_take_their_usual_case(text: str, tag: str) -> None:
    assert language_tag(text) == tag


@pytest.mark.parametrize("zone", ["America/Denver", "UTC", "Pacific/Honolulu"])
def test_zones_of_the_database_are_known(zone: str) -> None:
    assert known_zone(zone)


def test_the_defaults_are_those_of_the_design() -> None:
    urgent, emergency = resolve(RIVERTON, Urgency.URGENT, NOW), resolve(RIVERTON, Urgency.EMERGENCY, NOW)
    assert (urgent.offers_out, urgent.answer_within_s, urgent.contact_within_s) == (2, 900, 3600)
    assert (emergency.offers_out, emergency.answer_within_s, emergency.rung_within_s) == (3, 180, 300)
    assert (emergency.choose_within_s, urgent.grace_s, urgent.open_cases_per_peer) == (0, 259_200, 4)


@pytest.mark.parametrize(
    ("urgency", "answers", "hands_off"),
    [("routine", 86_400, 259_200), ("soon", 14_400, 86_400), ("urgent", 3600, 14_400), ("emergency", 900, 3600)],
)
def test_clinical_acts_have_times_by_urgency(urgency: str, answers: int, hands_off: int) -> None:
    policy = resolve(RIVERTON, Urgency(urgency), NOW)
    assert policy.consult_within_s == policy.consent_remind_s == policy.referral_within_s == answers
    assert policy.handoff_within_s == hands_off


def test_a_team_coordinator_agency_has_no_clinician_anywhere() -> None:
    allowed = resolve(RIVERTON, Urgency.ROUTINE, NOW).capabilities.model_dump()
    assert not any(allowed.values())


def test_an_override_changes_its_urgency_and_nothing_else() -> None:
    kept = checked_overrides({"grace_s": 3, "urgent": {"answer_within_s": 600}})
    agency = replace(RIVERTON, policy=kept)
    assert resolve(agency, Urgency.URGENT, NOW).answer_within_s == 600
    assert resolve(agency, Urgency.SOON, NOW).answer_within_s == 3600
    assert resolve(agency, Urgency.SOON, NOW).grace_s == 3


@pytest.mark.parametrize("urgency", list(Urgency))
@pytest.mark.parametrize("edge", ["least", "most"])
def test_every_bound_makes_a_policy(urgency: Urgency, edge: str) -> None:
    own = {name: getattr(bound, edge) for name, bound in PER_URGENCY[urgency].items()}
    overall = {name: getattr(bound, edge) for name, bound in OVERALL.items()}
    weights = {name: getattr(bound, edge) for name, bound in WEIGHTS.items()}
    agency = replace(RIVERTON, policy=checked_overrides(overall | {urgency.value: own, "weights": weights}))
    policy = resolve(agency, urgency, NOW)
    assert (policy.offers_out, policy.shortlist) == (own["offers_out"], overall["shortlist"])
    assert policy.weights.model_dump() == weights


def test_an_agency_sets_one_weight_and_the_others_stay() -> None:
    agency = replace(RIVERTON, policy=checked_overrides({"weights": {"prefer": 3}}))
    assert resolve(agency, Urgency.SOON, NOW).weights == Weights(prefer=3.0)
    assert set(WEIGHTS) == set(Weights.model_fields)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"grace_s": -1}, {("/grace_s", "out-of-bounds")}),
        ({"grace_s": True}, {("/grace_s", "type")}),
        ({"emergency": {"answer_within_s": 3600}}, {("/emergency/answer_within_s", "out-of-bounds")}),
        ({"emergency": {"choose_within_s": 10}}, {("/emergency", "unknown")}),
        ({"shortlist": 2}, {("/shortlist", "out-of-bounds")}),
        ({"weights": 3}, {("/weights", "type")}),
        (
            {"weights": {"prefer": -1, "avoid": 0.5}},
            {("/weights/prefer", "out-of-bounds"), ("/weights/avoid", "out-of-bounds")},
        ),
        (
            {"weights": {"wanted": float("nan"), "trained": "1"}},
            {("/weights/wanted", "out-of-bounds"), ("/weights/trained", "type")},
        ),
        ({"weights": {"load": 1}}, {("/weights", "unknown")}),
        ({"urgent": 5, "surprise": 1}, {("/urgent", "type"), ("", "unknown")}),
    ],
)
def test_overrides_out_of_bounds_are_refused_by_pointer(given: dict[str, Any], found: set[tuple[str, str]]) -> None:
    with pytest.raises(Refused) as caught:
        checked_overrides(given)
    assert problems(caught.value) == found


@pytest.mark.parametrize(
    ("text", "kept"), [(" Ana.Reyes@Home.TEST ", "ana.reyes@home.test"), ("mailto:a@b.org", "a@b.org")]
)
def test_mail_is_kept_in_small_letters(text: str, kept: str) -> None:
    assert mail_address(text) == kept


@pytest.mark.parametrize("text", ["", "ana", "ana@home", "a b@c.org", "ana@localhost", "añá@home.test", "a@@b.org"])
def test_what_no_message_could_go_to_is_no_address(text: str) -> None:
    with pytest.raises(BadAddress) as caught:
        mail_address(text)
    assert str(caught.value) == "mail"


def test_numbers_are_kept_in_e164() -> None:
    assert phone_number("(801) 555-0101", "US-UT") == "+18015550101"
    assert phone_number("+44 20 7946 0958", "US-UT") == "+442079460958"
    assert phone_number("988", "US-UT") == "988"


@pytest.mark.parametrize("text", ["555-0101", "12", "call me", "+1 801 555 01011", "801-555-0101 ext 5"])
def test_what_cannot_be_dialled_is_no_number(text: str) -> None:
    with pytest.raises(BadAddress):
        phone_number(text, "US-UT")


def test_an_address_below_the_agencys_domain_is_within_it() -> None:
    assert within("a@mail.riverton.gov", "riverton.gov")
    assert not within("a@notriverton.gov", "riverton.gov")
    assert not within("a@riverton.gov", None)


@pytest.mark.parametrize(
    ("jurisdiction", "asks"), [("US-UT", True), ("US-CA", True), ("US-CO", False), ("US-XX", False), ("CA", False)]
)
def test_training_is_a_condition_where_a_statute_makes_it_one(jurisdiction: str, asks: bool) -> None:
    placed = replace(RIVERTON, jurisdiction=jurisdiction)
    assert resolve(placed, Urgency.ROUTINE, NOW).training_required is asks
    assert law_of(placed, NOW).draft == "to be checked by counsel"
    # An agency may ask for more, never for less.
    assert resolve(replace(placed, policy={"training_required": True}), Urgency.ROUTINE, NOW).training_required
    assert resolve(replace(placed, policy={"training_required": False}), Urgency.ROUTINE, NOW).training_required is asks


def test_a_law_holds_from_its_day_on() -> None:
    assert rule_for("US-WA", date(2024, 6, 5)).jurisdiction == "US"
    assert rule_for("US-WA", date(2024, 6, 6)).training_required


def test_switches_and_the_look_back_are_checked_too() -> None:
    assert checked_overrides({"training_required": True, "look_back_days": 30}) == {
        "training_required": True,
        "look_back_days": 30,
    }
    with pytest.raises(Refused) as caught:
        checked_overrides({"training_required": 1, "look_back_days": -1})
    assert problems(caught.value) == {("/training_required", "type"), ("/look_back_days", "out-of-bounds")}
