"""The contract between the houses: every fact that travels, and how it is read from a record's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from shared.events.earlier import EARLIER
from shared.events.envelope import TOPICS, Envelope, Fact, Topic, from_headers, source_of, to_headers
from shared.events.intake import IntakeFact
from shared.events.matching import MatchingFact
from shared.events.notify import NotifyFact
from shared.events.referral import ReferralFact
from shared.events.versions import Versions

AnyFact = IntakeFact | MatchingFact | ReferralFact | NotifyFact

FACTS: Mapping[str, type[Fact]] = {
    fact.model_fields["type"].default: fact
    for union in (IntakeFact, MatchingFact, ReferralFact, NotifyFact)
    for fact in get_args(union)
}
"""Every fact that services say and know, by its type name."""

KNOWN: frozenset[str] = frozenset(FACTS.keys() | EARLIER.keys())
"""Every type name that `decode` reads."""

_VERSIONS = Versions(FACTS, EARLIER)


def decode(kind: str, body: bytes) -> Fact:
    """The fact in a record's body, of whatever version, as services know it. Raises as `Versions.decode`."""
    return _VERSIONS.decode(kind, body)


def encode(fact: Fact) -> bytes:
    """The body of a record, UTF-8 JSON."""
    return fact.model_dump_json().encode()


__all__ = [
    "EARLIER",
    "FACTS",
    "KNOWN",
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
