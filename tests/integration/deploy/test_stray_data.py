"""A database that the state folder does not open: told in a sentence or put aside, and never deleted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.engines import forget
from deploy.local.errors import StrayDataError
from deploy.local.postgres import Postgres, is_running_on

pytestmark = pytest.mark.engines


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    forget(tmp_path / "state")


async def made(state: Path) -> Postgres:
    """A cluster, not started."""
    postgres = Postgres(state=state, durable=False)
    await postgres.prepare()
    return postgres


async def test_a_second_start_finds_its_own(state: Path) -> None:
    first, second = await made(state), await made(state)
    assert second.set_aside is None
    assert first.password == second.password


async def test_without_its_password_and_without_a_region_it_is_put_aside_whole(state: Path) -> None:
    first = await made(state)
    (first.data / "here").touch()
    (state / "postgres.password").unlink()
    second = await made(state)
    assert second.set_aside is not None
    assert (second.set_aside / "here").exists()
    assert not (second.data / "here").exists()
    assert (await made(state)).set_aside is None


async def test_another_password_is_no_better_than_none(state: Path) -> None:
    await made(state)
    (state / "postgres.password").write_text("another-one")
    assert (await made(state)).set_aside is not None


async def test_a_cluster_from_before_there_were_marks_is_taken_as_it_is(state: Path) -> None:
    first = await made(state)
    (first.home / "opened-by").unlink()
    assert (await made(state)).set_aside is None
    assert (first.home / "opened-by").is_file()


async def test_what_belongs_to_a_region_is_not_touched(state: Path) -> None:
    first = await made(state)
    (state / "keyring.json").touch()
    (state / "postgres.password").unlink()
    with pytest.raises(StrayDataError, match="put the file back") as refused:
        await made(state)
    assert str(refused.value).count(". ") == 0
    assert (first.data / "PG_VERSION").is_file()
    assert not (state / "postgres.password").exists()


async def test_a_database_that_still_runs_is_left_alone(state: Path) -> None:
    first = await made(state)
    (state / "postgres.password").unlink()
    words = (sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", str(first.data))
    running = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert running.stdin is not None
    assert running.stdout is not None
    await running.stdout.readline()
    (first.data / "postmaster.pid").write_text(f"{running.pid}\n")
    assert is_running_on(first.data)
    with pytest.raises(StrayDataError, match="still runs"):
        await made(state)
    running.stdin.close()
    await running.wait()
    assert not is_running_on(first.data)
    assert (await made(state)).set_aside is not None
