"""What is taken out of the product, one thing at a time, to see that somebody notices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One guard, and the edit that removes it: `old` stands once in `file` and becomes `new`.

    `test` is asked when the simulator has noticed nothing in so many `steps`.
    """

    name: str
    file: str
    old: str
    new: str
    test: str = ""
    steps: int = 20_000


MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "the inbox claim",
        "shared/delivery.py",
        "if received.envelope.event_id in claimed.fresh and not stopped:",
        "if not stopped:",
    ),
    Mutation(
        "the case lock",
        "shared/anchors.py",
        "WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id FOR UPDATE",
        "WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id",
        test="tests/integration/shared/test_casework.py",
    ),
    Mutation(
        "the version fence of a case",
        "shared/anchors.py",
        "WHERE c.case_id = u.case_id AND c.agency_id = u.agency_id AND c.version = u.version",
        "WHERE c.case_id = u.case_id AND c.agency_id = u.agency_id",
        test="tests/integration/shared/test_casework.py",
    ),
    Mutation(
        "the version fence of a timer",
        "services/referral/domain/ladder.py",
        "(ladder.ladder_id, ladder.turn) != (what.subject, what.version)",
        "ladder.ladder_id != what.subject",
        test="tests/unit/referral",
    ),
    Mutation(
        "the lease of a timer",
        "shared/timers.py",
        "           AND (leased_until IS NULL OR leased_until < clock_timestamp())\n",
        "",
        test="tests/integration/shared/test_timers.py",
    ),
    Mutation(
        "the round that lets copies follow",
        "services/intake/actions/following.py",
        "for agency in sorted(found & {*agencies})]",
        "for agency in sorted(found & {*agencies})][:0]",
        test="tests/integration/intake_agency/test_pool.py",
    ),
    Mutation(
        "the new stamp of changed people",
        "services/matching/migrations/0016_pre_rosters.sql",
        "ON CONFLICT (agency_id) DO UPDATE SET stamp = excluded.stamp",
        "ON CONFLICT (agency_id) DO NOTHING",
        test="tests/integration/matching/test_rosters.py",
    ),
    Mutation(
        "the fence of a timer",
        "shared/timers.py",
        """    if status != f"DELETE {len(left)}":
        raise LostClaim""",
        """    if status != f"DELETE {len(left)}":
        return""",
        test="tests/integration/shared/test_timers.py",
    ),
    Mutation(
        "the order of the outbox",
        "shared/relay.py",
        "AND id <= $5 ORDER BY id LIMIT $3",
        "AND id <= $5 ORDER BY event_id DESC LIMIT $3",
    ),
    Mutation(
        "the offset behind the effect",
        "shared/broker.py",
        "                positions = await self._delivery.take(raws)\n",
        """                self._done.update(
                    {TopicPartition(self._settings.topic_prefix + raw.topic, raw.part): raw.pos + 1 for raw in raws}
                )
                await self.commit()
                positions = await self._delivery.take(raws)
""",
        test="tests/integration/shared/test_broker.py",
    ),
    Mutation(
        "the tombstone of a stop event",
        "shared/anchors.py",
        "    ids = sorted(cases)\n    await tx.connection.execute(_BURY,",
        "    return\n    ids = sorted(cases)\n    await tx.connection.execute(_BURY,",
    ),
    Mutation(
        "one policy of row security",
        "services/matching/migrations/0001_pre_matching.sql",
        "CREATE POLICY agency ON offers TO {app}\n    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))",
        "CREATE POLICY agency ON offers TO {app}\n    USING (true)",
        test="tests/integration/test_catalogue.py",
    ),
    Mutation(
        "the index that lets one accept",
        "services/matching/migrations/0001_pre_matching.sql",
        "CREATE UNIQUE INDEX one_accepted",
        "CREATE INDEX one_accepted",
        test="tests/integration/matching/test_races.py",
    ),
)
