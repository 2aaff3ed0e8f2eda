"""The cookie of the requester's pages."""

import os
from datetime import timedelta

from services.intake.routes.session import Session, opened, sealed
from tests.unit.intake_case.given import NOW

KEY = os.urandom(32)
HERE = Session("oakville", "code")


def test_a_session_opens_for_fifteen_minutes() -> None:
    value = sealed(KEY, HERE, NOW)
    assert opened(KEY, value, NOW + timedelta(minutes=14)) == HERE
    assert opened(KEY, value, NOW + timedelta(minutes=16)) is None


def test_a_cookie_shows_no_code() -> None:
    assert "code" not in sealed(KEY, HERE, NOW)
    assert "code" not in repr(HERE)


def test_a_foreign_or_broken_cookie_opens_nothing() -> None:
    value = sealed(KEY, HERE, NOW)
    for bad in ("", "x", "äöü", value[:-4], value[:-6] + "AAAAAA", sealed(os.urandom(32), HERE, NOW)):
        assert opened(KEY, bad, NOW) is None
