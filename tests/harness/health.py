"""What the doors of health are answered from where nobody asks them."""

from __future__ import annotations

from collections.abc import Sequence

from shared.checks import Pulse
from shared.http.health import Health


async def nothing() -> dict[str, bool]:
    return {}


async def nobody() -> Sequence[Pulse]:
    return []


UNASKED = Health(nothing, nobody)
