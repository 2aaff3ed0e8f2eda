"""Two pictures of a run for docs/performance: how long and how many, and how the ratios went from run to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, FLOOR, OTHER, REGION = "#333333", "#9aa5b1", "#c9885b", "#2f6f9f"
AIM = {"latency_over_floor": 2.0, "throughput_over_floor": 0.25, "throughput_over_dbos": 10.0, "cost_1e6_over_1e3": 1.2}
# The same picture for the same numbers: no random ids, no date.
STEADY = "peerline"


def draw(found: Mapping[str, Any], history: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write `latest.svg` and `history.svg`."""
    with mpl.rc_context({"svg.hashsalt": STEADY, "svg.fonttype": "none"}):
        _save(_latest(found), folder / "latest.svg")
        _save(_history(history), folder / "history.svg")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})


def _latest(found: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    waits, rates = figure.subplots(2, 1, height_ratios=(3, 2))
    _latencies(waits, found["floors"], found["region"])
    _throughput(rates, found["floors"], found["region"])
    return figure


def _latencies(axes: Axes, floors: Mapping[str, Any], region: Mapping[str, Any]) -> None:
    rows = {
        "one bare Kafka hop": (floors["hop_ms"], FLOOR),
        "floor: four durable hops": (floors["pipeline_ms"], FLOOR),
        "DBOS: four durable steps": (floors["dbos"]["latency"], OTHER),
        "region: request to 201": (region["light"]["accepted"], REGION),
        "region: request to the offer's attempt": (region["light"]["latency"], REGION),
        "region: … to the mail server's yes": (region["light"]["mailed"], REGION),
    }
    if region.get("grown"):
        rows[f"region: {region['grown']['cases']:,} cases stored"] = (region["grown"]["latency"], REGION)
    for place, (latency, colour) in enumerate(rows.values()):
        axes.hlines(-place, latency["p50"], latency["p99"], color=colour, linewidth=5, alpha=0.45)
        axes.plot(latency["p50"], -place, "o", color=colour, markersize=9)
        axes.plot([latency["p95"], latency["p99"]], [-place, -place], "|", color=colour, markersize=11)
        axes.annotate(
            f"{latency['p50']:.1f}", (latency["p50"], -place), (0, 9), textcoords="offset points", ha="center"
        )
    axes.set_yticks([-place for place in range(len(rows))], list(rows))
    axes.set_xlim(left=0)
    axes.set_ylim(-len(rows) + 0.4, 0.8)
    axes.set_xlabel("milliseconds at light load: p50 (dot), p95 and p99 (strokes)")
    _plain(axes)


def _throughput(axes: Axes, floors: Mapping[str, Any], region: Mapping[str, Any]) -> None:
    rows = {
        "floor: four durable hops": (floors["pipeline"]["per_s"], FLOOR),
        "DBOS: four durable steps": (floors["dbos"]["per_s"], OTHER),
        "region: a burst": (region["burst"]["per_s"], REGION),
        "region: held": (region["sustained"]["per_s"], REGION),
    }
    names = list(rows)[::-1]
    bars = axes.barh(names, [rows[name][0] for name in names], color=[rows[name][1] for name in names])
    axes.bar_label(bars, fmt="{:,.0f}", padding=4)
    axes.set_xscale("log")
    axes.set_xlim(left=10)
    axes.set_xlabel("cases a second (logarithmic)")
    _plain(axes)


def _history(history: Sequence[Mapping[str, Any]]) -> Figure:
    figure = Figure(figsize=(9, 5), layout="constrained")
    for axes, (name, aim) in zip(figure.subplots(2, 2).flat, AIM.items(), strict=True):
        values = [run["ratios"].get(name) for run in history]
        axes.plot(
            range(1, len(values) + 1), [float("nan") if one is None else one for one in values], "o-", color=REGION
        )
        axes.axhline(aim, color=OTHER, linestyle="--", linewidth=1)
        axes.set_title(f"{name} (aim: {aim:g})", fontsize=10, color=INK)
        axes.set_ylim(bottom=0)
        axes.set_xticks(
            range(1, len(values) + 1), [run["date"] for run in history], rotation=30, ha="right", fontsize=7
        )
        _plain(axes)
    return figure


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
