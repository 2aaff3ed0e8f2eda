"""Identities and small value types that every room uses."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NewType
from uuid import UUID

AgencyId = NewType("AgencyId", UUID)
CaseId = NewType("CaseId", UUID)
PersonId = NewType("PersonId", UUID)
EventId = NewType("EventId", UUID)

REGION: AgencyId = AgencyId(UUID("00000000-0000-4000-8000-000000000001"))
"""The reserved agency that holds the regional duty coordinators."""


OTHER_AGENCY = "other_agency"
"""The attribute of a peer whom another agency lends; a requester may wish for it. Nobody says it of themselves."""


class Lane(IntEnum):
    """A road of its own through outbox, bus, consumers and timers: a crisis never queues behind anything."""

    CRISIS = 0
    ORDINARY = 1
    BULK = 2


class Urgency(StrEnum):
    """How soon somebody is needed, in the requester's own judgement."""

    ROUTINE = "routine"
    SOON = "soon"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class Relation(StrEnum):
    """Who the requester is to the agency."""

    OFFICER = "officer"
    CIVILIAN = "civilian"
    FAMILY = "family"
    RETIREE = "retiree"


class Role(StrEnum):
    """What a person of the directory is to the program. A `member` is known only so that bars can be found."""

    PEER = "peer"
    COORDINATOR = "coordinator"
    CLINICIAN = "clinician"
    MEMBER = "member"
    DUTY = "duty"


class Structure(StrEnum):
    """The three program structures of Toone, "Therapeutic Considerations in Police Peer Support"."""

    TEAM_COORDINATOR = "team-coordinator"
    CLINICAL_ADVISOR = "clinical-advisor"
    CLINICAL_SUPERVISOR = "clinical-supervisor"


class Help(StrEnum):
    """Kinds of help, emotional and tangible."""

    TALK = "talk"
    COMPANY = "company"
    RIDE = "ride"
    CHILDCARE = "childcare"
    MEALS = "meals"
    PAPERWORK = "paperwork"
    WEAPON_STORAGE = "weapon_storage"
    COUNSELLING = "counselling"
