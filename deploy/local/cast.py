"""Who and what there is in the demo region: an agency per structure, their people, and a few resources.

Names, addresses and numbers are invented (`.test` is reserved by RFC 6761, 555-01xx for fiction by the NANP).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

COLUMNS = (
    *("person_ref", "role", "name", "unit", "supervisor_ref", "contact", "language", "attributes"),
    *("designated_from", "designated_to", "trained_until", "hours", "offers", "shows"),
)


@dataclass(frozen=True)
class Person:
    """A row of a demo directory."""

    ref: str
    role: str
    name: str
    unit: str
    supervisor: str = ""
    language: str = "en"
    attributes: str = ""
    offers: str = ""
    shows: str = ""

    @property
    def contact(self) -> str:
        """Where this person's messages go; members of an agency get none."""
        return f"{self.name.split()[0].lower()}@home.test" if self.role != "member" else ""


@dataclass(frozen=True)
class Town:
    """A demo agency: how it is taken on, and whom it names."""

    name: str
    slug: str
    kind: str
    structure: str
    people: tuple[Person, ...]
    resources: tuple[tuple[str, str, str, int], ...] = ()
    """Kind, name, number, and how many days ago somebody has checked it."""

    def words(self, today: date) -> tuple[str, ...]:
        """The options of `peerline agency add`."""
        contract = ("--contract-from", (today - timedelta(days=300)).isoformat())
        return (
            *("--name", self.name, "--slug", self.slug, "--kind", self.kind, "--jurisdiction", "US-UT"),
            *("--structure", self.structure, *(() if self.structure == "team-coordinator" else contract)),
            *("--language", "en", "--language", "es", "--time-zone", "America/Denver"),
            *("--mail-domain", f"{self.slug}.test"),
        )


CLINICIAN = Person(
    "K1", "clinician", "Hana Sato, PhD", "Clinic", "", "en", "licence:us-ut|speciality:trauma|language:es|on_call"
)
"""Serves two agencies of different structures, at the same address."""

RIVERTON = Town(
    "Riverton Police",
    "riverton",
    "police",
    "team-coordinator",
    (
        Person("C1", "coordinator", "Morgan Hale", "Peer support", shows="801-555-0101"),
        Person("C2", "coordinator", "Riley Fox", "Peer support", shows="801-555-0102"),
        Person("C3", "coordinator", "Jordan Pike", "Peer support", attributes="deputy"),
        Person(
            *("P1", "peer", "Ana Reyes", "Patrol north", "S1", "es"),
            *("language:es|gender:female", "talk|ride", "801-555-0111"),
        ),
        Person("P2", "peer", "Ben Okafor", "Investigations", "S2", "en", "veteran", "talk", "801-555-0112"),
        Person("P3", "peer", "Casey Lund", "Dispatch", "S2", offers="talk|childcare|meals", shows="801-555-0113"),
        Person("P4", "peer", "Dana Whitfield", "Patrol south", "S1", attributes="gender:female", offers="talk|company"),
        Person("P5", "peer", "Eli Navarro", "Traffic", "S2", "es", "language:es|veteran", "talk|paperwork"),
        Person("P6", "peer", "Fran Iverson", "Jail", "S3", offers="talk|company|ride", shows="801-555-0116"),
        Person("S1", "member", "Sgt. Kim Aldous", "Patrol north", "L1"),
        Person("S2", "member", "Sgt. Lee Barton", "Investigations", "L1"),
        Person("S3", "member", "Sgt. Noor Castle", "Jail", "L1"),
        Person("L1", "member", "Lt. Pat Dorsey", "Operations"),
        Person("M1", "member", "Ofc. Robin Ellis", "Patrol north", "S1"),
    ),
    (
        ("chaplain", "Riverton chaplains (demo)", "801-555-0131", 20),
        ("eap", "Riverton EAP (demo)", "801-555-0132", 400),
    ),
)
LAKESIDE = Town(
    "Lakeside Sheriff",
    "lakeside",
    "sheriff",
    "clinical-advisor",
    (
        Person("C1", "coordinator", "Avery Stone", "Peer support", shows="801-555-0201"),
        Person("C2", "coordinator", "Blake Ruiz", "Peer support", attributes="deputy"),
        CLINICIAN,
        Person("P1", "peer", "Gail Osei", "Patrol", "S1", offers="talk|company", shows="801-555-0211"),
        Person("P2", "peer", "Hugo Brandt", "Jail", "S1", "es", "language:es", "talk|ride"),
        Person("P3", "peer", "Iris Kowal", "Dispatch", "S1", offers="talk|childcare"),
        Person("S1", "member", "Sgt. Vic Amundsen", "Patrol"),
    ),
    (("counselling", "Lakeside counselling (demo)", "801-555-0231", 45),),
)
SUMMIT = Town(
    "Summit Police",
    "summit",
    "police",
    "clinical-supervisor",
    (
        Person("C1", "coordinator", "Devon Marsh", "Peer support", shows="801-555-0301"),
        Person("C2", "coordinator", "Emery Cho", "Peer support", attributes="deputy"),
        CLINICIAN,
        Person("K2", "clinician", "Ines Cole, LCSW", "Clinic", attributes="licence:us-ut|speciality:grief"),
        Person("K3", "clinician", "Omar Vance, PsyD", "Clinic", attributes="licence:us-ut|deputy"),
        Person("P1", "peer", "Jude Larkin", "Patrol", "S1", offers="talk|company", shows="801-555-0311"),
        Person("P2", "peer", "Kaya Dunn", "Traffic", "S1", "es", "language:es", "talk|ride"),
        Person("P3", "peer", "Liam Abara", "Dispatch", "S1", offers="talk|meals"),
        Person("S1", "member", "Sgt. Una Petrov", "Patrol"),
    ),
    (("group", "Summit evening group (demo)", "801-555-0331", 10),),
)
TOWNS: Sequence[Town] = (RIVERTON, LAKESIDE, SUMMIT)
SLUG, PEOPLE = RIVERTON.slug, RIVERTON.people
"""The agency in which the first case is walked."""

DUTY = (("Sam Quill", "duty@region.test"), ("Toni Berg", "night@region.test"))
"""The regional duty coordinators."""
DUTY_NAME, DUTY_CONTACT = DUTY[0]

REGIONAL = (
    ("crisis", "County crisis team (demo)", "801-555-0191", 30),
    ("medical", "Night clinic (demo)", "801-555-0192", 60),
    ("practical", "Family fund (demo)", "801-555-0193", 90),
)


def directory_csv(people: Sequence[Person], today: date) -> str:
    """A directory as a spreadsheet would hold it; peers have been designated for a year and are trained."""
    since, until = (today - timedelta(days=365)).isoformat(), (today + timedelta(days=365)).isoformat()
    rows = [";".join(COLUMNS)]
    for one in people:
        dates = (since, "", until) if one.role == "peer" else ("", "", "")
        cells = (one.ref, one.role, one.name, one.unit, one.supervisor, one.contact, one.language, one.attributes)
        rows.append(";".join((*cells, *dates, "", one.offers, one.shows)))
    return "\r\n".join(rows) + "\r\n"


def resources_document(listed: Sequence[tuple[str, str, str, int]], today: date) -> dict[str, object]:
    """Resources as they are sent in, each with the day on which it was last checked."""
    return {
        "resources": [
            {
                "kind": kind,
                "name": name,
                "phone": phone,
                "area": "Demo county",
                "cost": "Free",
                "verified_on": (today - timedelta(days=ago)).isoformat(),
            }
            for kind, name, phone, ago in listed
        ]
    }
