"""What a run leaves behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.load import report, stats
from tests.load.counts import PerCase
from tests.load.floors.bare import Commits
from tests.load.floors.pipeline import Drained
from tests.load.floors.steps import Steps
from tests.load.sustained import Sustained, Trial

LIGHT = stats.Latency(25.0, 40.0, 60.0, 400)
FLOORS = report.Floors(
    commits=Commits(stats.Latency(0.2, 0.3, 0.4, 100), 20_000.0, 16),
    hop_ms=stats.Latency(2.0, 3.0, 4.0, 100),
    pipeline_ms=stats.Latency(10.0, 20.0, 30.0, 100),
    pipeline=Drained(10_000, 5_000.0, {"hop1": 0.1, "all": 0.1}),
    dbos=Steps(stats.Latency(12.5, 13.0, 14.0, 400), 4_000, 200.0, {"dbos1": 3.0, "all": 3.0}, {"at_once": 100}),
)
REGION = report.Region(
    light=report.Light(
        latency=LIGHT,
        mailed=stats.Latency(30.0, 50.0, 70.0, 400),
        accepted=stats.Latency(5.0, 6.0, 7.0, 400),
        stages_p50_ms={"request to search": 12.0, "search to intent": 8.0, "intent to attempt": 4.0},
    ),
    burst=Drained(5_000, 1_100.0, {"intake": 0.5, "mailbox": 0.3, "client": 0.2, "all": 1.0}),
    accepted_per_s=1_500.0,
    sustained=Sustained(1_000.0, 10, (Trial(1_000.0, True, LIGHT), Trial(1_150.0, False, LIGHT))),
    per_case=PerCase({"matching": 2.0}, {"matching": 1.5}, 0.25),
)
GROWN = report.Stored(
    1_000_000, stats.Latency(26.0, 50.0, 70.0, 400), Drained(5_000, 900.0, {"all": 0.6, "client": 0.0})
)


def test_the_region_is_compared_with_the_durable_pipeline_and_with_dbos() -> None:
    found = report.ratios(FLOORS, REGION)
    assert (found["latency_over_floor"], found["throughput_over_floor"]) == (2.5, 0.2)
    assert (found["latency_over_dbos"], found["throughput_over_dbos"]) == (2.0, 5.0)


def test_cpu_time_is_compared_without_the_benchmarks_own() -> None:
    found = report.ratios(FLOORS, REGION)
    assert (found["cpu_over_floor"], found["benchmarks_own_cpu"]) == (5.0, 0.5)


def test_where_cpu_time_is_unknown_nothing_is_said_of_it() -> None:
    found = report.ratios(FLOORS, replace(REGION, burst=replace(REGION.burst, cpu_ms_per_case={})))
    assert "cpu_over_floor" not in found
    assert found["throughput_over_floor"] == 0.2


def test_the_cost_of_growth_is_the_worse_of_latency_and_cpu_time() -> None:
    found = report.ratios(FLOORS, replace(REGION, grown=GROWN))
    assert (found["latency_1e6_over_1e3"], found["cpu_1e6_over_1e3"]) == (1.04, 1.2)
    assert found["cost_1e6_over_1e3"] == 1.2


def test_without_growth_nothing_is_said_of_its_cost() -> None:
    assert "cost_1e6_over_1e3" not in report.ratios(FLOORS, REGION)


def test_events_a_second_are_those_of_the_rate_that_is_kept_up_with() -> None:
    assert REGION.events_per_s == {"consumed": {"matching": 2_000.0}, "published": {"matching": 1_500.0}}


def test_a_document_has_floors_region_and_ratios() -> None:
    found = report.document(FLOORS, REGION, {"fsync": "on"}, {"cores": 2})
    assert set(found) == {"date", "machine", "settings", "floors", "region", "ratios"}
    assert found["region"]["light"]["latency"]["p50"] == 25.0


def test_floors_alone_claim_no_ratio() -> None:
    found = report.document(FLOORS, None, {}, {})
    assert "region" not in found
    assert "ratios" not in found


def test_a_kept_run_is_read_back_as_it_was(tmp_path: Path) -> None:
    found = report.document(FLOORS, REGION, {"fsync": "on"}, {"cores": 2})
    report.write(found, tmp_path / "performance" / "latest.json")
    assert json.loads((tmp_path / "performance" / "latest.json").read_text()) == json.loads(json.dumps(found))


def test_every_kept_run_is_remembered_behind_those_before_it(tmp_path: Path) -> None:
    found = report.document(FLOORS, REGION, {}, {"cores": 2})
    report.remember(found, tmp_path / "history.jsonl")
    history = report.remember(found, tmp_path / "history.jsonl")
    assert [run["ratios"]["latency_over_floor"] for run in history] == [2.5, 2.5]
    assert history[0]["sustained_per_s"] == 1_000.0


def test_the_table_sets_the_ratios_beside_the_aims() -> None:
    text = report.table(FLOORS, REGION)
    assert "latency_over_floor         2.500  (aim: at most 2)" in text
    assert "throughput_over_floor      0.200  (aim: at least 0.25)" in text


def test_hot_lines_are_told_per_service_with_their_share(tmp_path: Path) -> None:
    sampled = {"samples": 200, "every_s": 0.002, "lines": {"shared/db.py:142 transaction": 50, "elsewhere": 150}}
    (tmp_path / "intake.json").write_text(json.dumps(sampled))
    text = report.hot(tmp_path, lines=1)
    assert "intake: 0.4 s of CPU" in text
    assert "25.0 %  shared/db.py:142 transaction" in text
    assert "elsewhere" not in text
