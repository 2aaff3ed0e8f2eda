"""The four services as their processes declare them, on engines that are never asked: what they declare is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from services.intake import app as intake
from services.intake.settings import IntakeSettings
from services.matching import app as matching
from services.matching.settings import MatchingSettings
from services.notify import app as notify
from services.notify.settings import NotifySettings
from services.referral import app as referral
from services.referral.settings import ReferralSettings
from shared.process import Process, opened
from shared.settings import Settings
from shared.vault import make_keyring

_NOWHERE: dict[str, Any] = {
    "environment": "test",
    "kafka": "kafka:9092",
    "app_password": "",
    "loop_password": "",
    "fingerprint_key": "f" * 32,
}


@asynccontextmanager
async def wired() -> AsyncIterator[dict[str, Process]]:
    """Each service's process by its name, declared and not running."""
    with TemporaryDirectory() as folder:
        keyring = Path(folder, "keyring.json")
        make_keyring(keyring)
        intake_settings = IntakeSettings(keyring=keyring, **_NOWHERE)
        notify_settings = NotifySettings(keyring=keyring, **_NOWHERE)
        declared: dict[str, tuple[Settings, Callable[[Process], object]]] = {
            "intake": (intake_settings, lambda process: intake.declare(process, intake_settings)),
            "matching": (MatchingSettings(**_NOWHERE), matching.declare),
            "referral": (ReferralSettings(**_NOWHERE), referral.declare),
            "notify": (notify_settings, lambda process: notify.declare(process, notify_settings)),
        }
        async with AsyncExitStack() as stack:
            found = {}
            for name, (settings, declare) in declared.items():
                process = found[name] = await stack.enter_async_context(opened(name, settings))
                stack.push_async_callback(process.publisher.stop)
                declare(process)
            yield found
