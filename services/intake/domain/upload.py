"""From the rows of an upload to people: every problem by row and field, all at once, and never a value. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from services.intake.domain.agency import Agency, known_zone, language_tag
from services.intake.domain.contact import BadAddress, looks_like_number, mail_address, phone_number, within
from services.intake.domain.csvfile import COLUMNS, REQUIRED, BadFile, Cells, read_csv
from services.intake.domain.days import meant
from services.intake.domain.directory import Person, in_cycles, plain
from shared.errors import Problem, Refused
from shared.hours import BadHours, parse_hours
from shared.types import OTHER_AGENCY, Help, Role

MAX_PEOPLE = 50_000
MAX_NAMED = 200
"""So many problems, and so many warnings, are named; all of them are counted."""
MAX_CONTACTS = 5
MAX_TOKENS = 40

_LONGEST = {
    "person_ref": 64,
    "name": 200,
    "unit": 200,
    "supervisor_ref": 64,
    "badge": 64,
    "shows": 200,
    "hours": 500,
    "time_zone": 64,
}
_LONG_CELL = 2000
_TOKEN = re.compile(r"^[a-z_]{1,32}(:[a-z0-9_-]{1,64})?$")
_LICENCE = re.compile(r"^licence:[a-z]{2}(-[a-z0-9]{1,3})?$")
_READ_ONLY = frozenset({"verified"})
# What the directory answers beside its columns may come back with them, and is not read.
_LISTS = frozenset({"contact", "attributes", "offers"})
_ROLES = {role.value: role for role in (Role.PEER, Role.COORDINATOR, Role.CLINICIAN, Role.MEMBER)}
_ISO = re.compile(r"^(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?:[T ]00:00(?::00)?)?$")
_US = re.compile(r"^(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})$")

Fields = Mapping[str, object]
"""One row as it came: texts from a spreadsheet; texts, lists of texts and nulls from JSON."""


@dataclass(frozen=True)
class Row:
    """One row of an upload. `number` is the spreadsheet's row; None for JSON, which has only an index."""

    fields: Fields
    number: int | None = None
    overflow: bool = False


@dataclass(frozen=True)
class Remark:
    """Something about one field of one row; `row` is the spreadsheet's number, where there is one."""

    index: int
    field: str
    code: str
    row: int | None = None

    @property
    def pointer(self) -> str:
        """The JSON pointer; of a CSV file too, as if it had been sent as JSON."""
        return f"/people/{self.index}" + (f"/{self.field}" if self.field else "")

    def document(self) -> dict[str, object]:
        """The remark as an answer shows it."""
        told: dict[str, object] = {"pointer": self.pointer, "code": self.code}
        return told if self.row is None else told | {"row": self.row, "field": self.field}


@dataclass(frozen=True)
class Reading:
    """The people of an upload. When there are problems nothing of it may be kept."""

    people: tuple[Person, ...]
    problems: tuple[Remark, ...] = ()
    warnings: tuple[Remark, ...] = ()

    def required(self) -> tuple[Person, ...]:
        """The people; raises `Refused` 422 `directory-invalid` with every problem when there is one.

        `errors` has pointers and codes; `rows` says the same by the rows of the spreadsheet; `problems` is how many.
        """
        if not self.problems:
            return self.people
        named = self.problems[:MAX_NAMED]
        extra: dict[str, object] = {"problems": len(self.problems)}
        if any(one.row is not None for one in named):
            extra["rows"] = [{"row": one.row, "field": one.field, "code": one.code} for one in named]
        raise Refused("directory-invalid", 422, tuple(Problem(one.pointer, one.code) for one in named), extra=extra)


def rows_of_cells(filled: Iterable[Cells]) -> list[Row]:
    """The rows of a spreadsheet."""
    return [Row(one.cells, one.row, one.overflow) for one in filled]


def refuse_too_many(body: bytes) -> None:
    """Raise `Refused` 422 for JSON with far more objects and lists than a directory has, before anything is built."""
    if body.count(b"{") > 2 * MAX_PEOPLE or body.count(b"[") > 4 * MAX_PEOPLE:
        raise Refused("directory-invalid", 422, (Problem("/people", "too-many"),))


def rows_of_file(body: bytes) -> list[Row]:
    """The rows of a spreadsheet's file. Raises `Refused` 422 where it cannot be read."""
    try:
        return rows_of_cells(read_csv(body))
    except BadFile as error:
        extra: dict[str, object] = {} if error.row is None else {"row": error.row}
        raise Refused("directory-invalid", 422, error.problems, extra=extra) from None


