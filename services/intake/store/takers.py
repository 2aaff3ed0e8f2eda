"""The agencies that requests of one batch go to."""

from __future__ import annotations

import json
from collections.abc import Collection

from services.intake.domain.agency import Agency, Line
from shared.db import Transaction
from shared.types import AgencyId, Structure


async def load_agencies(tx: Transaction, agencies: Collection[AgencyId]) -> dict[AgencyId, Agency]:
    """These agencies with their policies, as far as they are known and in view."""
    rows = await tx.connection.fetch(
        """SELECT agency_id, revision, active, name, slug, kind, jurisdiction, structure, languages, time_zone,
                  mail_domain, lines, policy, policy_revision, directory_revision
             FROM agencies WHERE agency_id = ANY ($1::uuid[])""",
        list(agencies),
    )
    return {
        AgencyId(row["agency_id"]): Agency(
            **dict(row)
            | {
                "agency_id": AgencyId(row["agency_id"]),
                "structure": Structure(row["structure"]),
                "languages": tuple(row["languages"]),
                "lines": tuple(Line(**line) for line in json.loads(row["lines"])),
                "policy": json.loads(row["policy"]),
            }
        )
        for row in rows
    }
