"""Days and moments that somebody can mean. Whatever lies outside is a slip of the keyboard, and named as one.

The ends of the calendar are no days to PostgreSQL's driver: it keeps them as infinities, which nothing reads back.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime
from pydantic_core import PydanticCustomError

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)
_FIRST, _LAST = (datetime.combine(day, time(), UTC) for day in (FIRST_DAY, LAST_DAY))


def meant(day: date) -> bool:
    """Whether somebody can mean this day."""
    return FIRST_DAY <= day <= LAST_DAY


def _day(given: date) -> date:
    if not meant(given):
        raise PydanticCustomError("out_of_range", "between 1970 and 2199")
    return given


def _moment(given: datetime) -> datetime:
    if not _FIRST <= given <= _LAST:
        raise PydanticCustomError("out_of_range", "between 1970 and 2199")
    return given


Day = Annotated[date, AfterValidator(_day)]
"""A day in what agencies send. Refused outside of 1970 to 2199: code `out_of_range`."""
Moment = Annotated[AwareDatetime, AfterValidator(_moment)]
"""A moment with its offset, within the same bounds."""