def rows_of_json(document: object) -> list[Row]:
    """The rows of `{"people": [{...}, ...]}`. Raises `Refused` 422 where it has another shape."""
    if not isinstance(document, dict):
        raise Refused("directory-invalid", 422, (Problem("", "type"),))
    problems = [Problem("", "unknown-field")] if set(document) - {"people"} else []
    people = document.get("people")
    if not isinstance(people, list):
        problems.append(Problem("/people", "missing" if people is None else "type"))
    else:
        wrong = (at for at, one in enumerate(people) if not isinstance(one, dict))
        problems += [Problem(f"/people/{at}", "type") for at in wrong][:MAX_NAMED]
    if problems or not isinstance(people, list):
        raise Refused("directory-invalid", 422, tuple(problems))
    return [Row(one) for one in people]


def read_people(rows: Sequence[Row], agency: Agency, *, training_required: bool = False) -> Reading:
    """Check and normalise every row, then what rows say of each other: references are unique, supervisors exist.

    `training_required`: law or policy let nobody be asked without it, so that a peer without a date is warned of.
    """
    if len(rows) > MAX_PEOPLE:
        raise Refused("directory-invalid", 422, (Problem("/people", "too-many"),))
    readers = [_Reader(index, row, agency, training_required) for index, row in enumerate(rows)]
    people = [reader.person() for reader in readers]
    problems = [remark for reader in readers for remark in reader.problems]
    problems += _between(people, readers)
    warnings = [remark for reader in readers for remark in reader.warnings]
    warnings += _shared_contacts(people, readers)
    return Reading(
        tuple(person for person in people if person),
        tuple(sorted(problems, key=lambda one: one.index)),
        tuple(sorted(warnings, key=lambda one: one.index)),
    )


@dataclass
class _Reader:
    """Reads one row and remembers what is wrong with it."""

    index: int
    row: Row
    agency: Agency
    training_required: bool
    problems: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)

    def wrong(self, name: str, code: str) -> None:
        self.problems.append(Remark(self.index, name, code, self.row.number))

    def warn(self, name: str, code: str) -> None:
        self.warnings.append(Remark(self.index, name, code, self.row.number))

    def person(self) -> Person | None:
        """The person of the row, or None when anything is wrong with it."""
        if set(self.row.fields) - set(COLUMNS) - _READ_ONLY:
            self.wrong("", "unknown-field")
        if self.row.overflow:
            self.wrong("", "too-many-cells")
        texts = {name: self._text(name) for name in COLUMNS if name not in _LISTS}
        for name in REQUIRED:
            if not texts[name] and not self._found(name):
                self.wrong(name, "missing")
        role = self._role(texts["role"])
        begins, ends = self._date("designated_from", texts), self._date("designated_to", texts)
        if begins and ends and ends < begins:
            self.wrong("designated_to", "before-start")
        person = Person(
            person_ref=texts["person_ref"],
            role=role,
            name=texts["name"],
            language=self._language(texts["language"]),
            unit=texts["unit"],
            supervisor_ref=texts["supervisor_ref"],
            badge=texts["badge"],
            contacts=self._contacts(role),
            attributes=self._attributes(),
            designated_from=begins,
            designated_to=ends,
            trained_until=self._date("trained_until", texts),
            hours=self._hours(texts["hours"]),
            offers=self._offers(role),
            shows=self._shows(texts["shows"]),
            time_zone=self._time_zone(texts["time_zone"]),
        )
        if role is Role.PEER and begins is None and not self._found("designated_from"):
            self.warn("designated_from", "not-designated")
        if role is Role.PEER and person.trained_until is None and self.training_required:
            self.warn("trained_until", "not-trained")
        if role is Role.CLINICIAN and not any(_LICENCE.fullmatch(one) for one in person.attributes):
            # Where one is licensed decides whether anybody may be referred there.
            self.warn("attributes", "no-licence")
        return None if self.problems else person

    def _found(self, name: str) -> bool:
        return any(one.field == name for one in self.problems)

    def _text(self, name: str) -> str:
        value = self.row.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.wrong(name, "type")
            return ""
        return self._clean(name, value, _LONGEST.get(name, _LONG_CELL))

    def _clean(self, name: str, value: str, longest: int) -> str:
        tidy = " ".join(value.split())
        if any(unicodedata.category(sign) in {"Cc", "Cs", "Co", "Cn"} for sign in tidy):
            self.wrong(name, "character")
            return ""
        if len(tidy) > longest:
            self.wrong(name, "too-long")
            return ""
        return tidy

    def _items(self, name: str) -> list[str]:
        value = self.row.fields.get(name)
        if isinstance(value, list):
            if not all(isinstance(one, str) for one in value):
                self.wrong(name, "type")
                return []
            value = "|".join(value)
        if value is not None and not isinstance(value, str):
            self.wrong(name, "type")
            return []
        return [one for one in re.split(r"[|\s]+", self._clean(name, value or "", _LONG_CELL)) if one]

    def _role(self, text: str) -> Role:
        role = _ROLES.get(text.lower())
        if role is None and text:
            self.wrong("role", "unknown")
        return role or Role.MEMBER

    def _language(self, text: str) -> str:
        if not text:
            return self.agency.languages[0]
        tag = language_tag(text)
        if tag is None:
            self.wrong("language", "not-a-language")
        return tag or ""

    def _date(self, name: str, texts: Mapping[str, str]) -> date | None:
        text = texts[name]
        match = _ISO.fullmatch(text) or _US.fullmatch(text)
        if match:
            try:
                day = date(int(match["year"]), int(match["month"]), int(match["day"]))
            except ValueError:
                match = None
            else:
                if not meant(day):
                    self.wrong(name, "out-of-range")
                return day
        if text and match is None:
            self.wrong(name, "not-a-date")
        return None

    def _hours(self, text: str) -> str:
        try:
            return str(parse_hours(text))
        except BadHours:
            self.wrong("hours", "not-hours")
            return ""

    def _time_zone(self, text: str) -> str:
        if text and not known_zone(text):
            self.wrong("time_zone", "not-a-time-zone")
        return "" if text == self.agency.time_zone else text

    def _tokens(self, name: str) -> list[str]:
        tokens = list(dict.fromkeys(one.lower() for one in self._items(name)))
        if len(tokens) > MAX_TOKENS:
            self.wrong(name, "too-many")
        return tokens[:MAX_TOKENS]

    def _attributes(self) -> tuple[str, ...]:
        tokens = self._tokens("attributes")
        if not all(_TOKEN.fullmatch(one) for one in tokens):
            self.wrong("attributes", "not-an-attribute")
        if OTHER_AGENCY in tokens:
            # It comes with being borrowed.
            self.wrong("attributes", "reserved")
        return tuple(sorted(tokens))

    def _offers(self, role: Role) -> tuple[Help, ...]:
        tokens, known = self._tokens("offers"), set(Help)
        if not all(one in known for one in tokens):
            self.wrong("offers", "unknown")
            return ()
        # A peer talks: that is what the word means, and an empty cell must not make one unfindable.
        chosen = tokens or ([Help.TALK.value] if role is Role.PEER else [])
        return tuple(sorted(Help(one) for one in chosen))

    def _shows(self, text: str) -> str:
        if not looks_like_number(text):
            return text
        try:
            return phone_number(text, self.agency.jurisdiction)
        except BadAddress:
            self.wrong("shows", "not-a-number")
            return ""

    def _contacts(self, role: Role) -> tuple[str, ...]:
        value = self.row.fields.get("contact")
        if isinstance(value, str) and looks_like_number(value):
            self.wrong("contact", "channel-not-available-yet")
            return ()
        found = list(dict.fromkeys(one for text in self._items("contact") if (one := self._mail(text))))
        if len(found) > MAX_CONTACTS:
            self.wrong("contact", "too-many")
        if role is Role.MEMBER:
            if found:
                # Nobody outside the program is written to, so nothing to write to is kept.
                self.warn("contact", "not-kept")
            return ()
        if not found and not self._found("contact"):
            self.wrong("contact", "missing")
        if any(within(one, self.agency.mail_domain) for one in found):
            self.warn("contact", "agency-mail-domain")
        return tuple(found)

    def _mail(self, text: str) -> str | None:
        try:
            return mail_address(text)
        except BadAddress:
            if not any(one.code == "not-an-address" for one in self.problems):
                self.wrong("contact", "not-an-address")
            return None


