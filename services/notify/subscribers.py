"""What notify hears on the bus: one function per consumer group."""

from __future__ import annotations

from collections.abc import Sequence

from services.notify.actions import contacts, hearing
from shared.db import Transaction
from shared.delivery import Received


async def ordinary(tx: Transaction, received: Sequence[Received]) -> None:
    """What intake, matching and referral say about cases, and whom intake wants told something beside them."""
    await contacts.ask_again(tx, received)
    await contacts.words(tx, received)
    await hearing.of_cases(tx, received)


async def crisis(tx: Transaction, received: Sequence[Received]) -> None:
    """Pages to send, and cases that stop."""
    await hearing.of_cases(tx, received)


async def directory(tx: Transaction, received: Sequence[Received]) -> None:
    """Who persons are, and their sealed contact points."""
    await contacts.of_people(tx, received)
