"""The few values of referral, read once from `PEERLINE_*`."""

from __future__ import annotations

from shared.settings import Settings

HEALTH_PORT = 18_083


class ReferralSettings(Settings):
    """Nothing beyond what every service needs; its port answers health checks only."""

    http_port: int = HEALTH_PORT
