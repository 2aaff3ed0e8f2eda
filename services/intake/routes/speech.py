"""In which language a requester reads, and the words of each: data in `pages/words`, one file per language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.intake.domain.agency import Agency

Words = Mapping[str, Mapping[str, str]]
"""Every sentence and label by section and name."""
FALLBACK = "en"


def read_words(path: Path) -> dict[str, dict[str, str]]:
    """The sentences of a file by section and name."""
    raw: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    return {section: {name: str(text) for name, text in texts.items()} for section, texts in raw.items()}


@dataclass(frozen=True)
class Speech:
    """The words of every language that is spoken here."""

    words: Mapping[str, Words]

    def tongue(self, *wanted: str) -> str:
        """The first wanted language that is spoken here (`es-MX` is `es`); English when none is."""
        plain = (one.partition("-")[0].lower() for one in wanted)
        return next((one for one in plain if one in self.words), FALLBACK)

    def of(self, language: str) -> Words:
        """The words of a language that `tongue` has named."""
        return self.words[language]

    def other(self, language: str) -> str:
        """The language to switch to."""
        return next(one for one in sorted(self.words) if one != language)


def read_speech(folder: Path) -> Speech:
    """A file of words for each language, named by it."""
    return Speech({path.stem: read_words(path) for path in sorted(folder.glob("*.toml"))})


def local_time(moment: datetime, agency: Agency, words: Words) -> str:
    """A time as it is read aloud, in the agency's zone: "Monday 23 November, 14:30"."""
    return wall_time(moment.astimezone(ZoneInfo(agency.time_zone)), words)


def wall_time(local: datetime, words: Words) -> str:
    """As `local_time`, of a time as the clock on the wall shows it."""
    time = words["time"]
    return time["pattern"].format(
        weekday=time[f"weekday{local.weekday()}"],
        day=local.day,
        month=time[f"month{local.month}"],
        time=local.strftime("%H:%M"),
    )
