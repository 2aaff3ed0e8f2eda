"""Every scene of `make demo`, on a region of its own."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from deploy.local.scenes.__main__ import SCENES, played, staged
from tests.harness.region import Region


async def test_every_scene_of_make_demo_goes_as_it_should(region: Region, tmp_path: Path) -> None:
    await region.start_all()
    with (tmp_path / "scenes.txt").open("w") as file:
        console = Console(file=file, width=160)
        async with staged(region.local, console.print) as stage:
            failed = await played(stage, console)
    told = (tmp_path / "scenes.txt").read_text()
    assert failed == [], told
    assert len(SCENES) == len(stage.cases) == told.count("its rows are purged everywhere")
