"""AsyncAPI and OpenAPI as they are committed, and what their checkers find in documents that are wrong."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from shared.events import FACTS, TOPICS
from shared.migrate import SERVICES
from tools.contracts import node

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "docs/events"
API = ROOT / "docs/api"


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def operations(service: str) -> dict[str, Any]:
    found: dict[str, Any] = read(EVENTS / f"asyncapi/{service}.json")["operations"]
    return found


def test_every_topic_is_sent_by_the_one_service_that_writes_it() -> None:
    for service in SERVICES:
        sent = {name.removeprefix("send.") for name in operations(service) if name.startswith("send.")}
        assert sent == {topic.name for topic in TOPICS.values() if topic.writer == service}


def test_every_topic_has_a_reader_and_its_group_is_named() -> None:
    heard = [(name, one) for service in SERVICES for name, one in operations(service).items() if "receive" in name]
    assert {name.removeprefix("receive.") for name, _ in heard} == set(TOPICS)
    assert all(one["bindings"]["kafka"]["groupId"]["enum"] for _, one in heard)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_every_fact_of_its_own_in_its_published_schema(service: str) -> None:
    messages = read(EVENTS / f"asyncapi/{service}.json")["components"]["messages"]
    assert {kind for kind in FACTS if kind.startswith(f"{service}.")} <= messages.keys()
    assert all((EVENTS / "asyncapi" / one["payload"]["$ref"]).is_file() for one in messages.values())


def test_contact_points_are_read_by_notify_alone() -> None:
    assert [name for name in SERVICES if "receive.peerline.contacts" in operations(name)] == ["notify"]


@pytest.fixture
def checkers() -> Path:
    """The fetched packages; a test that needs them is skipped without, unless PEERLINE_REQUIRE_NODE is 1."""
    try:
        return node.packages(ROOT)
    except node.NoPackages as error:
        if os.environ.get(node.REQUIRED) == "1":
            raise
        pytest.skip(f"the checkers cannot be fetched: {error}")


def asyncapi_findings(folder: Path) -> list[str]:
    return list(node.findings(ROOT, [folder / "asyncapi/matching.json"], kind="asyncapi"))


@pytest.mark.usefixtures("checkers")
def test_the_official_parser_finds_a_message_that_is_not_there(tmp_path: Path) -> None:
    shutil.copytree(EVENTS, tmp_path / "events")
    assert asyncapi_findings(tmp_path / "events") == []
    document = read(tmp_path / "events/asyncapi/matching.json")
    del document["components"]["messages"]["matching.offer_made.v1"]
    (tmp_path / "events/asyncapi/matching.json").write_text(json.dumps(document))
    assert any("invalid-ref" in line for line in asyncapi_findings(tmp_path / "events"))


@pytest.mark.usefixtures("checkers")
def test_the_official_parser_reads_the_published_schemas_too(tmp_path: Path) -> None:
    shutil.copytree(EVENTS, tmp_path / "events")
    schema = tmp_path / "events/matching.offer_made.v1.json"
    schema.write_text(json.dumps(read(schema) | {"type": "no such type"}))
    assert asyncapi_findings(tmp_path / "events") != []


@pytest.mark.usefixtures("checkers")
def test_the_linter_finds_what_is_not_described(tmp_path: Path) -> None:
    document = read(API / "intake.json")
    del document["paths"]["/v1/agency"]["get"]["description"]
    wrong = tmp_path / "intake.json"
    wrong.write_text(json.dumps(document))
    [found] = node.findings(ROOT, [wrong], kind="openapi")
    assert "operation-description" in found


@pytest.mark.parametrize(("required", "said"), [("1", True), ("", False)])
def test_without_the_packages_it_fails_only_where_they_are_required(
    required: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, said: bool
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv(node.REQUIRED, required)
    assert bool(list(node.findings(tmp_path, [API / "intake.json"], kind="openapi"))) is said
