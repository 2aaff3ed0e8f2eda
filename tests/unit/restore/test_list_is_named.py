"""In production no service that destroys keys starts without the list that a restore needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.intake.settings import IntakeSettings
from services.notify.settings import NotifySettings

GIVEN: dict[str, Any] = {
    "kafka": "kafka:9092",
    "app_password": "",
    "loop_password": "",
    "fingerprint_key": "f" * 32,
    "keyring": Path("keyring.json"),
}


@pytest.mark.parametrize("settings", [IntakeSettings, NotifySettings])
def test_production_names_the_list_of_destroyed_keys(settings: type[IntakeSettings | NotifySettings]) -> None:
    with pytest.raises(ValidationError, match="PEERLINE_DESTROYED_KEYS"):
        settings(environment="production", **GIVEN)
    assert settings(environment="production", destroyed_keys=Path("list"), **GIVEN).destroyed_keys
    assert settings(environment="test", **GIVEN).destroyed_keys is None
