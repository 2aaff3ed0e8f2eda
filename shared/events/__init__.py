"""The contract between the houses: every fact that travels, and how it is read from a record's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from pydantic import ValidationError

from shared.errors import UnknownEvent, Unprocessable
from shared.events.envelope import TOPICS, Envelope, Fact, Topic, Value, from_headers, source_of, to_headers
from shared.events.intake import IntakeFact
from shared.events.matching import MatchingFact
from shared.events.notify import NotifyFact
from shared.events.referral import ReferralFact

AnyFact = IntakeFact | MatchingFact | ReferralFact | NotifyFact

FACTS: Mapping[str, type[Fact]] = {
    fact.model_fields["type"].default: fact
    for union in (IntakeFact, MatchingFact, ReferralFact, NotifyFact)
    for fact in get_args(union)
}
"""Every fact by its type name."""

_FIELDS = frozenset(name for model in (*FACTS.values(), *Value.__subclasses__()) for name in model.model_fields)


def decode(kind: str, body: bytes) -> Fact:
    """The fact in a record's body. Raises `UnknownEvent`, or `Unprocessable` with field paths and error types only."""
    model = FACTS.get(kind)
    if model is None:
        raise UnknownEvent
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        places = sorted({f"{'.'.join(_shown(part) for part in one['loc'])}: {one['type']}" for one in found})
        raise Unprocessable("; ".join(places[:10])) from None


def _shown(part: int | str) -> str:
    # The key of a map is caller input too: only names of fields are shown.
    return str(part) if isinstance(part, int) or part in _FIELDS else "*"


def encode(fact: Fact) -> bytes:
    """The body of a record, UTF-8 JSON."""
    return fact.model_dump_json().encode()


__all__ = [
    "FACTS",
    "TOPICS",
    "AnyFact",
    "Envelope",
    "Fact",
    "IntakeFact",
    "MatchingFact",
    "NotifyFact",
    "ReferralFact",
    "Topic",
    "decode",
    "encode",
    "from_headers",
    "source_of",
    "to_headers",
]
