"""What the auditor's loop may see of messages: those of no case, which are open things of their own."""

from __future__ import annotations

from shared.open_things import Open

WORDS = Open(
    "intents",
    """SELECT 'notify'::text AS owner, expires_at AS due_at FROM intents
        WHERE case_id IS NULL AND state IN ('planned', 'sending') AND ctid >= $3 AND ctid < $4""",
)
"""As the second branch of notify's view of open things."""
