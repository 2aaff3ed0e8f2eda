"""No SQL statement stands in a loop over rows or events: every statement takes lists and works on sets.

A call counts as a statement when it is a connection's own (`fetch`, `execute`, ...), a coroutine of a `store` or
`actions` module or of the rooms of `shared` that hold statements, or a coroutine of the same file that reaches one.
A loop that is meant to work so (a background loop, record by record after a failure) says why, on the line of its
`for` or `while` or on the line above: `# sql-in-loop: <reason>`. An excuse that excuses nothing is an offence too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from tools.lint.tree import ROOT, files, report

STATEMENTS = frozenset(
    {
        "copy_from_query",
        "copy_from_table",
        "copy_records_to_table",
        "copy_to_table",
        "execute",
        "executemany",
        "fetch",
        "fetchmany",
        "fetchrow",
        "fetchval",
    }
)
SERVICE_ROOMS = frozenset({"store", "actions", "subscribers"})
REACHING_ROOMS = frozenset({"store", "actions"})
SHARED_ROOMS = frozenset({"anchors", "audit", "casework", "doors", "outbox", "inbox", "parking", "timers", "vault"})
EXCUSE = re.compile(r"#\s*sql-in-loop:\s*(?P<reason>.*)$")
LEAST_WORDS = 3

Loop = ast.For | ast.AsyncFor | ast.While | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def in_scope(name: PurePath) -> bool:
    """Whether the rule holds for this file: all of `shared`, and the rooms of a service that touch the database."""
    parts = name.with_suffix("").parts
    return parts[0] == "shared" or (parts[0] == "services" and bool(SERVICE_ROOMS & set(parts[2:3])))


def holds_statements(module: str) -> bool:
    """Whether the coroutines of a module, named with dots, count as statements."""
    top, *rest = module.split(".")
    if top == "shared":
        return bool(rest) and rest[0] in SHARED_ROOMS
    return top == "services" and len(rest) > 1 and rest[1] in REACHING_ROOMS


def coroutines(root: Path, module: str) -> frozenset[str]:
    """Names of the coroutines of a module; those of all its files when it is a folder; none when it does not exist."""
    base = root.joinpath(*module.split("."))
    sources = [base.with_suffix(".py")] if base.with_suffix(".py").is_file() else sorted(base.rglob("*.py"))
    trees = (ast.parse(source.read_text(encoding="utf-8")) for source in sources)
    return frozenset(node.name for tree in trees for node in tree.body if isinstance(node, ast.AsyncFunctionDef))


def dotted(node: ast.expr) -> str:
    """The text of a plain chain of names such as `store.cases.load`; of anything else only what follows it."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def imported(root: Path, tree: ast.AST) -> frozenset[str]:
    """Every spelling by which this file can call a coroutine of a module that holds statements."""
    spellings: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [(alias.name, alias.asname or alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            targets = [(f"{node.module}.{alias.name}", alias.asname or alias.name) for alias in node.names]
            if holds_statements(node.module):
                direct = coroutines(root, node.module)
                spellings.update(alias.asname or alias.name for alias in node.names if alias.name in direct)
        else:
            continue
        for module, local in targets:
            if holds_statements(module):
                spellings.update(f"{local}.{name}" for name in coroutines(root, module))
    return frozenset(spellings)


def own_calls(function: ast.AST) -> Iterator[ast.Call]:
    """Calls that run when the function runs: those of functions defined inside it are theirs."""
    for node in ast.iter_child_nodes(function):
        if isinstance(node, FUNCTIONS):
            continue
        if isinstance(node, ast.Call):
            yield node
        yield from own_calls(node)


@dataclass
class Statements:
    """Which calls of one file run SQL, by what is imported and by what its own coroutines reach."""

    imported: frozenset[str]
    local: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, root: Path, tree: ast.AST) -> Statements:
        """Follow the coroutines of the file until nothing new is reached."""
        known = cls(imported(root, tree))
        waiting = [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]
        while reached := [node for node in waiting if any(known.runs(call) for call in own_calls(node))]:
            known.local.update(node.name for node in reached)
            waiting = [node for node in waiting if node not in reached]
        return known

    def runs(self, call: ast.Call) -> bool:
        """Whether this call is a statement, or a coroutine that comes to one."""
        if isinstance(call.func, ast.Attribute) and call.func.attr in STATEMENTS:
            return True
        name = dotted(call.func)
        own = name.removeprefix("self.").removeprefix("cls.")
        return name in self.imported or own in self.local


def looped(node: ast.AST, loops: tuple[Loop, ...] = ()) -> Iterator[tuple[ast.Call, tuple[Loop, ...]]]:
    """Every call below a node with the loops that repeat it, outermost first. What a loop iterates over runs once."""
    if isinstance(node, ast.Call):
        yield node, loops
    once: list[ast.AST] = []
    inner = loops
    if isinstance(node, FUNCTIONS):
        inner = ()
    elif isinstance(node, ast.For | ast.AsyncFor):
        once, inner = [node.iter, *node.orelse], (*loops, node)
    elif isinstance(node, ast.While):
        once, inner = [*node.orelse], (*loops, node)
    elif isinstance(node, COMPREHENSIONS):
        once, inner = [node.generators[0].iter], (*loops, node)
    for child in once:
        yield from looped(child, loops)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.comprehension):  # its parts, not itself: the first iterable has been seen
            for part in (child.target, child.iter, *child.ifs):
                if part not in once:
                    yield from looped(part, inner)
        elif child not in once:
            yield from looped(child, inner)


def excuses(text: str) -> dict[int, str]:
    """Line number and reason of every excuse; a comment line of its own counts for the next line of code."""
    found: dict[int, str] = {}
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if match := EXCUSE.search(line):
            target = number
            while target <= len(lines) and lines[target - 1].lstrip().startswith("#"):
                target += 1
            found[target] = match["reason"].strip()
    return found


def heads(loop: Loop) -> set[int]:
    """Lines on which a loop may be excused: where it begins, and where a comprehension says `for`."""
    return {loop.lineno, *({loop.generators[0].target.lineno} if isinstance(loop, COMPREHENSIONS) else ())}


def offences(name: PurePath, text: str, root: Path = ROOT) -> Iterator[str]:
    """Everything wrong with one file; `name` is its path inside the checkout at `root`."""
    tree = ast.parse(text, filename=str(name))
    statements, reasons, used = Statements.of(root, tree), excuses(text), set[int]()
    for line, reason in reasons.items():
        if len(reason.split()) < LEAST_WORDS:
            yield f"{name}:{line}: an excuse needs a reason that a reader can judge"
    for call, loops in looped(tree):
        if not loops or not statements.runs(call):
            continue
        used.update(line for loop in loops for line in heads(loop) & reasons.keys())
        guilty = [loop for loop in loops if not heads(loop) & reasons.keys()]
        if guilty:
            called = ast.unparse(call.func)
            yield f"{name}:{call.lineno}: {called} stands in the loop of line {guilty[-1].lineno}"
    yield from (f"{name}:{line}: this excuse excuses nothing" for line in sorted(reasons.keys() - used))


def check(root: Path) -> Iterator[str]:
    """Everything wrong with the files of a checkout that the rule is about."""
    for path in files(root, "*.py"):
        if in_scope(path.relative_to(root)):
            yield from offences(path.relative_to(root), path.read_text(encoding="utf-8"), root)


if __name__ == "__main__":
    report("SQL in loops", check(ROOT))
