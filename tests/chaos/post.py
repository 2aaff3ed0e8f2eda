"""The mail server as notify sees it: it hands every mail on to the mailbox, until it is told to misbehave."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, cast

import aiosmtplib
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.ports import LOOPBACK

Mood = Literal["well", "refused", "busy", "no", "hanging", "mute"]
"""Well; nobody listens; 4xx; 5xx; no answer to whatever comes next; takes a mail and never says so."""


class _Door(SMTP):
    """One connection, known to its post so that it can be cut."""

    def __init__(self, post: Post) -> None:
        super().__init__(post, hostname="localhost", ident="post", enable_SMTPUTF8=True)
        self._post = post

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._post.open.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._post.open.discard(self.transport)
        super().connection_lost(error)


class Post:
    """Listens on `port`, hands on to the port `mailbox`."""

    def __init__(self, port: int, mailbox: int) -> None:
        self.port, self._mailbox = port, mailbox
        self.mood: Mood = "well"
        self.open: set[Any] = set()
        self._lifted = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Door(self), LOOPBACK, self.port)

    async def stop(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for transport in list(self.open):
            transport.abort()

    async def turn(self, mood: Mood) -> None:
        """Behave like this from now on."""
        before, self.mood = self.mood, mood
        if mood == "refused":
            await self.stop()
        elif before == "refused":
            await self.start()
        # Whoever was kept waiting is let go, or kept waiting anew.
        self._lifted.set()
        self._lifted = asyncio.Event()

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.mood == "hanging":
            await self._lifted.wait()
        if self.mood == "busy":
            return "451 try again later"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.mood == "no":
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.mood == "hanging":
            await self._lifted.wait()
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        sender, to = envelope.mail_from or "", envelope.rcpt_tos
        await aiosmtplib.send(content, sender=sender, recipients=to, hostname=LOOPBACK, port=self._mailbox)
        if self.mood == "mute":
            cast("asyncio.Transport", server.transport).abort()
        return "250 OK: kept"
