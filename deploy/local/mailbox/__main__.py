"""Run the mail server: `python -m deploy.local.mailbox --smtp-port N --http-port N --state DIR`.

It keeps whatever it is sent and shows it to whoever asks: for one machine or a demonstration, never for the public.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
import uvloop
from aiosmtpd.smtp import SMTP

from deploy.local.mailbox.pages import build
from deploy.local.mailbox.store import MailStore
from deploy.local.ports import LOOPBACK

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope, Session

LARGEST_MAIL_BYTES = 1 << 20


class Keep:
    """What the SMTP server does with a mail: keep it, then say yes."""

    def __init__(self, store: MailStore) -> None:
        """Keep into `store`."""
        self._store = store

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002 - aiosmtpd's name
        """Answer 250 once the mail is on the disk."""
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        await asyncio.to_thread(self._store.add, content, sender=envelope.mail_from or "", to=envelope.rcpt_tos)
        return "250 OK: kept"


async def serve(*, host: str, smtp_port: int, http_port: int, state: Path) -> None:
    """Serve both doors until SIGTERM or SIGINT."""
    store = MailStore(state)
    keep = Keep(store)

    def door() -> SMTP:
        return SMTP(
            keep, hostname="localhost", ident="local mailbox", data_size_limit=LARGEST_MAIL_BYTES, enable_SMTPUTF8=True
        )

    smtp = await asyncio.get_running_loop().create_server(door, host, smtp_port)
    async with smtp:
        await uvicorn.Server(
            uvicorn.Config(build(store), host=host, port=http_port, log_level="warning", access_log=False)
        ).serve()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.mailbox", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="in a container, which publishes on loopback alone: 0.0.0.0")
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    given = parser.parse_args()
    uvloop.run(serve(host=given.host, smtp_port=given.smtp_port, http_port=given.http_port, state=given.state))


if __name__ == "__main__":
    main()
