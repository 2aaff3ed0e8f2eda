"""Which repository and proxy a user's standard Maven settings choose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jgo.constants import MAVEN_CENTRAL_URL

from deploy.local.maven import Repository, find_repository

NAMESPACE = 'xmlns="http://maven.apache.org/SETTINGS/1.2.0"'


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def found(tmp_path: Path, inside: str) -> Repository:
    file = tmp_path / "settings.xml"
    file.write_text(f"<settings {NAMESPACE}>{inside}</settings>")
    return find_repository((tmp_path / "missing.xml", file))


def mirror(of: str, *, extra: str = "") -> str:
    return f"<mirrors><mirror><id>m</id><mirrorOf>{of}</mirrorOf><url>https://m.test/r/</url>{extra}</mirror></mirrors>"


def test_without_settings_it_is_the_standard_repository(tmp_path: Path) -> None:
    assert find_repository((tmp_path / "missing.xml",)) == Repository(url=MAVEN_CENTRAL_URL)


@pytest.mark.parametrize("of", ["central", "*", "external:*", "other, central"])
def test_a_mirror_of_the_standard_repository_is_taken(tmp_path: Path, of: str) -> None:
    assert found(tmp_path, mirror(of)).url == "https://m.test/r"


@pytest.mark.parametrize("of", ["other", "*,!central", "external:http:*"])
def test_a_mirror_of_something_else_is_not(tmp_path: Path, of: str) -> None:
    assert found(tmp_path, mirror(of)).url == MAVEN_CENTRAL_URL


def test_a_blocked_mirror_is_not_taken(tmp_path: Path) -> None:
    assert found(tmp_path, mirror("*", extra="<blocked>true</blocked>")).url == MAVEN_CENTRAL_URL


def test_the_credentials_of_the_mirror_are_sent(tmp_path: Path) -> None:
    server = "<servers><server><id>m</id><username>u</username><password>p</password></server></servers>"
    assert found(tmp_path, mirror("*") + server).headers == {"Authorization": "Basic dTpw"}


def test_an_active_proxy_is_used_and_an_inactive_one_is_not(tmp_path: Path) -> None:
    proxy = "<proxies><proxy><active>{}</active><host>p.test</host><port>3128</port></proxy></proxies>"
    assert found(tmp_path, proxy.format("true")).proxy == "http://p.test:3128"
    assert found(tmp_path, proxy.format("false")).proxy is None


def test_a_proxy_of_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://e.test:1")
    assert found(tmp_path, "<proxies><proxy><host>p.test</host></proxy></proxies>").proxy is None


def test_broken_settings_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "settings.xml"
    file.write_text("<settings><mirrors>")
    assert find_repository((file,)).url == MAVEN_CENTRAL_URL
