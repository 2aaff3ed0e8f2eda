"""`python -m tools.contracts [write]`: whether what is published is what the code says, or publish it.

The events with their golden samples, and AsyncAPI and OpenAPI of the services with what their checkers find. What
would break a published version of an event is never written.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

from tools.contracts import asyncapi, node, openapi, published
from tools.contracts.gate import EVENTS
from tools.contracts.parts import Documents, Part, run
from tools.contracts.region import wired
from tools.contracts.schemas import event_schemas
from tools.lint.tree import ROOT, report


def _asyncapi(root: Path) -> Documents:
    del root

    async def made() -> Documents:
        schemas = event_schemas()
        async with wired() as processes:
            documents = {name: asyncapi.document(name, one.broker, schemas) for name, one in processes.items()}
        return {asyncapi.FOLDER / f"{name}.json": published.as_text(one) for name, one in documents.items()}

    return asyncio.run(made())


def _openapi(root: Path) -> Documents:
    del root

    async def made() -> Documents:
        async with wired() as processes:
            documents = {name: openapi.document(processes[name].app) for name in openapi.SERVICES}
        return {openapi.FOLDER / f"{name}.json": published.as_text(one) for name, one in documents.items()}

    return asyncio.run(made())


SERVED = (
    Part(_asyncapi, found=partial(node.findings, kind="asyncapi")),
    Part(_openapi, found=partial(node.findings, kind="openapi")),
)

if __name__ == "__main__":
    report("contracts", run(ROOT, [*EVENTS, *SERVED], sys.argv[1:]))
