"""The lint against statements in loops: it holds for this checkout, sees what is planted, and lets clean code pass."""

from pathlib import Path, PurePath
from textwrap import dedent

import pytest

from tools.lint import sql_in_loops
from tools.lint.tree import ROOT

STORE = "async def load(conn, ids): ...\nasync def save(conn, rows): ...\ndef row_of(item): ...\n"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A checkout with a store, an outbox and actions to call."""
    for name, text in {
        "services/intake/store.py": STORE,
        "services/notify/store/cases.py": STORE,
        "services/intake/actions.py": "async def take(conn, events): ...\n",
        "shared/outbox.py": "async def emit(tx, events): ...\ndef row_of(event): ...\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def found(text: str, house: Path = ROOT, name: str = "services/intake/actions.py") -> list[str]:
    return list(sql_in_loops.offences(PurePath(name), dedent(text), house))


def test_no_statement_of_this_checkout_stands_in_a_loop() -> None:
    assert list(sql_in_loops.check(ROOT)) == []


@pytest.mark.parametrize("method", sorted(sql_in_loops.STATEMENTS))
def test_every_statement_of_a_connection_is_seen(method: str) -> None:
    text = f"async def save(conn, rows):\n    for row in rows:\n        await conn.{method}('SELECT 1', row)\n"
    assert found(text) == [f"services/intake/actions.py:3: conn.{method} stands in the loop of line 2"]


@pytest.mark.parametrize(
    "body",
    [
        "async for row in rows: await conn.execute('')",
        "while rows: await conn.fetch('')",
        "while await conn.fetchval(''): pass",
        "[await conn.fetch('', row) for row in rows]",
        "{row: await conn.fetch('', row) for row in rows}",
        "await gather(*(conn.execute('', row) for row in rows))",
        "[x for row in rows for x in await conn.fetch('', row)]",
        "[row for row in rows if await conn.fetchval('', row)]",
        "for row in rows: await self.pool.execute('', row)",
    ],
)
def test_every_kind_of_loop_is_seen(body: str) -> None:
    assert len(found(f"async def save(self, conn, rows):\n    {body}\n")) == 1


@pytest.mark.parametrize(
    "body",
    [
        "for row in await conn.fetch(''): use(row)",
        "async for row in conn.fetch(''): use(row)",
        "[use(row) for row in await conn.fetch('')]",
        "await conn.executemany('', [(row.id,) for row in rows])",
        "for row in rows: row.execution = fetch(row)",
        "for row in rows:\n        pass\n    else:\n        await conn.execute('')",
        "for row in rows:\n        async def later(): await conn.execute('')",
    ],
)
def test_what_runs_once_is_left_alone(body: str) -> None:
    assert found(f"async def save(conn, rows):\n    {body}\n") == []


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("from services.intake import store", "store.load"),
        ("from services.intake import store as rows", "rows.save"),
        ("from services.intake.store import load", "load"),
        ("from services.intake.store import load as read", "read"),
        ("import services.intake.store", "services.intake.store.load"),
        ("from services.notify.store import cases", "cases.load"),
        ("from services.notify import store", "store.load"),
        ("from services.intake import actions", "actions.take"),
        ("from shared import outbox", "outbox.emit"),
        ("from shared.outbox import emit", "emit"),
    ],
)
def test_a_coroutine_that_holds_statements_is_seen_by_any_name(house: Path, line: str, call: str) -> None:
    text = f"{line}\nasync def act(tx, events):\n    for event in events:\n        await {call}(tx, [event])\n"
    assert found(text, house) == [f"services/intake/actions.py:4: {call} stands in the loop of line 3"]


@pytest.mark.parametrize("line", ["from shared import outbox", "from services.intake import store as outbox"])
def test_a_plain_function_of_a_store_may_stand_in_a_loop(house: Path, line: str) -> None:
    assert (
        found(f"{line}\nasync def act(events):\n    return [outbox.row_of(event) for event in events]\n", house) == []
    )


def test_a_helper_cannot_hide_a_statement() -> None:
    text = """
    class Sweep:
        async def sweep(self, rows):
            for row in rows:
                await self.one(row)

        async def one(self, row):
            await write(row)

    async def write(row):
        await conn.execute("", row)
    """
    assert found(text) == ["services/intake/actions.py:5: self.one stands in the loop of line 4"]


@pytest.mark.parametrize(
    "loop",
    [
        "while True:  # sql-in-loop: one pass over all due timers\n",
        "# sql-in-loop: one pass over all due timers\n    while True:\n",
        "# sql-in-loop: one pass over all due timers,\n    # then it sleeps\n    while True:\n",
    ],
)
def test_a_loop_with_a_reason_is_excused(loop: str) -> None:
    assert found(f"async def run(conn):\n    {loop}        await conn.fetch('')\n") == []


def test_an_excuse_covers_its_own_loop_and_none_inside_it() -> None:
    text = """
    async def run(conn):
        while True:  # sql-in-loop: one pass over all due timers
            for row in await conn.fetch(""):
                await conn.execute("", row)
    """
    assert found(text) == ["services/intake/actions.py:5: conn.execute stands in the loop of line 4"]


def test_an_excuse_needs_a_reason_and_something_to_excuse() -> None:
    bare = "async def run(conn):\n    while True:  # sql-in-loop: yes\n        await conn.fetch('')\n"
    idle = "async def run(conn):\n    while True:  # sql-in-loop: nothing is here at all\n        await sleep(1)\n"
    assert "needs a reason" in found(bare)[0]
    assert found(idle) == ["services/intake/actions.py:2: this excuse excuses nothing"]


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("services/intake/store.py", True),
        ("services/intake/actions/offers.py", True),
        ("services/intake/subscribers.py", True),
        ("shared/events/intake.py", True),
        ("services/intake/routes.py", False),
        ("services/intake/domain/store.py", False),
        ("deploy/cli/main.py", False),
        ("tests/integration/test_store.py", False),
    ],
)
def test_the_rule_holds_where_statements_live(name: str, held: bool) -> None:
    assert sql_in_loops.in_scope(PurePath(name)) is held


def test_the_walk_over_a_checkout_reports_what_it_meets(house: Path) -> None:
    (house / "shared" / "inbox.py").write_text("async def f(c, xs):\n    for x in xs:\n        await c.execute(x)\n")
    assert list(sql_in_loops.check(house)) == ["shared/inbox.py:3: c.execute stands in the loop of line 2"]
