"""What `python -m deploy.prepare` is told."""

import pytest

from deploy.prepare import SUPERUSER_PASSWORD, USAGE, main, password_variable, place_of
from shared.migrate import logins

NAMED = {
    "PEERLINE_DATABASE_HOST": "postgres",
    "PEERLINE_KAFKA": "kafka:9092",
    SUPERUSER_PASSWORD: "x",
    **{password_variable(login): "y" for login in logins()},
}


def test_a_word_that_is_no_phase_is_refused_before_anything_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["later"]) == USAGE
    assert "pre, post" in capsys.readouterr().err


def test_topics_have_no_prefix_unless_one_is_named() -> None:
    assert place_of(NAMED).topic_prefix == ""
    assert place_of(NAMED | {"PEERLINE_TOPIC_PREFIX": "t1."}).topic_prefix == "t1."
