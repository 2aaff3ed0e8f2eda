"""How a case moves: one pure fold over everything that can happen to it, heard on the bus, said at a door, or timed.

Facts of one topic come in order, those of different topics do not: what crisis facts change (`alarm`), what matching's
facts change (`stage`) and what referral's facts change (`clinical`) are kept apart, so that every order of hearing them
comes to the same case. They meet where a support ends: the case closes after the last.
"""

from services.intake.domain.course.begin import Begun, Direct, begun
from services.intake.domain.course.crisis import OfAlarm
from services.intake.domain.course.ends import HELD_AGAIN, REST, REVIEW_AFTER
from services.intake.domain.course.fold import heard
from services.intake.domain.course.peer import OfPeer
from services.intake.domain.course.referral import OfClinical

__all__ = [
    "HELD_AGAIN",
    "REST",
    "REVIEW_AFTER",
    "Begun",
    "Direct",
    "OfAlarm",
    "OfClinical",
    "OfPeer",
    "begun",
    "heard",
]
