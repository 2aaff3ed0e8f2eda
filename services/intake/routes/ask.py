"""The three screens of asking, as data: what stands in the form becomes the same request as the API takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from services.intake.domain.codes import hash_of
from services.intake.domain.request import Reach, Request
from shared.http.problems import problems_of

Fields = Mapping[str, list[str]]

OWN = frozenset({"screen", "version", "read", "kept_code"})
"""Fields of a screen itself, which are not handed on to the next."""

WISH = "wish:"
"""What the field of a wish begins with; the word that is wished for follows, and the value is the choice."""

OLDER = "prefer"
"""The field of a page that was opened before there was a choice: each of its words is preferred."""

OF_SCREEN_TWO = frozenset(
    {
        *("choose", "channel", "address", "called", "safe_times", "leave_message", "release", "avoid_people"),
        *("wanted_people", "supervisor", "unit", "unit_agreed", "me", "incident", "topics", "outreach"),
    }
)
"""Fields of the second screen, beside those of wishes."""

OF_A_PEER = frozenset({"choose", "release", "wanted_people"})
"""Of them, beside wishes: what is asked only where a peer is looked for."""


def one(fields: Fields, name: str, default: str = "") -> str:
    """The last value of a field, without blanks around it."""
    return fields[name][-1].strip() if fields.get(name) else default


def kept(fields: Fields, *, but: Fields | None = None) -> dict[str, list[str]]:
    """What the next screen carries on in hidden fields."""
    left_out = OWN | set(but or ())
    return {name: values for name, values in _settled(fields).items() if name not in left_out}


def of_screen_two(fields: Fields) -> dict[str, list[str]]:
    """What was said on the second screen, for when it is shown again."""
    return {name: said for name, said in _settled(fields).items() if name in OF_SCREEN_TWO or name.startswith(WISH)}


def drawn(fields: Fields) -> dict[str, list[str]]:
    """As `of_screen_two`, without what that screen does not ask now, and carries on for when they think again.

    Of whoever wants a clinician that is what they wish of a peer; of whoever asks for themselves, somebody's address.
    """
    clinician, other = one(fields, "want") == "clinician", one(fields, "about") == "someone_else"
    out = (OF_A_PEER if clinician else frozenset()) | (frozenset() if other else {"outreach"})
    said = of_screen_two(fields).items()
    return {name: values for name, values in said if name not in out and not (clinician and name.startswith(WISH))}


def _settled(fields: Fields) -> dict[str, list[str]]:
    """The fields with each wish that was chosen in one of its own, and none for what does not matter."""
    others = {name: said for name, said in fields.items() if name != OLDER and not name.startswith(WISH)}
    return others | {f"{WISH}{token}": [choice] for token, choice in chosen(fields).items()}


def chosen(fields: Fields) -> dict[str, str]:
    """Which wishes stand in a form, each with its choice.

    What is chosen goes before what a page has said that knew no choice yet.
    """
    older = dict.fromkeys(fields.get(OLDER, ()), "prefer")
    now = {name.removeprefix(WISH): one(fields, name) for name in fields if name.startswith(WISH)}
    return {token: choice for token, choice in (older | now).items() if choice}


def _preferences(fields: Fields) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for token, choice in chosen(fields).items():
        found.setdefault(choice, []).append(token)
    return found


def request_of(fields: Fields) -> Request:
    """The request in a form. Raises ValidationError with the places of the API's body."""
    raw: dict[str, Any] = {
        "relation": one(fields, "relation"),
        "about": one(fields, "about", "self"),
        "want": one(fields, "want", "peer"),
        "urgency": one(fields, "urgency"),
        "help": list(fields.get("help", [])),
        "choose": one(fields, "choose", "anyone"),
        "release": one(fields, "release", "on_accept"),
        "topics": list(fields.get("topics", [])),
        "preferences": _preferences(fields),
        "avoid_people": _lines(fields, "avoid_people"),
        "wanted_people": _lines(fields, "wanted_people"),
        "code_hash": hash_of(one(fields, "code")),
    }
    if one(fields, "lang"):
        raw["language"] = one(fields, "lang")
    if one(fields, "outreach") and raw["about"] == "someone_else":
        raw["outreach"] = {"channel": "mail", "address": one(fields, "outreach")}
    typed = ("me", "unit", "supervisor", "incident")
    about: dict[str, Any] = {name: one(fields, name) for name in typed if one(fields, name)}
    if one(fields, "unit_agreed"):
        about["unit_agreed"] = True
    if about:
        raw["about_me"] = about
    if (reach := _reach(fields)) is not None:
        raw["reach"] = reach
    if one(fields, "version"):
        raw["notice"] = {"version": one(fields, "version")}
    return Request.model_validate(raw)


def emergency_of(fields: Fields) -> Request:
    """What the emergency's button sends. A number that is none must not hold it up."""
    raw: dict[str, Any] = {
        "relation": one(fields, "relation", "officer"),
        "about": one(fields, "about", "self"),
        "urgency": "emergency",
        "code_hash": hash_of(one(fields, "code")),
    }
    if one(fields, "lang"):
        raw["language"] = one(fields, "lang")
    if address := one(fields, "address"):
        try:
            raw["reach"] = Reach(channel="call", address=address).model_dump()
        except ValidationError:
            raw.pop("reach", None)
    return Request.model_validate(raw)


def _lines(fields: Fields, name: str) -> list[str]:
    return [line.strip() for line in one(fields, name).splitlines() if line.strip()]


def reach_of(fields: Fields) -> Reach | None:
    """How to be reached, or None for "I call". Raises ValidationError."""
    raw = _reach(fields)
    return Reach.model_validate(raw) if raw is not None else None


def _reach(fields: Fields) -> dict[str, Any] | None:
    channel = one(fields, "channel", "none")
    if channel == "none":
        return None
    raw: dict[str, Any] = {
        "channel": channel,
        "address": one(fields, "address"),
        "leave_message": bool(one(fields, "leave_message")),
    }
    said = {"safe_times": one(fields, "safe_times"), "name": one(fields, "called")}
    return raw | {name: text for name, text in said.items() if text}


def told(error: ValidationError, words: Mapping[str, str]) -> list[str]:
    """One sentence for each part of the form that has to be put right; never what was typed."""
    parts = [problem.pointer.strip("/").partition("/")[0] for problem in problems_of(error)]
    return [words.get(part, words["other"]) for part in dict.fromkeys(parts)]
