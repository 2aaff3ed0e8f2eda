"""Every door of the two services that have doors, from the route tables of the apps that they really serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from services.intake.app import desk_of, intake_app
from services.intake.settings import IntakeSettings
from services.notify.app import notify_app, office_of
from services.notify.settings import NotifySettings
from shared.db import Database
from shared.http.health import Health
from shared.vault import make_keyring
from tests.harness.health import nobody

Door = tuple[str, str]
"""Method and template, such as ("POST", "/m/{token}")."""


def apps(folder: Path) -> dict[str, FastAPI]:
    """The apps of intake and notify, with keys of their own and pools that were never opened. Needs a running loop."""
    keyring = folder / "routes.json"
    make_keyring(keyring)
    secrets: dict[str, Any] = {"app_password": "", "loop_password": "", "fingerprint_key": "f" * 32}
    intake = IntakeSettings(environment="test", keyring=keyring, **secrets)
    notify = NotifySettings(environment="test", keyring=keyring, **secrets)
    return {
        "intake": intake_app(desk_of(_closed("intake"), intake), Health(_never, nobody)),
        "notify": notify_app(_closed("notify"), office_of(notify), notify, Health(_never, nobody)),
    }


def _closed(schema: str) -> Database:
    return Database(asyncpg.create_pool(min_size=0), asyncpg.create_pool(min_size=0), schema)


async def _never() -> dict[str, bool]:
    return {"database": False}


def doors(app: FastAPI) -> set[Door]:
    """Every method and template that an app answers to; a kind of route that cannot be read that way is an error."""
    found: set[Door] = set()
    for context in iter_route_contexts(app.routes):
        assert context.path, f"a route without a path: {context.original_route}"
        assert context.methods, f"a route without methods: {context.path}"
        found |= {(method, context.path) for method in context.methods}
    return found
