"""What each person carries: the loads are locked ascending, after the cases."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from services.matching.domain.loads import Change, Load, season_of
from shared.db import Transaction
from shared.errors import LostClaim
from shared.types import PersonId

# As `domain.loads.faded` has it.
LOADS = """
SELECT peer_id, open, crisis, asked >> greatest(least($2 - season, 31), 0), rest_until, paused_until
  FROM peer_load WHERE peer_id = ANY ($1::uuid[])
"""


async def of(tx: Transaction, carriers: Collection[PersonId], now: datetime) -> dict[PersonId, Load]:
    """What these people carry; whoever was never asked is absent."""
    rows = await tx.connection.fetch(LOADS, list(carriers), season_of(now))
    return {peer: Load(*carried) for peer, *carried in rows}


_HOLD = """
INSERT INTO peer_load(peer_id, season)
SELECT p, $2 FROM unnest($1::uuid[]) t(p) ORDER BY p
ON CONFLICT (peer_id) DO UPDATE SET season = peer_load.season WHERE false
"""
_TAKE = """
UPDATE peer_load l
   SET open = l.open + u.open, crisis = l.crisis + u.crisis,
       asked = (l.asked >> greatest(least($8 - l.season, 31), 0)) + u.asked, season = $8,
       rest_until = greatest(l.rest_until, u.rest_until), paused_until = greatest(l.paused_until, u.paused_until),
       apart = false
  FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[], $7::timestamptz[], $9::timestamptz[])
       u(peer, open, crisis, asked, open_limit, crisis_limit, rest_until, paused_until)
 WHERE l.peer_id = u.peer AND l.open <= u.open_limit AND l.crisis <= u.crisis_limit
"""


async def take_loads(tx: Transaction, changes: Sequence[Change], now: datetime) -> None:
    """Write what a batch has reserved and freed. Raises `LostClaim` when somebody else filled a peer up meanwhile."""
    if not changes:
        return
    season, peers = season_of(now), [change.person for change in changes]
    # Makes missing rows and locks all of them, ascending; a statement of its own, so that the next one sees what the
    # lock waited for.
    await tx.connection.execute(_HOLD, peers, season)
    status = await tx.connection.execute(
        _TAKE,
        peers,
        [change.open for change in changes],
        [change.crisis for change in changes],
        [change.asked for change in changes],
        [change.open_limit for change in changes],
        [change.crisis_limit for change in changes],
        [change.rest_until for change in changes],
        season,
        [change.paused_until for change in changes],
    )
    if status != f"UPDATE {len(changes)}":
        raise LostClaim


_APART = """
WITH touched AS (SELECT peer_id FROM peer_load WHERE NOT apart ORDER BY peer_id FOR UPDATE)
UPDATE peer_load l SET apart = true FROM touched t WHERE l.peer_id = t.peer_id
"""


async def write_apart(tx: Transaction) -> None:
    """Write the loads that cases have changed once more, so that no transaction joins them to a case."""
    await tx.connection.execute(_APART)
