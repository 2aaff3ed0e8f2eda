"""Contacts that came outside of the region's cases, counted by hand: in the corridor, on a ride, at a scene. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from services.intake.domain.days import Day

Kind = Literal["conversation", "follow_up", "resources", "errand"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST = 9999
Count = Annotated[int, Field(ge=0, le=MOST)]


class Month(BaseModel):
    """The numbers of one month, by its first day; kinds that are not named stay as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    month: Day
    counts: dict[Kind, Count] = Field(min_length=1)

    @property
    def first(self) -> date:
        """The first day of the month."""
        return self.month.replace(day=1)


def whole(counts: Mapping[str, int]) -> dict[str, int]:
    """Every kind, those without a number as none."""
    return {kind: counts.get(kind, 0) for kind in KINDS}
