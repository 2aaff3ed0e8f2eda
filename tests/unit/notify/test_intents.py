"""An intent on its way: attempts, lost answers, and what may be sent where."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest

from services.notify.domain.intents import (
    KINDS,
    Contact,
    Ended,
    Intent,
    Start,
    State,
    Template,
    ended,
    link_until,
    pause_s,
    started,
)
from services.notify.domain.outcomes import Accepted, NotSent, Outcome, Refused, Unknown, of_reply, of_silence, recorded
from shared.types import AgencyId, Lane, PersonId

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
FIRST, SECOND = UUID(int=11), UUID(int=12)
USABLE = Contact(active=True, verified=True, retired=False)


def intent(template: Template = "offer", state: State = "planned", **changes: object) -> Intent:
    made = Intent(
        intent_id=UUID(int=1),
        agency_id=AgencyId(UUID(int=2)),
        person=PersonId(UUID(int=3)),
        template=template,
        klass="ordinary",
        subject=UUID(int=4),
        expires_at=NOW + timedelta(hours=1),
        planned_at=NOW,
        state=state,
        attempt=FIRST if state == "sending" else None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def start(attempt: UUID = FIRST, contact: Contact | None = USABLE, version: int = 0) -> Start:
    return Start(UUID(int=1), version, attempt, contact)


def test_a_planned_one_is_sent_under_its_attempt() -> None:
    after, settled = started(intent(), start(), NOW)
    assert (after.state, after.attempt, settled) == ("sending", FIRST, None)


@pytest.mark.parametrize("state", [one for one in get_args(State) if one not in {"planned", "sending"}])
def test_a_settled_one_never_moves_again(state: State) -> None:
    before = intent(state=state)
    assert started(before, start(), NOW) == (before, None)
    assert ended(before, Ended(before.intent_id, FIRST, Accepted()), NOW) == (before, None)


def test_a_timer_of_another_version_does_nothing() -> None:
    assert started(intent(), start(version=1), NOW)[0].state == "planned"


def test_no_attempt_starts_once_it_has_expired() -> None:
    after, settled = started(intent(), start(), NOW + timedelta(hours=1))
    assert after.state == "expired"
    assert settled is not None


@pytest.mark.parametrize("template", get_args(Template))
def test_one_left_behind_is_sent_again_once_or_not_at_all(template: Template) -> None:
    again, settled = started(intent(template, "sending"), start(SECOND, contact_for(template)), NOW)
    assert (again.state == "sending") == KINDS[template].again == again.resent
    assert (settled is None) == KINDS[template].again
    last, settled = started(replace(again, attempt=FIRST), start(SECOND, contact_for(template)), NOW)
    assert last.state == "unknown"


def contact_for(template: Template) -> Contact:
    return Contact(active=True, verified=KINDS[template].to != "unverified", retired=False)


OUTCOMES: list[tuple[Outcome, State]] = [
    (Accepted("250"), "accepted"),
    (Refused("550"), "failed"),
    (NotSent("451"), "planned"),
    (Unknown("TimeoutError"), "unknown"),
]


@pytest.mark.parametrize(("outcome", "state"), OUTCOMES)
def test_how_an_attempt_ends_is_how_an_offer_ends(outcome: Outcome, state: State) -> None:
    after, settled = ended(intent(state="sending"), Ended(UUID(int=1), FIRST, outcome), NOW)
    assert after.state == state
    assert (settled is None) == (state == "planned")


def test_what_was_not_sent_in_time_has_expired() -> None:
    after, _ = ended(intent(state="sending"), Ended(UUID(int=1), FIRST, NotSent("451")), NOW + timedelta(hours=2))
    assert after.state == "expired"


def test_a_page_is_sent_twice_at_most() -> None:
    lost = Unknown("SMTPServerDisconnected")
    once, settled = ended(intent("page", "sending"), Ended(UUID(int=1), FIRST, lost), NOW)
    assert (once.state, once.resent, settled) == ("planned", True, None)
    twice, _ = started(once, start(SECOND), NOW)
    assert ended(twice, Ended(UUID(int=1), SECOND, lost), NOW)[0].state == "unknown"


def test_the_outcome_of_another_attempt_is_not_this_one() -> None:
    before = intent(state="sending")
    assert ended(before, Ended(UUID(int=1), SECOND, Accepted()), NOW) == (before, None)


@pytest.mark.parametrize("template", get_args(Template))
def test_only_a_verification_goes_to_an_unverified_point(template: Template) -> None:
    assert Contact(active=True, verified=False, retired=False).takes(template) == (template == "verify")


@pytest.mark.parametrize("template", get_args(Template))
def test_only_the_word_about_a_change_goes_to_a_point_no_longer_used(template: Template) -> None:
    assert Contact(active=True, verified=True, retired=True).takes(template) == (template == "changed")
    assert not Contact(active=False, verified=False, retired=False).takes(template)


def test_links_live_as_long_as_what_they_are_for() -> None:
    at = NOW + timedelta(minutes=5)
    assert link_until("case", expires_at=at, now=NOW) is None
    assert link_until("verify", expires_at=at, now=NOW) == NOW + timedelta(hours=48)
    assert link_until("offer", expires_at=at, now=NOW) == at + timedelta(hours=48)


@pytest.mark.parametrize(
    ("code", "kind"), [(421, NotSent), (450, NotSent), (452, NotSent), (500, Refused), (550, Refused), (554, Refused)]
)
def test_a_reply_of_the_mail_server_is_for_now_or_for_good(code: int, kind: type[Outcome]) -> None:
    outcome = of_reply(code)
    assert type(outcome) is kind
    assert outcome.code == str(code)


def test_silence_is_unknown_only_after_the_message_was_handed_over() -> None:
    assert of_silence(handed_over=False, code="x") == NotSent("x")
    assert of_silence(handed_over=True, code="x") == Unknown("x")
    assert [recorded(outcome) for outcome, _ in OUTCOMES] == ["accepted", "failed", "not_sent", "unknown"]


def test_a_crisis_has_a_lane_of_its_own() -> None:
    assert intent(klass="crisis").lane is Lane.CRISIS
    assert intent().lane is Lane.ORDINARY


@pytest.mark.parametrize(
    ("klass", "told"), [("crisis", [1, 2, 5, 10, 10]), ("ordinary", [15, 30, 60, 120, 300]), ("verify", [15, 30])]
)
def test_what_was_not_taken_pauses_shortly_for_a_page_and_longer_for_the_rest(klass: str, told: list[float]) -> None:
    paused = [pause_s(intent(klass=klass), NotSent("451"), tries, NOW) for tries in range(1, len(told) + 1)]
    assert paused == told


@pytest.mark.parametrize(("asked", "told"), [(0.5, 1), (20, 20), (7200, 3600)])
def test_a_provider_that_names_a_time_is_obeyed_until_the_expiry(asked: float, told: float) -> None:
    assert pause_s(intent(klass="crisis"), NotSent("429", after_s=asked), 1, NOW) == told


def test_a_lost_answer_that_is_sent_again_pauses_too() -> None:
    assert pause_s(intent(klass="crisis"), Unknown("TimeoutError"), 2, NOW) == 2
    assert pause_s(intent(klass="crisis"), Unknown("TimeoutError"), 2, NOW + timedelta(hours=2)) == 0
