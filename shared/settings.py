"""The few values that every service needs, read once from the environment (`PEERLINE_*`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretBytes, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Base of each service's settings. Secrets never appear in its repr."""

    model_config = SettingsConfigDict(env_prefix="PEERLINE_", frozen=True, extra="ignore", hide_input_in_errors=True)

    environment: Literal["production", "demo", "test"] = "production"
    kafka: str = "127.0.0.1:19092"
    topic_prefix: str = ""
    """Before every topic and group, so that tests can share one broker. Empty in production."""
    replica: str = "0"
    """Names this process among its like: static membership of the consumer groups."""
    database: str = "peerline"
    database_host: str = "127.0.0.1"
    database_port: int = 15432
    app_password: SecretStr
    loop_password: SecretStr
    pool_size: int = Field(default=8, ge=2, le=100)
    fingerprint_key: SecretBytes
    """Keyed hash of what cannot be decoded or kept: at least 32 bytes."""
    http_host: str = "127.0.0.1"
    http_port: int
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Where Prometheus asks, never the public port; nowhere when unset."""
    fault: str = ""
    fault_marker: Path | None = None
    deadman_s: float = Field(default=60.0, gt=0)
    """So long after its last clean pass an auditor is not believed to be well any more."""
    late_s: float = Field(default=120.0, gt=0)
    """How late what a service owns may be, in seconds of the region's clock: its sweepers' lag."""
    session_timeout_ms: int = 10_000
    """How long Kafka waits for a silent consumer, in milliseconds."""

    @model_validator(mode="after")
    def _prefix_is_for_tests(self) -> Self:
        if self.environment == "production" and self.topic_prefix:
            message = "PEERLINE_TOPIC_PREFIX is for tests: production has the topics to itself"
            raise ValueError(message)
        return self
