"""Where Maven packages come from: Central, unless the standard Maven or proxy settings of the user say otherwise.

Needs Python alone, as preflight asks before any install.
"""

from __future__ import annotations

import base64
import importlib
import os
import ssl
import urllib.request
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CENTRAL = "https://repo.maven.apache.org/maven2"
SETTINGS_FILES = (Path("~/.m2/settings.xml"), Path("/etc/maven/settings.xml"))
READ_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A Maven repository: base address, headers it wants, proxy on the way (None: as the environment says)."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    proxy: str | None = None


def find_repository(files: tuple[Path, ...] = SETTINGS_FILES) -> Repository:
    """Repository for released packages: the first mirror of `central` in a settings file, else Maven Central."""
    url, headers, proxy = CENTRAL, dict[str, str](), None
    for tree in _settings(files):
        proxy = proxy or _proxy(tree)
        mirror = _mirror(tree)
        if mirror:
            url, headers = mirror
            break
    return Repository(url=url.rstrip("/"), headers=headers, proxy=None if _environment_has_proxy() else proxy)


def opener(repository: Repository) -> urllib.request.OpenerDirector:
    """HTTP client for the repository; honours HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=_trust())]
    if repository.proxy:
        handlers.append(urllib.request.ProxyHandler({"http": repository.proxy, "https": repository.proxy}))
    client = urllib.request.build_opener(*handlers)
    client.addheaders = [("User-Agent", "peerline-local"), *repository.headers.items()]
    return client


def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    # Python from python.org on macOS is shipped without any certificate authority.
    if not paths.cafile and not paths.capath:
        # Only there, and only after the packages are installed: preflight asks with Python alone.
        context.load_verify_locations(importlib.import_module("certifi").where())
    return context


def _environment_has_proxy() -> bool:
    return any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"))


def _settings(files: tuple[Path, ...]) -> Iterator[ET.Element]:
    for file in files:
        path = file.expanduser()
        try:
            root = ET.fromstring(path.read_bytes())  # noqa: S314 - the user's own settings file
        except (OSError, ET.ParseError):
            continue
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        yield root


def _covers_central(mirror_of: str) -> bool:
    rules = {rule.strip() for rule in mirror_of.split(",")}
    return "!central" not in rules and bool(rules & {"central", "*", "external:*"})


def _mirror(tree: ET.Element) -> tuple[str, dict[str, str]] | None:
    for mirror in tree.iterfind("mirrors/mirror"):
        blocked = (mirror.findtext("blocked") or "").strip() == "true"
        url = (mirror.findtext("url") or "").strip()
        if url and not blocked and _covers_central(mirror.findtext("mirrorOf") or ""):
            return url, _credentials(tree, mirror.findtext("id") or "")
    return None


def _credentials(tree: ET.Element, server_id: str) -> dict[str, str]:
    for server in tree.iterfind("servers/server"):
        user, password = server.findtext("username"), server.findtext("password")
        if server.findtext("id") == server_id and user and password:
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
    return {}


def _proxy(tree: ET.Element) -> str | None:
    for proxy in tree.iterfind("proxies/proxy"):
        host, port = proxy.findtext("host"), proxy.findtext("port") or "80"
        if host and (proxy.findtext("active") or "true").strip() == "true":
            user, password = proxy.findtext("username"), proxy.findtext("password")
            login = f"{user}:{password}@" if user and password else ""
            return f"http://{login}{host}:{port}"
    return None
