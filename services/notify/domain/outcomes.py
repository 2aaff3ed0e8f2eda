"""What a provider's answer comes to. Four kinds, because "was it sent?" has three answers and one of them is final."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never


@dataclass(frozen=True)
class Accepted:
    """The provider has taken the message."""

    code: str = ""


@dataclass(frozen=True)
class Refused:
    """The provider will never take it: a permanent no."""

    code: str


@dataclass(frozen=True)
class NotSent:
    """Nothing was handed over; it may be tried again without risk, where the provider says so not before `after_s`."""

    code: str
    after_s: float = 0.0


@dataclass(frozen=True)
class Unknown:
    """It was handed over and the answer was lost: it may have been sent."""

    code: str


Outcome = Accepted | Refused | NotSent | Unknown

_PERMANENT = 500


def of_reply(code: int) -> Outcome:
    """What an SMTP reply other than success means: 5xx is for good, anything else was not taken now (RFC 5321, 4.2)."""
    return Refused(str(code)) if code >= _PERMANENT else NotSent(str(code))


def of_silence(*, handed_over: bool, code: str) -> Outcome:
    """What a time-out or a lost connection means: before DATA nothing was sent, after it nobody knows."""
    return Unknown(code) if handed_over else NotSent(code)


def recorded(outcome: Outcome) -> str:
    """The outcome as an attempt's row keeps it."""
    match outcome:
        case Accepted():
            return "accepted"
        case Refused():
            return "failed"
        case NotSent():
            return "not_sent"
        case Unknown():
            return "unknown"
        case _:
            assert_never(outcome)
