"""The few values that notify needs, besides those of every service."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from shared.settings import Settings


class NotifySettings(Settings):
    """Read once from `PEERLINE_*`. Nothing that a recipient can see has a default with the product's name."""

    http_port: int = 18081
    keyring: Path
    """The key-encryption keys and the root of keyed hashes (`shared.vault.read_keyring`)."""
    destroyed_keys: Path | None = None
    """As intake's: the same file, or one of its own."""
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=11025, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_timeout_s: float = Field(default=10.0, gt=0, le=20)
    """For one whole mail. With the time to record its outcome it has to fit into a timer's lease."""
    smtp_at_once: int = Field(default=16, ge=1, le=200)
    mail_sender: str = Field(default="messages@localhost", pattern=r"^[^@\s<>]+@[^@\s<>]+$")
    public_url: str = Field(default="http://127.0.0.1:18081", pattern=r"^https?://[^\s/]+(/[^\s]*)?[^/\s]$")
    """What links in mails begin with, as seen from a phone."""
    intake_url: str = Field(default="http://127.0.0.1:18080", pattern=r"^https?://[^\s/]+(/[^\s]*)?[^/\s]$")
    """Where the agencies' public pages are, as seen from a phone."""
    page_title: str = ""
    """The title of every page; "" is "Message", in the language of the page."""
    forms_per_source: int = Field(default=120, ge=2)
    """Per minute, from one address, half of them at once; to be raised where many people share one. Never of danger."""

    @model_validator(mode="after")
    def _destroyed_keys_are_listed(self) -> Self:
        if self.environment == "production" and self.destroyed_keys is None:
            message = (
                "PEERLINE_DESTROYED_KEYS is missing: without the list a restored backup brings destroyed keys back"
            )
            raise ValueError(message)
        return self

    @property
    def https(self) -> bool:
        """Pages are reached over TLS: cookies are Secure then."""
        return self.public_url.startswith("https://")
