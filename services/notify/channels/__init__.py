"""The ways a message takes out of the house."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from services.notify.domain.outcomes import Outcome


@dataclass(frozen=True, repr=False)
class Message:
    """A message ready to go. It holds an address and a link in the clear, so it lives in memory alone."""

    address: str
    subject: str
    body: str


class Channel(Protocol):
    """Hands messages to a provider. Safe to call from many tasks at once; every call ends within `within_s`."""

    within_s: float
    """The longest that one `send` can take, in seconds."""

    async def send(self, message: Message) -> Outcome:
        """Hand one message over. Raises nothing: whatever happens is an outcome."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...
