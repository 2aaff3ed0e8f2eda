"""A process dies at exactly the point that was armed, says so on disk, and production refuses."""

import signal
import subprocess
import sys
import timeit
from pathlib import Path

import pytest

from shared import faults

ROOT = Path(__file__).parents[3]

PROGRAM = """
import sys
from shared import faults
faults.arm_from(sys.argv[1], production=False)
for turn in range(3):
    faults.reached("after-consume", "peerline.intake")
    print("consumed", turn, flush=True)
    faults.reached("after-commit", "peerline.intake")
    faults.reached("after-commit", "peerline.matching")
    print("committed", turn, flush=True)
"""


def run(fault: str, marker: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, fault],
        cwd=ROOT,
        env={"PEERLINE_FAULT_MARKER": str(marker), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("fault", "lines"),
    [
        ("after-consume", 0),
        ("after-commit", 1),
        ("after-commit:2", 1),
        ("after-commit:3", 3),
        ("after-commit:peerline.matching", 1),
        ("after-commit:peerline.matching:3", 5),
    ],
)
def test_the_process_dies_there_and_then(tmp_path: Path, fault: str, lines: int) -> None:
    marker = tmp_path / "marker"
    ended = run(fault, marker)
    assert ended.returncode == -signal.SIGKILL
    assert len(ended.stdout.splitlines()) == lines
    assert marker.read_text().split()[0] == fault.split(":", 1)[0]


@pytest.mark.parametrize("fault", ["", "before-publish", "after-commit:peerline.notify", "after-commit:7"])
def test_it_lives_where_nothing_armed_is_reached(tmp_path: Path, fault: str) -> None:
    ended = run(fault, tmp_path / "marker")
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 6)
    assert not (tmp_path / "marker").exists()


def test_production_refuses_to_start_armed() -> None:
    with pytest.raises(faults.FaultInProduction):
        faults.arm_from("after-commit", production=True)


def test_production_starts_with_nothing_armed() -> None:
    faults.arm_from("", production=True)
    faults.reached("after-commit")


@pytest.mark.parametrize("fault", ["after", "after-commit:a:b", "after-commit:0", "after-commit:a:1:2", ":1"])
def test_a_fault_that_cannot_be_read_is_refused(fault: str) -> None:
    with pytest.raises(faults.UnknownFault):
        faults.arm_from(fault, production=False)
    faults.reached("after-commit")


def test_every_point_can_be_armed_and_disarmed() -> None:
    for point in faults.POINTS:
        faults.arm_from(f"{point}:9", production=False)
        faults.reached(point)
    faults.arm_from("", production=False)
    assert len(faults.POINTS) == 7


def test_an_unarmed_point_costs_next_to_nothing() -> None:
    faults.arm_from("", production=False)
    seconds = min(timeit.repeat(lambda: faults.reached("after-commit", "x"), number=10_000, repeat=5)) / 10_000
    # Generous: the aim is 100 ns, a loaded machine may take ten times that.
    assert seconds < 2e-6
