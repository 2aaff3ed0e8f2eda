"""Every text that a person is sent or shown, by language. Data: a new language is one more module like these.

Mails name no case fact, person or agency, and use no word that tells what this is about; a test holds this for every
template in every language. Pages behind a PIN may speak plainly, and still name nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.notify.domain.intents import Template
from services.notify.domain.texts import english, spanish
from services.notify.domain.texts.mail import MailText

FALLBACK = "en"

FORBIDDEN: Mapping[str, tuple[str, ...]] = {"en": english.FORBIDDEN, "es": spanish.FORBIDDEN}
"""Stems that no mail may contain, per language."""

MAILS: Mapping[str, Mapping[Template, MailText]] = {"en": english.MAILS, "es": spanish.MAILS}

PAGES: Mapping[str, Mapping[str, str]] = {"en": english.PAGES, "es": spanish.PAGES}


def mail(language: str, template: Template, link: str) -> tuple[str, str]:
    """Subject and body in this language, or in the fallback where it is not spoken yet."""
    text = MAILS[shown_in(language)][template]
    return text.subject, text.body.replace("{link}", link)


def page(language: str) -> Mapping[str, str]:
    """The texts of the pages in this language, or in the fallback."""
    return PAGES[shown_in(language)]


def shown_in(language: str) -> str:
    """The language in which somebody who wants this one (a BCP 47 tag) is told things."""
    return _primary(language) if spoken(language) else FALLBACK


def spoken(language: str) -> bool:
    """Whether there are texts for who wants this language."""
    return _primary(language) in PAGES and _primary(language) in MAILS


def _primary(language: str) -> str:
    return language.partition("-")[0].lower()
