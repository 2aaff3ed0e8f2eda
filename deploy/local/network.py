"""Can be downloaded what a first start needs? Asked before anything is, with Python alone; any answer will do."""

from __future__ import annotations

import configparser
import os
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deploy.local import maven
from deploy.local.errors import UnfitMachineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PYPI = "https://pypi.org/simple"
WITHIN_S = 10.0
# pip knows its own way there: whether that works is for pip to say.
OWN_WAYS = ("no-index", "find-links", "extra-index-url", "proxy")


def pip_files() -> list[Path]:
    """Where pip reads its settings, what counts most last."""
    home = Path.home()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / "Library/Application Support/pip/pip.conf"]
    files.append(config / "pip/pip.conf")
    named = os.environ.get("PIP_CONFIG_FILE")
    return [*files, Path(named)] if named else files


def package_index(environment: Mapping[str, str], files: Sequence[Path]) -> str | None:
    """The address of the index that pip will ask; None where its settings say more than an address."""
    found: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file)
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            found |= dict(parser.items(section)) if parser.has_section(section) else {}
    found |= {name[4:].lower().replace("_", "-"): value for name, value in environment.items() if name[:4] == "PIP_"}
    return None if any(found.get(name) for name in OWN_WAYS) else found.get("index-url") or PYPI


def check_answers(client: urllib.request.OpenerDirector, url: str, setting: str) -> None:
    """Raise UnfitMachineError when nobody answers there; a no, or a certificate that only pip trusts, is an answer."""
    try:
        client.open(urllib.request.Request(url, method="HEAD"), timeout=WITHIN_S).close()  # noqa: S310 - from settings
    except urllib.error.HTTPError as error:
        error.close()
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return
        raise UnfitMachineError(
            f"Nothing can be downloaded from {urlsplit(url).hostname} ({reason}): connect this machine, or set "
            f"HTTPS_PROXY or {setting}, and start again."
        ) from None


def check(*, wheels: bool, jars: bool) -> None:
    """Raise UnfitMachineError for the first of the two that is needed and cannot be had."""
    index = package_index(os.environ, pip_files()) if wheels else None
    if index is not None:
        check_answers(urllib.request.build_opener(), index, "PIP_INDEX_URL")
    if jars:
        repository = maven.find_repository()
        check_answers(maven.opener(repository), repository.url, "a mirror in ~/.m2/settings.xml")
