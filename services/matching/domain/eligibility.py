"""Who may be asked at all. These are gates: what only makes somebody better or worse stands in `ranking`."""

from __future__ import annotations

from collections.abc import Container
from datetime import date

from services.matching.domain.people import Peer
from shared.events.intake import Ask
from shared.types import PersonId, Role

TRAINED = "trained"
"""As a wish that is required it is no attribute of a peer: the date of the training decides."""


def suits(peer: Peer, ask: Ask, today: date) -> bool:
    """Whether a peer fits this kind of request, whoever asks: `eligible` without the persons kept out of the case."""
    return (
        peer.active
        and peer.verified
        and peer.role == Role.PEER
        and (designated(peer, today) or not ask.policy.designation_required)
        and (trained(peer, today) or not wants_training(ask))
        and (not ask.wishes.require or _meets(peer, ask))
        # Who declares no kinds of help has not narrowed anything.
        and (not peer.offers or not ask.help or not peer.offers.isdisjoint(ask.help))
    )


def _meets(peer: Peer, ask: Ask) -> bool:
    required = {one for one in ask.wishes.require if one != TRAINED}
    return peer.says(required) == len(required)


def wants_training(ask: Ask) -> bool:
    """Whether only peers whose training is current may be asked: by law, by the agency's policy, or by the requester.

    California Gov 8669.6, Utah 78B-5-903 and Washington HB 2311 make it a condition; intake stamps which law holds.
    """
    return ask.policy.training_required or TRAINED in ask.wishes.require


def designated(peer: Peer, today: date) -> bool:
    """Whether the agency has designated this peer on that date (privilege attaches only to designated peers).

    Sources: Utah 78B-5-903, Colorado 12-30-125, Minnesota 181.9731, Florida 111.09. Without a first day nobody is.
    """
    begun = peer.designated_from is not None and peer.designated_from <= today
    return begun and (peer.designated_to is None or today <= peer.designated_to)


def trained(peer: Peer, today: date) -> bool:
    """Whether the training is current: shown and preferred; a gate where `wants_training` says so."""
    return peer.trained_until is not None and today <= peer.trained_until


def eligible(peer: Peer, ask: Ask, today: date, refused: Container[PersonId]) -> bool:
    """Whether this peer may be offered this case.

    `today` is the date in the agency's zone. `refused` are the persons kept out of the case: refused by the requester,
    or gone from it. Bars were found by intake and travel in the ask.
    """
    return suits(peer, ask, today) and peer.person not in ask.bars and peer.person not in refused
