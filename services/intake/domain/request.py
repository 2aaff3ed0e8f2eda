"""What a requester may say, and how it has to look. Pure; a problem has a pointer and a code, never a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self
from uuid import UUID, uuid5

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.intake.domain.codes import looks_like_hash
from services.intake.domain.contact import BadAddress, mail_address, phone_number
from services.intake.domain.salvage import LeftOut, emergency_in, without
from shared.errors import Problem, Refused
from shared.events.intake import Manner, Token, Wishes
from shared.types import CaseId, Help, Relation, Urgency

SALVAGES = 5
"""What was left out may leave something half behind: so often it is read again."""
HOME_REGION = "US"
"""How a telephone number without country code is read."""


class Topic(StrEnum):
    """What it is about, from a closed list: free text about an officer is kept nowhere (domain rule 1.5)."""

    SLEEP = "sleep"
    STRESS = "stress"
    ANGER = "anger"
    CRITICAL_INCIDENT = "critical_incident"
    SHOOTING = "shooting"
    CHILD_DEATH = "child_death"
    COLLEAGUE_DEATH = "colleague_death"
    GRIEF = "grief"
    RELATIONSHIP = "relationship"
    FAMILY = "family"
    PARENTING = "parenting"
    SEPARATION = "separation"
    MONEY = "money"
    ALCOHOL = "alcohol"
    GAMBLING = "gambling"
    INJURY = "injury"
    HEALTH = "health"
    WORK = "work"
    INVESTIGATION = "investigation"
    SHIFT = "shift"
    RETIREMENT = "retirement"
    FAITH = "faith"
    MILITARY = "military"
    LONELINESS = "loneliness"
    OTHER = "other"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("not_printable", "not printable")
    return text


Short = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_printable)
]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_printable)
]


Called = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_printable)
]


class _Part(BaseModel):
    """Unknown fields are refused: a misspelt `avoid_people` must not be dropped in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Preferences(_Part):
    """Stated by the requester, never inferred: `language:es`, `gender:female`, `veteran`, `other_agency`, ..."""

    require: tuple[Token, ...] = Field(default=(), max_length=10)
    prefer: tuple[Token, ...] = Field(default=(), max_length=10)
    avoid: tuple[Token, ...] = Field(default=(), max_length=10)

    @field_validator("avoid")
    @classmethod
    def _nothing_that_is_wanted(cls, avoid: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
        if set(avoid) & {*known.data.get("require", ()), *known.data.get("prefer", ())}:
            raise PydanticCustomError("also_wanted", "wanted as well")
        return avoid

    @property
    def wishes(self) -> Wishes:
        """As they travel with the case."""
        return Wishes(require=self.require, prefer=self.prefer, avoid=self.avoid)


class AboutMe(_Part):
    """Only used to find out who must not be asked; sealed with the case's key, and shown to nobody."""

    me: Short | None = None
    """Name, badge or reference: bars oneself, one's chain of command in both directions, and whom a conflict names."""
    unit: Short | None = None
    supervisor: Short | None = None
    """And everybody above."""
    incident: Short | None = None
    """As the agency calls it: bars everybody whom the agency has listed as party or witness to it."""
    unit_agreed: bool = False
    """People of the own unit may be asked all the same; whoever commands it never is."""

    @property
    def anything(self) -> bool:
        """Whether a directory has to be asked."""
        return bool(self.me or self.unit or self.supervisor or self.incident)


def _phone(text: str) -> str:
    try:
        number = phone_number(text, HOME_REGION)
    except BadAddress:
        number = ""
    # A short code is nobody's own number.
    if not number.startswith("+"):
        raise PydanticCustomError("not_a_phone_number", "not a telephone number")
    return number


def _mail(text: str) -> str:
    try:
        return mail_address(text)
    except BadAddress:
        raise PydanticCustomError("not_a_mail_address", "not a mail address") from None


_ADDRESS: dict[str, Callable[[str], str]] = {"call": _phone, "text": _phone, "mail": _mail}


class Reach(_Part):
    """How the peer reaches the requester. Without it the requester gets the peer's chosen number instead."""

    channel: Literal["call", "text", "mail"]
    address: Line
    name: Called | None = None
    """What the peer may call the requester."""
    safe_times: Short | None = None
    leave_message: bool = False

    @model_validator(mode="after")
    def _address_suits_channel(self) -> Self:
        # Raises what the address has against the channel.
        self.machine_address  # noqa: B018
        return self

    @cached_property
    def machine_address(self) -> str:
        """The address as machines write it."""
        return _ADDRESS[self.channel](self.address)

    def normalised(self) -> Reach:
        """The same with the address as machines write it."""
        return self.model_copy(update={"address": self.machine_address})


class Outreach(_Part):
    """Where one neutral message may go, once, to somebody the caller is worried about. Kept nowhere after it."""

    channel: Literal["mail"]
    address: Line

    @model_validator(mode="after")
    def _is_an_address(self) -> Self:
        _mail(self.address)
        return self

    def normalised(self) -> str:
        """The address as machines write it."""
        return _mail(self.address)


class Acknowledged(_Part):
    """Which notice was read."""

    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


def _hash(text: str) -> str:
    if not looks_like_hash(text):
        raise PydanticCustomError("not_a_code_hash", "base64url of a SHA-256")
    return text


_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def _language(text: str) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise PydanticCustomError("not_a_language", "a BCP 47 tag")
    return text


CodeHash = Annotated[str, AfterValidator(_hash)]


class Request(_Part):
    """`POST /v1/agencies/{slug}/requests`.

    In an emergency only `urgency` and `code_hash` are needed: whatever else is missing or cannot be read is left out.
    `about: someone_else`: the caller is the one who is served; of the other nothing is asked but an `outreach` address.
    """

    relation: Relation
    about: Literal["self", "someone_else"] = "self"
    urgency: Urgency
    help: tuple[Help, ...] = Field(default=(Help.TALK,), min_length=1, max_length=len(Help))
    want: Literal["peer", "clinician"] = "peer"
    choose: Literal["anyone", "shortlist"] = "anyone"
    topics: tuple[Topic, ...] = Field(default=(), max_length=10)
    preferences: Preferences = Preferences()
    avoid_people: tuple[Line, ...] = Field(default=(), max_length=30)
    wanted_people: tuple[Line, ...] = Field(default=(), max_length=3)
    """Peers wished for by name, badge or reference; kept nowhere as typed."""
    about_me: AboutMe | None = None
    reach: Reach | None = None
    outreach: Outreach | None = None
    release: Literal["on_accept", "ask_me"] = "on_accept"
    language: Annotated[str, AfterValidator(_language)] | None = None
    notice: Acknowledged | None = None
    code_hash: CodeHash
    _left_out: tuple[LeftOut, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _emergency_as_far_as_it_goes(cls, raw: object, read: ModelWrapValidatorHandler[Self]) -> Self:
        body, left = emergency_in(raw), dict[tuple[int | str, ...], LeftOut]()
        if body is None:
            return read(raw)
        for _ in range(SALVAGES):
            try:
                found = read(body)
            except ValidationError as error:
                rest = without(body, error.errors(include_input=False, include_url=False))
                if rest is None:
                    raise
                body = rest[0]
                left |= {one.path: one for one in rest[1] if one.path not in left}
            else:
                return found.noting(left.values())
        return read(body)

    def noting(self, left: Iterable[LeftOut]) -> Self:
        """This request, knowing what was left out of it."""
        self._left_out = tuple(left)
        return self

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Of an emergency: the parts that could not be read and were not taken."""
        return self._left_out

    @property
    def emergency(self) -> bool:
        """Accepted before its notice is acknowledged, released at once."""
        return self.urgency is Urgency.EMERGENCY

    @property
    def direct(self) -> bool:
        """No peer is looked for. In an emergency everybody is asked, a clinician on call too."""
        return self.want == "clinician" and not self.emergency

    @property
    def manner(self) -> Manner:
        """How the two come together, as the peer is told before accepting."""
        return self.reach.channel if self.reach is not None else "they_reach_you"

    def canonical(self) -> bytes:
        """The same bytes for the same request, whatever the order of its fields; for the digest of a repeat."""
        return self.model_dump_json(exclude_defaults=True).encode()


def refuse_what_does_not_fit(request: Request) -> None:
    """Raise `Refused` 422 when the notice was not named, or a message is to go to somebody who is asking themselves."""
    if request.outreach is not None and request.about != "someone_else" and not request.emergency:
        raise Refused("invalid", 422, (Problem("/outreach", "only-for-someone-else"),))
    if request.notice is None and not request.emergency:
        raise Refused("invalid", 422, (Problem("/notice", "missing"),))


def outreach_of(case: CaseId) -> UUID:
    """The one outreach that a case can have. Its key is found by the case's id alone, with nothing kept beside it."""
    return uuid5(case, "outreach")
