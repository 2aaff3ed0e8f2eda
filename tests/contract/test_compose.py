"""What docker-compose.yml and the files it mounts promise, read as they stand: no Docker is asked."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local import kafka, postgres, relock
from deploy.local.settings import checkout
from deploy.prepare import password_variable
from shared.metrics import GAUGES
from shared.migrate import SERVICES, app_of, logins, loop_of
from shared.telemetry import ALLOWED
from tests.harness import containers

ROOT = checkout()
DEPLOY = ROOT / "deploy"
OWN = (*SERVICES, "prepare", "mailbox", "peerline", "anchors")
DEFAULTED = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


COMPOSE = read(ROOT / "docker-compose.yml")
SERVICE = COMPOSE["services"]


@pytest.mark.parametrize("name", OWN)
def test_our_own_containers_run_as_somebody_on_a_read_only_root(name: str) -> None:
    one = SERVICE[name]
    user = DEFAULTED.sub(r"\1", one["user"])
    assert one["read_only"] is True
    assert [part for part in user.split(":") if int(part) == 0] == []


@pytest.mark.parametrize("name", SERVICE)
def test_every_container_is_limited_and_keeps_no_capability(name: str) -> None:
    one = SERVICE[name]
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "cpus", "pids_limit", "user"} <= one.keys()
    assert not one["user"].startswith("0")
    assert not one.keys() & {"privileged", "cap_add", "network_mode", "pid"}


@pytest.mark.parametrize("name", [*SERVICES, "kafka", "postgres", "mailbox", "prometheus", "grafana"])
def test_what_others_wait_for_has_a_health_check(name: str) -> None:
    assert SERVICE[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICE)
def test_ports_are_published_on_loopback_alone(name: str) -> None:
    assert [port for port in SERVICE[name].get("ports", []) if not port.startswith("127.0.0.1:")] == []


def test_matching_and_referral_have_no_door() -> None:
    for name in ("matching", "referral"):
        assert "ports" not in SERVICE[name]
        assert "PEERLINE_HTTP_HOST" not in SERVICE[name]["environment"]


@pytest.mark.parametrize("name", SERVICE)
def test_images_are_variables_with_pinned_defaults(name: str) -> None:
    default = re.fullmatch(r"\$\{PEERLINE_[A-Z_]*IMAGE:-([^}]+)\}", SERVICE[name]["image"])
    assert default
    tag = default[1].partition(":")[2]
    assert re.search(r"\d+\.\d+", tag), f"{tag or 'latest'} names no version"


def test_no_secret_has_a_default_and_none_stands_in_the_file() -> None:
    secret = re.compile(r"(PASSWORD|FINGERPRINT_KEY)$")
    given = [
        value for one in SERVICE.values() for name, value in one.get("environment", {}).items() if secret.search(name)
    ]
    assert len(given) > 15
    assert [value for value in given if not re.fullmatch(r"\$\{[A-Z_]+:\?run make compose-env\}", value)] == []
    assert COMPOSE["secrets"]["keyring"]["file"].startswith("${PEERLINE_KEYRING_FILE:?")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_given_its_own_two_passwords_and_the_keyring_only_where_it_may(service: str) -> None:
    environment = SERVICE[service]["environment"]
    own = {f"${{{password_variable(login)}:?run make compose-env}}" for login in (app_of(service), loop_of(service))}
    assert {value for name, value in environment.items() if name.endswith("PASSWORD")} == own
    assert ("secrets" in SERVICE[service]) == (service in {"intake", "notify"})


def test_the_one_shot_service_is_given_every_login_and_everybody_waits_for_it() -> None:
    assert {password_variable(login) for login in logins()} <= SERVICE["prepare"]["environment"].keys()
    waits = [SERVICE[name]["depends_on"]["prepare"]["condition"] for name in SERVICES]
    assert waits == ["service_completed_successfully"] * len(SERVICES)


def test_the_broker_is_told_what_the_local_one_is_told() -> None:
    environment = SERVICE["kafka"]["environment"]
    told = kafka.environment(kafka.settings(durable=True))
    assert {name: environment.get(name) for name in told} == told
    of_this_place = {
        *("KAFKA_CONTROLLER_QUORUM_VOTERS", "KAFKA_LISTENERS", "KAFKA_ADVERTISED_LISTENERS", "KAFKA_HEAP_OPTS"),
        *("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "KAFKA_INTER_BROKER_LISTENER_NAME", "KAFKA_LOG_DIRS"),
    }
    assert environment.keys() - told.keys() == of_this_place


def test_the_database_is_told_what_the_local_one_is_told() -> None:
    program, *words = SERVICE["postgres"]["command"]
    assert (program, set(words[::2])) == ("postgres", {"-c"})
    assert dict(word.split("=", 1) for word in words[1::2]) == postgres.SETTINGS
    assert shlex.split(SERVICE["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]) == list(postgres.INITDB)


def test_the_engines_of_tests_in_containers_are_told_the_same() -> None:
    told = containers.broker_environment(Path("/data"), 1)
    assert kafka.environment(kafka.settings(durable=False)).items() <= told.items()
    words = containers.database_command()[2::2]
    assert dict(word.split("=", 1) for word in words) == postgres.SETTINGS | postgres.QUICK_SETTINGS


def test_images_of_engines_are_of_the_versions_that_run_locally() -> None:
    assert f":-apache/kafka:{relock.KAFKA}}}" in SERVICE["kafka"]["image"]
    for name, variable in (("kafka", "PEERLINE_KAFKA_IMAGE"), ("postgres", "PEERLINE_POSTGRES_IMAGE")):
        pinned, stand_in = containers.IMAGES[variable]
        assert SERVICE[name]["image"] == f"${{{variable}:-{pinned}}}"
        assert pinned.rpartition(":")[2] == stand_in.rpartition(":")[2]


def test_every_volume_is_named_and_every_mounted_file_is_there() -> None:
    every = [mount for one in SERVICE.values() for mount in one.get("volumes", [])]
    assert {mount.rpartition("}")[2] for mount in every if isinstance(mount, str) and mount.startswith("$")} == {
        ":/anchors",
        ":/anchors:ro",
    }
    mounts = [mount.split(":")[0] for mount in every if isinstance(mount, str) and not mount.startswith("$")]
    assert {mount for mount in mounts if "/" not in mount} == COMPOSE["volumes"].keys()
    assert [mount for mount in mounts if "/" in mount and not (ROOT / mount).exists()] == []


def test_who_destroys_keys_lists_them_in_no_volume_that_a_backup_brings_back() -> None:
    for service in ("intake", "notify", "peerline"):
        (mount,) = (one for one in SERVICE[service]["volumes"] if isinstance(one, dict))
        listed = Path(SERVICE[service]["environment"]["PEERLINE_DESTROYED_KEYS"])
        assert (mount["type"], mount["target"]) == ("bind", str(listed.parent))


def test_the_collector_lets_out_what_the_services_let_out() -> None:
    collector = read(DEPLOY / "otel" / "collector.yml")
    (statement,) = collector["processors"]["transform/allowed"]["trace_statements"][0]["statements"]
    assert set(re.findall(r'"([a-z._]+)"', statement)) == ALLOWED.keys()
    assert "dimensions" not in collector["connectors"]["spanmetrics"]


@pytest.mark.parametrize("signal", ["traces", "metrics"])
def test_every_part_of_a_pipeline_is_configured(signal: str) -> None:
    collector = read(DEPLOY / "otel" / "collector.yml")
    pipeline = collector["service"]["pipelines"][signal]
    known = {kind: {*collector[kind], *collector["connectors"]} for kind in ("receivers", "exporters")}
    known["processors"] = set(collector["processors"])
    assert [name for kind, names in pipeline.items() for name in names if name not in known[kind]] == []


def asked_for(text: str) -> set[str]:
    return {name for name in re.findall(r"\bpeerline_[a-z_]+", text) if not name.startswith("peerline_spans_")}


def test_boards_and_rules_ask_for_metrics_that_exist_and_for_all_of_them() -> None:
    texts = [path.read_text() for path in (DEPLOY / "prometheus" / "rules.yml", *(DEPLOY / "grafana").glob("boards/*"))]
    assert set().union(*map(asked_for, texts)) == set(GAUGES)


def test_prometheus_asks_every_service_where_it_answers() -> None:
    jobs = read(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]
    targets = {target for one in jobs for group in one["static_configs"] for target in group["targets"]}
    ports = {SERVICE[name]["environment"]["PEERLINE_METRICS_PORT"] for name in SERVICES}
    assert targets == {f"{name}:{port}" for name in SERVICES for port in ports} | {"otel:8889"}


def test_a_board_is_whole_and_its_panels_ask_provisioned_sources() -> None:
    sources = {one["uid"] for one in read(DEPLOY / "grafana/provisioning/datasources/sources.yml")["datasources"]}
    board = json.loads((DEPLOY / "grafana" / "boards" / "waiting.json").read_text())
    panels = [one for one in board["panels"] if one["type"] != "row"]
    assert [row["title"] for row in board["panels"] if row["type"] == "row"][:2] == ["Is anyone waiting?", "Pipeline"]
    assert len({one["id"] for one in board["panels"]}) == len(board["panels"])
    assert {one["datasource"]["uid"] for one in panels} == sources
    assert [one["title"] for one in panels if not one["targets"]] == []
    assert "agency" not in json.dumps([one["targets"] for one in panels])
