"""`make clean`: what is kept goes, what is running stays."""

from __future__ import annotations

import asyncio
from pathlib import Path

from deploy.local.clean import clean_all
from deploy.local.supervisor import Supervisor


def kept(root: Path, name: str) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "secrets.json").write_text("{}")
    return folder


def test_every_state_folder_is_forgotten_and_the_empty_root_too(tmp_path: Path) -> None:
    root = tmp_path / ".peerline"
    for name in ("up", "test-1"):
        kept(root, name)
    assert clean_all(root) == []
    assert not root.exists()


def test_a_folder_in_use_stays_and_says_so(tmp_path: Path) -> None:
    kept(tmp_path, "up")
    in_use = kept(tmp_path, "running")

    async def cleaned_meanwhile() -> list[str]:
        async with Supervisor(in_use):
            return await asyncio.to_thread(clean_all, tmp_path)

    (sentence,) = asyncio.run(cleaned_meanwhile())
    assert str(in_use) in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["running"]
    assert (in_use / "secrets.json").exists()


def test_nothing_kept_is_nothing_to_do(tmp_path: Path) -> None:
    assert clean_all(tmp_path / "never") == []
