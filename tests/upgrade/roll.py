"""A region while it is rolled from this release to the next: which replica runs what, and cases that are walked."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.local import walk
from deploy.local.mails import Mail
from deploy.prepare import SUPERUSER_PASSWORD, password_variable
from shared.events.intake import CaseClosed
from shared.migrate import SERVICES, Phase
from shared.types import CaseId
from tests.harness.engines import guarded
from tests.harness.region import FIRST
from tests.harness.town import Town
from tests.harness.waiting import eventually

BESIDE = "1"
"""The replica of the next release that joins the one of this release, in the same consumer groups."""


@dataclass(frozen=True)
class Walked:
    """A case that a peer has accepted: who asked, and the mail behind which the peer answers."""

    requester: walk.Requester
    case: CaseId
    mail: Mail


class Roll:
    """Steps of an upgrade, as an operator takes them."""

    def __init__(self, town: Town, release: Path) -> None:
        """`release` is where the source of the next release lies."""
        self.town, self.release = town, release

    async def prepare(self, phase: Phase) -> str:
        """Run the next release's `python -m deploy.prepare`; returns what it said."""
        region = self.town.region
        endpoints, passwords = region.endpoints, region.database.cluster.passwords
        place = {
            "PATH": os.environ["PATH"],
            "PEERLINE_DATABASE_HOST": endpoints.postgres_host,
            "PEERLINE_DATABASE_PORT": str(endpoints.postgres_port),
            "PEERLINE_DATABASE": region.database.name,
            "PEERLINE_KAFKA": endpoints.kafka,
            "PEERLINE_TOPIC_PREFIX": region.topics.prefix,
            SUPERUSER_PASSWORD: endpoints.postgres_password,
        }
        code, said = await self._run(
            place | {password_variable(login): word for login, word in passwords.items()}, "deploy.prepare", phase
        )
        assert code == 0, said
        return said

    async def contracts_kept(self) -> None:
        """The gate of `make check` lets this next release pass, apart from what it has not written yet."""
        code, said = await self._run({"PATH": os.environ["PATH"]}, "tools.contracts.gate")
        unwritten = ("is not what the code says", "has no golden sample", "events:")
        assert [line for line in said.splitlines() if not any(words in line for words in unwritten)] == []
        assert code == 1

    async def _run(self, environment: dict[str, str], module: str, *words: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *guarded(sys.executable, "-m", module, *words),
            cwd=self.release,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    async def beside(self, service: str) -> None:
        """Start a replica of the next release beside the one of this release."""
        await self.town.region.start(service, replica=BESIDE, root=self.release)

    async def alone(self, service: str) -> None:
        """Stop the replica of this release; one of the next takes its place at the front door."""
        await self.town.region.stop(service)
        await self.town.region.start(service, replica=FIRST, root=self.release)

    async def accepted(self) -> Walked:
        """Somebody asks and a peer accepts."""
        requester = await self.town.ask()
        sql = await self.town.region.sql()
        case = await sql.fetchval("SELECT case_id FROM intake.requests WHERE reference = $1", requester.reference)
        offer = await self.town.mail("/m/")
        await self.town.answer(offer, "accept")
        await requester.until("released")
        return Walked(requester, CaseId(case), await self.town.mail("/w/", to=[offer.to]))

    async def contacted(self, walked: Walked) -> None:
        """The peer reports contact, and the requester's page says so."""
        await self.town.answer(walked.mail, "contacted")
        await walked.requester.until("in_contact")

    async def ended(self, walked: Walked) -> None:
        """The peer closes; the case comes to its purge in all four services."""
        await self.town.answer(walked.mail, "close")
        await self.town.seen.first(CaseClosed, case=walked.case)
        await walk.purged(self.town.local, walked.case)

    async def a_case_is_walked(self) -> None:
        """From the request to the purge."""
        walked = await self.accepted()
        await self.contacted(walked)
        await self.ended(walked)

    async def contact_of(self, walked: Walked) -> tuple[str | None, bool | None]:
        """What the next release's intake keeps of the contact: how, and whether the new fact was heard."""
        sql = await self.town.region.sql()
        row = await sql.fetchrow(
            "SELECT contact_how, contact_noted FROM intake.requests WHERE case_id = $1", walked.case
        )
        assert row is not None
        return row["contact_how"], row["contact_noted"]

    async def parked(self, service: str) -> list[str]:
        """Why records are parked at a service, in their order."""
        sql = await self.town.region.sql()
        rows = await sql.fetch(f"SELECT error_class FROM {service}.parked ORDER BY seq")  # noqa: S608 - one of four
        return [row["error_class"] for row in rows]

    async def unparked(self, service: str) -> None:
        """Wait until nothing is parked there any more."""

        async def none() -> bool:
            return not await self.parked(service)

        await eventually(none, 60.0, what=f"nothing parked at {service}")

    async def at_rest(self) -> None:
        """Nothing open, parked or dead, and nothing unsent anywhere."""
        sql = await self.town.region.sql()

        async def still() -> bool:
            counts = [
                await sql.fetchval(f"SELECT count(*) FROM {service}.{table}")  # noqa: S608 - names of ours
                for service in SERVICES
                for table in ("cases", "parked", "outbox")
            ]
            return not any(counts)

        await eventually(still, 30.0, what="no case, nothing parked, nothing unsent")
