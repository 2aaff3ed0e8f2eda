"""`peerline audit` on a trail with which somebody with every right has tampered: the first bad entry is named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
import typer
from typer.testing import CliRunner

from deploy.cli import audit as command
from shared import chain
from shared.audit import Entry, record
from shared.chain import Head
from shared.db import connect
from shared.migrate import OPERATOR, SERVICES, loop_of
from shared.sealer import Sealer, entry_of
from shared.types import AgencyId
from shared.vault import make_keyring
from tests.harness.databases import Sql, TestDatabase

ONE, TWO = AgencyId(UUID(int=1)), AgencyId(UUID(int=2))
EACH = 6
Document = dict[str, Any]


@pytest.fixture
def run(database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    endpoints = database.cluster.endpoints
    make_keyring(tmp_path / "keyring.json")
    monkeypatch.setenv("PEERLINE_DATABASE", database.name)
    monkeypatch.setenv("PEERLINE_DATABASE_HOST", endpoints.postgres_host)
    monkeypatch.setenv("PEERLINE_DATABASE_PORT", str(endpoints.postgres_port))
    monkeypatch.setenv("PEERLINE_OPERATOR_PASSWORD", database.cluster.passwords[OPERATOR])
    monkeypatch.setenv("PEERLINE_KEYRING", str(tmp_path / "keyring.json"))
    return command.app


async def act(database: TestDatabase, service: str, agency: AgencyId, acts: int) -> None:
    async with database.opened(service) as db, db.transaction([agency]) as tx:
        await record(tx, [Entry(agency, f"act {number}") for number in range(acts)])


async def seal(database: TestDatabase, service: str) -> None:
    login = database.login(loop_of(service), service)
    connection = await connect(login, idle_timeout_s=60)
    await Sealer(login).sealed(connection)
    await connection.close()


@pytest_asyncio.fixture
async def trail(database: TestDatabase) -> AsyncIterator[Sql]:
    """Two agencies' chains in every service, entries 1 to 6 and 7 to 12; eyes and hands of a superuser in matching."""
    for service in SERVICES:
        for agency in (ONE, TWO):
            await act(database, service, agency, EACH)
        await seal(database, service)
    sql = await database.superuser()
    await sql.execute("SET search_path = matching")
    yield sql
    await sql.close()


async def asked(app: typer.Typer, *words: str) -> tuple[int, Document]:
    answer = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--json"])
    assert answer.output, answer.exception
    return answer.exit_code, json.loads(answer.output.splitlines()[0])


async def verify(app: typer.Typer, *words: str) -> list[tuple[str, str, int | None, int | None, str]]:
    """What is bad; the exit code says whether anything is."""
    code, told = await asked(app, "verify", *words)
    bad = [(one["service"], one["agency"], one["seq"], one["audit_id"], one["kind"]) for one in told["bad"]]
    assert code == (0 if told["sound"] else 1)
    return bad


async def test_a_trail_that_nobody_touched_is_whole(run: typer.Typer, trail: Sql) -> None:
    code, told = await asked(run, "verify")
    assert (code, told["sound"], told["links"], told["chains"]) == (0, True, 4 * 2 * EACH, 8)
    assert (told["bad"], told["effects"], told["anchor"]) == ([], [], None)
    assert await trail.fetchval("SELECT count(*) FROM audit") == 2 * EACH


async def swap(sql: Sql) -> None:
    """Two links of the first chain change places."""
    rows = await sql.fetch("DELETE FROM audit_chain WHERE agency_id = $1 AND seq IN (3, 4) RETURNING *", ONE)
    other = {3: 4, 4: 3}
    for row in rows:
        told = (row["agency_id"], other[row["seq"]], row["audit_id"], row["prev"], row["hash"])
        await sql.execute("INSERT INTO audit_chain VALUES ($1, $2, $3, $4, $5)", *told)


async def exchange(sql: Sql) -> None:
    """Two entries change what they say."""
    await sql.execute("UPDATE audit a SET act = b.act FROM audit b WHERE (a.id, b.id) IN ((3, 4), (4, 3))")


@pytest.mark.parametrize(
    ("statement", "bad"),
    [
        ("UPDATE audit SET act = 'nothing' WHERE id = 3", (3, 3, "edited")),
        ("UPDATE audit SET at = at + interval '1 microsecond' WHERE id = 1", (1, 1, "edited")),
        ("UPDATE audit SET subject = gen_random_uuid() WHERE id = 6", (6, 6, "edited")),
        ("UPDATE audit SET agency_id = '00000000-0000-0000-0000-000000000002' WHERE id = 2", (2, 2, "edited")),
        ("UPDATE audit_chain SET hash = prev WHERE audit_id = 2", (2, 2, "edited")),
        ("DELETE FROM audit WHERE id = 4", (4, 4, "deleted")),
        ("DELETE FROM audit WHERE id >= 5 AND id <= 6", (5, 5, "deleted")),
        ("DELETE FROM audit WHERE id = 2; DELETE FROM audit_chain WHERE audit_id = 2", (2, None, "missing")),
        ("DELETE FROM audit WHERE id = 1; DELETE FROM audit_chain WHERE audit_id = 1", (1, None, "missing")),
    ],
)
async def test_the_first_entry_that_was_edited_or_deleted_is_named(
    statement: str, bad: tuple[int, int | None, str], run: typer.Typer, trail: Sql
) -> None:
    await trail.execute(statement)
    assert await verify(run) == [("matching", str(ONE), *bad)]


