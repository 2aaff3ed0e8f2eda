"""The mail of a simulated region: a channel that behaves as it is told, and what has really arrived."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from services.notify.channels import Message
from services.notify.domain.intents import Purpose
from services.notify.domain.outcomes import Accepted, NotSent, Outcome, Refused, Unknown

PURPOSES: dict[str, Purpose] = {
    "v": "verify",
    "m": "offer",
    "w": "case",
    "p": "page",
    "c": "consult",
    "r": "referral",
    "o": "outreach",
    "t": "team",
}
_LINK = re.compile(r"http://\S+")
Mood = Literal["accept", "refuse", "not_now", "lose", "hold"]
"""Taken; never; not now; taken and the answer is lost; taken, and whoever sent it freezes before it hears so."""


@dataclass(frozen=True)
class Mail:
    """A mail that has arrived. `number` counts all of them; without a link there is no purpose."""

    number: int
    address: str
    purpose: Purpose | None
    token: str


class Post:
    """notify's channel. `moods` are used up one by one; then everything is accepted."""

    within_s = 5.0

    def __init__(self) -> None:
        self.on_arrival: Callable[[Mail], None] = lambda _: None
        self.arrived: list[Mail] = []
        self.moods: list[Mood] = []
        self.held: list[asyncio.Event] = []
        self.holding = asyncio.Event()

    async def send(self, message: Message) -> Outcome:
        mood = self.moods.pop(0) if self.moods else "accept"
        match mood:
            case "refuse":
                return Refused("550")
            case "not_now":
                return NotSent("451")
            case "lose":
                self._arrive(message)
                return Unknown("lost")
            case "hold":
                self._arrive(message)
                self.held.append(go := asyncio.Event())
                self.holding.set()
                await go.wait()
                return Accepted("250")
            case "accept":
                self._arrive(message)
                return Accepted("250")

    def _arrive(self, message: Message) -> None:
        links = _LINK.findall(message.body)
        purpose, token = None, ""
        if links:
            _, first, token = urlsplit(links[0]).path.split("/", 2)
            purpose = PURPOSES[first]
        mail = Mail(len(self.arrived), message.address, purpose, token)
        self.arrived.append(mail)
        self.on_arrival(mail)

    async def close(self) -> None:
        """Nothing to give back."""
