"""Pages of an emergency as they go on: taken, late, given back, taken again; and people who come to be barred."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from services.notify.domain.deciding import What
from services.notify.domain.views import View, view
from shared.events.intake import BarsChanged, ContactReleased, ContactReleasedInCrisis
from shared.events.matching import NobodyFound
from shared.events.notify import PageReplied
from shared.events.referral import (
    ConsultOpened,
    CrisisReplySettled,
    LadderAcknowledged,
    LadderEnded,
    ReferralRequested,
    RungPaged,
)
from shared.types import PersonId, Urgency
from tests.unit.notify.test_deciding import ANA, BEN, LADDER, NOW, PAGE, Story, paged

OTHER, THIRD = UUID(int=25), UUID(int=26)
DORA = PersonId(UUID(int=33))
REFERRAL, CONSULT = UUID(int=41), UUID(int=42)
SOON = NOW + timedelta(hours=1)


def taken(who: PersonId = ANA) -> LadderAcknowledged:
    return LadderAcknowledged(ladder=LADDER, person=who)


def to(who: PersonId) -> ContactReleasedInCrisis:
    return ContactReleasedInCrisis(ladder=LADDER, recipient=who, sealed=b"sealed")


def next_rung(*who: tuple[UUID, PersonId]) -> RungPaged:
    return RungPaged(ladder=LADDER, rung=2, pages=who, expires=SOON)


def shows(story: Story, page: UUID) -> View:
    return view(story.state.matters[page], story.state.replies.values(), NOW)


def presses(story: Story, page: UUID, who: PersonId, verb: str, outcome: str) -> Story:
    """A button, and what referral says came of it."""
    story.now += timedelta(seconds=1)
    known = set(story.state.replies)
    story.answers(verb, subject=page, person=who)  # type: ignore[arg-type]
    (reply,) = set(story.state.replies) - known
    if verb == "acknowledge" and outcome == "acknowledged":
        story.then(taken(who))
    return story.then(CrisisReplySettled.model_validate({"reply": reply, "outcome": outcome}))


def both_paged() -> Story:
    return Story().then(paged((PAGE, ANA), (OTHER, BEN))).mailed()


def test_a_page_that_was_covered_can_be_taken_when_the_ladder_goes_on() -> None:
    story = presses(both_paged(), PAGE, ANA, "acknowledge", "acknowledged")
    assert shows(story, OTHER) == View("covered")
    story.then(next_rung((THIRD, DORA)))
    assert shows(story, OTHER) == View("ask", ("acknowledge", "cannot"))
    presses(story, OTHER, BEN, "acknowledge", "acknowledged")
    assert shows(story, OTHER) == View("taken", ("contact_confirmed", "cannot"))
    # Whoever was late may still have spoken with them; the one who is new on the ladder is not needed now.
    assert shows(story, PAGE) == View("taken", ("contact_confirmed", "cannot"))
    assert shows(story, THIRD) == View("covered")


def test_one_who_was_told_that_it_is_covered_can_take_it_later() -> None:
    story = presses(both_paged(), PAGE, ANA, "acknowledge", "acknowledged")
    story.state = story.state.with_matter(both_paged().state.matters[OTHER])
    presses(story, OTHER, BEN, "acknowledge", "covered").then(taken())
    assert shows(story, OTHER) == View("covered")
    story.then(next_rung((THIRD, DORA)))
    assert shows(story, OTHER) == View("ask", ("acknowledge", "cannot"))


def test_whoever_took_it_can_give_it_back_reads_no_number_then_and_may_take_it_again() -> None:
    story = presses(both_paged(), PAGE, ANA, "acknowledge", "acknowledged").then(to(ANA))
    assert story.state.matters[LADDER].sealed == b"sealed"
    presses(story, PAGE, ANA, "cannot", "noted")
    shut = story.state.matters[LADDER]
    assert (shut.live, shut.sealed, [one.state for one in story.of("details")]) == (False, None, ["cancelled"])
    # A release that was under way comes too late.
    assert story.then(to(ANA)).state.matters[LADDER].sealed is None
    story.then(next_rung((THIRD, DORA)))
    assert shows(story, PAGE) == View("noted", ("acknowledge",))
    presses(story, PAGE, ANA, "acknowledge", "acknowledged").then(to(ANA))
    assert story.state.matters[LADDER].sealed == b"sealed"
    assert shows(story, PAGE) == View("taken", ("contact_confirmed", "cannot"))
    assert [one.state for one in story.of("details")] == ["cancelled", "planned"]
    assert [fact.verb for fact in story.facts if isinstance(fact, PageReplied)] == [
        "acknowledge",
        "cannot",
        "acknowledge",
    ]


def test_when_everybody_cannot_each_of_them_may_still_find_that_they_can() -> None:
    story = presses(both_paged(), PAGE, ANA, "cannot", "noted")
    presses(story, OTHER, BEN, "cannot", "noted").then(LadderEnded(ladder=LADDER, how="nobody"))
    assert [shows(story, page).verbs for page in (PAGE, OTHER)] == [("acknowledge",), ("acknowledge",)]
    presses(story, OTHER, BEN, "acknowledge", "acknowledged")
    assert shows(story, PAGE).verbs == ()
    story.then(LadderEnded(ladder=LADDER, how="contact"))
    assert shows(story, OTHER) == View("ended")


def test_a_release_by_a_ladder_as_it_was_said_before_is_shown_as_well() -> None:
    story = both_paged().then(taken(), ContactReleased(assignment=LADDER, recipient=ANA, sealed=b"sealed"))
    assert (story.state.matters[LADDER].sealed, story.state.matters[LADDER].ladder) == (b"sealed", LADDER)


# --- people who come to be barred


def bars(*people: PersonId) -> BarsChanged:
    return BarsChanged(bars=people)


def test_a_barred_persons_page_and_number_are_over_and_the_others_go_on() -> None:
    story = presses(both_paged(), PAGE, ANA, "acknowledge", "acknowledged").then(to(ANA)).mailed().then(bars(ANA))
    assert shows(story, PAGE) == View("ended")
    assert (story.state.matters[LADDER].state, story.state.matters[LADDER].sealed) == ("ended", None)
    assert story.lines == [ANA]
    story.then(next_rung((THIRD, DORA)))
    presses(story, OTHER, BEN, "acknowledge", "acknowledged").then(to(BEN), to(ANA))
    assert sorted(one.person for one in story.of("details") if one.state == "planned") == [BEN]
    assert story.answers("cannot", subject=PAGE).steps[-1].facts == ()


def test_a_covered_page_of_one_who_is_barred_opens_no_more() -> None:
    story = presses(both_paged(), OTHER, BEN, "acknowledge", "acknowledged").then(bars(ANA), next_rung((THIRD, DORA)))
    assert shows(story, PAGE) == View("ended")


FACTS: dict[str, What] = {
    "page": paged((PAGE, ANA), (OTHER, BEN)),
    "referral": ReferralRequested(
        referral=REFERRAL, clinician=ANA, consent=UUID(int=43), urgency=Urgency.SOON, direct=False, due=SOON
    ),
    "consult": ConsultOpened(consult=CONSULT, adviser=ANA, role="clinician", topics=(), due=SOON),
    "count": NobodyFound(recipients=(ANA, BEN), next_try=SOON, urgency=Urgency.SOON),
    "released": ContactReleased(assignment=REFERRAL, recipient=ANA, sealed=b"sealed", consent=UUID(int=43)),
    "details": ContactReleased(assignment=UUID(int=44), recipient=ANA, sealed=b"sealed"),
}


@pytest.mark.parametrize("template", FACTS)
def test_nothing_goes_to_one_who_is_barred_whichever_is_heard_first(template: str) -> None:
    first = Story().then(bars(ANA), FACTS[template])
    assert ANA not in {one.person for one in first.state.intents.values()}
    assert not any(one.person == ANA and one.live for one in first.state.matters.values())
    if template != "details":
        # An assignment ends by matching.
        after = Story().then(FACTS[template], bars(ANA))
        assert {one.state for one in after.state.intents.values() if one.person == ANA} == {"cancelled"}
        assert not any(one.person == ANA and one.live for one in after.state.matters.values())


def test_the_same_bars_again_tell_nobody_twice() -> None:
    story = both_paged().then(bars(ANA), bars(ANA))
    assert story.lines == [ANA]
