"""What matching needs to know from its environment: nothing but where its health answers."""

from __future__ import annotations

from pydantic import Field

from shared.settings import Settings


class MatchingSettings(Settings):
    """Health on loopback is matching's only door."""

    http_port: int = Field(default=18082, ge=1, le=65535)
