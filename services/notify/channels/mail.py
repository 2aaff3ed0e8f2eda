"""Mail over SMTP, with connections that are used again. Plain text, no tracking, nothing that names the product.

Source: RFC 5321 (when a server has taken a message), RFC 5322 (its form).
"""

from __future__ import annotations

import asyncio
import quopri
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from typing import Literal

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from services.notify.channels import Message
from services.notify.domain.outcomes import Accepted, NotSent, Outcome, Refused, of_reply, of_silence
from shared import clock

Security = Literal["none", "starttls", "tls"]
IDLE_S = 20.0
"""A connection that was silent for longer is not used again: servers hang up, and then nobody knows what was sent."""
CLOSE_WITHIN_S = 2.0


@dataclass(frozen=True)
class Server:
    """The mail server to hand messages to; `timeout_s` bounds one whole message."""

    host: str
    port: int
    sender: str
    timeout_s: float
    security: Security = "none"
    user: str | None = None
    password: str | None = None

    @property
    def domain(self) -> str:
        """What stands behind the @ of the sender; also the name given to the server."""
        return self.sender.rpartition("@")[2]


@dataclass
class _Hand:
    """How far a message has come."""

    client: SMTP | None = None
    connected: bool = False
    data: bool = False


class Mail:
    """The mail channel. `Channel` says what it promises."""

    def __init__(self, server: Server) -> None:
        """Nothing is connected before the first message."""
        self._server = server
        self.within_s = server.timeout_s
        self._idle: deque[tuple[SMTP, float]] = deque()

    async def send(self, message: Message) -> Outcome:
        """Hand one mail over. Until DATA nothing was sent; after it a lost answer is unknown."""
        try:
            content = self._content(message)
        except ValueError:
            return Refused("address")
        hand = _Hand()
        try:
            async with asyncio.timeout(self._server.timeout_s):
                await self._hand_over(hand, message.address, content)
        except SMTPResponseException as refused:
            _drop(hand.client)
            # Before MAIL a no is about us and not about this message: it may be tried again.
            return of_reply(refused.code) if hand.connected else NotSent(str(refused.code))
        except (SMTPException, OSError, ValueError) as error:
            _drop(hand.client)
            return of_silence(handed_over=hand.data, code=type(error).__name__)
        except BaseException:
            _drop(hand.client)
            raise
        if hand.client is not None:
            self._idle.append((hand.client, clock.monotonic()))
        return Accepted("250")

    async def _hand_over(self, hand: _Hand, address: str, content: bytes) -> None:
        hand.client = self._kept()
        if hand.client is not None:
            try:
                await hand.client.mail(self._server.sender)
            except (SMTPException, OSError):
                # The server had hung up. Nothing was sent: a new connection takes its place at once.
                _drop(hand.client)
                hand.client = None
        if hand.client is None:
            hand.client = self._client()
            await hand.client.connect()
            hand.connected = True
            await hand.client.mail(self._server.sender)
        hand.connected = True
        await hand.client.rcpt(address)
        hand.data = True
        await hand.client.data(content)

    async def close(self) -> None:
        """Say goodbye on every connection that is kept."""
        idle, self._idle = self._idle, deque()
        await asyncio.gather(*(_quit(client) for client, _ in idle))

    def _kept(self) -> SMTP | None:
        while self._idle:
            # The one used last: the others grow old together and are dropped together.
            client, since = self._idle.pop()
            if client.is_connected and clock.monotonic() - since < IDLE_S:
                return client
            _drop(client)
        return None

    def _client(self) -> SMTP:
        server = self._server
        return SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=server.domain,
            timeout=server.timeout_s,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            username=server.user,
            password=server.password,
        )

    def _content(self, message: Message) -> bytes:
        number = f"{clock.random_id().hex}@{self._server.domain}"
        return written(message, sender=self._server.sender, number=number, at=clock.now())


def written(message: Message, *, sender: str, number: str, at: datetime) -> bytes:
    """The mail as it is sent; `number` is its Message-ID. Raises ValueError for an address that no header can hold.

    By hand: of everything that sending a mail costs here, `email.message.EmailMessage` was two fifths.
    """
    plain = message.body.isascii()
    head = {
        "From": sender,
        "To": message.address,
        "Subject": message.subject if message.subject.isascii() else Header(message.subject, "utf-8").encode(),
        "Date": format_datetime(at),
        "Message-ID": f"<{number}>",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "7bit" if plain else "quoted-printable",
    }
    if not (message.address.isascii() and message.address.isprintable()):
        raise ValueError("address")
    # As it is: quoted-printable would break a long link over two lines of the source.
    body = message.body if plain else quopri.encodestring(message.body.encode()).decode("ascii")
    return "\r\n".join([*(f"{name}: {value}" for name, value in head.items()), "", *body.splitlines(), ""]).encode()


def _drop(client: SMTP | None) -> None:
    if client is not None:
        client.close()


async def _quit(client: SMTP) -> None:
    with suppress(SMTPException, OSError):
        async with asyncio.timeout(CLOSE_WITHIN_S):
            await client.quit()
    client.close()
