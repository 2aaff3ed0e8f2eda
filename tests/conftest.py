"""The fixtures of all tests, and the mark of those that need engines."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.harness.fixtures import _engines, _own_engines, _region, bus, cluster, database, pool, seen, topics, town

__all__ = ["_engines", "_own_engines", "_region", "bus", "cluster", "database", "pool", "seen", "topics", "town"]

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("peerline", deadline=None)
settings.load_profile("peerline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for an engine is marked `engines`, so that `-m "not engines"` runs the rest in seconds."""
    for item in items:
        if "own_engines" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.engines)
