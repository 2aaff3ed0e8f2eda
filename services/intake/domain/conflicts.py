"""Conflicts of interest as an agency states them: who must not meet in a case, and nothing about why. Pure.

Sources: California Gov 8669.5(c) (participants or witnesses of the same incident, a shared active investigation, a
relationship that impairs), Utah 78B-5-903, Colorado 12-30-125 and Minnesota 181.9731 (witness or party); relatives and
whoever evaluates fitness or discipline are practice (domain, 1.6). To be checked by counsel.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

Kind = Literal["incident", "investigation", "relatives", "evaluator"]

MAX_CONFLICTS = 2000
MAX_PEOPLE = 500
MAX_NAMED = 50_000
"""People in all conflicts together."""
BETWEEN: frozenset[Kind] = frozenset({"investigation", "relatives"})
"""Kinds that are between people: of one alone they say nothing."""
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]


class Conflict(BaseModel):
    """Some people between whom it exists, by `person_ref`; of `evaluator`, people whom no request reaches at all.

    Whom the agency borrows is named by the id under which the pool shows them.

    `reference`: of an incident, what it is called; a requester who names it bars all of them. `until`: the last day.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    kind: Kind
    people: tuple[_Text, ...] = Field(min_length=1, max_length=MAX_PEOPLE)
    reference: _Text | None = None
    until: date | None = None

    @model_validator(mode="after")
    def _named_if_it_is_an_incident(self) -> Self:
        if (self.kind == "incident") != (self.reference is not None):
            raise PydanticCustomError("reference_is_of_incidents", "an incident has a reference, nothing else has")
        return self


class Conflicts(BaseModel):
    """The whole list."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    conflicts: tuple[Conflict, ...] = Field(max_length=MAX_CONFLICTS)

    @model_validator(mode="after")
    def _not_too_many_people(self) -> Self:
        if sum(len(one.people) for one in self.conflicts) > MAX_NAMED:
            raise PydanticCustomError("too_long", "too many people in all conflicts together")
        return self
