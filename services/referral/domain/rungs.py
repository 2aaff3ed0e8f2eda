"""Who is on the rungs of an emergency, who of them was paged, and what each has said. Values only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal
from uuid import UUID

from shared.types import PersonId

Outcome = Literal["accepted", "failed", "unknown", "expired"]
NOT_SENT: tuple[Outcome, ...] = ("failed", "expired")


@dataclass(frozen=True)
class Page:
    """One person who was paged: what the provider said of it, and whether this person cannot take it."""

    page_id: UUID
    person: PersonId
    outcome: Outcome | None = None
    cannot: bool = False


@dataclass(frozen=True)
class Ladder:
    """What every ladder has. `turn` grows with each paging and each acknowledgement: an earlier timer is stale."""

    ladder_id: UUID
    rungs: tuple[tuple[PersonId, ...], ...]
    rung: int
    turn: int
    rung_within: timedelta
    contact_within: timedelta
    pages: tuple[Page, ...]
    """Of all turns, oldest first."""
    takers: tuple[PersonId, ...] = ()
    """Who has said "I take this" and has not taken it back, oldest first."""

    def page(self, page_id: UUID) -> Page | None:
        """The page with this id, if it is one of this ladder's."""
        return next((page for page in self.pages if page.page_id == page_id), None)

    def noted(self, page: Page) -> Ladder:
        """The same with one page as it is now."""
        return replace(self, pages=tuple(page if old.page_id == page.page_id else old for old in self.pages))

    def said(self, person: PersonId, *, cannot: bool) -> Ladder:
        """The same with what a person has said, of every page of theirs."""
        pages = tuple(replace(page, cannot=cannot) if page.person == person else page for page in self.pages)
        others = tuple(one for one in self.takers if one != person)
        return replace(self, pages=pages, takers=others if cannot else (*others, person))

    def without(self, persons: Collection[PersonId]) -> Ladder:
        """The same without these: on no rung, and not among those who have taken it. Their pages are over."""
        rungs = tuple(tuple(person for person in rung if person not in persons) for rung in self.rungs)
        takers = tuple(person for person in self.takers if person not in persons)
        return replace(self, rungs=rungs, takers=takers)

    def concerns(self, person: PersonId) -> bool:
        """Whether this person is on any rung."""
        return any(person in rung for rung in self.rungs)

    def able(self, *rungs: int) -> tuple[PersonId, ...]:
        """Who of these rungs has not said that they cannot."""
        unable = {page.person for page in self.pages if page.cannot}
        named = dict.fromkeys(person for rung in rungs for person in self.rungs[rung])
        return tuple(person for person in named if person not in unable)

    @property
    def everybody(self) -> tuple[PersonId, ...]:
        """Who of all rungs has not said that they cannot."""
        return self.able(*range(len(self.rungs)))

    @property
    def unreached(self) -> frozenset[PersonId]:
        """Those whose last page was not sent."""
        last = {page.person: page.outcome for page in self.pages}
        return frozenset(person for person, outcome in last.items() if outcome in NOT_SENT)

    @property
    def hopeless(self) -> bool:
        """Nobody on the present rung will take it: they cannot, or their last page was not sent."""
        paged = {page.person for page in self.pages}
        waited_for = (one for one in self.able(self.rung) if one in paged and one not in self.takers)
        return self.unreached.issuperset(waited_for)
