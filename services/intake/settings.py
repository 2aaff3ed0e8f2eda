"""The few values of intake, read once from `PEERLINE_*`."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from shared.settings import Settings

HTTP_PORT = 18_080


class IntakeSettings(Settings):
    """Where the doors are and how much may come in through them."""

    http_port: int = HTTP_PORT
    keyring: Path = Path("keyring.json")
    """The key-encryption keys and the root of keyed hashes; readable by its owner alone."""
    destroyed_keys: Path | None = None
    """The list of destroyed keys, which no restored backup undoes: a file that lies with no database.

    Production does not start without one.
    """
    public_url: str = "http://127.0.0.1:18080"
    """Where requesters find the pages; https puts the cookie under its host and adds HSTS."""
    product_title: str = ""
    """The title of every page: it stands in histories and on lock screens, so it says nothing.

    "" is "Messages", in the language of the page.
    """
    exit_url: str = "https://www.weather.gov/"
    """Where the quick exit leads."""
    contact_line: str = ""
    """Said on error pages, as it stands; "" is a sentence in the language of the page."""
    requests_per_source: int = Field(default=10, ge=1)
    """Per minute, from one address."""
    requests_per_agency: int = Field(default=60, ge=1)
    """Per minute, to one agency."""
    emergencies_per_source: int = Field(default=30, ge=1)
    """Per minute, in a bucket of their own: ordinary traffic never uses them up."""
    emergencies_per_agency: int = Field(default=300, ge=1)
    wrong_codes_per_source: int = Field(default=20, ge=1)
    """Per minute; a code has 128 bits, so this only keeps the noise down."""

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
        """Whether requesters come by https."""
        return self.public_url.startswith("https://")
