"""People who come to be barred: what they were asked is over for them, and nothing more is asked of them."""

from __future__ import annotations

from dataclasses import replace

from services.notify.domain.case import CaseState, Step
from services.notify.domain.deciding.planning import Planner, moved
from services.notify.domain.matters import Matter
from shared.events.intake import BarsChanged


def barred(plan: Planner, state: CaseState, fact: BarsChanged) -> Step:
    """Their pages and their parts in consults and referrals say that it is over, as they would to anybody.

    Offers and assignments end by matching, which hears the same.
    """
    new = frozenset(fact.bars) - state.barred
    if not new:
        return Step(state)
    after = replace(state, barred=state.barred | new)
    theirs = [one for one in state.matters.values() if one.person in new and not _of_matching(one)]
    after = plan.told_over(after, [one for one in theirs if one.live])
    for one in theirs:
        # Also a page that is covered now, and would be opened again.
        open_again = replace(one, state="open", sealed=None) if one.state == "covered" else replace(one, sealed=None)
        after = moved(after.with_matter(open_again), one.matter_id, "ended")
    counts = {one.intent_id for one in state.intents.values() if one.person in new and one.template == "count"}
    return Step(after.cancelling(counts))


def _of_matching(matter: Matter) -> bool:
    return matter.kind in {"offer", "outreach"} or (matter.kind == "assignment" and matter.ladder is None)
