"""What a requester is told about confidentiality before anything is taken: versioned drafts, per jurisdiction. Pure.

Every text is a draft until an agency's counsel has checked it. A federal act is the model of the words (34 USC 50901
asks for a written notice of the rule and its exceptions); it is also what is shown where no statute is on file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared.types import Relation

ANYWHERE = "US"
"""Whose notice is shown where a jurisdiction has none of its own."""
FALLBACK_LANGUAGE = "en"

_GROUPS: Mapping[Relation, str] = {
    Relation.OFFICER: "employee",
    Relation.CIVILIAN: "employee",
    Relation.FAMILY: "family",
    Relation.RETIREE: "family",
}


@dataclass(frozen=True)
class Section:
    """A heading and its paragraphs."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Notice:
    """One text as it is shown. `version` names it, `digest` (SHA-256, hex) proves which words it had."""

    jurisdiction: str
    group: str
    language: str
    version: str
    draft: str
    law: str
    title: str
    sections: tuple[Section, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that is shown, in hex."""
        return hashlib.sha256(json.dumps(self.shown(), sort_keys=True).encode()).hexdigest()

    def shown(self) -> dict[str, object]:
        """The notice as an answer holds it."""
        return {
            "jurisdiction": self.jurisdiction,
            "language": self.language,
            "version": self.version,
            "draft": self.draft,
            "law": self.law,
            "title": self.title,
            "sections": [{"heading": one.heading, "lines": list(one.lines)} for one in self.sections],
        }


class BadNotice(Exception):
    """A notice file lacks something, two have the same place, or the one that stands in for all others is missing."""


def notice_from(raw: Mapping[str, Any]) -> Notice:
    """A notice from its data file. Raises `BadNotice` naming the field."""
    try:
        return Notice(
            jurisdiction=str(raw["jurisdiction"]),
            group=str(raw["group"]),
            language=str(raw["language"]),
            version=str(raw["version"]),
            draft=str(raw["draft"]),
            law=str(raw["law"]),
            title=str(raw["title"]),
            sections=tuple(
                Section(str(one["heading"]), tuple(str(line) for line in one["lines"])) for one in raw["sections"]
            ),
        )
    except KeyError as error:
        raise BadNotice(f"missing {error}") from None


class Notices:
    """Every notice by jurisdiction, kind of requester and language."""

    def __init__(self, notices: Iterable[Notice]) -> None:
        """Raises `BadNotice` when a place is taken twice, or the last resort (`US`, `en`) is missing."""
        self._by_place: dict[tuple[str, str, str], Notice] = {}
        for notice in notices:
            place = notice.jurisdiction, notice.group, notice.language
            if place in self._by_place:
                raise BadNotice(f"twice: {' '.join(place)}")
            self._by_place[place] = notice
        for group in sorted(set(_GROUPS.values())):
            if (ANYWHERE, group, FALLBACK_LANGUAGE) not in self._by_place:
                raise BadNotice(f"missing: {ANYWHERE} {group} {FALLBACK_LANGUAGE}")

    def read_in(self, jurisdiction: str, relation: Relation, version: str) -> str | None:
        """The language in which this version is what this person has to be shown now; None for any other version."""
        tongues = sorted({tongue for _, _, tongue in self._by_place})
        shown = ((tongue, self.current(jurisdiction, relation, tongue)) for tongue in tongues)
        return next((tongue for tongue, notice in shown if notice.version == version), None)

    def current(self, jurisdiction: str, relation: Relation, language: str) -> Notice:
        """What this person has to be shown now: the law of the place before the wished language."""
        group = _GROUPS[relation]
        for place in (jurisdiction, ANYWHERE):
            for tongue in (language, language.partition("-")[0], FALLBACK_LANGUAGE):
                found = self._by_place.get((place, group, tongue))
                if found is not None:
                    return found
        raise BadNotice(f"missing: {ANYWHERE} {group} {FALLBACK_LANGUAGE}")
