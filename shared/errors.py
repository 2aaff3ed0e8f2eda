"""The three ways in which something does not work. Anything else that is raised means "try again"."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one field: a JSON pointer and a stable code, never the value."""

    pointer: str
    code: str


@dataclass(eq=False)
class Refused(Exception):
    """An expected no. `slug` is stable and public; HTTP turns it into problem+json with `status`."""

    slug: str
    status: int = 409
    problems: tuple[Problem, ...] = ()
    retry_after: int | None = None
    extra: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """The slug alone: nothing a person typed is ever in it."""
        return self.slug


class Unprocessable(Exception):
    """A message that can never be processed as it is. Its text holds field paths and error types only."""


class UnknownEvent(Exception):
    """A type or version that this process does not know yet: it waits a day for the upgrade that knows it."""


def places_of(error: BaseException) -> str:
    """Where an error came from: files, lines and functions, innermost last; no message, which may quote input."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames) or "?"


class SealBroken(Exception):
    """A sealed text that does not open here: wrong key, wrong place, or tampered with."""


class KeyDestroyed(Exception):
    """The data key of this subject has been destroyed, or never was."""


class LostClaim(Exception):
    """Somebody else took this over while it was being worked on; nothing of the work may stay."""
