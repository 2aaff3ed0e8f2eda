"""Every text that a person is sent or shown, by language. Data: a new language is one more entry of each table.

Mails name no case fact, person or agency, and use no word that tells what this is about; a test holds this for every
template in every language. Pages behind a PIN may speak plainly, and still name nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.notify.domain.intents import Template

FALLBACK = "en"

FORBIDDEN: Mapping[str, tuple[str, ...]] = {
    "en": (
        "police",
        "officer",
        "peer",
        "support",
        "crisis",
        "emergency",
        "case",
        "agency",
        "department",
        "assignment",
        "offer",
        "suicide",
        "trauma",
        "incident",
        "counsel",
        "clinic",
        "therap",
        "health",
        "help",
    ),
}
"""Stems that no mail may contain, per language."""


@dataclass(frozen=True)
class MailText:
    """Subject and body of a mail; `{link}` stands where the link goes."""

    subject: str
    body: str


MAILS: Mapping[str, Mapping[Template, MailText]] = {
    "en": {
        "offer": MailText("You have a message", "You have a message.\n\nOpen: {link}\n"),
        "details": MailText("You have a second message", "You have a second message.\n\nOpen: {link}\n"),
        "page": MailText("Urgent: please open now", "Urgent: please open now.\n\nOpen: {link}\n"),
        "verify": MailText(
            "Please confirm this address",
            "Somebody has entered this address for messages to you.\n\nTo confirm it, open: {link}\n\n"
            "If you do not expect this, do nothing.\n",
        ),
        "changed": MailText(
            "Your address was changed",
            "The address for messages to you was changed. If this surprises you, tell whoever keeps your details.\n",
        ),
        "count": MailText("One request is waiting", "One request is waiting for an answer.\n"),
        "over": MailText(
            "Your last message", "Your last message is no longer needed. There is nothing more to do. Thank you.\n"
        ),
    },
}

PAGES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "enter_pin": "Enter your PIN to read your message.",
        "pin": "PIN (6 digits)",
        "pin_again": "The same PIN once more",
        "open": "Open",
        "verify": "Choose a PIN of 6 digits. If you have one already, enter that one.",
        "confirm": "Confirm",
        "verified": "Thank you. This address is confirmed.",
        "link_used": "This has already been handled. Thank you.",
        "pin_shape": "A PIN has 6 digits.",
        "pins_differ": "The two PINs are not the same.",
        "pin_wrong": "That is not the PIN. Please try again.",
        "pin_locked": "Too many wrong PINs. Please try again in 15 minutes.",
        "pin_blocked": "Too many wrong PINs. This opens again when an address of yours has been confirmed anew.",
        "gone": "This is no longer open. There is nothing to do. Thank you.",
        "again": "Please open the link in your message again.",
        "handled": "This has already been handled. Thank you.",
        "ask": "Somebody needs a person to turn to. Can you be there?",
        "ask_assignment": "Thank you for being there.",
        "ask_page": "Somebody needs a person now. Can you take this?",
        "moment": "One moment …",
        "look_again": "Look again",
        "details_follow": "Thank you: details follow in a second message.",
        "waiting_for_details": "Thank you: details follow in a second message.",
        "noted": "Noted. Thank you.",
        "covered": "Already covered, thank you.",
        "too_late": "It is too late for an answer. Thank you.",
        "ended": "This has ended. Thank you.",
        "use_page": "Thank you for being there. When you have spoken, say so at the link in the urgent message.",
        "taken": "You have taken this. Thank you. Please confirm when you have spoken with them.",
        "urgency": "How soon",
        "urgency_routine": "in the next days",
        "urgency_soon": "today",
        "urgency_urgent": "within the hour",
        "urgency_emergency": "now",
        "manner": "How",
        "manner_call": "by telephone",
        "manner_text": "by text message",
        "manner_mail": "by mail",
        "manner_they_reach_you": "they will reach you",
        "reach": "How to reach them",
        "channel": "Way",
        "address": "Number or address",
        "safe_times": "When it is safe",
        "leave_message": "You may leave a message",
        "do_not_leave_message": "Do not leave a message",
        "they_will_call": "They will call you on the number you chose to show.",
        "again_for_details": "To see the details again, enter your PIN.",
        "accept": "Yes, I can",
        "decline": "No",
        "not_now": "Not now",
        "contacted": "We have spoken",
        "step_back": "I cannot go on with this",
        "close": "This is finished",
        "close_sure": "Close this for good? It cannot be opened again.",
        "yes_close": "Yes, close it",
        "back": "Back",
        "acknowledge": "I take this",
        "cannot": "I cannot",
        "contact_confirmed": "I have spoken with them",
        "problem": "This did not work. Please try again in a moment.",
        "too_many": "Too many tries. Please wait a moment.",
    },
}


def mail(language: str, template: Template, link: str) -> tuple[str, str]:
    """Subject and body in this language, or in the fallback where it is not spoken yet."""
    text = MAILS[shown_in(language)][template]
    return text.subject, text.body.replace("{link}", link)


def page(language: str) -> Mapping[str, str]:
    """The texts of the pages in this language, or in the fallback."""
    return PAGES[shown_in(language)]


def shown_in(language: str) -> str:
    """The language in which somebody who wants this one (a BCP 47 tag) is told things."""
    primary = language.partition("-")[0].lower()
    return primary if primary in PAGES and primary in MAILS else FALLBACK