def _between(people: Sequence[Person | None], readers: Sequence[_Reader]) -> list[Remark]:
    """What is wrong between rows. A row that has problems of its own still counts as naming its reference."""
    found: list[Remark] = []
    refs = [plain(str(reader.row.fields.get("person_ref") or "")) for reader in readers]
    seen: set[str] = set()
    for ref, reader in zip(refs, readers, strict=True):
        if ref and ref in seen:
            found.append(Remark(reader.index, "person_ref", "duplicate", reader.row.number))
        seen.add(ref)
    above = {plain(one.person_ref): plain(one.supervisor_ref) for one in people if one and one.supervisor_ref}
    cycles = in_cycles(above)
    for person, reader in zip(people, readers, strict=True):
        if person is None or not person.supervisor_ref:
            continue
        if plain(person.supervisor_ref) not in seen:
            found.append(Remark(reader.index, "supervisor_ref", "unknown-person", reader.row.number))
        elif plain(person.person_ref) in cycles:
            found.append(Remark(reader.index, "supervisor_ref", "cycle", reader.row.number))
    return found


def _shared_contacts(people: Sequence[Person | None], readers: Sequence[_Reader]) -> list[Remark]:
    """Addresses that an earlier row has too: whoever reads that mailbox could answer as either of them."""
    seen: set[str] = set()
    found = []
    for person, reader in zip(people, readers, strict=True):
        contacts = set(person.contacts) if person else set()
        if contacts & seen:
            found.append(Remark(reader.index, "contact", "shared-address", reader.row.number))
        seen |= contacts
    return found
