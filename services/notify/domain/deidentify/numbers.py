"""Numbers, in digits or in words, as people say them: "eight oh one triple five", "fifty-five", "treinta y cinco"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.notify.domain.deidentify.letters import Token

_UNITS = ("zero oh nought cero", "one uno una", "two dos", "three tres", "four cuatro", "five cinco", "six seis",
          "seven siete", "eight ocho", "nine nueve")  # fmt: skip
_TEENS = ("ten diez", "eleven once", "twelve doce", "thirteen trece", "fourteen catorce", "fifteen quince",
          "sixteen dieciseis", "seventeen diecisiete", "eighteen dieciocho", "nineteen diecinueve",
          "twenty veinte", "veintiuno", "veintidos", "veintitres", "veinticuatro", "veinticinco", "veintiseis",
          "veintisiete", "veintiocho", "veintinueve")  # fmt: skip
_TENS = ("twenty veinte", "thirty treinta", "forty fourty cuarenta", "fifty cincuenta", "sixty sesenta",
         "seventy setenta", "eighty ochenta", "ninety noventa")  # fmt: skip
UNITS = {word: str(digit) for digit, words in enumerate(_UNITS) for word in words.split()}
TEENS = {word: str(number) for number, words in enumerate(_TEENS, 10) for word in words.split()}
TENS = {word: str(digit) for digit, words in enumerate(_TENS, 2) for word in words.split()}
TIMES = {"double": 2, "doble": 2, "triple": 3}
HUNDRED = frozenset({"hundred", "cien", "cientos"})
_PHONE_MIN, _PART_MIN = 7, 4
_CALLED = re.compile(
    r"\b(?:badge|shield|serial|placa|insignia|chapa|matricula)\b(?:\s(?:no|nr|num|number|numero|id|is|es))*\s\d{2,}"
)


@dataclass
class _Run:
    """Digits that were said one after the other."""

    digits: str = ""
    times: int = 1
    tens: bool = False
    """The last word was a ten without its unit: "fifty", as in "fifty-five"."""

    def takes(self, token: Token) -> bool:
        """Whether this word goes on with the number; then it has been added."""
        word = token.text
        if token.is_number:
            self._add(word)
        elif word in TIMES:
            self.times = TIMES[word]
        elif word == "y" and self.tens:
            pass
        elif word in UNITS and self.tens and UNITS[word] != "0":
            self.digits, self.tens = self.digits[:-1] + UNITS[word], False
        elif word in UNITS:
            self._add(UNITS[word])
        elif word in TENS:
            self._add(TENS[word] + "0")
            self.tens = True
        elif word in TEENS:
            self._add(TEENS[word])
        elif word in HUNDRED and self.digits:
            self._add("00")
        else:
            return False
        return True

    def _add(self, digits: str) -> None:
        self.digits, self.times, self.tens = self.digits + digits * self.times, 1, False


def spoken(found: Sequence[Token]) -> list[Token | str]:
    """The words of a text, with every number as one string of digits in its place."""
    told: list[Token | str] = []
    run = _Run()
    for token in found:
        if run.takes(token):
            continue
        told += [run.digits, token] if run.digits else [token]
        run = _Run()
    return [*told, run.digits] if run.digits else told


def is_phone(told: Sequence[Token | str]) -> bool:
    """Seven digits or more one after the other."""
    return any(isinstance(one, str) and len(one) >= _PHONE_MIN for one in told)


def is_badge(told: Sequence[Token | str]) -> bool:
    """A badge is named, and its number follows in words."""
    return _CALLED.search(" ".join(one if isinstance(one, str) else one.text for one in told)) is not None


def is_part_of(told: Sequence[Token | str], reach: str) -> bool:
    """Four digits in a row of how to reach the requester."""
    parts = [one for one in told if isinstance(one, str)]
    windows = (one[n : n + _PART_MIN] for one in parts for n in range(len(one) - _PART_MIN + 1))
    return any(part in reach for part in windows)
