"""What is sent and shown: neutral in every mail, and complete in every language."""

from __future__ import annotations

import re
from typing import get_args
from uuid import UUID

import pytest

from services.intake.domain.request import Topic
from services.notify.domain import texts, waits
from services.notify.domain.deidentify import Telling
from services.notify.domain.intents import Template
from services.notify.domain.matters import CONFIRMED_FIRST, VERBS
from services.notify.domain.things import RESOURCES, TOPICS, ConsultState, ReferralState
from services.notify.domain.views import Told
from services.notify.routes.look import PAGES
from shared.events.intake import Adviser, Manner
from shared.types import Role, Urgency

TEMPLATES: tuple[Template, ...] = get_args(Template)
LINK = f"https://messages.example.org/m/{'x' * 43}"
MAILS = [(language, template) for language in texts.MAILS for template in TEMPLATES]


@pytest.mark.parametrize(("language", "template"), MAILS)
def test_no_mail_tells_what_it_is_about(language: str, template: Template) -> None:
    subject, body = texts.mail(language, template, "")
    words = f"{subject} {body}".lower()
    assert not [stem for stem in texts.FORBIDDEN[language] if stem in words]
    assert not re.search(r"\d", words), "a number could be a case fact"


@pytest.mark.parametrize(("language", "template"), MAILS)
def test_a_mail_has_at_most_the_one_link_and_no_other_slot(language: str, template: Template) -> None:
    text = texts.MAILS[language][template]
    assert set(re.findall(r"{(\w+)}", text.subject + text.body)) <= {"link"}
    assert "{" not in "".join(texts.mail(language, template, LINK))
    assert "\n" not in text.subject


def test_every_language_has_every_text() -> None:
    assert {frozenset(table) for table in texts.MAILS.values()} == {frozenset(TEMPLATES)}
    assert {frozenset(table) for table in texts.PAGES.values()} == {frozenset(texts.PAGES[texts.FALLBACK])}
    assert texts.FORBIDDEN.keys() == texts.MAILS.keys() == texts.PAGES.keys()


def test_whatever_a_page_can_say_has_a_text() -> None:
    page = texts.page("en")
    wanted = {*get_args(Told), *(verb for verbs in VERBS.values() for verb in verbs)}
    wanted |= {f"topic_{one}" for one in TOPICS} | {f"kind_{one}" for one in RESOURCES}
    wanted |= {f"referral_{one}" for one in get_args(ReferralState)} | {
        f"consult_{one}" for one in get_args(ConsultState)
    }
    wanted |= {f"adviser_{one}" for one in get_args(Adviser)} | {f"leave_out_{one}" for one in get_args(Telling)}
    wanted |= {f"{verb}_sure" for verbs in CONFIRMED_FIRST.values() for verb in verbs}
    wanted |= {f"urgency_{one}" for one in Urgency} | {f"manner_{one}" for one in get_args(Manner)}
    wanted |= {f"{what}_{kind}" for what in ("wait", "do") for kind in waits.KINDS}
    wanted |= {f"staff_{role}{rest}" for role in (Role.PEER, Role.CLINICIAN) for rest in ("", "_reachable")}
    wanted |= {f"pin_{why}" for why in ("wrong", "locked", "blocked")}
    assert wanted <= page.keys()


def test_whatever_a_template_names_has_a_text() -> None:
    templates = [path.read_text() for path in (PAGES / "templates").iterdir()]
    named = {name for text in templates for name in re.findall(r"\bt\.([a-z_0-9]+)", text)} - {"get"}
    assert len(named) > 40
    assert named <= texts.page("en").keys()


@pytest.mark.parametrize("language", sorted(texts.PAGES))
def test_a_page_is_never_left_in_the_fallback(language: str) -> None:
    same = {key for key, text in texts.PAGES[language].items() if text == texts.PAGES["en"][key]}
    assert language == "en" or same <= {"decline", "topic_alcohol"}


def test_topics_are_those_that_requesters_choose_from() -> None:
    assert set(TOPICS) == {str(topic) for topic in Topic}


def test_a_language_that_is_not_spoken_yet_falls_back() -> None:
    assert texts.mail("xx-YY", "offer", LINK) == texts.mail("en-US", "offer", LINK)
    assert texts.page("") == texts.page("en")
    assert (texts.shown_in("xx"), texts.shown_in("en-GB")) == ("en", "en")


def test_a_mail_names_nobody_whatever_the_link_is() -> None:
    _, body = texts.mail("en", "offer", LINK)
    assert body == f"You have a message.\n\nOpen: {LINK}\n"
    assert str(UUID(int=1)) not in body
