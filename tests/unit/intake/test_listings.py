"""Resources as they are kept and shown: problems by pointer, stale ones marked, crisis lines in every answer."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.intake.domain.agency import Line
from services.intake.domain.listing import STALE_AFTER, Listing, fitting, sorted_listings
from services.intake.domain.listing_upload import MAX_LISTED, listings_from
from services.intake.domain.resources import GENERAL, resources_with
from shared.errors import Refused
from shared.types import REGION, AgencyId

TODAY = date(2026, 11, 23)
HOME = AgencyId(UUID(int=7))
GIVEN = {"kind": "counselling", "name": "River Center", "phone": "801-555-0150", "verified_on": "2026-10-01"}


def read(*given: Any) -> tuple[Listing, ...]:
    return listings_from({"resources": list(given)}, HOME, jurisdiction="US-UT", today=TODAY)


def problems(*given: Any) -> set[tuple[str, str]]:
    with pytest.raises(Refused) as caught:
        read(*given)
    assert (caught.value.slug, caught.value.status) == ("resources-invalid", 422)
    return {(one.pointer, one.code) for one in caught.value.problems}


def listing(kind: str = "crisis", name: str = "Line", **fields: Any) -> Listing:
    values: dict[str, Any] = {"agency_id": HOME, "verified_on": TODAY, "phone": "+18015550151"}
    return Listing(kind=kind, name=name, **values | fields)


def test_a_resource_is_kept_in_one_form() -> None:
    (kept,) = read(GIVEN | {"url": "https://River.test/a", "languages": ["ES", "es"], "eligibility": ["family"]})
    assert (kept.phone, kept.url, kept.languages) == ("+18015550150", "https://river.test/a", ("es",))
    assert read(kept.document()) == (kept,)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"kind": "canary"}, ("/resources/1/kind", "literal_error")),
        ({"name": " "}, ("/resources/1/name", "too_short")),
        ({"phone": "call me"}, ("/resources/1/phone", "not-a-number")),
        ({"phone": ""}, ("/resources/1/phone", "missing")),
        ({"phone": "", "url": "javascript:alert(1)"}, ("/resources/1/url", "not_a_url")),
        ({"url": "https://user:secret@river.test/"}, ("/resources/1/url", "not_a_url")),
        ({"kind": "crisis", "phone": "", "url": "https://river.test/"}, ("/resources/1/phone", "missing")),
        ({"verified_on": "2026-11-24"}, ("/resources/1/verified_on", "in-the-future")),
        ({"verified_on": "0001-01-01"}, ("/resources/1/verified_on", "out_of_range")),
        ({"verified_on": None}, ("/resources/1/verified_on", "date_type")),
        ({"eligibility": ["canary"]}, ("/resources/1/eligibility/0", "enum")),
        ({"languages": ["english"]}, ("/resources/1/languages/0", "not_a_language")),
        ({"canary": 1}, ("/resources/1", "extra_forbidden")),
        ({"area": "a\x00b"}, ("/resources/1/area", "not_printable")),
    ],
)
def test_what_is_wrong_is_named_by_pointer(changed: dict[str, Any], found: tuple[str, str]) -> None:
    assert problems(GIVEN, GIVEN | changed) == {found}


@pytest.mark.parametrize("document", [None, [], {}, {"resources": {}}, {"resources": [], "more": 1}])
def test_another_shape_is_no_list_of_resources(document: object) -> None:
    with pytest.raises(Refused):
        listings_from(document, HOME, jurisdiction="US-UT", today=TODAY)
    assert problems(*[GIVEN] * (MAX_LISTED + 1)) == {("/resources", "too-many")}


def test_a_resource_is_stale_when_nobody_has_checked_it_for_half_a_year() -> None:
    checked = TODAY - STALE_AFTER
    assert not listing(verified_on=checked).stale(TODAY)
    assert listing(verified_on=checked - timedelta(days=1)).stale(TODAY)


def test_crisis_comes_first_and_an_agencys_own_before_the_regions() -> None:
    own, regional = listing(name="Zed"), listing(name="Able", agency_id=REGION)
    group, chaplain = listing("group"), listing("chaplain")
    assert sorted_listings([chaplain, group, regional, own]) == [own, regional, group, chaplain]


def test_who_asks_is_shown_what_is_for_them() -> None:
    everybody, families = listing("group"), listing("eap", relations=("family",))
    assert fitting([everybody, families], relation="officer") == [everybody]
    assert fitting([everybody, families], ["eap"], "family") == [families]


def test_crisis_resources_stand_in_every_answer_once_and_say_when_they_are_old() -> None:
    old = listing(name="County team", area="Utah County", verified_on=TODAY - timedelta(days=400))
    again = listing(name="Lifeline", phone="988")
    lines = resources_with([Line("Own line", "+18015550100")], [old, again], today=TODAY)
    assert [one["name"] for one in lines] == [*(one["name"] for one in GENERAL), "Own line", "County team"]
    assert lines[-1]["what"] == f"Utah County; not checked since {old.verified_on}"
