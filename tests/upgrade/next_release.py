"""The next release, made from this one: a copy with a few lines changed, as a developer would change them.

A fact in a second version with its way up, a fact that is new altogether, one table changed by a `pre` and a `post`
migration. When this release changes what is edited here, making the copy fails and says where.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OVERLAY = Path(__file__).parent / "overlay"
COPIED = ("services", "shared", "deploy", "tools", "docs/events", "tests/contract/golden")

_FACT = """    type: Literal["matching.contact_confirmed.v1"] = "matching.contact_confirmed.v1"
    assignment: UUID
    person: PersonId
"""
_FACT_2 = '''    type: Literal["matching.contact_confirmed.v2"] = "matching.contact_confirmed.v2"
    assignment: UUID
    person: PersonId
    how: Literal["spoken", "unsaid"]


class ContactNoted(Fact):
    """Entirely new in this release."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.contact_noted.v1"] = "matching.contact_noted.v1"
    assignment: UUID
'''
_EARLIER = '''
class ContactConfirmedV1(Fact):
    """As it was published by the release before."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.contact_confirmed.v1"] = "matching.contact_confirmed.v1"
    assignment: UUID
    person: PersonId


def v1_to_v2(old: ContactConfirmedV1) -> ContactConfirmed:
    """Nobody was asked how, before."""
    return ContactConfirmed(assignment=old.assignment, person=old.person, how="unsaid")


EARLIER: Mapping[str, Earlier] = {"matching.contact_confirmed.v1": Earlier(ContactConfirmedV1, v1_to_v2)}
'''
_EARLIER_IMPORTS = """from typing import ClassVar, Literal
from uuid import UUID

from shared.events.envelope import MATCHING, Fact, Topic
from shared.events.matching import ContactConfirmed
from shared.types import PersonId
from shared.events.versions import Earlier
"""
_TOLD = "effects.tell(ContactConfirmed(assignment=assignment.assignment_id, person=assignment.person))"
_TOLD_2 = """effects.tell(
        ContactConfirmed(assignment=assignment.assignment_id, person=assignment.person, how="spoken")
    )
    effects.tell(ContactNoted(assignment=assignment.assignment_id))"""
_HEARD = "    await cases.take(tx, _inputs(received, ORDINARY))\n"
_HEARD_2 = """
    told = [one for one in received if isinstance(one.fact, ContactConfirmed)]
    noted = [one.case_id for one in received if isinstance(one.fact, ContactNoted)]
    await contact.save(tx, {one.case_id: one.fact.how for one in told}, noted)
"""
_BEGUN = """notice_version, notice_digest)
SELECT case_id, agency_id, reference, state, reach, avoid_people, about_me, digest, next_by, jurisdiction,
       notice_version, notice_digest
"""
EDITS = (
    ("shared/events/matching.py", _FACT, _FACT_2),
    ("shared/events/matching.py", "    | ContactConfirmed\n", "    | ContactConfirmed\n    | ContactNoted\n"),
    ("shared/events/earlier.py", "EARLIER: Mapping[str, Earlier] = {}\n", _EARLIER),
    ("shared/events/earlier.py", "from shared.events.versions import Earlier\n", _EARLIER_IMPORTS),
    (
        "services/matching/domain/replies.py",
        "from shared.events.matching import ContactConfirmed, ",
        "from shared.events.matching import ContactConfirmed, ContactNoted, ",
    ),
    ("services/matching/domain/replies.py", _TOLD, _TOLD_2),
    ("services/intake/subscribers.py", _HEARD, _HEARD + _HEARD_2),
    (
        "services/intake/subscribers.py",
        "from services.intake.store import directory\n",
        """from services.intake.store import contact, directory
from shared.events.matching import ContactConfirmed, ContactNoted
""",
    ),
    (
        "services/intake/store/cases.py",
        _BEGUN,
        _BEGUN.replace("notice_digest)", "notice_digest, contact_how)").replace(
            "notice_digest\n", "notice_digest, 'not yet'\n"
        ),
    ),
)


class Outdated(Exception):
    """This release no longer says what the overlay changes."""


def made(folder: Path) -> Path:
    """The next release's source, in a folder of its own. Raises `Outdated`."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(OVERLAY, folder, dirs_exist_ok=True)
    for file, before, after in EDITS:
        path = folder / file
        text = path.read_text()
        if text.count(before) != 1:
            raise Outdated(f"{file} does not say this once:\n{before}")
        path.write_text(text.replace(before, after))
    return folder
