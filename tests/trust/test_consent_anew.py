"""A consent lasts for thirty days: whoever is asked again sees the question again, and the new answer counts."""

from __future__ import annotations

from datetime import timedelta

from deploy.local import walk
from deploy.local.browser import Answer
from deploy.local.walk import Requester
from tests.trust.calls import answered, page
from tests.trust.scene import REACH, SLOW, cookie_of, people
from tests.trust.town import Agency, Town, person

LASTED = timedelta(days=31)


async def case_page(town: Town, agency: Agency, requester: Requester) -> Answer:
    """The case as its requester's browser shows it."""
    path = f"/a/{agency.slug}/case"
    entered = await answered(town.region, page("intake", path, {"code": requester.code}))
    return await answered(town.region, page("intake", path, cookie=cookie_of(entered)))


def asks(shown: Answer) -> bool:
    """Whether the page has a button for yes and one for no."""
    places = {form.action.rpartition("/")[2] for form in shown.forms}
    return {"consent", "refuse-consent"} <= places


async def test_a_consent_that_has_run_out_is_asked_for_on_the_page_again_and_its_answer_counts(town: Town) -> None:
    named = [*people("anew-town"), person("K2", "clinician", "Lou anew-town", contact="lou@anew-town.test")]
    agency = await town.agency("anew-town", named, **SLOW)
    requester, second = await town.released(agency, reach=REACH)
    await town.press(agency, second, "contacted")
    await requester.until("in_contact")
    silent = await town.referred(agency, requester, second)
    assert not asks(await case_page(town, agency, requester))

    # The first clinician never answers; before the next one may be asked the requester has to agree again.
    await town.region.move_clock(LASTED)
    await town.clinical(requester, "consent_asked")
    assert {"consent", "refuse-consent"} <= set((await requester.status())["can"])
    assert asks(await case_page(town, agency, requester))
    assert "somebody@reach.test" not in (await walk.opened_anyway(silent.link, agency.pin)).text

    assert (await requester.act("PUT", "/consents/clinician")).status == 200
    again = await town.mail("/r/", agency.clinicians)
    await town.press(agency, again, "accept")
    await town.clinical(requester, "accepted")
    _, shown = await walk.opened(again.link, agency.pin)
    assert "somebody@reach.test" in shown.seen
    consents = (await requester.status())["clinical"]["consents"]
    assert [one["withdrawn"] for one in consents] == [None, None]
