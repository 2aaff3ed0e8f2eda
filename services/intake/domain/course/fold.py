"""The one door of the fold: what happened, to which side of the case it belongs."""

from __future__ import annotations

from datetime import datetime

from services.intake.domain.acts import Act, Endangered, NamesFound, Step, TimeIsUp
from services.intake.domain.case import Known, Unknown
from services.intake.domain.course.crisis import OfAlarm, alarmed, endangered
from services.intake.domain.course.ends import timed
from services.intake.domain.course.peer import barred, matched
from services.intake.domain.course.referral import OfClinical, referred, wished
from services.intake.domain.course.said import acted
from shared.errors import Refused
from shared.events.notify import ClinicianWanted


def heard(case: Known, what: object, now: datetime) -> Step:
    """What a fact, an act at a door or a timer comes to. Raises `Refused` for an act that is not possible now."""
    if isinstance(case, Unknown):
        if isinstance(what, Act) or (isinstance(what, Endangered) and what.at_door):
            raise Refused("not-found", 404)
        return Step(case)
    match what:
        case TimeIsUp():
            return timed(case, what, now)
        case Endangered():
            return endangered(case, what, now)
        case NamesFound(people):
            return barred(case, people, now)
        case _ if isinstance(what, Act):
            return acted(case, what, now)
        case _ if isinstance(what, OfAlarm):
            return alarmed(case, what)
        case ClinicianWanted():
            return wished(case, now)
        case _ if isinstance(what, OfClinical):
            return referred(case, what, now)
        case _:
            return matched(case, what, now)
