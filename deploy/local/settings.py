"""The few values of a local region: ports on loopback, where state and downloads lie."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.ports import HIGHEST, NAMES, PREFIX, Ports

DEFAULTS = Ports()


def checkout() -> Path:
    """Root folder of the checkout this package lies in."""
    return Path(__file__).resolve().parents[2]


def default_cache() -> Path:
    """User cache folder shared by all checkouts: $XDG_CACHE_HOME/peerline, else ~/.cache/peerline."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "peerline"


class LocalSettings(BaseSettings):
    """Settings of the local region, read from PEERLINE_LOCAL_* once at start."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    kafka_port: int = Field(default=DEFAULTS.kafka, ge=1, le=HIGHEST)
    kafka_controller_port: int = Field(default=DEFAULTS.kafka_controller, ge=1, le=HIGHEST)
    postgres_port: int = Field(default=DEFAULTS.postgres, ge=1, le=HIGHEST)
    zipkin_port: int = Field(default=DEFAULTS.zipkin, ge=1, le=HIGHEST)
    smtp_port: int = Field(default=DEFAULTS.smtp, ge=1, le=HIGHEST)
    mailbox_port: int = Field(default=DEFAULTS.mailbox, ge=1, le=HIGHEST)
    intake_port: int = Field(default=DEFAULTS.intake, ge=1, le=HIGHEST)
    notify_port: int = Field(default=DEFAULTS.notify, ge=1, le=HIGHEST)
    matching_port: int = Field(default=DEFAULTS.matching, ge=1, le=HIGHEST)
    referral_port: int = Field(default=DEFAULTS.referral, ge=1, le=HIGHEST)
    state: Path = Field(default_factory=lambda: checkout() / ".peerline")
    cache: Path = Field(default_factory=default_cache)

    @property
    def ports(self) -> Ports:
        """All ports as one value."""
        return Ports(**{name: getattr(self, f"{name}_port") for name in NAMES})

    def profile(self, name: str = "up") -> Path:
        """State folder of one profile: `up` for `make up`, `test-<pid>` for a test run."""
        return self.state / name
