"""A practice case as a coordinator wants it. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.types import Urgency


class Drill(BaseModel):
    """How soon somebody shall be there. No emergency is practised here: it would page people who sleep."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    urgency: Literal[Urgency.ROUTINE, Urgency.SOON, Urgency.URGENT] = Urgency.SOON
