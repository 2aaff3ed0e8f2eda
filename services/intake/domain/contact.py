"""Addresses and numbers as they are kept: mail lower-cased and in ASCII, numbers in E.164. Pure.

Sources: RFC 5321 (by email-validator, without asking the network), ITU-T E.164 (by phonenumbers).
"""

from __future__ import annotations

import re

import phonenumbers
from email_validator import EmailNotValidError, validate_email

_SHORT_CODE = re.compile(r"^\d{3,6}$")
_MAX_MAIL = 254


class BadAddress(ValueError):
    """Not an address that a message could go to. The text never quotes it."""


def mail_address(text: str) -> str:
    """A mail address as it is kept. Raises `BadAddress`; whether it exists only its owner can show."""
    plain = text.strip()
    if plain.lower().startswith("mailto:"):
        plain = plain[len("mailto:") :]
    if not plain.isascii() or len(plain) > _MAX_MAIL:
        raise BadAddress("mail")
    try:
        # `.test` names are for demos and tests; no message to one ever leaves a machine.
        found = validate_email(plain, check_deliverability=False, allow_smtputf8=False, test_environment=True)
    except EmailNotValidError:
        raise BadAddress("mail") from None
    if found.ascii_email is None or "." not in found.ascii_domain:
        raise BadAddress("mail")
    return found.ascii_email.lower()


def domain_of(address: str) -> str:
    """The domain of a mail address as it is kept."""
    return address.rpartition("@")[2]


def within(address: str, domain: str | None) -> bool:
    """Whether the address lies in this mail domain or below it: its administrators could read what is sent there."""
    return domain is not None and (domain_of(address) == domain or domain_of(address).endswith(f".{domain}"))


def phone_number(text: str, jurisdiction: str) -> str:
    """A number in E.164 (`+18002676246`), read as dialled in the jurisdiction's country; a short code (988) stays.

    Raises `BadAddress`.
    """
    plain = text.strip()
    if _SHORT_CODE.fullmatch(plain):
        return plain
    try:
        number = phonenumbers.parse(plain, jurisdiction.partition("-")[0])
    except phonenumbers.NumberParseException:
        raise BadAddress("number") from None
    # "Possible" is about length alone: numbers for fiction and new ranges are not "valid" in the library's tables.
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    if number.extension or not possible:
        raise BadAddress("number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def looks_like_number(text: str) -> bool:
    """Whether a text is meant as a telephone number: digits and the signs people write between them, no letters."""
    digits = sum(sign.isdigit() for sign in text)
    return digits >= len("911") and all(sign.isdigit() or sign in "+()-./ \u00a0" for sign in text)
