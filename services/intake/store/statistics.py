"""What stays of a case: one row that joins nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from shared.db import Transaction
from shared.types import AgencyId


@dataclass(frozen=True)
class Statistic:
    """A case that has ended. `statistic_id` is random and used nowhere else; `month` is its first day."""

    statistic_id: UUID
    agency_id: AgencyId
    month: date
    relation: str
    urgency: str
    help: tuple[str, ...]
    outcome: str


# Kinds of help travel as one text each: an array of arrays cannot be taken apart row by row.
_ADD = """
INSERT INTO statistics(statistic_id, agency_id, month, relation, urgency, help, outcome)
SELECT i, a, m, r, u, string_to_array(h, ' '), o
  FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::text[], $5::text[], $6::text[], $7::text[])
       t(i, a, m, r, u, h, o) ORDER BY i
"""


async def add(tx: Transaction, statistics: Sequence[Statistic]) -> None:
    """Write statistics of cases that have just ended."""
    if statistics:
        await tx.connection.execute(
            _ADD,
            [one.statistic_id for one in statistics],
            [one.agency_id for one in statistics],
            [one.month for one in statistics],
            [one.relation for one in statistics],
            [one.urgency for one in statistics],
            [" ".join(one.help) for one in statistics],
            [one.outcome for one in statistics],
        )


# A new id as well: the versions that a page still holds for a while have nothing in common then.
_APART = "UPDATE statistics SET apart = true, statistic_id = gen_random_uuid() WHERE NOT apart"


async def write_apart(tx: Transaction) -> None:
    """Write new statistics of the agencies in view once more, so that no transaction joins them to a case."""
    await tx.connection.execute(_APART)