async def test_entries_that_were_reordered_are_named(run: typer.Typer, trail: Sql) -> None:
    await swap(trail)
    assert await verify(run) == [("matching", str(ONE), 3, 4, "reordered")]


async def test_entries_that_have_changed_places_are_named(run: typer.Typer, trail: Sql) -> None:
    await exchange(trail)
    assert await verify(run) == [("matching", str(ONE), 3, 3, "edited")]


async def test_an_entry_that_is_not_linked_in_time_is_named(run: typer.Typer, trail: Sql) -> None:
    await trail.execute("DELETE FROM audit_chain WHERE audit_id = 12")
    assert await verify(run) == []
    assert await verify(run, "--unsealed-after", "0") == [("matching", str(TWO), None, 12, "unsealed")]


CUT = """
DELETE FROM audit_chain WHERE audit_id IN (5, 6);
DELETE FROM audit WHERE id IN (5, 6);
UPDATE audit_counts SET entries = entries - 1 WHERE act IN ('act 4', 'act 5')
"""


async def test_a_tail_that_was_cut_is_seen_against_an_anchor_and_only_there(
    run: typer.Typer, trail: Sql, tmp_path: Path
) -> None:
    file = tmp_path / "heads.jsonl"
    assert await asked(run, "anchor", str(file)) == (0, {"added": 8})
    assert await asked(run, "anchor", str(file)) == (0, {"added": 0})
    assert await verify(run, "--anchor", str(file)) == []
    await trail.execute(CUT)
    assert await verify(run) == []
    assert await verify(run, "--anchor", str(file)) == [("matching", str(ONE), 5, None, "cut")]


async def rewrite(sql: Sql) -> None:
    """As somebody who knows how the hashes are made: an entry changes, and every link from there on is made anew."""
    await sql.execute("UPDATE audit SET act = 'nothing' WHERE id = 3")
    rows = await sql.fetch(
        "SELECT id, xid::text::bigint AS xid, agency_id, at, actor, act, subject, cause FROM audit"
        " WHERE agency_id = $1 ORDER BY id",
        ONE,
    )
    links = chain.linked("matching", {ONE: Head()}, [entry for row in rows if (entry := entry_of(row))])
    for one in links:
        await sql.execute(
            "UPDATE audit_chain SET prev = $1, hash = $2 WHERE audit_id = $3", one.prev, one.hash, one.audit_id
        )


async def test_a_chain_that_was_written_anew_is_seen_against_an_anchor_and_only_there(
    run: typer.Typer, trail: Sql, tmp_path: Path
) -> None:
    file = tmp_path / "heads.jsonl"
    await asked(run, "anchor", str(file))
    await rewrite(trail)
    assert await verify(run) == []
    assert await verify(run, "--anchor", str(file)) == [("matching", str(ONE), 6, 6, "rewritten")]
    # Anchoring again does not make it good.
    assert await asked(run, "anchor", str(file)) == (0, {"added": 1})
    assert await verify(run, "--anchor", str(file)) == [("matching", str(ONE), 6, 6, "rewritten")]


async def test_a_forged_anchor_is_seen(run: typer.Typer, trail: Sql, tmp_path: Path) -> None:
    file = tmp_path / "heads.jsonl"
    await asked(run, "anchor", str(file))
    lines = file.read_text().splitlines()
    lines[2] = json.dumps(json.loads(lines[2]) | {"seq": 5})
    file.write_text("\n".join(lines) + "\n")
    code, told = await asked(run, "verify", "--anchor", str(file))
    assert (code, told["sound"], told["anchor"]["forged"]) == (1, False, [3])
    assert await trail.fetchval("SELECT true")


async def test_an_anchor_that_is_not_there_or_cannot_be_read_has_its_own_code(
    run: typer.Typer, trail: Sql, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert (await asked(run, "verify", "--anchor", str(tmp_path / "none")))[0] == 2
    assert await asked(run, "verify", "--anchor", str(tmp_path / "binary")) == (
        3,
        {"refused": "bad-anchor", "errors": []},
    )
    assert await trail.fetchval("SELECT true")


async def test_a_tombstone_without_its_act_and_a_case_that_never_began_are_told(run: typer.Typer, trail: Sql) -> None:
    await trail.execute("INSERT INTO tombstones(case_id, agency_id, closed) VALUES (gen_random_uuid(), $1, true)", ONE)
    await trail.execute(
        "INSERT INTO intake.cases(case_id, agency_id, state, owner, due_at)"
        " VALUES (gen_random_uuid(), $1, 'open', 'peer', now())",
        ONE,
    )
    code, told = await asked(run, "verify")
    off = {(one["service"], one["name"]): (one["acts"], one["effects"]) for one in told["effects"]}
    assert (code, off) == (1, {("matching", "tombstones"): (0, 1), ("intake", "cases"): (0, 1)})
