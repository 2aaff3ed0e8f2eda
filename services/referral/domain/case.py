"""The whole of one case in referral: what was stamped on it, who supports the requester, and what is open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.referral.domain import consults as advice
from services.referral.domain import ladder as crisis
from services.referral.domain import referrals
from services.referral.domain.consults import Consult
from services.referral.domain.effects import Standing
from services.referral.domain.referrals import Referral
from services.referral.domain.world import Peer, narrowed
from shared.events.intake import Ask
from shared.events.notify import ClinicianWanted, ConsultAsked, ResourcesOffered
from shared.types import PersonId, Urgency

Act = ConsultAsked | ClinicianWanted | ResourcesOffered
"""What a peer does in a case."""

MOST_WAITING = 20
"""Acts of one case that wait at the same time; a helper who presses more often than that is refused."""
WAITS = timedelta(minutes=10)
"""An act of an assignment that nobody knows is refused after this; it may have overtaken the news of it."""


_BY_URGENCY = tuple(Urgency)


@dataclass(frozen=True)
class Waiting:
    """An act that came before what it needs: the ask, or the assignment it is done in. Topics come in any order."""

    act: Act
    until: datetime
    turn: int = 0


@dataclass(frozen=True)
class Case:
    """One case. A blank one is all that is known of a case that has only been heard of."""

    ask: Ask | None = None
    stamped: bool = False
    """The ask is that of the request itself; until then, that of an emergency."""
    barred: frozenset[PersonId] = frozenset()
    """Who was said to be barred before any ask was heard: an emergency begins on another topic than bars grow on."""
    peer: Peer | None = None
    gone: frozenset[UUID] = frozenset()
    """Assignments that are over."""
    former: frozenset[PersonId] = frozenset()
    """The peers of those: they know whom a question would be about."""
    given: frozenset[str] = frozenset()
    """Kinds of resources that a peer has given."""
    waiting: tuple[Waiting, ...] = ()
    ladder: crisis.State | None = None
    consults: tuple[Consult, ...] = ()
    referral: Referral | None = None
    ended: bool = False

    def consult(self, consult_id: UUID) -> Consult | None:
        """The consult with this id, if it is one of this case."""
        return next((one for one in self.consults if one.consult_id == consult_id), None)

    def with_consult(self, consult: Consult) -> Case:
        """The same with one consult as it is now."""
        if consult is self.consult(consult.consult_id):
            return self
        others = tuple(one for one in self.consults if one.consult_id != consult.consult_id)
        return replace(self, consults=(*others, consult))

    def with_referral(self, referral: Referral) -> Case:
        """The same with the referral as it is now."""
        return self if referral is self.referral else replace(self, referral=referral)

    def with_ladder(self, ladder: crisis.State | None) -> Case:
        """The same with the ladder as it is now."""
        return self if ladder is self.ladder else replace(self, ladder=ladder)


def stamped(case: Case, ask: Ask, *, of_request: bool) -> Case:
    """The case with what is stamped on it: the request's own, an emergency's only until that is known.

    Capabilities are what all of them allow, and bars add up: a later stamp never widens a case. Urgency and times are
    those of the more urgent one, in whichever order they are heard: an emergency is on a lane of its own.
    """
    if case.ask is None:
        bars = tuple(sorted({*case.barred, *ask.bars}))
        return replace(case, ask=ask.model_copy(update={"bars": bars}), stamped=of_request, barred=frozenset())
    base = ask if of_request and not case.stamped else case.ask
    other = case.ask if base is ask else ask
    urgent = other if _BY_URGENCY.index(other.urgency) > _BY_URGENCY.index(base.urgency) else base
    both = narrowed(case.ask.policy.capabilities, ask.policy.capabilities)
    merged = base.model_copy(
        update={
            "jurisdiction": base.jurisdiction or case.ask.jurisdiction or ask.jurisdiction,
            "bars": tuple(sorted({*case.ask.bars, *ask.bars})),
            "urgency": urgent.urgency,
            "policy": urgent.policy.model_copy(update={"structure": base.policy.structure, "capabilities": both}),
        }
    )
    return replace(case, ask=merged, stamped=case.stamped or of_request)


def standing(case: Case) -> Standing:
    """Where a case stands in referral: with an emergency that is open, else with what is due first."""
    if case.ladder is not None:
        stands = crisis.standing(case.ladder)
        if stands.owner:
            return stands
    parts = [advice.standing(one) for one in case.consults]
    parts += [referrals.standing(case.referral)] if case.referral else []
    parts += [Standing("waiting", "operator", one.until) for one in case.waiting]
    due = [(part.due_at, part.name, part) for part in parts if part.due_at is not None]
    if due:
        return min(due, key=lambda one: one[:2])[2]
    return Standing("ended" if case.ended else "at_rest")
