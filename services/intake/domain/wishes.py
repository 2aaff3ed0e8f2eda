"""What the page offers to wish of a peer: closed words, which peers say of themselves in their directory. Pure.

Over the API any word may be wished for: matching compares the words, and knows hardly any. "Only" is a gate there, the
others weigh. `other_agency` is said by nobody: it comes with being lent.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.events.intake import Wishes
from shared.types import OTHER_AGENCY

CHOICES = ("prefer", "require", "avoid")
"""Rather, only, rather not: the parts of a request's preferences."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "from": (OTHER_AGENCY, "retired"),
    "job": (
        *("job:patrol", "job:investigations", "job:dispatch", "job:corrections", "civilian"),
        *("rank:officer", "rank:supervisor", "rank:command"),
    ),
    "self": ("gender:female", "gender:male", "language:es", "parent", "veteran", "faith", "lgbtq"),
    "experience": (
        *("experience:critical_incident", "experience:shooting", "experience:child_death"),
        *("experience:colleague_death", "experience:injury", "experience:investigation", "experience:separation"),
    ),
}
"""The wishes as they stand on the page, by the legend above them."""

WISHES = tuple(token for tokens in GROUPS.values() for token in tokens)


def wished(wishes: Wishes) -> list[tuple[str, str]]:
    """Each wish as (choice, word), in the order of the page; words that the page does not have come last."""
    found = [(choice, token) for choice in CHOICES for token in dict.fromkeys(getattr(wishes, choice))]
    place = {token: n for n, token in enumerate(WISHES)}
    return sorted(found, key=lambda one: place.get(one[1], len(place)))
