"""Earlier versions of facts, each with the pure function that raises it to the next one.

When a fact gets a `vN+1`, its model of `vN` moves here as it is, and `vN_to_vN+1` is written beside it. It may go when
no record of it can be about any more: 14 days after its last producer (docs/architecture/contracts.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.events.versions import Earlier

EARLIER: Mapping[str, Earlier] = {}
"""By type name."""
